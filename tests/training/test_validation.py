import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_swin_litemedsam.predictor import clip_box
from napari_swin_litemedsam.training import validation
from napari_swin_litemedsam.training.data import Pair, Sample
from napari_swin_litemedsam.training.validation import boxed_objects, digest, mean_dice, shows_object


def test_validation_boxes_hold_their_objects_and_are_always_the_same(samples):
    found, again = list(boxed_objects(samples[0])), list(boxed_objects(samples[0]))
    assert len(found) == 2
    for (mask, box), (_, same) in zip(found, again, strict=True):
        np.testing.assert_array_equal(box, same)
        rows, columns = np.nonzero(mask)
        assert box[0] <= rows.min() <= rows.max() <= box[2]
        assert box[1] <= columns.min() <= columns.max() <= box[3]


@pytest.fixture
def make_slice(tmp_path):
    """A function for an image of one slice that shows the labels themselves."""

    def make(labels, name="a", source="CT"):
        return Sample(Pair(source, tmp_path / name, tmp_path / name), labels[None], labels[None])

    return make


class Filling:
    """Answers each box with all that is in it."""

    def __init__(self, model, zoom):
        pass

    def set_image(self, image):
        self.shape = image.shape

    def predict_many(self, boxes):
        y, x = np.indices(self.shape)
        return [SimpleNamespace(mask=(y >= y0) & (x >= x0) & (y <= y1) & (x <= x1)) for y0, x0, y1, x1 in boxes]


def test_the_mean_is_over_the_objects_of_each_source_and_then_over_sources(make_slice, monkeypatch):
    monkeypatch.setattr(validation, "Predictor", Filling)
    monkeypatch.setattr(validation, "BOX_JITTER", 0)
    # one object that is its box, and one that lacks a quarter of it: 2 * 3/4 / (1 + 3/4)
    square = np.zeros((256, 256), np.uint8)
    square[20:60, 20:60] = 1
    corner = np.zeros((256, 256), np.uint8)
    corner[100:140, 20:60] = 2
    corner[100:120, 20:40] = 0
    slices = [make_slice(square + corner), make_slice(square, "b"), make_slice(corner, "c", "MR")]
    ct, mr = (1 + 6 / 7 + 1) / 3, 6 / 7
    assert mean_dice(None, slices) == pytest.approx(100 * (ct + mr) / 2)


@pytest.mark.parametrize("place", [np.s_[20, 5:55], np.s_[5:55, 0], np.s_[63, 5:55], np.s_[0, :]])
def test_a_line_one_pixel_thick_has_a_box_with_an_area(make_slice, place):
    labels = np.zeros((64, 64), np.uint8)
    labels[place] = 1
    thin = 0
    # growth is drawn by the name
    for name in map(str, range(100)):
        ((mask, box),) = boxed_objects(make_slice(labels, name))
        y0, x0, y1, x1 = clip_box(box, *labels.shape)
        rows, columns = np.nonzero(mask)
        assert y0 <= rows.min() <= rows.max() <= y1
        assert x0 <= columns.min() <= columns.max() <= x1
        thin += (box[2:] - box[:2]).min() == 1
    assert thin


@pytest.mark.parametrize(("side", "shown"), [(2, False), (9, True)])
def test_whether_there_is_an_object_to_ask_for(make_slice, side, shown):
    labels = np.zeros((256, 256), np.uint8)
    labels[10 : 10 + side, 10 : 10 + side] = 1
    sample = make_slice(labels)
    assert shows_object(sample) == bool([*boxed_objects(sample)]) == shown


@pytest.mark.parametrize("look", [shows_object, lambda sample: len([*boxed_objects(sample, 4)]) == 4])
def test_crowded_images_take_no_more_memory_than_some_masks(make_slice, look):
    # 900 objects
    tile = np.zeros((16, 16), np.uint16)
    tile[:9, :9] = 1
    labels = np.kron(np.arange(1, 901, dtype=np.uint16).reshape(30, 30), tile)
    sample = make_slice(labels)
    tracemalloc.start()
    try:
        assert look(sample)
        assert tracemalloc.get_traced_memory()[1] < 20 * labels.size
    finally:
        tracemalloc.stop()


def test_images_are_told_apart_by_what_they_show(samples, make_sample):
    moved = [replace(s, pair=replace(s.pair, image=s.pair.image / "elsewhere")) for s in samples]
    assert digest(samples) == digest(moved)
    assert len({digest(some) for some in (samples, samples[1:], samples[::-1], [make_sample("other", "CT")], [])}) == 5
    assert digest([]) == ""
