"""The zoom benchmark's crops, with a network that fills the box."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest


class Filler:
    def set_image(self, image):
        self.shape = image.shape[:2]

    def predict(self, box):
        y, x = np.mgrid[: self.shape[0], : self.shape[1]]
        return SimpleNamespace(mask=(y >= box[0]) & (x >= box[1]) & (y <= box[2]) & (x <= box[3]))


@pytest.fixture
def zoom(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[2] / "benchmarks"), *sys.path])
    import zoom

    return zoom


@pytest.mark.parametrize("box", [(40, 50, 60, 65), (0, 0, 9, 9), (170, 240, 199, 259)])
def test_a_crop_gives_its_mask_back_at_the_place_of_the_box(zoom, box):
    filler = Filler()
    mask = zoom.zoomed_mask(filler, np.zeros((200, 260)), box, 2.5)
    assert max(filler.shape) < 100
    rows, columns = np.nonzero(mask)
    assert (rows.min(), columns.min(), rows.max(), columns.max()) == box


def test_a_large_object_is_not_cropped(zoom):
    assert zoom.zoomed_mask(Filler(), np.zeros((200, 260)), (10, 10, 150, 150), 2.5) is None
