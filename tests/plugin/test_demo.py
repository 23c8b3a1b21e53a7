import sys

import numpy as np
import pytest
import torch
from skimage.io import imread

from napari_swin_litemedsam.model import SwinLiteMedSAM
from napari_swin_litemedsam.plugin import demo, model_in_use, sessions
from napari_swin_litemedsam.plugin.autosave import SessionFile
from napari_swin_litemedsam.predictor import Predictor

from .conftest import axial

# asked here, since tests give the system another name
runs_scripts = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for xvfb-run is a shell script")


@pytest.mark.window
def test_shows_a_mask_of_the_real_network_and_offers_no_earlier_run(viewer, monkeypatch, tmp_path):
    monkeypatch.setattr(sessions, "latest", lambda key: SessionFile(tmp_path / "earlier"))
    # its weights do not matter here, so that the test holds for any of them
    torch.manual_seed(0)
    model = SwinLiteMedSAM().eval()
    monkeypatch.setattr(model_in_use, "load_predictor", lambda _: Predictor(model))
    panel = demo.open_sample(viewer)
    assert panel.panel.session_section.offer.isHidden()
    panel.session.wait(60)
    zoom = viewer.scene.camera.zoom
    viewer.reset_view(layers=[panel.image])
    assert viewer.scene.camera.zoom == pytest.approx(zoom)
    item = panel._work.session.objects[1]
    assert item.plane == axial(8)
    assert np.isfinite(item.iou)
    np.testing.assert_array_equal(viewer.layers["Thigh MR scribble"].data[8] == 1, item.scribble.full())
    y0, x0, y1, x1 = item.box
    assert ((item.points >= (y0, x0)) & (item.points <= (y1, x1))).all()
    assert viewer.dims.current_step[0] == 8


def test_saves_its_picture(monkeypatch, make_napari_viewer, predictor, tmp_path):
    monkeypatch.setattr(model_in_use, "load_predictor", lambda _: predictor)
    monkeypatch.setattr("napari.Viewer", lambda: make_napari_viewer(show=True))
    path = tmp_path / "new" / "demo.png"
    demo.run_demo(str(path))
    picture = imread(path)
    assert picture.shape[0] > 400
    assert picture.shape[1] > 600
    assert picture[..., :3].std() > 10
    assert [file.name for file in path.parent.iterdir()] == ["demo.png"]


def test_tells_why_there_is_no_mask(monkeypatch, make_napari_viewer, tmp_path):
    def load(choice):
        raise FileNotFoundError("no weights here")

    monkeypatch.setattr(model_in_use, "load_predictor", load)
    monkeypatch.setattr("napari.Viewer", lambda: make_napari_viewer())
    with pytest.raises(demo.DemoError, match="no weights here"):
        demo.run_demo(str(tmp_path / "demo.png"))
    assert not (tmp_path / "demo.png").exists()


class TestWithoutDisplay:
    @pytest.fixture(autouse=True)
    def no_display(self, monkeypatch):
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(sys, "platform", "linux")

    def test_says_what_would_help(self, monkeypatch):
        monkeypatch.setattr("shutil.which", lambda name: None)
        with pytest.raises(demo.DemoError, match="Xvfb"):
            demo.run_demo()

    @runs_scripts
    def test_runs_under_a_virtual_one(self, monkeypatch, tmp_path, capsys):
        fake = tmp_path / "xvfb-run"
        fake.write_text('#!/bin/sh\necho "$@"\n')
        fake.chmod(0o755)
        monkeypatch.setattr("shutil.which", lambda name: str(fake))
        demo.run_demo()
        assert (
            capsys.readouterr().out.strip().endswith("-m napari_swin_litemedsam.plugin.demo swin-litemedsam-demo.png")
        )

    @runs_scripts
    def test_hands_on_what_went_wrong(self, monkeypatch, tmp_path):
        fake = tmp_path / "xvfb-run"
        fake.write_text("#!/bin/sh\necho no screen >&2\nexit 3\n")
        fake.chmod(0o755)
        monkeypatch.setattr("shutil.which", lambda name: str(fake))
        with pytest.raises(demo.DemoError, match="no screen"):
            demo.run_demo("out.png")

    def test_other_systems_always_have_one(self, monkeypatch):
        assert not demo.has_display()
        monkeypatch.setattr(sys, "platform", "darwin")
        assert demo.has_display()
