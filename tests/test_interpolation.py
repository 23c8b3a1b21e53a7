import numpy as np
import pytest

from napari_swin_litemedsam.interpolation import interpolate_boxes, interpolate_masks


def disc(centre, radius, shape=(64, 64)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(y - centre[0], x - centre[1]) <= radius


def test_boxes_change_evenly_between_those_given():
    boxes = {4: (0, 0, 10, 10), 8: (4, 8, 30, 10)}
    np.testing.assert_allclose(interpolate_boxes(boxes, 5), (1, 2, 15, 10))
    np.testing.assert_allclose(interpolate_boxes(boxes, 8), (4, 8, 30, 10))


def test_beyond_them_the_nearest_box_counts():
    boxes = {8: (4, 8, 30, 10), 4: (0, 0, 10, 10)}
    np.testing.assert_allclose(interpolate_boxes(boxes, 0), (0, 0, 10, 10))
    np.testing.assert_allclose(interpolate_boxes(boxes, 99), (4, 8, 30, 10))


def test_a_disc_grows_evenly():
    areas = [m.sum() for m in interpolate_masks(disc((32, 32), 8), disc((32, 32), 20), [0, 0.25, 0.5, 0.75, 1])]
    np.testing.assert_allclose(np.sqrt(np.array(areas) / np.pi), [8, 11, 14, 17, 20], atol=0.6)


def test_the_ends_are_the_masks_themselves():
    first, second = disc((20, 30), 7), disc((40, 28), 12)
    low, high = interpolate_masks(first, second, [0, 1])
    np.testing.assert_array_equal(low, first)
    np.testing.assert_array_equal(high, second)


def test_a_mask_at_the_edge_of_the_image_keeps_to_it():
    mask = np.zeros((30, 30), bool)
    mask[:10] = True
    (between,) = interpolate_masks(mask, mask, 0.5)
    np.testing.assert_array_equal(between, mask)


@pytest.mark.parametrize(("share", "kept"), [(0.25, True), (0.5, True), (0.75, False)])
def test_towards_nothing_the_mask_stays_up_to_the_middle(share, kept):
    mask = disc((20, 20), 5)
    (between,) = interpolate_masks(mask, np.zeros_like(mask), share)
    assert between.any() == kept
    (between,) = interpolate_masks(np.zeros_like(mask), mask, share)
    assert between.any() == (share > 0.5)


def test_a_shape_that_moves_on_by_more_than_its_size_leaves_no_gap():
    first, second = disc((12, 10), 5), disc((50, 44), 8)
    masks = interpolate_masks(first, second, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_array_equal(masks[0], first)
    np.testing.assert_array_equal(masks[4], second)
    areas = [mask.sum() for mask in masks]
    assert areas == sorted(areas)
    middles = [np.argwhere(mask).mean(axis=0) for mask in masks]
    np.testing.assert_allclose(middles, np.linspace((12, 10), (50, 44), 5), atol=1)


def test_nor_does_one_that_is_bent_around_its_centroid():
    bent = disc((8, 8), 8) & ~disc((8, 8), 6)
    bent[6:11, :5] = False
    (between,) = interpolate_masks(bent, disc((55, 50), 4), 0.5)
    assert between.any()


def test_nor_one_that_moves_along_the_edge_of_the_image():
    (between,) = interpolate_masks(disc((8, 0), 6), disc((50, 63), 6), 0.5)
    assert between.sum() == pytest.approx(disc((8, 0), 6).sum(), rel=0.2)
    (between,) = interpolate_masks(disc((8, 0), 6), disc((50, 0), 6), 0.5)
    np.testing.assert_array_equal(between, disc((29, 0), 6))
