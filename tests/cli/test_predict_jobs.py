"""Which inputs `predict` finds, where it looks for their boxes, and where their labels go: nothing is replaced."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from napari_swin_litemedsam.io import read_labels
from scan_files import (
    BOX,
    VOLUME,
    assert_nothing_left,
    dicom_image,
    save_enhanced,
    save_series,
)


@pytest.fixture(autouse=True)
def no_weights(without_network):
    pass


def test_no_slice_of_a_series_is_replaced_by_labels(command, tmp_path):
    pytest.importorskip("highdicom")
    (tmp_path / "scan").mkdir()
    save_series(tmp_path / "scan", name="slice.")
    (tmp_path / "scan.boxes.json").write_text(json.dumps([BOX]))
    one = next(iter((tmp_path / "scan").iterdir())).rename(tmp_path / "scan" / "one.dcm")
    before = one.read_bytes()
    code, _, err = command("predict", tmp_path / "scan", "-o", one)
    assert code == 1
    assert "would replace" in err[0]
    assert one.read_bytes() == before


def test_dicom_files_are_often_named_by_numbers(command, tmp_path):
    dicom_image(VOLUME[0]).save_as(tmp_path / "1.2.840.5", enforce_file_format=True)
    (tmp_path / "mine.json").write_text(json.dumps([{"box": [0, 2, 3, 0, 4, 5]}]))
    code, _, err = command("predict", tmp_path / "1.2.840.5", "--boxes", tmp_path / "mine.json", "-o", tmp_path / "out")
    assert (code, err) == (0, [])
    assert_nothing_left(tmp_path / "out", "1.2.840.5.nii.gz", "1.2.840.5.nii.gz.segments.json")


def test_files_named_by_numbers_have_boxes_of_their_own(command, tmp_path):
    for number, x in ((5, 0), (6, 3)):
        dicom_image(VOLUME[0]).save_as(tmp_path / f"1.2.{number}", enforce_file_format=True)
        (tmp_path / f"1.2.{number}.boxes.json").write_text(json.dumps([{"box": [0, 2, x, 0, 4, x + 2]}]))
    code, said, err = command("predict", tmp_path / "1.2.5", tmp_path / "1.2.6", "-o", tmp_path / "out")
    assert (code, err) == (0, [])
    assert [line.split(":")[0] for line in said] == ["1.2.5", "1.2.6"]
    for number, x in ((5, 0), (6, 3)):
        assert read_labels(tmp_path / "out" / f"1.2.{number}.nii.gz")[0][0, 2:5, x : x + 3].all()


def test_a_folder_of_dicom_folders_and_files_with_boxes(command, tmp_path):
    patients = tmp_path / "patients"
    for name in ("p1", "p2"):
        (patients / name).mkdir(parents=True)
        save_series(patients / name)
    save_enhanced(patients / "p3.dcm")
    for name in ("p1", "p2", "p3"):
        (patients / f"{name}.boxes.json").write_text(json.dumps([BOX]))
    code, said, err = command("predict", patients, "-o", tmp_path / "out")
    assert (code, err) == (0, [])
    assert [line.split(",")[0] for line in said] == ["p1: 1 object", "p2: 1 object", "p3: 1 object"]


def test_patterns_are_spelt_out_and_files_of_boxes_are_no_inputs(save_scan, command, tmp_path):
    save_scan("a b.mha", BOX)
    save_scan("c.mha", BOX)
    for number, patterns in enumerate((["*.mha"], ["*"], sorted(p.name for p in tmp_path.iterdir()))):
        out = tmp_path.parent / f"out{number}"
        code, said, err = command("predict", *(tmp_path / pattern for pattern in patterns), "-o", out)
        assert (code, err) == (0, [])
        assert [line.split(":")[0] for line in said] == ["a b", "c"]
    code, _, err = command("predict", tmp_path / "*.nii", "-o", tmp_path / "out")
    assert (code, len(err)) == (2, 1)
    assert "*.nii: no such file" in err[0]


def test_boxes_without_a_scan_are_told(save_scan, command, tmp_path):
    save_scan("a.mha", BOX)
    save_scan("b_1.mha")
    (tmp_path / "b-1.boxes.json").write_text(json.dumps([BOX]))
    code, said, err = command("predict", tmp_path, "-o", tmp_path / "out")
    assert (code, len(said)) == (1, 1)
    assert err[0] == f"{tmp_path / 'b-1'}: no such file or folder, whose boxes are in {tmp_path / 'b-1.boxes.json'}"
    # boxes elsewhere may be those of more scans
    (tmp_path / "boxes").mkdir()
    for name in "abc":
        (tmp_path / "boxes" / f"{name}.boxes.json").write_text(json.dumps([BOX]))
    code, said, err = command("predict", tmp_path, "--boxes", tmp_path / "boxes", "-o", tmp_path / "out")
    assert (code, len(said), err) == (0, 1, [])


def test_an_input_that_is_named_twice_is_done_once(save_scan, command, tmp_path):
    path = save_scan("a.mha", BOX)
    code, said, err = command("predict", tmp_path, path, path, "-o", tmp_path / "out")
    assert (code, len(said), err) == (0, 1, [])


def test_a_segmentation_beside_its_scan_is_no_scan(save_scan, command, tmp_path):
    save_scan("a.nrrd", BOX)
    save_scan("a.seg.nrrd", array=(VOLUME > 5).astype(np.uint8))
    code, said, err = command("predict", tmp_path, "-o", tmp_path / "out")
    assert (code, len(said), err) == (0, 1, [])


def test_nothing_beside_the_scans_is_replaced_unless_it_is_named(save_scan, command, tmp_path):
    path = save_scan("a.mhd", BOX)
    other = save_scan("a.mha")
    before = other.read_bytes()
    code, said, err = command("predict", path, "-o", tmp_path)
    assert (code, said, len(err)) == (2, [], 1)
    assert "a.mha: is there already, beside the inputs" in err[0]
    assert other.read_bytes() == before
    # results of an earlier run are replaced, and what is named
    for out in (tmp_path / "out", tmp_path / "out", other):
        assert command("predict", path, "-o", out)[0] == 0
    assert other.read_bytes() != before


def test_links_have_names_and_a_place_of_their_own(save_scan, command, tmp_path):
    store, data, out = (tmp_path / name for name in ("store", "data", "out"))
    (store / "ct").mkdir(parents=True)
    data.mkdir()
    save_series(store / "ct")
    save_scan("0f3c.mha", BOX).rename(store / "0f3c.mha")
    (tmp_path / "0f3c.boxes.json").rename(store / "b.json")
    links = {"case1.mha": "0f3c.mha", "case1.boxes.json": "b.json", "p01": "ct", "p01.boxes.json": "b.json"}
    for name, kept in links.items():
        (data / name).symlink_to(store / kept)
    for inputs in ([data], [data / "case1.mha", data / "p01"]):
        code, said, err = command("predict", *inputs, "-o", out, "--overlay", tmp_path / "png")
        assert (code, [line.split(":")[0] for line in said], err) == (0, ["case1", "p01"], [])
    assert_nothing_left(tmp_path / "png", "case1.png", "p01.png")
    names = "case1.mha", "p01.nii.gz"
    assert_nothing_left(out, *(f"{name}{end}" for name in names for end in ("", ".segments.json")))
    # results that are the same, and so one file in a store, are two
    (tmp_path / "2b1d").write_text("results")
    for name in names:
        (out / name).unlink()
        (out / name).symlink_to(tmp_path / "2b1d")
    assert command("predict", data, "-o", out)[0] == 0
    assert (tmp_path / "2b1d").read_text() == "results"


@pytest.mark.parametrize("beside", ["data", "store"])
def test_nothing_beside_a_link_or_what_it_leads_to_is_replaced(save_scan, command, tmp_path, beside):
    for folder in ("data", "store", "boxes"):
        (tmp_path / folder).mkdir()
    save_scan("case1.nrrd", BOX).rename(tmp_path / "store" / "0f3c.nrrd")
    (tmp_path / "case1.boxes.json").rename(tmp_path / "boxes" / "case1.boxes.json")
    path = tmp_path / "data" / "case1.nrrd"
    path.symlink_to(tmp_path / "store" / "0f3c.nrrd")
    for name in ("case1.seg.nrrd", "case1.png"):
        (tmp_path / beside / name).write_text("mine")
    common = ["predict", path, "--boxes", tmp_path / "boxes"]
    for options in (["-o", tmp_path / beside], ["-o", tmp_path / "out", "--overlay", tmp_path / beside]):
        code, said, err = command(*common, *options)
        assert (code, said, len(err)) == (2, [], 1)
        assert str(tmp_path / beside / "case1.") in err[0]
    assert {(tmp_path / beside / name).read_text() for name in ("case1.seg.nrrd", "case1.png")} == {"mine"}


def test_an_input_of_another_name_is_not_replaced(save_scan, command, tmp_path):
    path = save_scan("a.mha", BOX)
    other = tmp_path / "A.mha"
    # as in file systems where capitals do not count; in these it is there already
    if not other.exists():
        os.link(path, other)
    code, _, err = command("predict", path, "-o", other)
    assert (code, len(err)) == (2, 1)
    assert "would replace its input" in err[0]


def test_what_has_labels_may_be_left_out(save_scan, command, tmp_path):
    paths = [save_scan(f"{name}.mha", BOX) for name in "ab"]
    out = tmp_path / "out"
    assert command("predict", paths[0], "-o", out)[0] == 0
    before = (out / "a.mha").stat().st_mtime_ns
    code, said, err = command("predict", *paths, "-o", out, "--skip-existing")
    assert (code, len(said), err) == (0, 1, [])
    assert said[0].startswith("b: ")
    assert (out / "a.mha").stat().st_mtime_ns == before
    code, said, err = command("predict", *paths, "-o", out, "--skip-existing")
    assert (code, said, err) == (0, ["nothing to do: all labels are there already"], [])


def test_the_folder_that_one_is_in_has_a_name(command, tmp_path, monkeypatch):
    (tmp_path / "scan").mkdir()
    save_series(tmp_path / "scan")
    (tmp_path / "scan.boxes.json").write_text(json.dumps([BOX]))
    monkeypatch.chdir(tmp_path / "scan")
    code, said, err = command("predict", ".", "-o", tmp_path / "out", "--overlay", tmp_path / "png")
    assert (code, err) == (0, [])
    assert said[0].startswith("scan: 1 object")
    assert_nothing_left(tmp_path / "png", "scan.png")


def test_overlays_replace_neither_inputs_nor_labels_nor_each_other(command, tmp_path):
    for name in ("a.png", "b.jpg", "b.tif"):
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / name)
    for name in "ab":
        (tmp_path / f"{name}.boxes.json").write_text(json.dumps([{"box": [1, 2, 5, 6]}]))
    before = (tmp_path / "a.png").read_bytes()
    # not an input, but beside them
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "b.png")
    for names, folder in (
        (["a.png"], tmp_path),
        (["b.jpg"], tmp_path),
        (["a.png"], tmp_path / "out"),
        (["b.jpg", "b.tif"], tmp_path / "png"),
    ):
        code, said, err = command(
            "predict", *(tmp_path / n for n in names), "-o", tmp_path / "out", "--overlay", folder
        )
        assert (code, said, len(err)) == (2, [], 1)
        assert "overlay" in err[0]
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "a.png").read_bytes() == before
