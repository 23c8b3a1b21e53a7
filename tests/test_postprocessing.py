import numpy as np
import pytest

from napari_swin_litemedsam.postprocessing import connected_to, fill_holes


@pytest.fixture
def two_parts():
    mask = np.zeros((30, 30), bool)
    mask[2:6, 2:6] = True
    mask[10:20, 10:20] = True
    return mask


def test_the_largest_part_is_kept_where_nothing_is_known(two_parts):
    kept = connected_to(two_parts, None)
    assert kept.sum() == 100
    assert kept[15, 15]


def test_parts_that_continue_the_object_are_kept(two_parts):
    before = np.zeros_like(two_parts)
    before[4, 4] = True
    assert connected_to(two_parts, before).sum() == 16
    before[12, 12] = True
    np.testing.assert_array_equal(connected_to(two_parts, before), two_parts)


def test_without_overlap_the_largest_counts(two_parts):
    before = np.zeros_like(two_parts)
    before[25, 25] = True
    assert connected_to(two_parts, before).sum() == 100


def test_corners_that_touch_are_one_part():
    mask = np.eye(5, dtype=bool)
    np.testing.assert_array_equal(connected_to(mask, None), mask)


def test_holes_are_filled_and_bays_are_not(two_parts):
    ring = two_parts.copy()
    ring[13:16, 13:16] = False
    ring[10:13, 18] = False
    filled = fill_holes(ring)
    assert filled[13:16, 13:16].all()
    assert not filled[10:13, 18].any()
    assert not ring[14, 14]


def test_nothing_stays_nothing():
    nothing = np.zeros((8, 8), bool)
    assert not fill_holes(nothing).any()
    assert not connected_to(nothing, None).any()
