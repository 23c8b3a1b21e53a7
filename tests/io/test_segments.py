import pytest

from napari_swin_litemedsam.io import CaseError, Segment
from napari_swin_litemedsam.io.segments import read_sidecar, sidecar_of, stem_of, suffix_of, write_sidecar


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("a.b.nii.gz", "a.b", ".nii.gz"),
        ("A.SEG.NRRD", "A", ".seg.nrrd"),
        ("x.npz", "x", ".npz"),
        ("bare", "bare", ""),
        # DICOM files are often named by numbers with dots
        ("1.2.840.5", "1.2.840.5", ""),
    ],
)
def test_endings_of_two_parts_are_one(name, stem, suffix):
    assert stem_of(f"/some.where/{name}") == stem
    assert suffix_of(f"/some.where/{name}") == suffix


def test_defaults_and_clean_names():
    assert Segment(3) == Segment(3, "object 3")
    assert Segment(1).colour != Segment(2).colour
    assert Segment(1, "two\nlines", "#ABCDEF") == Segment(1, "two lines", "#abcdef")
    assert Segment.of_rgb(1, "a", Segment(1, "a", "#0180ff").rgb) == Segment(1, "a", "#0180ff")


@pytest.mark.parametrize("arguments", [(0,), (65536,), (1.5,), (True,), ("1",), (1, "a", "red"), (1, "a", "#12345")])
def test_impossible_segments_are_refused(arguments):
    with pytest.raises(ValueError, match=r"label id|colour"):
        Segment(*arguments)


def test_names_go_into_a_file_beside_the_labels(tmp_path):
    segments = [Segment(1, "Leber, größte"), Segment(9, "b", "#000000")]
    assert write_sidecar(tmp_path / "a.nii.gz", segments) == tmp_path / "a.nii.gz.segments.json"
    assert read_sidecar(tmp_path / "a.nii.gz") == segments
    assert read_sidecar(tmp_path / "b.nii.gz") == []


def test_files_of_windows_editors_are_read(tmp_path):
    sidecar_of(tmp_path / "a.nii").write_text('{"segments": [{"id": 1, "name": "größe"}]}', encoding="utf-8-sig")
    assert read_sidecar(tmp_path / "a.nii") == [Segment(1, "größe")]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"segments": 3}', '{"segments": [{}]}', '{"segments": [{"id": 0}]}']
)
def test_damaged_files_are_told(tmp_path, content):
    sidecar_of(tmp_path / "a.nii").write_text(content)
    with pytest.raises(CaseError, match="not a list of segments"):
        read_sidecar(tmp_path / "a.nii")
