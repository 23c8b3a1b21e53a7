"""The accuracy benchmarks on a small data set, with networks whose answers are known."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skimage.io import imsave

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


class Filler:
    """The box of the object is its mask until a click comes; then each click cuts away what it denies."""

    def __init__(self, model=None, mirror=False, zoom=True):
        self.calls = []

    def set_image(self, image, zoom=True):
        self.shape = image.shape[:2]

    def predict(self, box, points=None, point_labels=None, scribble=None):
        self.calls.append((points, scribble))
        y, x = np.mgrid[: self.shape[0], : self.shape[1]]
        mask = (y >= box[0]) & (x >= box[1]) & (y <= box[2]) & (x <= box[3])
        if points is None:
            points, point_labels = np.array([[box[0], box[1]]]), np.array([1])
        for point, label in zip(points, [] if point_labels is None else point_labels, strict=False):
            if label == 0:
                mask &= np.hypot(y - point[0], x - point[1]) > 6
        return SimpleNamespace(mask=mask, points=points, point_labels=point_labels)

    def predict_many(self, boxes):
        return [self.predict(box) for box in boxes]


class Eye:
    """Stages that show how bright the image is and nothing else, and an embedding of two directions."""

    def image_encoder(self, image):
        bright = image.mean(dim=1, keepdim=True)
        two = torch.cat([bright - bright.mean(), (bright - bright.mean()).roll(32, 2)], dim=1)
        return two, [bright * torch.arange(1, 4)[:, None, None]] * 4

    def encode_image(self, image):
        return SimpleNamespace(embedding=self.image_encoder(image)[0])


@pytest.fixture
def data(tmp_path):
    """Two sources of CT and one of MR; each object is a square without its corner."""
    for number, source in enumerate(("CT/one", "CT/two", "MR/three")):
        for kind in ("images", "labels"):
            (tmp_path / "val" / source / kind).mkdir(parents=True)
        labels = np.zeros((64, 64), np.uint8)
        labels[10:40, 10:40] = 1
        labels[10:30, 10 : 20 + 10 * (number > 0)] = 0
        for kind in ("images", "labels"):
            imsave(tmp_path / "val" / source / kind / "a.png", labels, check_contrast=False)
    return tmp_path / "val"


@pytest.fixture
def run(monkeypatch, capsys, data, tmp_path):
    """Run a benchmark on the data; the cells of its tables, and the text it wrote."""

    def run(name, *options):
        monkeypatch.syspath_prepend(BENCHMARKS)
        for module in ("_common", "accuracy", name):
            sys.modules.pop(module, None)
        benchmark = __import__(name)
        for module in (benchmark, __import__("accuracy")):
            monkeypatch.setattr(module, "load_model", lambda path: SimpleNamespace(network=Eye()))
            monkeypatch.setattr(module, "Predictor", Filler, raising=False)
        benchmark.main([str(data), "-o", str(tmp_path / "table.md"), *options])
        text = capsys.readouterr().out
        assert (tmp_path / "table.md").read_text() == text
        return [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]

    return run


def test_accuracy_per_modality(run):
    head, _, ct, mr, mean = run("accuracy", "--models", "ours")
    assert head == ["", "objects", "ours, all DSC / NSD"]
    assert (ct[:2], mr[:2], mean[:2]) == (["CT", "2"], ["MR", "1"], ["**mean of modalities**", "3"])
    dsc = [float(row[2].split(" / ")[0]) for row in (ct, mr, mean)]
    assert dsc[2] == pytest.approx((dsc[0] + dsc[1]) / 2, abs=0.06), "modalities count alike"
    assert 0 < dsc[1] < dsc[0] < 100


def test_accuracy_per_source(run):
    rows = run("accuracy", "--models", "ours", "--per-source")
    assert [row[0] for row in rows[2:]] == ["CT", "&emsp;one", "&emsp;two", "MR", "**mean of modalities**"]


def test_ablation_takes_prompts_away(run, monkeypatch):
    asked = []
    original = Filler.predict
    monkeypatch.setattr(Filler, "predict", lambda *a, **k: asked.append(k) or original(*a, **k))
    (head, *_) = run("accuracy", "--models", "ours", "--ablation")
    assert [c.split(" DSC")[0] for c in head[2:]] == [
        "ours, all",
        "ours, box",
        "ours, box + points",
        "ours, box + scribble",
    ]
    assert {tuple(k) for k in asked} == {(), ("points", "scribble"), ("scribble",), ("points",)}


def test_what_follows_the_box_and_what_the_image_tells(run):
    head, _, ellipse, ours, *rest = run("evidence")
    assert head[1:] == ["0", "2.5", "5"]
    assert float(ours[1]) > float(ours[3]), "a filled box grows with it"
    assert float(ellipse[2]) > float(ellipse[1]), "the ellipse is meant for boxes that are too large"
    features = {row[0]: row[1:] for row in rest}
    assert features["stage 1"] == ["1.0", "100 %"]
    assert 1 < float(features["embedding"][0]) <= 2


def test_clicks_correct_what_the_box_took_too_much(run):
    rows = run("edits", "--clicks", "2")
    head, _, ct, *_ = rows
    assert [name.removesuffix(" DSC / NSD") for name in head[2:]] == ["no click", "1 click", "2 clicks", "1 stroke"]
    dsc = [float(cell.split(" / ")[0]) for cell in ct[2:]]
    assert dsc[0] < dsc[1] < dsc[2]
    assert dsc[3] == dsc[0], "nothing is missed that could be painted"
    # the poor ones come second, and are fewer
    counts = [int(row[1]) for row in rows if row[0].startswith("**mean")]
    assert counts[0] == 3
    assert counts[1:] == [2]


def test_a_stroke_goes_along_the_middle_of_the_largest_part_that_is_missed():
    from edits import corrective_stroke

    truth, mask = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    truth[10:19, 5:45] = truth[30:33, 5:9] = True
    mask[:, 15] = truth[:, 15]
    stroke = corrective_stroke(mask, truth)
    rows, columns = np.nonzero(stroke)
    assert stroke.any()
    assert truth[stroke].all()
    assert columns.min() > 15, "the parts left of the mask and below it are smaller"
    assert abs(np.median(rows) - 14) <= 1
    assert not corrective_stroke(truth, truth).any()
