"""`predict` on scans with boxes files; challenge files are tested in `test_predict.py`."""

import json
import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from napari_swin_litemedsam.cli import _segment, predict
from napari_swin_litemedsam.io import read_labels, read_segments
from scan_files import (
    BOX,
    GEOMETRIES,
    VOLUME,
    assert_nothing_left,
    assert_same_place,
    save_series,
)


@pytest.fixture(autouse=True)
def no_weights(without_network):
    pass


def test_labels_have_the_scans_geometry_names_and_colours(save_scan, command, tmp_path):
    path = save_scan("scan.nii.gz", BOX)
    (tmp_path / "scan.boxes.json").rename(tmp_path / "mine.json")
    out = tmp_path / "labels.nii.gz"
    code, said, err = command("predict", path, "--boxes", tmp_path / "mine.json", "-o", out)
    assert (code, err) == (0, [])
    assert said[0].startswith("scan: 1 object, ")
    expected = np.zeros(VOLUME.shape, np.uint8)
    expected[1:4, 2:5, 3:6] = 4
    labels, _ = read_labels(out)
    np.testing.assert_array_equal(labels, expected)
    assert_same_place(sitk.ReadImage(path), sitk.ReadImage(out))
    (segment,) = read_segments(out)
    assert (segment.id, segment.name, segment.colour) == (4, "liver", "#102030")


def test_several_scans_have_a_boxes_file_each(save_scan, command, tmp_path):
    (tmp_path / "boxes").mkdir()
    for name, suffix in (("a", "nii"), ("b", "mha"), ("c", "nrrd")):
        save_scan(f"{name}.{suffix}", BOX | {"label": ord(name)})
        (tmp_path / f"{name}.boxes.json").rename(tmp_path / "boxes" / f"{name}.boxes.json")
    paths = [tmp_path / "a.nii", tmp_path / "b.mha", tmp_path / "c.nrrd"]
    code, said, _ = command("predict", *paths, "--boxes", tmp_path / "boxes", "-o", tmp_path / "out")
    assert (code, len(said)) == (0, 3)
    for name, suffix in (("a", "nii.gz"), ("b", "mha"), ("c", "seg.nrrd")):
        assert read_labels(tmp_path / "out" / f"{name}.{suffix}")[0].max() == ord(name)


def test_a_folder_gives_the_scans_that_have_boxes(save_scan, command, tmp_path):
    save_scan("a.nii.gz", BOX)
    save_scan("b.nii.gz")
    code, said, err = command("predict", tmp_path, "-o", tmp_path / "out")
    assert (code, len(said), err) == (0, 1, [])
    assert_nothing_left(tmp_path / "out", "a.nii.gz", "a.nii.gz.segments.json")


def test_a_dicom_folder(command, tmp_path):
    (tmp_path / "scan").mkdir()
    save_series(tmp_path / "scan", GEOMETRIES["anisotropic"])
    save_series(tmp_path / "scan", volume=VOLUME[:2], name="scout", SeriesInstanceUID="1.2.4", SeriesNumber=9)
    (tmp_path / "scan.boxes.json").write_text(json.dumps([BOX]))
    code, _, err = command("predict", tmp_path / "scan", "-o", tmp_path / "out.nrrd")
    assert code == 1
    assert "2 series, choose one: 1: Abdomen" in err[0]
    code, _, err = command("predict", tmp_path / "scan", "--series", 1, "-o", tmp_path / "out.nrrd")
    assert (code, err) == (0, [])
    image = sitk.ReadImage(tmp_path / "out.nrrd")
    assert image.GetSpacing() == pytest.approx((0.3, 0.7, 5))
    code, _, _ = command("predict", tmp_path / "scan", "--series", 1, "-o", tmp_path / "labels")
    assert_nothing_left(tmp_path / "labels", "scan.nii.gz", "scan.nii.gz.segments.json")


