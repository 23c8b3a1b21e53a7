import numpy as np
import pytest
from skimage.io import imread

from napari_swin_litemedsam import Predictor, load_model
from napari_swin_litemedsam.cli._jobs import case_boxes, find_jobs
from napari_swin_litemedsam.cli._segment import segment
from napari_swin_litemedsam.io import read_case
from napari_swin_litemedsam.io.npz import case_scan


@pytest.fixture
def save(tmp_path):
    (tmp_path / "in").mkdir()

    def save(name, **arrays):
        np.savez_compressed(tmp_path / "in" / name, **arrays)
        return tmp_path / "in" / name

    return save


def grey(shape=(40, 60)):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def segment_case(case, predictor):
    return segment(case_scan("case.npz", case), case_boxes(case), predictor)


def segs(path):
    with np.load(path) as file:
        return file["segs"]


def test_boxes_are_x_before_y_and_ids_follow_their_order(save, box_filler):
    labels = segment_case(read_case(save("a.npz", imgs=grey(), boxes=[[2, 5, 12, 9], [30, 20, 50, 35]])), box_filler)
    expected = np.zeros((40, 60), np.uint8)
    expected[5:10, 2:13] = 1
    expected[20:36, 30:51] = 2
    np.testing.assert_array_equal(labels, expected)
    assert labels.dtype == np.uint8


def test_later_objects_cover_earlier_ones(save, box_filler):
    flat = read_case(save("a.npz", imgs=grey(), boxes=[[0, 0, 20, 20], [10, 10, 30, 30]]))
    deep = read_case(save("b.npz", imgs=grey((3, 40, 60)), boxes=[[0, 0, 0, 20, 20, 3], [10, 10, 0, 30, 30, 3]]))
    for labels in (segment_case(flat, box_filler), segment_case(deep, box_filler)[1]):
        assert labels[15, 15] == 2
        assert labels[5, 5] == 1


def test_every_slice_of_a_range_is_segmented_and_its_end_is_not(save, box_filler):
    case = read_case(save("a.npz", imgs=grey((9, 40, 60)), boxes=[[2, 5, 1, 12, 9, 6], [20, 5, 8, 30, 9, 9]]))
    labels = segment_case(case, box_filler)
    assert np.flatnonzero((labels == 1).any(axis=(1, 2))).tolist() == [1, 2, 3, 4, 5]
    assert np.flatnonzero((labels == 2).any(axis=(1, 2))).tolist() == [8]
    assert (labels[3][5:10, 2:13] == 1).all()


def test_ranges_are_cut_at_the_ends_of_the_volume(save, box_filler):
    case = read_case(save("a.npz", imgs=grey((4, 40, 60)), boxes=[[2, 5, -3, 12, 9, 99]]))
    assert segment_case(case, box_filler).any(axis=(1, 2)).all()


@pytest.mark.parametrize("z_range", [(2, 2), (4, 6), (-3, 0)])
def test_boxes_without_slices_are_refused(save, box_filler, z_range):
    case = read_case(save("a.npz", imgs=grey((4, 40, 60)), boxes=[[2, 5, z_range[0], 12, 9, z_range[1]]]))
    with pytest.raises(ValueError, match="box 1 covers no slice"):
        segment_case(case, box_filler)


