import re
import sys

import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes

from napari_swin_litemedsam.geometry import Geometry
from napari_swin_litemedsam.io import CaseError, Segment, read_labels, read_scan, read_segments, write_labels
from napari_swin_litemedsam.io.scans import check_target, read_label_scan
from scan_files import GEOMETRIES, RIGHT_HANDED, VOLUME, assert_nothing_left, dicom_image, save_series

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


@pytest.mark.parametrize("charset", [None, "ISO_IR 100", ["", "ISO 2022 IR 87"]])
def test_names_may_need_other_letters_than_the_series(tmp_path, charset):
    (tmp_path / "scan").mkdir()
    patient = "Müller^Jörg" if charset == "ISO_IR 100" else "Yamada^Tarou=山田^太郎" if charset else "Nobody"
    declared = {"SpecificCharacterSet": charset} if charset else {}
    scan = read_scan(save_series(tmp_path / "scan", PatientName=patient, **declared))
    segments = [Segment(1, "肝臓, größte")]
    write_labels(tmp_path / "seg.dcm", scan.array > 1000, scan.geometry, segments, scan.files)
    assert read_segments(tmp_path / "seg.dcm")[0].name == "肝臓, größte"
    written = pydicom.dcmread(tmp_path / "seg.dcm")
    assert written.PatientName == patient
    # as readers that are stricter than pydicom need it
    assert written.SpecificCharacterSet == "ISO_IR 192"
    assert patient.encode() in (tmp_path / "seg.dcm").read_bytes()


def test_what_programs_that_remove_names_leave_out_is_empty(tmp_path, scan, labels):
    gone = ["PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"]
    for path in scan.files:
        slice_ = pydicom.dcmread(path)
        for field in (*gone, "AccessionNumber"):
            delattr(slice_, field)
        slice_.save_as(path)
    check_target(tmp_path / "seg.dcm", scan)
    write_labels(tmp_path / "seg.dcm", labels, scan.geometry, source=scan.files)
    written = highdicom.seg.segread(tmp_path / "seg.dcm")
    assert [written[field].is_empty for field in gone] == [True] * len(gone)
    assert written.StudyInstanceUID == pydicom.dcmread(scan.files[0]).StudyInstanceUID


@pytest.mark.parametrize("told", [0, 1, 10, -5])
def test_slices_lie_where_they_were_measured_whatever_a_header_tells(tmp_path, told):
    # some scanners tell the gap between slices, which readers take for their distance
    (tmp_path / "scan").mkdir()
    scan = read_scan(save_series(tmp_path / "scan", GEOMETRIES["anisotropic"], SpacingBetweenSlices=told))
    labels = np.zeros(scan.array.shape, int)
    labels[1, 2:5, 1:3] = labels[3, 1:3, 4:6] = 1
    write_labels(tmp_path / "seg.dcm", labels, scan.geometry, source=scan.files)
    volume = highdicom.seg.segread(tmp_path / "seg.dcm").get_volume(combine_segments=True)
    assert volume.spacing[0] == 5
    np.testing.assert_array_equal(read_label_scan(tmp_path / "seg.dcm").array, labels[1:4])


@pytest.mark.parametrize(
    "field",
    ["StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"],
)
def test_a_series_that_lacks_what_a_segmentation_takes_is_told(tmp_path, scan, labels, field):
    check_target(tmp_path / "seg.dcm", scan)
    for path in scan.files:
        slice_ = pydicom.dcmread(path)
        delattr(slice_, field)
        slice_.save_as(path)
    message = re.escape(f"{tmp_path / 'seg.dcm'}: the series lacks what a segmentation takes")
    with pytest.raises(ValueError, match=message):
        write_labels(tmp_path / "seg.dcm", labels, source=scan.files)
    # before there are labels
    with pytest.raises(ValueError, match=message):
        check_target(tmp_path / "seg.dcm", scan)
    assert_nothing_left(tmp_path, "scan")