def test_pictures(command, tmp_path):
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a.jpg")
    (tmp_path / "a.boxes.json").write_text(json.dumps([{"box": [1, 2, 5, 6]}, {"box": [8, 9, 10, 20]}]))
    code, _, err = command("predict", tmp_path / "a.jpg", "-o", tmp_path / "out", "--overlay", tmp_path / "png")
    assert (code, err) == (0, [])
    labels, _ = read_labels(tmp_path / "out" / "a.png")
    assert (labels[1:6, 2:7] == 1).all()
    assert np.count_nonzero(labels) == 25 + 36
    assert Image.open(tmp_path / "png" / "a.png").size == (30, 20)


def test_boxes_on_slices_with_one_label_are_one_object(save_scan, command, tmp_path):
    path = save_scan("a.mha", {"box": [0, 0, 2, 2], "slice": 0}, {"box": [2, 2, 4, 4], "slice": 2, "label": 1})
    code, _, _ = command("predict", path, "-o", tmp_path / "out.mha", "--range", 0, 2)
    labels, _ = read_labels(tmp_path / "out.mha")
    assert code == 0
    assert (labels[1, 1:4, 1:4] == 1).all(), "the box between is not interpolated"
    assert np.count_nonzero(labels[1]) == 9
    assert not labels[3:].any()


def test_two_boxes_of_one_object_on_a_slice_are_told(save_scan, command, tmp_path):
    # one of them would be lost
    path = save_scan("a.mha", {"box": [0, 0, 2, 2], "slice": 1}, {"box": [3, 3, 5, 5], "slice": 1, "label": 1})
    code, _, err = command("predict", path, "-o", tmp_path / "out.mha")
    assert code == 1
    assert "box 2: label 1 has another box on slice 1" in err[0]
    assert not (tmp_path / "out.mha").exists()


@pytest.mark.parametrize(
    ("name", "message"), [("out.png", "a PNG holds no volume"), ("out.dcm", "only labels of a DICOM")]
)
def test_a_format_that_cannot_hold_the_labels_is_told_before_anything_is_calculated(
    save_scan, command, tmp_path, monkeypatch, name, message
):
    if name.endswith(".dcm"):
        pytest.importorskip("highdicom")
    monkeypatch.setattr(predict, "segment", lambda *_: pytest.fail("went on to segment"))
    code, _, err = command("predict", save_scan("a.mha", BOX), "-o", tmp_path / name)
    assert code == 1
    assert message in err[0]


def test_objects_without_a_pixel_are_told(save_scan, command, tmp_path):
    path = save_scan("a.mha", BOX, BOX | {"label": 5, "name": "spleen"})
    _, said, _ = command("predict", path, "-o", tmp_path / "out")
    assert said[0].startswith("a: 2 objects, ")
    assert said[0].endswith("s (without a pixel: liver)")


def test_slices_of_a_box_without_a_pixel_are_counted(save_scan, command, tmp_path):
    # of slices 1 to 3 the second box covers the last
    path = save_scan("a.mha", BOX, {"label": 5, "name": "spleen", "box": [3, 0, 0, 4, 6, 6]})
    _, said, _ = command("predict", path, "-o", tmp_path / "out")
    assert said[0].endswith("s (without a pixel: liver on 1 of 3 slices)")
    _, said, _ = command("predict", path, "-o", tmp_path / "out", "--range", 2, 4)
    assert said[0].endswith("s (without a pixel: liver on 1 of 2 slices)")


@pytest.mark.filterwarnings("default")
def test_warnings_are_told_once_in_a_line_with_the_input(save_scan, command, tmp_path, monkeypatch):
    real = predict.segment

    def warned(*args):
        warnings.warn("some pixels are\nno numbers", stacklevel=1)
        warnings.warn("some pixels are\nno numbers", stacklevel=1)
        return real(*args)

    monkeypatch.setattr(predict, "segment", warned)
    paths = [save_scan(f"{name}.mha", BOX) for name in "ab"]
    code, said, err = command("predict", *paths, "-o", tmp_path / "out")
    assert (code, len(said)) == (0, 2)
    assert err == [f"{path}: some pixels are no numbers" for path in paths]


