import gzip

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from napari_swin_litemedsam.geometry import Geometry, Scan
from napari_swin_litemedsam.io import CaseError, files, read_scan, write_labels
from napari_swin_litemedsam.io.scans import check_target
from scan_files import GEOMETRIES, assert_same_place, itk_image

ARRAY = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)


def save(path, array=ARRAY, affine=None, sform=0, qform=0, kind=nibabel.Nifti1Image):
    image = kind(array.T, np.eye(4))
    image.set_sform(affine, sform)
    image.set_qform(None if qform == 0 else np.eye(4), qform)
    nibabel.save(image, path)
    return path


def patch(path, field, value):
    """Change a field of an uncompressed file's header."""
    header = nibabel.Nifti1Header(path.read_bytes()[:348], check=False)
    header[field] = value
    path.write_bytes(header.binaryblock + path.read_bytes()[348:])


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_both_versions_are_read(tmp_path, kind):
    scan = read_scan(save(tmp_path / "a.nii.gz", affine=np.diag([-2, -3, 4, 1]), sform=1, kind=kind))
    np.testing.assert_array_equal(scan.array, ARRAY)
    assert scan.geometry == Geometry.make((4, 3, 2))


def test_intensities_are_rescaled(tmp_path):
    image = nibabel.Nifti1Image(ARRAY.T.astype(float) / 4 - 7, np.eye(4), dtype=np.int16)
    nibabel.save(image, tmp_path / "a.nii")
    scan = read_scan(tmp_path / "a.nii")
    np.testing.assert_allclose(scan.array, ARRAY / 4 - 7, atol=1e-3)
    assert scan.array.dtype == np.float32


def test_big_endian_files_are_read_in_native_order(tmp_path):
    image = nibabel.Nifti1Image(ARRAY.T, np.eye(4), nibabel.Nifti1Header(endianness=">"), dtype=np.int16)
    nibabel.save(image, tmp_path / "a.nii")
    assert (tmp_path / "a.nii").read_bytes().startswith(bytes([0, 0, 1, 92])), "the file is little-endian"
    scan = read_scan(tmp_path / "a.nii")
    assert scan.array.dtype == np.dtype("=i2")
    np.testing.assert_array_equal(scan.array, ARRAY)


def test_a_place_that_is_not_known_is_what_itk_says(tmp_path):
    path = save(tmp_path / "a.nii")
    patch(path, "pixdim", [1, 2, 3, 4, 1, 1, 1, 1])
    assert read_scan(path).geometry == Geometry.make((4, 3, 2))
    assert_same_place(sitk.ReadImage(path), itk_image(ARRAY, Geometry.make((4, 3, 2))))


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("micron", 0.001)])
def test_units_count_also_where_no_place_is_known(tmp_path, unit, factor):
    path = save(tmp_path / "a.nii")
    patch(path, "pixdim", [1, 2, 3, 4, 1, 1, 1, 1])
    patch(path, "xyzt_units", {"meter": 1, "micron": 3}[unit])
    scan = read_scan(path)
    np.testing.assert_allclose(scan.geometry.spacing, np.array([4, 3, 2]) * factor, rtol=1e-6)
    np.testing.assert_allclose(scan.geometry.spacing, sitk.ReadImage(path).GetSpacing()[::-1], rtol=1e-6)


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("micron", 0.001), ("mm", 1), ("unknown", 1)])
def test_other_units_become_mm(tmp_path, unit, factor):
    image = nibabel.Nifti1Image(ARRAY.T, np.diag([2, 3, 4, 1]))
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "a.nii")
    np.testing.assert_allclose(read_scan(tmp_path / "a.nii").geometry.spacing, np.array([4, 3, 2]) * factor, rtol=1e-6)


def test_a_fourth_axis_of_one_is_none(tmp_path):
    assert read_scan(save(tmp_path / "a.nii", ARRAY[None])).array.shape == (3, 4, 5)


@pytest.mark.parametrize(("sform", "qform"), [(1, 1), (2, 1), (4, 1), (0, 1), (2, 0), (0, 0)])
def test_both_transforms_of_the_source_are_kept(tmp_path, sform, qform):
    affine = nibabel.affines.from_matvec(np.array(GEOMETRIES["oblique"].direction) * [2, 3, 4], [5, 6, 7])
    path = save(tmp_path / "a.nii", affine=affine, sform=sform, qform=qform)
    scan = read_scan(path)
    write_labels(tmp_path / "labels.nii.gz", scan.array > 9, scan.geometry, source=scan.files)
    before, after = nibabel.load(path).header, nibabel.load(tmp_path / "labels.nii.gz").header
    for name in ("srow_x", "srow_y", "srow_z", "quatern_b", "qoffset_x", "pixdim", "sform_code", "qform_code"):
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    assert_same_place(sitk.ReadImage(path), sitk.ReadImage(tmp_path / "labels.nii.gz"))
    assert after.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(read_scan(tmp_path / "labels.nii.gz").array, ARRAY > 9)


