import json

import numpy as np
import pytest

from napari_swin_litemedsam import predictor as predictor_module
from napari_swin_litemedsam.answers import Prediction
from napari_swin_litemedsam.cli import main


class BoxFiller:
    """A predictor whose masks are the boxes themselves, to whole pixels."""

    def __init__(self, model=None, backend="auto", cache_bytes=0, mirror=False, zoom=True):
        self.images, self.windows = [], []
        self.backend, self.mirror, self.zoom = backend, mirror, zoom

    def set_image(self, image, window=None, key=None, zoom=None):
        self.images.append(np.asarray(image))
        self.windows.append(window)

    def predict_each(self, boxes, seeds=None):
        y, x = np.mgrid[: self.images[-1].shape[0], : self.images[-1].shape[1]]
        masks = [(y >= y0) & (x >= x0) & (y <= y1) & (x <= x1) for y0, x0, y1, x1 in np.rint(boxes)]
        none = np.zeros((0, 2)), np.zeros(0, int)
        return [Prediction(m, m.astype(np.float32), 1.0, *none, m, b) for m, b in zip(masks, boxes, strict=True)]

    predict_many = predict_each


@pytest.fixture
def box_filler():
    return BoxFiller()


@pytest.fixture
def without_network(monkeypatch):
    """Let commands use `BoxFiller`, so that no weights are loaded."""
    monkeypatch.setattr(predictor_module, "load_model", lambda checkpoint=None, device="cpu": None)
    monkeypatch.setattr(predictor_module, "Predictor", BoxFiller)


@pytest.fixture
def command(capsys):
    """Run the command line; the exit code, and the lines of standard output and of standard error."""

    def command(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out.splitlines(), captured.err.splitlines()

    return command


@pytest.fixture
def save_scan(tmp_path):
    """Write a scan and, beside it, the file of its boxes if there are any."""
    # not above, since tests/robustness takes `BoxFiller` from here in processes without pytest's paths
    import SimpleITK as sitk

    from scan_files import GEOMETRIES, VOLUME, itk_image

    def save(name, *boxes, geometry=GEOMETRIES["oblique"], array=VOLUME):
        sitk.WriteImage(itk_image(array, geometry), tmp_path / name)
        if boxes:
            (tmp_path / f"{name.split('.')[0]}.boxes.json").write_text(json.dumps({"boxes": boxes}))
        return tmp_path / name

    return save