@pytest.mark.parametrize("shape", [(40, 60), (3, 40, 60)])
def test_more_than_255_objects(save, box_filler, shape):
    corner = [(i % 20) * 3 for i in range(260)], [(i // 20) * 3 for i in range(260)]
    boxes = np.array([[x, y, x + 1, y + 1] for x, y in zip(*corner, strict=True)])
    if len(shape) == 3:
        boxes = np.array([[x0, y0, 0, x1, y1, 1] for x0, y0, x1, y1 in boxes])
    labels = segment_case(read_case(save("a.npz", imgs=grey(shape), boxes=boxes)), box_filler)
    assert labels.dtype == np.uint16
    assert len(np.unique(labels)) == 261


@pytest.mark.parametrize(("shape", "columns"), [((40, 60), 4), ((40, 60, 3), 4), ((3, 40, 60), 6)])
def test_no_boxes_make_an_empty_segmentation(save, box_filler, shape, columns):
    labels = segment_case(read_case(save("a.npz", imgs=grey(shape), boxes=np.zeros((0, columns)))), box_filler)
    assert labels.shape == (shape if columns == 6 else shape[:2])
    assert not labels.any()


def test_folders_are_segmented_with_a_line_per_case(save, command, without_network, tmp_path):
    save("CT_2.npz", imgs=grey((3, 40, 60)), boxes=[[2, 5, 0, 12, 9, 3]], spacing=[1, 1, 1])
    save("US_1.npz", imgs=grey((40, 60, 3)), boxes=[[2, 5, 12, 9], [20, 5, 30, 9]])
    code, out, err = command("predict", tmp_path / "in", "-o", tmp_path / "out")
    assert (code, err) == (0, [])
    assert [line.split(",")[0] for line in out] == ["CT_2: 1 object", "US_1: 2 objects"]
    assert all(line.endswith(" s") for line in out)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["CT_2.npz", "US_1.npz"]
    assert segs(tmp_path / "out" / "CT_2.npz").shape == (3, 40, 60)
    assert segs(tmp_path / "out" / "US_1.npz").max() == 2


def test_a_broken_file_does_not_stop_the_rest(save, command, without_network, tmp_path):
    save("a.npz", imgs=grey(), boxes=[[2, 5, 12, 9]])
    (tmp_path / "in" / "b.npz").write_bytes(b"PK\x03\x04 no more")
    save("c.npz", imgs=grey())
    save("d.npz", imgs=grey(), boxes=[[2, 5, 12, 9]])
    code, out, err = command("predict", tmp_path / "in", "-o", tmp_path / "out")
    assert code == 1
    assert len(out) == 2
    assert "b.npz: not a whole npz file" in err[0]
    assert "c.npz: holds no array 'boxes'" in err[1]
    assert err[2:] == ["2 of 4 cases failed"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.npz", "d.npz"]


@pytest.mark.parametrize("inputs", [["absent.npz"], ["empty"], ["absent.npz", "gone.npz"]])
def test_no_inputs_is_exit_code_2(command, without_network, tmp_path, inputs):
    (tmp_path / "empty").mkdir()
    code, out, err = command("predict", *(tmp_path / name for name in inputs), "-o", tmp_path / "out")
    assert (code, out, len(err)) == (2, [], 1)
    assert not (tmp_path / "out").exists()


def test_inputs_are_never_overwritten(save, command, without_network, tmp_path):
    path = save("a.npz", imgs=grey(), boxes=[[2, 5, 12, 9]])
    before = path.read_bytes()
    code, _, err = command("predict", path, "-o", tmp_path / "in")
    assert code == 2
    assert "would replace its input" in err[0]
    assert path.read_bytes() == before


def test_inputs_that_share_a_name_are_refused(save, command, without_network, tmp_path):
    path = save("a.npz", imgs=grey(), boxes=[[2, 5, 12, 9]])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.npz").write_bytes(path.read_bytes())
    code, _, err = command("predict", tmp_path / "in", tmp_path / "other", "-o", tmp_path / "out")
    assert code == 2
    assert "same file" in err[0]


def test_the_output_is_no_file_of_an_unknown_format(save, command, without_network, tmp_path):
    path = save("a.npz", imgs=grey(), boxes=[[2, 5, 12, 9]])
    (tmp_path / "out").write_text("mine")
    for name in ("out", "labels.nii.gzz"):
        code, _, err = command("predict", path, "-o", tmp_path / name)
        assert (code, len(err)) == (2, 1)
        assert ".nii.gz" in err[0]
        assert not (tmp_path / name).is_dir()
    assert (tmp_path / "out").read_text() == "mine"


def test_a_folder_may_have_any_name(save, tmp_path):
    path = save("a.npz", imgs=grey(), boxes=[[2, 5, 12, 9]])
    (tmp_path / "run.2").mkdir()
    assert [job.target for job in find_jobs([path], tmp_path / "run.2")] == [tmp_path / "run.2" / "a.npz"]
    assert [job.target for job in find_jobs([path.parent], tmp_path / "run.3")] == [tmp_path / "run.3" / "a.npz"]


def test_challenge_images_are_windowed_already(save, box_filler):
    image = grey((3, 40, 60)).astype(np.int16) * 9
    segment_case(read_case(save("a.npz", imgs=image, boxes=[[2, 5, 0, 12, 9, 3]])), box_filler)
    assert set(box_filler.windows) == {None}


@pytest.mark.parametrize("content", [b"", b"nothing of the kind"])
def test_an_unusable_checkpoint_is_exit_code_2(save, command, tmp_path, content):
    path = save("a.npz", imgs=grey(), boxes=[[2, 5, 12, 9]])
    (tmp_path / "weights.pth").write_bytes(content)
    code, out, err = command("predict", path, "-o", tmp_path / "out", "--checkpoint", tmp_path / "weights.pth")
    assert (code, out, len(err)) == (2, [], 1)
    assert "weights.pth: not a" in err[0]


def test_an_unknown_device_is_exit_code_2(save, command, tmp_path, checkpoint):
    path = save("a.npz", imgs=grey(), boxes=[[2, 5, 12, 9]])
    code, _, err = command("predict", path, "-o", tmp_path / "out", "--checkpoint", checkpoint, "--device", "abacus")
    assert (code, len(err)) == (2, 1)
    assert "abacus" in err[0]


def test_overlays_show_contours_on_the_image(save, command, without_network, tmp_path):
    flat = np.full((40, 60), 100, np.uint8)
    save("flat.npz", imgs=flat, boxes=[[10, 10, 20, 20]])
    save("deep.npz", imgs=flat[None].repeat(4, axis=0) + np.arange(4, dtype=np.uint8)[:, None, None],
         boxes=[[10, 10, 1, 20, 20, 3], [30, 10, 2, 40, 20, 3]])  # fmt: skip
    code, _, _ = command("predict", tmp_path / "in", "-o", tmp_path / "out", "--overlay", tmp_path / "png")
    assert code == 0
    picture = imread(tmp_path / "png" / "flat.png")
    assert picture.shape == (40, 60, 3)
    grey_pixels = (picture == 100).all(axis=-1)
    assert not grey_pixels[10, 10:21].any(), "the contour is not drawn"
    assert grey_pixels[15, 15], "the inside is covered"
    assert grey_pixels[:9].all(), "the outside is covered"
    # the slice with both objects
    assert (imread(tmp_path / "png" / "deep.png")[0, 0] == 102).all()


@pytest.mark.parametrize("volume", [False, True])
def test_the_network_segments_from_file_to_file(save, command, tmp_path, checkpoint, volume):
    image = grey((2, 64, 96)) if volume else grey((64, 96, 3))
    boxes = [[10, 10, 0, 60, 50, 2], [30, 5, 0, 80, 60, 2]] if volume else [[10, 10, 60, 50], [30, 5, 80, 60]]
    path = save("case.npz", imgs=image, boxes=boxes)
    # which is faster need not be measured for this
    chosen = "--checkpoint", checkpoint, "--backend", "torch"
    code, _, err = command("predict", path, "-o", tmp_path / "out", *chosen)
    assert (code, err) == (0, [])
    written = segs(tmp_path / "out" / "case.npz")
    assert written.shape == (2, 64, 96) if volume else (64, 96)
    assert written.dtype == np.uint8
    if not volume:
        predictor = Predictor(load_model(checkpoint), "torch")
        predictor.set_image(image)
        expected = np.zeros((64, 96), np.uint8)
        for number, (x0, y0, x1, y1) in enumerate(boxes, 1):
            expected[predictor.predict((y0, x0, y1, x1)).mask] = number
        assert (written == expected).mean() > 0.999
        assert 0.1 < (expected > 0).mean() < 0.9, "a mask that covers all or nothing would test nothing"


def test_times_stand_beside_the_labels_and_in_the_report(save, command, without_network, tmp_path):
    labels = np.zeros((40, 60), np.uint8)
    labels[5:10, 2:13] = 1
    for name in ("CT_1", "CT_2"):
        truth = save(f"{name}.npz", imgs=grey(), boxes=[[2, 5, 12, 9]], gts=labels).parent
    assert command("predict", truth / "CT_1.npz", "-o", tmp_path / "out", "--times")[0] == 0
    assert command("predict", truth, "-o", tmp_path / "out", "--times")[0] == 0
    assert [line.split(",")[0] for line in (tmp_path / "out/times.csv").read_text().splitlines()] == [
        "case",
        "CT_1",
        "CT_2",
    ]
    assert command("evaluate", tmp_path / "out", truth, "--html", tmp_path / "report.html")[0] == 0
    page = (tmp_path / "report.html").read_text()
    assert "<td>CT</td><td>2</td>" in page[page.index("Running time") :]


def test_damaged_times_are_told_before_anything_is_done(save, command, without_network, tmp_path):
    path = save("a.npz", imgs=grey(), boxes=[[2, 5, 12, 9]])
    (tmp_path / "times.csv").write_text("what?")
    code, out, err = command("predict", path, "-o", tmp_path / "a.npz", "--times")
    assert (code, out, len(err)) == (2, [], 1)
    assert "times.csv" in err[0]
    assert not (tmp_path / "a.npz").exists()