def test_nothing_but_the_transforms_is_taken_from_the_source(tmp_path):
    image = nibabel.Nifti1Image(ARRAY.T / 3, np.eye(4), dtype=np.int16)
    image.header["cal_max"] = 99
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"the patient's name"))
    nibabel.save(image, tmp_path / "a.nii")
    scan = read_scan(tmp_path / "a.nii")
    write_labels(tmp_path / "labels.nii", scan.array > 9, scan.geometry, source=scan.files)
    header = nibabel.load(tmp_path / "labels.nii").header
    assert header["cal_max"] == 0
    assert header.get_slope_inter() in ((1, 0), (None, None))
    assert b"patient" not in (tmp_path / "labels.nii").read_bytes()


def test_a_source_that_is_gone_or_another_is_not_used(tmp_path):
    path = save(tmp_path / "a.nii", affine=np.diag([2, 3, 4, 1]), sform=1)
    other = Geometry.make((9, 9, 9))
    for source in (path, tmp_path / "gone.nii"):
        write_labels(tmp_path / "labels.nii", ARRAY > 9, other, source=[source])
        assert read_scan(tmp_path / "labels.nii").geometry.near(other)


def test_shears_are_kept(tmp_path):
    affine = np.diag([2.0, 3, 4, 1])
    affine[0, 2] = 1
    scan = read_scan(save(tmp_path / "a.nii", affine=affine, sform=1))
    write_labels(tmp_path / "labels.nii", ARRAY > 9, scan.geometry)
    np.testing.assert_allclose(nibabel.load(tmp_path / "labels.nii").affine, affine, atol=1e-6)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_claim_far_above_the_file_is_refused_before_allocating(tmp_path, name, monkeypatch):
    path = save(tmp_path / name)
    opener = gzip.open if name.endswith("gz") else open
    with opener(path, "rb") as file:
        content = bytearray(file.read())
    content[42:48] = np.array([30000, 30000, 30000], "<i2").tobytes()
    with opener(path, "wb") as file:
        file.write(content)
    monkeypatch.setattr(np, "asanyarray", lambda *_: pytest.fail("went on to read the pixels"))
    with pytest.raises(CaseError, match="claims"):
        read_scan(path)


def test_a_claim_within_the_ratio_is_counted_before_allocating(tmp_path, monkeypatch):
    # ten times what is there: compression alone could explain it
    path = save(tmp_path / "a.nii.gz")
    with gzip.open(path, "rb") as file:
        content = bytearray(file.read())
    content[46:48] = np.array([30], "<i2").tobytes()
    with gzip.open(path, "wb") as file:
        file.write(content)
    monkeypatch.setattr(np, "asanyarray", lambda *_: pytest.fail("went on to read the pixels"))
    with pytest.raises(CaseError, match="cut off"):
        read_scan(path)


def test_volumes_above_the_limit_are_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "a.nii")
    monkeypatch.setattr(files, "MAX_BYTES", 100)
    with pytest.raises(CaseError, match="the limit"):
        read_scan(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("srow_x", [np.nan] * 4),
        ("srow_x", [0] * 4),
        ("datatype", 77),
        ("dim", 0),
        ("dim", [3, -4, 4, 3, 1, 1, 1, 1]),
        *(("vox_offset", offset) for offset in (np.inf, np.nan, -352, 0, 16, 10**9)),
    ],
)
def test_impossible_headers_are_told(tmp_path, field, value):
    path = save(tmp_path / "a.nii", affine=np.eye(4), sform=1)
    patch(path, field, value)
    with pytest.raises(CaseError, match=r"a\.nii: "):
        read_scan(path)


def test_pixels_may_begin_after_what_other_programs_add(tmp_path):
    path = save(tmp_path / "a.nii")
    path.write_bytes(path.read_bytes()[:352] + bytes(16) + path.read_bytes()[352:])
    patch(path, "vox_offset", 368)
    np.testing.assert_array_equal(read_scan(path).array, ARRAY)
    # what is before the pixels is none of them
    path.write_bytes(path.read_bytes()[:-16])
    with pytest.raises(CaseError, match="cut off"):
        read_scan(path)


def test_a_side_too_long_for_the_format_is_told_before_there_are_labels(tmp_path):
    labels = np.zeros((2, 40000), np.uint8)
    with pytest.raises(ValueError, match="40000 pixels is too long for NIfTI"):
        check_target(tmp_path / "labels.nii.gz", Scan(labels[..., None].repeat(3, axis=-1), is_colour=True))
    with pytest.raises(ValueError, match="40000 pixels is too long for NIfTI"):
        write_labels(tmp_path / "labels.nii.gz", labels)
    check_target(tmp_path / "labels.nrrd", Scan(labels))


def test_colours_are_refused(tmp_path):
    rgb = np.zeros((3, 4, 5), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.Nifti1Image(rgb, np.eye(4)).to_filename(tmp_path / "a.nii")
    with pytest.raises(CaseError, match="holds colours"):
        read_scan(tmp_path / "a.nii")
