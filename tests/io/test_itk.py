import sys

import numpy as np
import pytest
import SimpleITK as sitk

from napari_swin_litemedsam.geometry import Scan
from napari_swin_litemedsam.io import CaseError, Segment, itk, read_labels, read_scan, read_segments, write_labels
from napari_swin_litemedsam.io.scans import check_target
from scan_files import GEOMETRIES, itk_image

ARRAY = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_colour_pictures_are_read(tmp_path, suffix):
    picture = np.random.default_rng(0).integers(0, 255, (4, 5, 3)).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(picture, isVector=True), tmp_path / f"a{suffix}")
    scan = read_scan(tmp_path / f"a{suffix}")
    assert scan.is_colour
    assert not scan.is_volume
    np.testing.assert_array_equal(scan.array, picture)
    with pytest.raises(CaseError, match="one channel"):
        read_labels(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_pixels_may_be_in_a_file_of_their_own(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    sitk.WriteImage(itk_image(ARRAY, GEOMETRIES["oblique"]), path)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.array, ARRAY)
    assert scan.geometry.near(GEOMETRIES["oblique"])
    (data,) = set(tmp_path.iterdir()) - {path}
    data.write_bytes(data.read_bytes()[:30])
    with pytest.raises(CaseError, match="cut off"):
        read_scan(path)
    data.unlink()
    with pytest.raises(CaseError, match="should be in"):
        read_scan(path)


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_four_axes_may_hold_a_single_volume(tmp_path, suffix):
    image = itk_image(ARRAY, GEOMETRIES["oblique"])
    sitk.WriteImage(sitk.JoinSeries([image]), tmp_path / f"one{suffix}")
    scan = read_scan(tmp_path / f"one{suffix}")
    np.testing.assert_array_equal(scan.array, ARRAY)
    assert scan.geometry.near(GEOMETRIES["oblique"])
    sitk.WriteImage(sitk.JoinSeries([image, image]), tmp_path / f"two{suffix}")
    with pytest.raises(CaseError, match="has 4 axes"):
        read_scan(tmp_path / f"two{suffix}")


HEADERS = {
    "huge.nrrd": b"NRRD0004\ntype: short\ndimension: 3\nsizes: 30000 30000 30000\nencoding: gzip\nendian: little\n\n",
    "huge_raw.nrrd": b"NRRD0004\ntype: short\ndimension: 3\nsizes: 3000 30 30\nencoding: raw\nendian: little\n\n",
    "huge_text.nrrd": b"NRRD0004\ntype: short\ndimension: 3\nsizes: 3000 3000 3000\nencoding: ascii\n\n",
    "huge.mha": b"ObjectType = Image\nNDims = 3\nDimSize = 30000 30000 30000\nCompressedData = True\n"
    b"ElementType = MET_SHORT\nElementDataFile = LOCAL\n",
    "huge_raw.mha": b"ObjectType = Image\nNDims = 3\nDimSize = 3000 30 30\nElementType = MET_SHORT\n"
    b"ElementDataFile = LOCAL\n",
    "spread.mhd": b"ObjectType = Image\nNDims = 3\nDimSize = 3 3 3\nElementType = MET_SHORT\nElementDataFile = LIST\n",
    "spread.nhdr": b"NRRD0004\ntype: short\ndimension: 3\nsizes: 3 3 3\nencoding: raw\ndata file: %03d.raw 1 3 1\n\n",
    "elsewhere.mhd": b"ObjectType = Image\nNDims = 3\nDimSize = 3 3 3\nElementType = MET_SHORT\n"
    b"ElementDataFile = /dev/zero\n",
    "no_end.mha": b"ObjectType = Image\n" * 99999,
    "no_end.nrrd": b"NRRD0004\n" + b"# nothing\n" * 999999,
    "no_spacing.mha": b"ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementSpacing = 1 nan 1\n"
    b"ElementType = MET_UCHAR\nElementDataFile = LOCAL\n12345678",
}


@pytest.mark.parametrize("name", HEADERS)
def test_false_claims_are_refused_before_reading(tmp_path, name, monkeypatch):
    (tmp_path / name).write_bytes(HEADERS[name] + b"a few bytes")
    if name != "no_spacing.mha":
        monkeypatch.setattr(sitk.ImageFileReader, "Execute", lambda _: pytest.fail("went on to read the pixels"))
    with pytest.raises(CaseError, match=rf"(?s){name}: "):
        read_scan(tmp_path / name)


@pytest.mark.skipif(sys.platform != "linux", reason="only there names may be any bytes")
@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_a_name_that_is_no_text_does_not_end_the_process(tmp_path, suffix):
    path = tmp_path / f"caf\udce9{suffix}"
    write_labels(tmp_path / f"a{suffix}", ARRAY)
    (tmp_path / f"a{suffix}").rename(path)
    for use in (read_scan, lambda path: write_labels(path, ARRAY), lambda path: check_target(path, Scan(ARRAY))):
        with pytest.raises(CaseError, match="a name in UTF-8"):
            use(path)


def test_text_is_read(tmp_path):
    header = b"NRRD0004\ntype: short\ndimension: 2\nsizes: 3 2\nencoding: ascii\n\n"
    (tmp_path / "a.nrrd").write_bytes(header + b"1 2 3\n4 5 6\n")
    assert read_scan(tmp_path / "a.nrrd").array.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_slicer_finds_its_fields(tmp_path):
    write_labels(tmp_path / "a.seg.nrrd", ARRAY, segments=[Segment(7, "liver", "#ff8000")])
    image = sitk.ReadImage(tmp_path / "a.seg.nrrd")
    fields = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys() if key.startswith("Seg")}
    assert fields["Segment0_Name"] == "liver"
    assert fields["Segment0_LabelValue"] == "7"
    assert fields["Segment0_Layer"] == "0"
    assert fields["Segment0_Extent"] == "0 4 0 3 0 2"
    assert [float(part) for part in fields["Segment0_Color"].split()] == pytest.approx([1, 128 / 255, 0], abs=1e-5)
    assert fields["Segmentation_MasterRepresentation"] == "Binary labelmap"


def test_what_slicer_writes_is_read(tmp_path):
    image = sitk.GetImageFromArray(ARRAY)
    for number, (id, name, colour) in enumerate([(3, "spleen", "0.5 0.25 1"), (1, "tumour", "oops")]):
        image.SetMetaData(f"Segment{number}_LabelValue", str(id))
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_Color", colour)
    sitk.WriteImage(image, tmp_path / "a.seg.nrrd")
    assert read_segments(tmp_path / "a.seg.nrrd") == [Segment(3, "spleen", "#8040ff"), Segment(1, "tumour")]


def test_overlapping_segments_are_told(tmp_path):
    image = sitk.GetImageFromArray(np.zeros((3, 4, 5, 2), np.uint8), isVector=True)
    image.SetMetaData("Segmentation_MasterRepresentation", "Binary labelmap")
    sitk.WriteImage(image, tmp_path / "a.seg.nrrd")
    with pytest.raises(CaseError, match="overlap"):
        read_labels(tmp_path / "a.seg.nrrd")


def test_a_damaged_segment_is_told(tmp_path):
    image = sitk.GetImageFromArray(ARRAY)
    image.SetMetaData("Segment0_Name", "spleen")
    image.SetMetaData("Segment0_LabelValue", "many")
    sitk.WriteImage(image, tmp_path / "a.seg.nrrd")
    with pytest.raises(CaseError, match=r"a\.seg\.nrrd: "):
        itk.read_slicer_segments(tmp_path / "a.seg.nrrd")
