import sys

import numpy as np
import pydicom
import pytest

from napari_swin_litemedsam.io import Segment, read_scan, write_labels
from scan_files import GEOMETRIES, RIGHT_HANDED, assert_nothing_left, save_series

highdicom = pytest.importorskip("highdicom")


@pytest.fixture
def scan(tmp_path):
    (tmp_path / "scan").mkdir()
    return read_scan(save_series(tmp_path / "scan", GEOMETRIES["oblique"]))


@pytest.fixture
def labels(scan):
    labels = np.zeros(scan.array.shape, np.uint16)
    labels[1:4, 2:5, 1:3] = 7
    labels[0, 0, 0] = 300
    return labels


def test_segments_lie_on_the_series(tmp_path, scan, labels):
    segments = [Segment(7, "Leber, größte", "#ff8000"), Segment(300, "cyst", "#0000ff")]
    assert write_labels(tmp_path / "seg.dcm", labels, scan.geometry, segments, scan.files) == [tmp_path / "seg.dcm"]
    written = highdicom.seg.segread(tmp_path / "seg.dcm")
    volume = written.get_volume(combine_segments=True)
    # the planes without labels are left out
    affine = np.array(volume.affine)
    for number, id in ((1, 7), (2, 300)):
        found = np.argwhere(volume.array == number)
        places = found @ affine[:3, :3].T + affine[:3, 3]
        expected = scan.geometry.to_world(np.argwhere(labels == id))[:, ::-1]
        np.testing.assert_allclose(np.sort(places, axis=0), np.sort(expected, axis=0), atol=1e-4)
    descriptions = [written.get_segment_description(number) for number in (1, 2)]
    assert [item.segment_label for item in descriptions] == ["Leber, größte", "cyst"]
    colour = highdicom.color.CIELabColor.from_dicom_value(descriptions[0].RecommendedDisplayCIELabValue)
    np.testing.assert_allclose(colour.to_rgb(clip=True), [255, 128, 0], atol=2)
    assert written.PatientID == "7"
    assert len(written.get_source_image_uids()) == len(scan.files)


def test_a_name_may_hold_what_separates_values_in_dicom(tmp_path, scan, labels):
    write_labels(tmp_path / "seg.dcm", labels, scan.geometry, [Segment(7, "left\\right")], scan.files)
    assert highdicom.seg.segread(tmp_path / "seg.dcm").get_segment_description(1).segment_label == "left/right"


def test_no_name_of_a_patient_is_told(tmp_path, scan, labels, recwarn):
    write_labels(tmp_path / "seg.dcm", labels, scan.geometry, source=scan.files)
    assert [str(warning.message) for warning in recwarn if "Nobody" in str(warning.message)] == []


@pytest.mark.parametrize("name", RIGHT_HANDED)
def test_every_right_handed_geometry(tmp_path, name):
    (tmp_path / "scan").mkdir()
    scan = read_scan(save_series(tmp_path / "scan", RIGHT_HANDED[name]))
    labels = (scan.array > 1000).astype(int)
    write_labels(tmp_path / "seg.dcm", labels, scan.geometry, source=scan.files)
    planes = highdicom.seg.segread(tmp_path / "seg.dcm").get_pixels_by_source_instance(
        [highdicom.imread(file).SOPInstanceUID for file in scan.files], combine_segments=True
    )
    np.testing.assert_array_equal(planes, labels)


def test_what_cannot_be_a_segmentation_is_told(tmp_path, scan, labels):
    for array, source, message in (
        (np.zeros_like(labels), scan.files, "no labels"),
        (labels, (), "DICOM series"),
        (labels, [tmp_path / "gone"], "DICOM series"),
        (labels[:2], scan.files, "do not fit"),
    ):
        with pytest.raises(ValueError, match=message):
            write_labels(tmp_path / "seg.dcm", array, source=source)
    assert_nothing_left(tmp_path, "scan")


def test_without_the_package_the_extra_is_named(tmp_path, scan, labels, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(ValueError, match=r"napari-swin-litemedsam\[dicom\]"):
        write_labels(tmp_path / "seg.dcm", labels, source=scan.files)


def test_a_series_that_lacks_what_a_segmentation_takes_is_told(tmp_path, scan, labels):
    for path in scan.files:
        slice_ = pydicom.dcmread(path)
        del slice_.StudyInstanceUID
        slice_.save_as(path)
    with pytest.raises(ValueError, match="lacks what a segmentation takes"):
        write_labels(tmp_path / "seg.dcm", labels, source=scan.files)
    assert not (tmp_path / "seg.dcm").exists()