def test_a_range_cuts_boxes(save_scan, command, tmp_path):
    path = save_scan("a.mha", BOX)
    code, _, _ = command("predict", path, "-o", tmp_path / "out.mha", "--range", 2, 4)
    assert code == 0
    assert np.flatnonzero(read_labels(tmp_path / "out.mha")[0].any(axis=(1, 2))).tolist() == [2, 3]
    for span, message in (((4, 4), "no slice in the range 4 to 4"), ((2, 9), "outside 0..4"), ((3, 2), "reversed")):
        code, _, err = command("predict", path, "-o", tmp_path / "out.mha", "--range", *span)
        assert code == (2 if message == "reversed" else 1)
        assert message in err[0]


def test_every_failure_names_its_input(command, tmp_path, monkeypatch):
    (tmp_path / "the").mkdir()
    save_series(tmp_path / "the")
    (tmp_path / "the.boxes.json").write_text(json.dumps([BOX]))
    monkeypatch.chdir(tmp_path)
    code, _, err = command("predict", "the", "-o", "out", "--range", 2, 9)
    # words of the message are no names of files
    assert (code, err[0]) == (1, "the: the range of slices 2 to 9 is outside 0..4")


def options_of(command, monkeypatch, *arguments):
    """The options that a run hands on."""
    seen = []
    real = _segment.segment

    def spy(*args):
        seen.append(args)
        return real(*args)

    monkeypatch.setattr(predict, "segment", spy)
    assert command(*arguments)[0] == 0
    return seen[0]


def test_options_reach_the_propagation(save_scan, command, tmp_path, monkeypatch):
    path = save_scan("a.mha", BOX, geometry=GEOMETRIES["anisotropic"])
    arguments = ["predict", path, "-o", tmp_path / "out.mha"]
    _, _, predictor, window, options, span, _ = options_of(command, monkeypatch, *arguments)
    assert (predictor.mirror, predictor.zoom, options.zoom) == (False, True, False)
    assert (options.every, options.spacing, span) == (1, None, None)
    assert (options.one_part, options.filled, options.alike, options.consistent) == (True, True, True, False)
    assert VOLUME.min() <= window[0] < window[1] <= VOLUME.max()
    more = [
        "--every",
        2,
        "--spacing-aware",
        "--window",
        100,
        900,
        "--all-parts",
        "--keep-holes",
        "--keep-unlike",
        "--mirror",
        "--zoom",
    ]
    more += ["--consistent"]
    _, _, predictor, window, options, _, _ = options_of(command, monkeypatch, *arguments, *more)
    assert (options.every, options.spacing, window) == (2, (5, 0.7, 0.3), (100, 900))
    assert (options.one_part, options.filled, options.alike, options.consistent) == (False, False, False, True)
    assert set(predictor.windows) == {(100, 900)}
    assert (predictor.mirror, options.zoom) == (True, True)
    assert not options_of(command, monkeypatch, *arguments, "--no-zoom")[2].zoom
    assert read_labels(tmp_path / "out.mha")[0].any(axis=(1, 2)).tolist() == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--every", 0], "at least 1"),
        (["--window", 5, 5], "below the upper end"),
        (["--window", "nan", 5], "below the upper end"),
        (["--boxes", "absent.json"], "no such file"),
        (["--range", 1], "expected 2 arguments"),
    ],
)
def test_wrong_options_are_exit_code_2(save_scan, command, tmp_path, arguments, message):
    code, said, err = command("predict", save_scan("a.mha", BOX), "-o", tmp_path / "out", *arguments)
    assert (code, said, len(err)) == (2, [], 1)
    assert message in err[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [["-o", "file/out"], ["-o", "file/a.mha"], ["-o", "out", "--overlay", "file"]])
