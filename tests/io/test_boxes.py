import json
from pathlib import Path

import numpy as np
import pytest

from napari_swin_litemedsam.geometry import Geometry, Scan
from napari_swin_litemedsam.io import CaseError, Segment
from napari_swin_litemedsam.io.boxes import boxes_of, read_boxes, segments_of
from scan_files import GEOMETRIES

VOLUME = Scan(np.zeros((10, 40, 60), np.uint8), Geometry.make((5, 2, 0.5), (100, -20, 30)))
FLAT = Scan(np.zeros((40, 60, 3), np.uint8), is_colour=True)


@pytest.fixture
def read(tmp_path):
    def read(scan, *entries):
        path = tmp_path / "a.boxes.json"
        path.write_text(json.dumps({"boxes": entries}), encoding="utf-8")
        return read_boxes(path, scan)

    return read


def test_a_box_with_all_its_fields(read):
    corners = [1, 2, 3, 4, 5, 6]
    (box,) = read(VOLUME, {"name": "Leber", "label": 7, "colour": "#FF0000", "box": corners, "unit": "voxel"})
    assert box.segment == Segment(7, "Leber", "#ff0000")
    assert box.corners.tolist() == corners
    assert box.z is None


def test_only_the_box_is_needed_and_labels_count(read, tmp_path):
    first, second = read(FLAT, {"box": [1, 2, 3, 4]}, {"box": [0.5, 2, 39, 59]})
    assert (first.segment.id, second.segment.id) == (1, 2)
    assert second.corners.tolist() == [0.5, 2, 39, 59]
    (tmp_path / "bare.json").write_text('[{"box": [1, 2, 3, 4]}]')
    assert len(read_boxes(tmp_path / "bare.json", FLAT)) == 1


def test_boxes_on_slices(read):
    first, second = read(VOLUME, {"box": [1, 2, 3, 4], "slice": 3}, {"box": [1, 2, 3, 4], "slice": 9, "label": 1})
    assert (first.z, second.z) == (3, 9)
    assert first.segment.id == second.segment.id == 1


def test_mm_are_those_of_the_patient(read):
    (box,) = read(VOLUME, {"box": [105, -10, 31, 120, 0, 35], "unit": "mm"})
    assert box.corners.tolist() == [1, 5, 2, 4, 10, 10]
    geometry = GEOMETRIES["flipped"]
    scan = Scan(np.zeros((10, 40, 60)), geometry)
    corners = np.stack([geometry.to_world([1, 5, 2]), geometry.to_world([4, 10, 20])])
    (box,) = read(scan, {"box": [*corners.min(axis=0), *corners.max(axis=0)], "unit": "mm"})
    np.testing.assert_allclose(box.corners, [1, 5, 2, 4, 10, 20])


def test_a_box_askew_to_the_scan_is_enclosed(read):
    geometry = GEOMETRIES["oblique"]
    middle = geometry.to_world([5, 20, 30])
    (box,) = read(Scan(np.zeros((10, 40, 60)), geometry), {"box": [*(middle - 3), *(middle + 3)], "unit": "mm"})
    inside = geometry.to_index(middle + np.random.default_rng(0).uniform(-3, 3, (50, 3)))
    assert (inside >= box.corners[:3]).all()
    assert (inside <= box.corners[3:]).all()


def test_ranges_may_reach_out_of_the_scan(read):
    assert read(VOLUME, {"box": [-5, -5, -5, 99, 99, 99]})[0].corners.tolist() == [-5, -5, -5, 99, 99, 99]


