"""Every format by the same door: what SimpleITK writes is read, and what is written SimpleITK reads."""

import subprocess
import sys

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from napari_swin_litemedsam.geometry import Geometry
from napari_swin_litemedsam.io import CaseError, Segment, read_labels, read_scan, read_segments, write_labels
from scan_files import GEOMETRIES, assert_nothing_left, assert_same_place, itk_image

PLACED = (".nii.gz", ".nii", ".nrrd", ".mha")
SEGMENTS = [Segment(1, "Leber, ä=1: x", "#12ab9f"), Segment(300, "kidney", "#ffffff")]


@pytest.fixture(params=PLACED)
def suffix(request):
    return request.param


def noise(shape=(6, 7, 8), dtype=np.int16):
    return np.random.default_rng(0).integers(0, 1000, shape).astype(dtype)


def test_scans_lie_where_simpleitk_puts_them(tmp_path, suffix, geometry):
    image = itk_image(noise(), geometry)
    sitk.WriteImage(image, tmp_path / f"scan{suffix}")
    scan = read_scan(tmp_path / f"scan{suffix}")
    np.testing.assert_array_equal(scan.array, noise())
    assert scan.array.dtype == np.int16
    assert scan.is_volume
    assert scan.files == (tmp_path / f"scan{suffix}",)
    for index in ((0, 0, 0), (5, 2, 7)):
        expected = image.TransformIndexToPhysicalPoint(index[::-1])[::-1]
        np.testing.assert_allclose(scan.geometry.to_world(index), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("out", PLACED)
def test_labels_get_exactly_the_scans_geometry(tmp_path, suffix, out, geometry):
    sitk.WriteImage(itk_image(noise(), geometry), tmp_path / f"scan{suffix}")
    scan = read_scan(tmp_path / f"scan{suffix}")
    labels = (scan.array > 500).astype(np.int64)
    write_labels(tmp_path / f"labels{out}", labels, scan.geometry, source=scan.files)
    source, written = (sitk.ReadImage(tmp_path / name) for name in (f"scan{suffix}", f"labels{out}"))
    assert_same_place(source, written)
    if suffix == out or not {suffix, out} & {".nii", ".nii.gz"}:
        for name in ("GetSpacing", "GetOrigin", "GetDirection"):
            np.testing.assert_allclose(getattr(source, name)(), getattr(written, name)(), rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(written), labels)
    assert written.GetPixelID() == sitk.sitkUInt8


def test_a_mask_drawn_at_a_known_place_is_there_in_itk(tmp_path, suffix, geometry):
    sitk.WriteImage(itk_image(noise(), geometry), tmp_path / f"scan{suffix}")
    scan = read_scan(tmp_path / f"scan{suffix}")
    place = geometry.to_world([4, 1, 6])
    labels = np.zeros(scan.array.shape, np.uint8)
    labels[tuple(np.rint(scan.geometry.to_index(place)).astype(int))] = 9
    write_labels(tmp_path / f"labels{suffix}", labels, scan.geometry)
    written = sitk.ReadImage(tmp_path / f"labels{suffix}")
    assert written[written.TransformPhysicalPointToIndex(place[::-1].tolist())] == 9
    assert sitk.GetArrayFromImage(written).sum() == 9


@pytest.mark.parametrize("suffix", [*PLACED, ".npz", ".png", ".tif"])
@pytest.mark.parametrize(("highest", "dtype"), [(255, np.uint8), (256, np.uint16), (65535, np.uint16)])
def test_labels_come_back_in_the_smallest_type(tmp_path, suffix, highest, dtype):
    labels = np.zeros((7, 8), np.int64)
    labels[2, 3] = highest
    assert write_labels(tmp_path / f"x{suffix}", labels) == [tmp_path / f"x{suffix}"]
    read, spacing = read_labels(tmp_path / f"x{suffix}")
    np.testing.assert_array_equal(read, labels)
    assert read.dtype == dtype
    assert spacing is None if suffix not in PLACED else spacing.tolist() == [1, 1]


@pytest.mark.parametrize("suffix", [*PLACED, ".seg.nrrd", ".npz", ".png", ".tif"])
def test_endings_may_be_in_capitals(tmp_path, suffix):
    name = f"X{suffix.upper()}"
    write_labels(tmp_path / name, np.eye(4, dtype=int))
    np.testing.assert_array_equal(read_labels(tmp_path / name)[0], np.eye(4))
    assert_nothing_left(tmp_path, name)


@pytest.mark.parametrize("suffix", [*PLACED, ".npz", ".tif"])
def test_volumes_of_labels_and_their_spacing_in_the_order_of_the_axes(tmp_path, suffix):
    labels = noise(dtype=np.uint16)
    write_labels(tmp_path / f"x{suffix}", labels, Geometry.make((5, 0.5, 0.25)))
    read, spacing = read_labels(tmp_path / f"x{suffix}")
    np.testing.assert_array_equal(read, labels)
    assert spacing is None if suffix not in PLACED else spacing.tolist() == [5, 0.5, 0.25]


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nrrd", ".nii.gz", ".mha", ".npz", ".tif"])
def test_names_and_colours_travel(tmp_path, suffix):
    labels = np.zeros((3, 4, 5), np.uint16)
    labels[1] = 300
    written = write_labels(tmp_path / f"x.y{suffix}", labels, segments=SEGMENTS)
    assert read_segments(written[0]) == SEGMENTS
    assert_nothing_left(tmp_path, *(path.name for path in written))
    assert [path.name for path in written[1:]] == ([] if "nrrd" in suffix else [f"x.y{suffix}.segments.json"])
    np.testing.assert_array_equal(read_labels(written[0])[0], labels)


def test_old_names_do_not_outlive_their_labels(tmp_path):
    write_labels(tmp_path / "x.mha", np.ones((3, 4), int), segments=SEGMENTS)
    write_labels(tmp_path / "x.nii", np.ones((3, 4), int), segments=SEGMENTS)
    write_labels(tmp_path / "x.mha", np.ones((3, 4), int))
    assert read_segments(tmp_path / "x.mha") == []
    assert read_segments(tmp_path / "x.nii") == SEGMENTS


@pytest.mark.parametrize("suffix", PLACED)
def test_not_a_number_is_left_to_whoever_looks(tmp_path, suffix):
    array = np.ones((3, 4, 5), np.float32)
    array[1, 2, 3] = np.nan
    sitk.WriteImage(itk_image(array, GEOMETRIES["oblique"]), tmp_path / f"scan{suffix}")
    np.testing.assert_array_equal(read_scan(tmp_path / f"scan{suffix}").array, array)


@pytest.mark.parametrize("suffix", PLACED)
def test_floats_are_labels_if_they_are_whole(tmp_path, suffix):
    labels = np.array([[0, 1.0], [7, 0]])
    sitk.WriteImage(sitk.GetImageFromArray(labels), tmp_path / f"x{suffix}")
    read, _ = read_labels(tmp_path / f"x{suffix}")
    assert read.dtype.kind == "i"
    np.testing.assert_array_equal(read, labels)
    for bad in (0.5, np.nan):
        labels[0, 0] = bad
        sitk.WriteImage(sitk.GetImageFromArray(labels), tmp_path / f"x{suffix}")
        with pytest.raises(CaseError, match="whole numbers"):
            read_labels(tmp_path / f"x{suffix}")


@pytest.mark.parametrize(("dtype", "stored"), [(np.uint8, 255), (np.int16, 32767)])
def test_masks_that_are_scaled_to_the_largest_number_hold_ids(tmp_path, dtype, stored):
    # as SPM writes them; the scale has the precision of float32
    pixels = np.zeros((3, 4, 5), dtype)
    pixels[1, 2, 3] = stored
    image = nibabel.Nifti1Image(pixels, np.eye(4))
    image.header.set_slope_inter(1 / stored, 0)
    image.to_filename(tmp_path / "mask.nii")
    read, _ = read_labels(tmp_path / "mask.nii")
    np.testing.assert_array_equal(read, (pixels > 0).T)


@pytest.mark.parametrize("suffix", PLACED)
def test_large_ids_in_floats_are_kept(tmp_path, suffix):
    # an atlas has such ids; float32 knows even ones only
    labels = np.zeros((3, 4, 5))
    labels[1, 2, 3] = 2**24 + 1
    sitk.WriteImage(sitk.GetImageFromArray(labels), tmp_path / f"x{suffix}")
    assert read_labels(tmp_path / f"x{suffix}")[0].max() == 2**24 + 1
    labels[1, 2, 3] = 2.0**80
    sitk.WriteImage(sitk.GetImageFromArray(labels), tmp_path / f"x{suffix}")
    with pytest.raises(CaseError, match="whole numbers"):
        read_labels(tmp_path / f"x{suffix}")


@pytest.mark.parametrize("suffix", PLACED)
def test_flat_images_keep_their_geometry(tmp_path, suffix):
    image = sitk.GetImageFromArray(noise((5, 6)))
    image.SetSpacing((0.5, 2))
    image.SetOrigin((3, -4))
    sitk.WriteImage(image, tmp_path / f"scan{suffix}")
    scan = read_scan(tmp_path / f"scan{suffix}")
    assert scan.array.shape == (5, 6)
    assert not scan.is_volume
    assert scan.geometry.spacing == (2, 0.5)
    write_labels(tmp_path / f"labels{suffix}", np.ones((5, 6), int), scan.geometry)
    assert_same_place(image, sitk.ReadImage(tmp_path / f"labels{suffix}"))


@pytest.mark.parametrize("suffix", PLACED)
@pytest.mark.parametrize(
    ("array", "vector"),
    [
        (np.zeros((2, 3, 4, 5), np.uint8), False),
        (np.zeros((3, 4, 5, 3), np.uint8), True),
        (np.ones((3, 4), "F"), False),
    ],
    ids=["4D", "colour volume", "complex"],
)
def test_what_is_neither_image_nor_volume_is_refused(tmp_path, suffix, array, vector):
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=vector), tmp_path / f"scan{suffix}")
    with pytest.raises(CaseError, match=r"axes|values per pixel|no intensities"):
        read_scan(tmp_path / f"scan{suffix}")


