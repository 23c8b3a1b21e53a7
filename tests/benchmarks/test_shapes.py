"""The benchmark of shapes, with a network that takes a wall for what it encloses until it is told."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes
from skimage.io import imsave


class Filling:
    """Fills the holes of what is bright in a box, unless there is a negative point."""

    def __init__(self, model):
        pass

    def set_image(self, image):
        self.image = image

    def predict(self, box, points=None, labels=None):
        y, x = np.indices(self.image.shape)
        y0, x0, y1, x1 = box
        bright = (self.image > 0) & (y >= y0) & (x >= x0) & (y <= y1) & (x <= x1)
        if labels is None:
            points, labels = np.zeros((0, 2)), np.zeros(0, int)
        told = (labels == 0).any()
        return SimpleNamespace(mask=bright if told else binary_fill_holes(bright), points=points, point_labels=labels)


@pytest.fixture
def shapes(monkeypatch):
    import shapes

    monkeypatch.setattr(shapes, "Predictor", Filling)
    monkeypatch.setattr(shapes, "load_model", lambda path: None)
    return shapes


def test_a_wall_is_filled_until_a_click_says_otherwise(shapes, tmp_path, capsys):
    labels = np.zeros((256, 256), np.uint8)
    labels[20:100, 20:100] = 1
    labels[30:90, 30:90] = 0
    labels[150:200, 150:200] = 2
    for kind in ("images", "labels"):
        (tmp_path / "MR" / "one" / kind).mkdir(parents=True)
        imsave(tmp_path / "MR" / "one" / kind / "a.png", labels, check_contrast=False)
    shapes.main([str(tmp_path), "--clicks", "1"])
    _, _, wall, square = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()
    )
    assert wall[:2] == ["0 to 0.65", "1"]
    assert float(wall[2].split("/")[0]) < 70
    assert wall[3] == "100.0 / 100.0"
    assert square == ["0.85 to 1", "1", "100.0 / 100.0", "100.0 / 100.0"]
