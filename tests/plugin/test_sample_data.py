from importlib.resources import files

import numpy as np
import pytest

from napari_swin_litemedsam.plugin import sample_data

SAMPLES = {"skin_lesion": (256, 256, 3), "fetal_ultrasound": (243, 360), "thigh_mr": (18, 162, 154)}


@pytest.mark.parametrize(("key", "shape"), SAMPLES.items())
def test_is_one_image_with_a_box_inside_and_its_credit(key, shape):
    ((image, options, kind),) = getattr(sample_data, key)()
    assert kind == "image"
    assert image.shape == shape
    assert options["rgb"] == (key == "skin_lesion")
    y0, x0, y1, x1 = options["metadata"]["box"]
    height, width = shape[:2] if options["rgb"] else shape[-2:]
    assert 0 <= y0 < y1 < height
    assert 0 <= x0 < x1 < width
    assert "CC" in options["metadata"]["credit"]


def test_the_volume_has_its_spacing():
    ((_, options, _),) = sample_data.thigh_mr()
    np.testing.assert_allclose(options["scale"], (3.27, 0.977, 0.977), atol=1e-3)


def test_the_files_are_small_and_credited():
    folder = files("napari_swin_litemedsam.plugin") / "data"
    credits = (folder / "CREDITS.md").read_text(encoding="utf-8")
    samples = [file for file in folder.iterdir() if file.name.endswith(".npz")]
    assert {file.name.removesuffix(".npz") for file in samples} == set(SAMPLES)
    assert sum(len(file.read_bytes()) for file in samples) < 1_000_000
    assert all(file.name in credits for file in samples)


@pytest.mark.parametrize("key", SAMPLES)
def test_napari_opens_it(viewer, key):
    (layer,) = viewer.open_sample("napari-swin-litemedsam", key)
    assert layer.data.shape == SAMPLES[key]
