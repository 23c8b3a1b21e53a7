"""The benchmark of the second look, with a network that sees more in it."""

from types import SimpleNamespace

import numpy as np
import pytest
from skimage.io import imsave


class Nearsighted:
    """Fills the box, and leaves out what is dark in it only at the second look."""

    def __init__(self, model):
        pass

    def set_image(self, image, zoom):
        self.image, self.zoom = image, zoom

    def predict_many(self, boxes):
        y, x = np.indices(self.image.shape)
        inside = [(y >= y0) & (x >= x0) & (y <= y1) & (x <= x1) for y0, x0, y1, x1 in boxes]
        return [SimpleNamespace(mask=mask & (self.image > 0) if self.zoom else mask) for mask in inside]


@pytest.fixture
def zoom(monkeypatch):
    import zoom

    monkeypatch.setattr(zoom, "Predictor", Nearsighted)
    monkeypatch.setattr(zoom, "load_model", lambda path: None)
    return zoom


def test_the_second_look_by_size(zoom, tmp_path, capsys):
    labels = np.zeros((256, 256), np.uint8)
    labels[20:60, 20:100] = 1
    for number, column in enumerate((40, 68, 220)):
        labels[100 : 106 + number, column : column + 20] = 2 + number
    for kind in ("images", "labels"):
        (tmp_path / "CT" / "one" / kind).mkdir(parents=True)
        imsave(tmp_path / "CT" / "one" / kind / "a.png", labels, check_contrast=False)
    zoom.main([str(tmp_path)])
    _, _, small, large = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()
    )
    assert (small[1], large[1]) == ("3", "1")
    assert float(small[2]) == pytest.approx(2 / 3, abs=0.01), "the two that are near each other share a tile"
    assert float(large[2]) == 0
    assert small[4] == "100.0 / 100.0"
    assert float(small[3].split("/")[0]) < 100
