import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from napari_swin_litemedsam.evaluation.pictures import picture

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def truth():
    truth = np.zeros((200, 150), np.uint8)
    truth[90:110, 60:90] = 3
    return truth


def parts(svg):
    """The picture's pixels, and the corners of each outline."""
    root = ET.fromstring(svg)
    data = root.find(f"{SVG}image").get("href").removeprefix("data:image/png;base64,")
    paths = [re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.get("d")) for path in root.findall(f"{SVG}path")]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), [np.array(path, float) for path in paths]


def test_outlines_surround_the_objects_in_the_image(truth):
    image = np.where(truth > 0, 255, 20).astype(np.uint8)
    pixels, (outline,) = parts(picture(image, truth, [], "case"))
    ys, xs = np.nonzero(pixels == 255)
    assert len(ys) == 20 * 30, "the whole object is in the picture"
    np.testing.assert_allclose(outline.min(axis=0), (xs.min() - 0.5, ys.min() - 0.5))
    np.testing.assert_allclose(outline.max(axis=0), (xs.max() + 0.5, ys.max() + 0.5))


def test_the_picture_is_cut_to_the_objects(truth):
    pixels, _ = parts(picture(None, truth, [], "case"))
    assert pixels.shape == (64, 64)


def test_predictions_have_outlines_of_their_own_and_may_be_absent(truth):
    moved = np.roll(truth, 60, axis=0)
    pixels, outlines = parts(picture(None, truth, [moved, None], "case"))
    assert len(outlines) == 2
    assert np.ptp(outlines[0], axis=0) == pytest.approx(np.ptp(outlines[1], axis=0))
    assert pixels.shape[0] >= 80, "what was predicted elsewhere is in the picture too"


def test_a_volume_is_shown_where_most_is_wrong(truth):
    volume = np.stack([truth] * 4)
    prediction = volume.copy()
    prediction[2, :100] = 0
    image = np.zeros(volume.shape, np.uint8)
    image[2] = 77
    pixels, (_, outline) = parts(picture(image, volume, [prediction], "case"))
    assert (pixels == 77).all()
    assert np.ptp(outline[:, 1]) == 10


@pytest.mark.parametrize("kind", ["int16", "float", "rgb", "empty"])
def test_any_image_can_be_shown(truth, kind):
    image = np.random.default_rng(0).normal(0, 500, truth.shape)
    image[0, 0] = np.nan
    image = {"int16": np.nan_to_num(image).astype(np.int16), "float": image, "rgb": image[..., None].repeat(3, -1)}.get(
        kind
    )
    labels = truth if kind != "empty" else truth * 0
    pixels, _ = parts(picture(image, labels, [labels], "case"))
    if kind != "empty":
        assert pixels.min() < 30
        assert pixels.max() > 225
    else:
        assert pixels.shape == truth.shape, "nothing to cut it to"


def test_colours_are_kept(truth):
    image = np.zeros((*truth.shape, 3), np.uint8)
    image[..., 1] = 200
    assert (parts(picture(image, truth, [], "case"))[0] == (0, 200, 0)).all()


def test_what_nobody_could_see_is_left_out_of_large_pictures():
    truth = np.zeros((3000, 2000), np.uint8)
    truth[500:2500, 500:1500] = 1
    image = np.random.default_rng(0).integers(0, 255, (*truth.shape, 3), np.uint8)
    svg = picture(image, truth, [], "case")
    pixels, (outline,) = parts(svg)
    assert max(pixels.shape) <= 480
    assert len(svg) < 1_500_000
    extent = np.ptp(outline, axis=0) / pixels.shape[1::-1]
    np.testing.assert_allclose(extent, (2 / 3, 2 / 3), atol=0.01)
