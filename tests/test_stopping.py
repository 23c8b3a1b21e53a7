import numpy as np
import pytest

from napari_swin_litemedsam.slices import Slice
from napari_swin_litemedsam.stopping import Stop, StopRules

RULES = StopRules(smallest=0.3, largest=2.5, overlap=0.3, iou=0.5)


def block(top, left, height, width):
    mask = np.zeros((64, 64), bool)
    mask[top : top + height, left : left + width] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "iou", "reason"),
    [
        (block(10, 10, 20, 20), 0.9, None),
        (block(12, 12, 20, 20), 0.9, None),
        (block(0, 0, 0, 0), 0.9, Stop.EMPTY),
        (block(10, 10, 20, 20), 0.4, Stop.UNSURE),
        (block(10, 10, 5, 20), 0.9, Stop.SHRUNK),
        (block(0, 0, 50, 50), 0.9, Stop.GROWN),
        (block(30, 10, 20, 20), 0.9, Stop.JUMPED),
    ],
)
def test_a_mask_is_judged_by_the_one_before(mask, iou, reason):
    assert RULES.judge(mask, iou, block(10, 10, 20, 20)) is reason


@pytest.mark.parametrize(("alike", "reason"), [(0.3, Stop.CHANGED), (0.5, None)])
def test_what_looks_different_is_another_object(alike, reason):
    assert RULES.judge(block(10, 10, 20, 20), 0.9, block(10, 10, 20, 20), alike) is reason


def test_after_an_empty_mask_any_mask_will_do():
    assert RULES.judge(block(10, 10, 20, 20), 0.9, block(0, 0, 0, 0)) is None


def outside(image, box, window=None):
    return RULES.outside(Slice(image[None], 0, window), np.array(box))


@pytest.mark.parametrize(
    ("fill", "window", "is_outside"),
    [(100, None, False), (1, None, True), (100, (200, 300), True), (1, (0, 10), False)],
)
def test_a_box_with_next_to_nothing_in_it_is_outside(fill, window, is_outside):
    image = np.zeros((64, 64), np.int16)
    image[:5, :5] = 250
    image[20:40, 20:40] = fill
    assert outside(image, [20, 20, 39, 39], window) == is_outside
    assert outside(np.stack([image] * 3, axis=-1), [20, 20, 39, 39], window) == is_outside


@pytest.mark.parametrize("pixel", [np.nan, np.inf, -np.inf])
def test_pixels_without_a_number_end_nothing(pixel):
    image = np.full((64, 64), 100, np.float32)
    image[0, :5] = 0, 0, 0, 0, pixel
    assert not outside(image, [20, 20, 39, 39])
    assert not outside(np.stack([image] * 3, axis=-1), [20, 20, 39, 39])
    assert outside(np.where(image == 100, 0, image), [20, 20, 39, 39])


def test_slices_that_use_the_whole_range_of_their_type():
    image = np.full((64, 64), -32768, np.int16)
    image[:5] = 32767
    assert outside(image, [20, 20, 39, 39])
    assert outside(image > 0, [20, 20, 39, 39])
    assert not outside(image > 0, [0, 0, 9, 9])


def test_an_even_slice_is_outside():
    assert outside(np.full((9, 9), 7), [2, 2, 5, 5])


def test_what_is_opaque_need_not_show_anything():
    image = np.zeros((64, 64, 4), np.uint8)
    image[..., 3] = 255
    image[20:40, 20:40, :3] = 150
    assert not outside(image, [20, 20, 39, 39])
    assert outside(image, [0, 0, 15, 15])