class TestReading:
    @pytest.mark.parametrize("name", RIGHT_HANDED)
    def test_what_was_written_comes_back_at_its_place(self, tmp_path, name):
        (tmp_path / "scan").mkdir()
        scan = read_scan(save_series(tmp_path / "scan", RIGHT_HANDED[name]))
        labels = np.zeros(scan.array.shape, int)
        labels[1, 2:5, 1:3] = 2
        labels[3, 1:3, 4:6] = 5
        segments = [Segment(2, "Leber", "#ff8000"), Segment(5, "cyst", "#0000ff")]
        write_labels(tmp_path / "seg.dcm", labels, scan.geometry, segments, scan.files)
        read = read_label_scan(tmp_path / "seg.dcm")
        # the slices between are in no file
        np.testing.assert_array_equal(read.array, np.searchsorted([0, 2, 5], labels)[1:4])
        np.testing.assert_allclose(read.geometry.spacing, scan.geometry.spacing, rtol=1e-4)
        for index in ((0, 0, 0), (2, 3, 4)):
            np.testing.assert_allclose(
                read.geometry.to_world(index), scan.geometry.to_world(np.add(index, (1, 0, 0))), atol=1e-3
            )
        one, two = read_segments(tmp_path / "seg.dcm")
        assert (one.id, one.name, two.id, two.name, two.colour) == (1, "Leber", 2, "cyst", "#0000ff")
        np.testing.assert_allclose(one.rgb, (1, 0.5, 0), atol=0.01)

    def test_places_of_few_decimals(self, tmp_path):
        (tmp_path / "scan").mkdir()
        save_series(tmp_path / "scan", Geometry.make((1.25, 1, 1), (-100, 20, 3)), np.concatenate([VOLUME] * 4))
        for path in (tmp_path / "scan").iterdir():
            image = pydicom.dcmread(path)
            image.ImagePositionPatient[2] = round(image.ImagePositionPatient[2], 1)
            image.save_as(path)
        scan = read_scan(tmp_path / "scan")
        labels = np.zeros(scan.array.shape, int)
        labels[2:9, 2:5, 1:3] = labels[15:17, 1:3, 4:6] = 1
        write_labels(tmp_path / "seg.dcm", labels, scan.geometry, source=scan.files)
        read = read_label_scan(tmp_path / "seg.dcm")
        np.testing.assert_array_equal(read.array, labels[2:17])
        np.testing.assert_allclose(read.geometry.origin, scan.geometry.to_world((2, 0, 0)), atol=0.1)

    def test_label_maps_may_describe_the_background(self, tmp_path, scan, labels):
        ids = (np.searchsorted([0, 7, 300], labels) * 2).astype(np.uint8)
        path = save_segmentation(tmp_path / "seg.dcm", scan, ids, "LABELMAP")
        assert [(segment.id, segment.name) for segment in read_segments(path)] == [(2, "part 2"), (4, "part 4")]
        assert np.unique(read_labels(path)[0]).tolist() == [0, 2, 4]

    def test_a_radiograph(self, tmp_path):
        (tmp_path / "scan").mkdir()
        nowhere = {"ImagePositionPatient": None, "ImageOrientationPatient": None, "FrameOfReferenceUID": None}
        kind = pydicom.uid.ComputedRadiographyImageStorage
        image = dicom_image(np.arange(48, dtype=np.uint16).reshape(6, 8), SOPClassUID=kind, **nowhere)
        image.save_as(tmp_path / "scan" / "chest.dcm", enforce_file_format=True)
        scan = read_scan(tmp_path / "scan" / "chest.dcm")
        labels = np.zeros(scan.array.shape, int)
        labels[3:5, 2:6] = 1
        write_labels(tmp_path / "seg.dcm", labels, scan.geometry, [], scan.files)
        np.testing.assert_array_equal(read_labels(tmp_path / "seg.dcm")[0], labels)

    def test_segments_may_overlap(self, tmp_path, scan):
        path = save_overlapping(tmp_path / "seg.dcm", scan)
        ids, _ = read_labels(path)
        assert np.unique(ids).tolist() == [0, 1, 2]
        assert (ids == 2).sum() == 8, "all of the later one"

    def test_probabilities_are_no_masks(self, tmp_path, scan):
        path = save_overlapping(tmp_path / "seg.dcm", scan, "FRACTIONAL")
        with pytest.raises(CaseError, match="probabilities"):
            read_labels(path)

    def test_damaged_files_are_told(self, tmp_path, scan, labels):
        write_labels(tmp_path / "seg.dcm", labels, scan.geometry, [], scan.files)
        whole = pydicom.dcmread(tmp_path / "seg.dcm")
        for damage in ({"Rows": 60000, "Columns": 60000}, {"NumberOfFrames": 10**6}, {"PixelData": b"\0\0"}):
            for name, value in damage.items():
                setattr(whole, name, value)
            whole.save_as(tmp_path / "bad.dcm")
            with pytest.raises(CaseError, match=r"bad\.dcm"):
                read_labels(tmp_path / "bad.dcm")
            whole = pydicom.dcmread(tmp_path / "seg.dcm")
        del whole.SegmentSequence
        whole.save_as(tmp_path / "bad.dcm")
        for read in (read_labels, read_segments):
            with pytest.raises(CaseError, match=r"bad\.dcm"):
                read(tmp_path / "bad.dcm")

    def test_without_the_package_the_extra_is_named(self, tmp_path, scan, labels, monkeypatch):
        write_labels(tmp_path / "seg.dcm", labels, scan.geometry, [], scan.files)
        monkeypatch.setitem(sys.modules, "highdicom", None)
        for read in (read_labels, read_segments):
            with pytest.raises(CaseError, match=r"napari-swin-litemedsam\[dicom\]"):
                read(tmp_path / "seg.dcm")


def save_overlapping(path, scan, kind="BINARY"):
    """Two cubes that share pixels."""
    masks = np.zeros((*scan.array.shape, 2), bool if kind == "BINARY" else np.float32)
    masks[1:3, 1:4, 1:4, 0] = masks[2:4, 3:5, 3:5, 1] = 1
    return save_segmentation(path, scan, masks, kind, (1, 2))


def save_segmentation(path, scan, masks, kind, numbers=(2, 4)):
    """Segments as another program may write them."""
    descriptions = [
        highdicom.seg.SegmentDescription(number, f"part {number}", codes.SCT.Tissue, codes.SCT.Tissue, "MANUAL")
        for number in numbers
    ]
    slices = [pydicom.dcmread(file) for file in scan.files]
    for each in slices:
        each.SliceThickness = scan.geometry.spacing[0]
    highdicom.seg.Segmentation(
        slices,
        masks,
        kind,
        descriptions,
        highdicom.UID(),
        1,
        highdicom.UID(),
        1,
        "another",
        "program",
        "1",
        "0",
    ).save_as(path)
    return path
