import numpy as np
import pytest

from napari_swin_litemedsam.backends.mirrored import MirroredBackend
from napari_swin_litemedsam.backends.probe import difference, picture, prompts
from napari_swin_litemedsam.predictor import Predictor


class Recorder:
    """Answers with the image's first channel and a ramp, and keeps what it was asked."""

    name, batch, description = "recorder", 8, "recorder"

    def __init__(self):
        self.asked = []

    def encode(self, pixels):
        return (pixels,)

    def decode(self, features, points, labels, boxes, scribbles):
        self.asked.append((points, boxes, scribbles))
        return np.repeat(features[0][:1], len(boxes), axis=0), np.full(len(boxes), 0.2 * len(self.asked), np.float32)


def test_what_comes_back_from_the_mirror_lies_where_it_was():
    pixels = np.zeros((3, 256, 256), np.float32)
    pixels[:, :90, :130] = np.random.default_rng(0).random((3, 90, 130))
    recorder = Recorder()
    backend = MirroredBackend(recorder)
    features = backend.encode(pixels)
    scribble = np.zeros((1, 1, 256, 256), np.float32)
    scribble[..., 40, 10:20] = 1
    points = np.array([[[10, 40], [129, 5]]], np.float32)
    logits, iou = backend.decode(
        features, points, np.ones((1, 2), int), np.array([[5, 6, 50, 60]], np.float32), scribble
    )
    np.testing.assert_allclose(logits[0], pixels[0], atol=1e-6)
    assert iou[0] == pytest.approx(0.3)
    mirrored_points, mirrored_box, mirrored_scribble = recorder.asked[1]
    assert mirrored_points.tolist() == [[[119, 40], [0, 5]]]
    assert mirrored_box.tolist() == [[79, 6, 124, 60]]
    assert np.flatnonzero(mirrored_scribble[0, 0, 40]).tolist() == list(range(110, 120))


def test_a_box_beside_the_image_stays_a_box_of_the_frame():
    pixels = np.zeros((3, 256, 256), np.float32)
    pixels[:, :, :100] = 0.5
    recorder = Recorder()
    backend = MirroredBackend(recorder)
    backend.decode(
        backend.encode(pixels), np.zeros((1, 0, 2), np.float32), np.zeros((1, 0)), np.array([[90, 0, 140, 20.0]]), None
    )
    assert recorder.asked[1][1].tolist() == [[0, 0, 9, 20]]


def test_a_black_image_is_mirrored_as_a_whole():
    features = MirroredBackend(Recorder()).encode(np.zeros((3, 256, 256), np.float32))
    assert features.columns == 256


def test_the_network_answers_nearly_the_same(exact, exact_features):
    twice = MirroredBackend(exact)
    logits, _ = twice.decode(twice.encode(picture()), *prompts())
    assert 0 < difference(logits, exact.decode(exact_features, *prompts())[0]) < 1


def test_features_of_both_are_counted_and_kept():
    image = (255 * picture()[0]).astype(np.uint8)
    sizes = []
    for mirror in (False, True):
        predictor = Predictor(None, Recorder(), mirror=mirror)
        predictor.set_image(image, key="slice")
        kept = predictor._image
        predictor.set_image(image, key="slice")
        assert predictor._image is kept
        sizes.append(sum(x.nbytes for x in kept.features))
    assert 1.9 < sizes[1] / sizes[0] < 2.1