@pytest.mark.parametrize(
    ("scan", "entry", "message"),
    [
        (VOLUME, 3, "expected an object"),
        (VOLUME, {}, "no list named 'box'"),
        (VOLUME, {"box": "1 2 3 4 5 6"}, "no list named 'box'"),
        (VOLUME, {"box": [1, 2, 3]}, "4 or 6 numbers, not 3"),
        (VOLUME, {"box": [1, 2, 3, 4, 5, "6"]}, "'6' is not a number"),
        (VOLUME, {"box": [1, 2, 3, 4, 5, True]}, "True is not a number"),
        (VOLUME, {"box": [1, 2, 3, 4, 5, float("nan")]}, "nan is not a number"),
        (VOLUME, {"box": [1, 2, 3, 4, 5, 10**400]}, "is not a number"),
        (VOLUME, {"box": [1, 2, 3, 4]}, "expected 6 numbers, z0, y0, x0, z1, y1, x1, or 4 and a 'slice'"),
        (FLAT, {"box": [1, 2, 3, 4, 5, 6]}, "expected 4 numbers, y0, x0, y1, x1; there are 6"),
        (VOLUME, {"box": [4, 2, 3, 1, 5, 6]}, "z range is reversed: 4 to 1"),
        (FLAT, {"box": [3, 2, 1, 4]}, "y range is reversed"),
        (FLAT, {"box": [1, 2, 1, 4]}, "is empty: y from 1 to 1"),
        (VOLUME, {"box": [1, 2, 3, 1, 5, 3]}, "is empty: x"),
        (VOLUME, {"box": [10, 2, 3, 12, 5, 6]}, "outside the scan: z from 10 to 12, the scan from 0 to 9"),
        (FLAT, {"box": [-9, 2, -1, 4]}, "outside the scan: y"),
        (VOLUME, {"box": [1, 2, 3, 4], "slice": 10}, "slice 10 is outside 0..9"),
        (VOLUME, {"box": [1, 2, 3, 4], "slice": 1.5}, "whole number"),
        (VOLUME, {"box": [1, 2, 3, 4, 5, 6], "slice": 1}, "on a slice a box has 4 numbers"),
        (VOLUME, {"box": [1, 2, 3, 4], "slice": 1, "unit": "mm"}, "in voxels"),
        (FLAT, {"box": [1, 2, 3, 4], "slice": 1}, "the image has none"),
        (FLAT, {"box": [1, 2, 3, 4], "unit": "mm"}, "tells no spacing"),
        (FLAT, {"box": [1, 2, 3, 4], "unit": "inch"}, "'voxel' or 'mm', not 'inch'"),
        (FLAT, {"box": [1, 2, 3, 4], "label": 0}, "label id"),
        (FLAT, {"box": [1, 2, 3, 4], "label": "liver"}, "label id"),
        (FLAT, {"box": [1, 2, 3, 4], "colour": "red"}, "#rrggbb"),
        (FLAT, {"box": [1, 2, 3, 4], "color": "#ff0000"}, "unknown field 'color'"),
    ],
)
def test_each_mistake_is_told_with_its_box(read, scan, entry, message):
    good = {"box": [1, 2, 3, 4, 5, 6] if scan is VOLUME else [1, 2, 3, 4]}
    with pytest.raises(CaseError) as caught:
        read(scan, good, entry)
    assert "a.boxes.json: box 2: " in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "not a JSON"), ("{", "not a JSON"), ("{}", "a list"), ("3", "a list"), ('{"boxes": []}', "no boxes")],
)
def test_files_without_boxes_are_told(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(CaseError, match=message):
        read_boxes(tmp_path / "a.json", FLAT)
    with pytest.raises(CaseError, match="no such file"):
        read_boxes(tmp_path / "b.json", FLAT)


def test_files_of_windows_editors_are_read(tmp_path):
    (tmp_path / "a.json").write_text('[{"name": "größe", "box": [1, 2, 3, 4]}]', encoding="utf-8-sig")
    assert read_boxes(tmp_path / "a.json", FLAT)[0].segment.name == "größe"


def test_what_is_null_is_not_told(read):
    (box,) = read(FLAT, {"box": [1, 2, 3, 4], "name": None, "colour": None, "label": None, "unit": None, "slice": None})
    assert box.segment == Segment(1)


def test_one_segment_for_each_label(read):
    boxes = read(
        FLAT,
        {"box": [1, 2, 3, 4], "label": 5},
        {"box": [1, 2, 3, 4], "label": 5, "name": "kidney"},
        {"box": [1, 2, 3, 4], "label": 2},
    )
    assert segments_of(boxes) == [Segment(2), Segment(5, "kidney")]


def test_where_boxes_are_looked_for(tmp_path):
    assert boxes_of(tmp_path / "a.nii.gz", None) == tmp_path / "a.boxes.json"
    assert boxes_of(tmp_path / "a.nii.gz", tmp_path / "b") == tmp_path / "b" / "a.boxes.json"
    (tmp_path / "scan.1").mkdir()
    assert boxes_of(tmp_path / "scan.1", None) == tmp_path / "scan.1.boxes.json"


def test_boxes_lie_beside_a_link_and_not_beside_what_it_leads_to(tmp_path, monkeypatch):
    (tmp_path / "store" / "scan").mkdir(parents=True)
    for name, kept in (("a.nii", "0f3c.nii"), ("p01", "scan")):
        (tmp_path / name).symlink_to(tmp_path / "store" / kept)
        assert boxes_of(tmp_path / name, None) == tmp_path / f"{name.removesuffix('.nii')}.boxes.json"
    monkeypatch.chdir(tmp_path / "store" / "scan")
    assert boxes_of(Path(), None) == tmp_path / "store" / "scan.boxes.json"
    assert boxes_of(Path(".."), None) == tmp_path / "store.boxes.json"