def test_a_place_that_cannot_be_written_to_is_told_before_anything_is_calculated(
    save_scan, command, tmp_path, monkeypatch, options
):
    monkeypatch.setattr(predict, "segment", lambda *_: pytest.fail("went on to segment"))
    path = save_scan("a.mha", BOX)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    code, said, err = command("predict", path, *options)
    assert (code, said, len(err)) == (2, [], 1)
    assert "nothing can be written there" in err[0]


def test_inputs_and_outputs_that_do_not_fit_are_exit_code_2(save_scan, command, tmp_path):
    first, second = save_scan("a.mha", BOX), save_scan("b.mha", BOX)
    case, boxes = tmp_path / "case.npz", tmp_path / "a.boxes.json"
    np.savez(case, imgs=np.zeros((8, 9), np.uint8), boxes=[[1, 2, 4, 5]])
    for arguments, message in (
        ([case, "-o", tmp_path / "out", "--boxes", boxes], "npz files hold their boxes themselves"),
        ([first, second, "-o", tmp_path / "out.mha"], "must be a folder"),
        ([first, second, "-o", tmp_path / "out", "--boxes", boxes], "one boxes file is for one"),
        ([first, "-o", first], "would replace its input"),
        ([first, "-o", tmp_path], "would replace its input"),
    ):
        code, _, err = command("predict", *arguments)
        assert (code, len(err)) == (2, 1)
        assert message in err[0]


def test_a_scan_that_fails_does_not_stop_the_rest(save_scan, command, tmp_path):
    save_scan("a.mha", BOX | {"box": [9, 9, 9, 9, 9, 9]})
    save_scan("b.mha")
    save_scan("c.mha", BOX)
    (tmp_path / "d.mha").write_bytes(b"no scan")
    (tmp_path / "d.boxes.json").write_text("[]")
    paths = [tmp_path / f"{name}.mha" for name in "abcd"]
    code, said, err = command("predict", *paths, "-o", tmp_path / "out")
    assert (code, len(said)) == (1, 1)
    assert "a.boxes.json: box 1: lies outside the scan" in err[0]
    assert "b.mha: has no boxes; they are looked for in" in err[1]
    assert "d.mha: not a MetaImage file" in err[2]
    assert err[3] == "3 of 4 cases failed"


@pytest.mark.parametrize(
    "error", [MemoryError("Unable to allocate 90 GiB"), RuntimeError("CUDA out of memory"), MemoryError()]
)
def test_a_scan_too_large_for_the_memory_does_not_stop_the_rest(save_scan, command, tmp_path, monkeypatch, error):
    paths = [save_scan(f"{name}.mha", BOX) for name in "ab"]
    real, calls = predict.segment, []

    def exhausted(*args):
        calls.append(args)
        if len(calls) == 1:
            raise error
        return real(*args)

    monkeypatch.setattr(predict, "segment", exhausted)
    code, said, err = command("predict", *paths, "-o", tmp_path / "out")
    assert (code, len(said)) == (1, 1)
    assert err[0].endswith(f"a.mha: {error}" if str(error) else "a.mha: MemoryError")


def test_ctrl_c_keeps_what_is_done(save_scan, command, tmp_path, monkeypatch):
    paths = [save_scan(f"{name}.mha", BOX) for name in "abc"]
    real, calls = predict.segment, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(predict, "segment", interrupted)
    code, said, err = command("predict", *paths, "-o", tmp_path / "out")
    assert code == 130
    assert err == ["interrupted; 1 of 3 cases are done"]
    assert len(said) == 1
    assert_nothing_left(tmp_path / "out", "a.mha", "a.mha.segments.json")


def test_progress_is_counted_to_the_end(save_scan, box_filler, tmp_path):
    from napari_swin_litemedsam.io import read_scan
    from napari_swin_litemedsam.io.boxes import read_boxes

    scan = read_scan(save_scan("a.mha", BOX, BOX | {"label": 2}))
    seen = []
    _segment.segment(
        scan,
        read_boxes(tmp_path / "a.boxes.json", scan),
        box_filler,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(done, 6) for done in range(1, 7)]