@pytest.mark.parametrize("suffix", [*PLACED, ".mhd", ".nhdr", ".png", ".jpg", ".tif", ".npz"])
@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"\x1f\x8b\x08\x00", bytes(400), b"NRRD0004\n\n"])
def test_files_of_another_kind_are_told(tmp_path, suffix, content):
    (tmp_path / f"scan{suffix}").write_bytes(content)
    with pytest.raises(CaseError, match=f"scan{suffix}: "):
        read_scan(tmp_path / f"scan{suffix}")


@pytest.mark.parametrize("suffix", [*PLACED, ".png", ".jpg", ".tif", ".npz"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
@pytest.mark.parametrize("compress", [False, True])
def test_cut_off_files_are_told(tmp_path, suffix, share, compress):
    path = tmp_path / f"scan{suffix}"
    if suffix == ".npz":
        np.savez(path, imgs=noise())
    elif suffix in (".png", ".jpg", ".tif"):
        sitk.WriteImage(sitk.GetImageFromArray(noise((60, 70), np.uint8)), path)
    else:
        sitk.WriteImage(sitk.GetImageFromArray(noise()), path, useCompression=compress)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CaseError, match=f"scan{suffix}: "):
        read_scan(path)


@pytest.mark.parametrize("name", ["absent.nii.gz", "folder.nrrd", "notes.docx", "bare"])
def test_what_cannot_be_read_at_all(tmp_path, name):
    (tmp_path / "folder.nrrd").mkdir()
    (tmp_path / "notes.docx").write_text("no scan")
    (tmp_path / "bare").write_text("no scan")
    with pytest.raises(CaseError, match=r"no such file|unknown kind|no DICOM images"):
        read_scan(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("x.jpg", np.ones((3, 3), int), "not as '.jpg'"),
        ("x.mhd", np.ones((3, 3), int), "not as '.mhd'"),
        ("x", np.ones((3, 3), int), "written as"),
        ("x.png", np.ones((3, 3, 3), int), "no volume"),
        ("x.nii", np.ones((3, 3), float), "whole numbers"),
        ("x.nii", np.full((3, 3), 65536), "0..65535"),
        ("x.nii", np.ones((2, 3, 3, 3), int), "neither an image"),
    ],
)
def test_labels_that_a_format_cannot_hold_are_refused(tmp_path, name, labels, message):
    with pytest.raises(ValueError, match=message):
        write_labels(tmp_path / name, labels)
    assert_nothing_left(tmp_path)


def test_labels_must_fit_the_geometry(tmp_path):
    with pytest.raises(ValueError, match="do not fit"):
        write_labels(tmp_path / "x.nii", np.ones((3, 3), int), GEOMETRIES["oblique"])


FULL_DISK = """
import resource, signal, sys
import numpy as np
from napari_swin_litemedsam.io import write_labels
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
room, *paths = int(sys.argv[1]), *sys.argv[2:]
labels = np.random.default_rng(0).integers(0, 60000, (40, 50, 60))
for path in paths:
    write_labels(path, labels[0, :5, :5])
if room < 1000:
    # short enough to be written when the file is closed
    labels = labels[:, :6, :6]
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
for path in paths:
    try:
        write_labels(path, labels[0] if path.endswith("png") else labels)
    except OSError as error:
        print("refused", path, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the limit that stands for a full disk is Unix's")
@pytest.mark.parametrize("room", [30, 20000])
def test_a_full_disk_leaves_the_old_files_whole(tmp_path, room):
    names = [f"x{suffix}" for suffix in (*PLACED, ".npz", ".png", ".tif")]
    code = FULL_DISK.replace("labels[0] if", "np.tile(labels[0], (9, 9)) if")
    done = subprocess.run(
        [sys.executable, "-c", code, str(room), *(str(tmp_path / name) for name in names)],
        capture_output=True,
        text=True,
    )
    assert done.stdout.count("refused") == len(names), done.stdout + done.stderr
    for name in names:
        assert read_labels(tmp_path / name)[0].shape == (5, 5)
    assert_nothing_left(tmp_path, *names)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "taken").write_text("a file, not a folder")
    for suffix in PLACED:
        with pytest.raises(OSError, match="taken"):
            write_labels(tmp_path / "taken" / f"x{suffix}", np.ones((3, 3), int))
