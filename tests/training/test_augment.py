"""Views of an image and its labels."""

import numpy as np
import pytest

from napari_swin_litemedsam.training.augment import random_view, recolour, smooth_field, warp


def test_labels_lie_on_the_image():
    rows, columns = np.indices((128, 128))
    disk = (rows - 70) ** 2 + (columns - 60) ** 2 < 30**2
    image = np.where(disk, 180, 60).astype(np.uint8)
    distances = []
    for seed in range(1000):
        view, labels = random_view(image, disk.astype(np.int32), 64, np.random.default_rng(seed))
        # where two grey levels have become one, nothing can be told
        outside, inside = np.median(view[0][labels == 0]), np.median(view[0][labels > 0])
        seen = abs(view[0] - inside) < abs(view[0] - outside)
        if labels.any() and (seen == (labels > 0)).mean() > 0.9:
            distances.append(np.argwhere(labels).mean(axis=0) - np.argwhere(seen).mean(axis=0))
    assert len(distances) > 700
    # half a pixel of the image, always to the same side, would be a quarter of a pixel here
    assert np.abs(np.mean(distances, axis=0)).max() < 0.04


def test_pixels_that_are_no_numbers_count_as_the_darkest():
    rows, columns = np.indices((64, 64))
    image = (rows + columns).astype(np.float32)
    image[3, 4], image[50, 60] = np.nan, np.inf
    with pytest.warns(UserWarning, match="pixels that are NaN or infinite"):
        view, _ = random_view(image, np.ones((64, 64), np.uint8), 64, np.random.default_rng(1))
    assert np.isfinite(view).all()
    assert view.max() == 1


def test_grey_levels_change_their_order_but_black_stays_black():
    levels = np.linspace(0, 1, 64)
    ramp = np.repeat(levels[:, None], 64, axis=1)[..., None]
    views = [recolour(ramp, np.random.default_rng(seed)) for seed in range(200)]
    assert all(view[0].max() == 0 and 0 <= view.min() < view.max() <= 1 for view in views)
    unchanged = [np.array_equal(view, ramp) for view in views]
    rising = [np.all(np.diff(view[:, 0, 0]) >= 0) for view in views]
    even = [np.ptp(view, axis=1).max() < 1e-9 for view in views]
    # most stay, some become another curve, a few of which fall, and some are brighter on one side
    assert 0.3 < np.mean(unchanged) < 0.7
    assert 0.02 < np.mean(np.logical_not(rising) & even) < 0.15
    assert 0.2 < np.mean(np.logical_not(even)) < 0.4


def test_warping_bends_some_images():
    places = np.indices((96, 96)).astype(float)
    here = np.stack([*places, np.ones((96, 96))], axis=-1).reshape(-1, 3)

    def bend(seed):
        """By how many pixels what is shown departs from an image that was turned, scaled and sheared."""
        shown, _ = warp(np.moveaxis(places, 0, -1) + 1, np.ones((96, 96), int), np.random.default_rng(seed))
        inside = shown.min(axis=-1).ravel() > 1
        there = shown.reshape(-1, 2)[inside]
        straight = here[inside] @ np.linalg.lstsq(here[inside], there, rcond=None)[0]
        return np.abs(there - straight).max()

    bends = np.array([bend(seed) for seed in range(100)])
    assert 0.2 < np.mean(bends > 0.5) < 0.5
    assert 0.5 < np.mean(bends < 1e-6) < 0.8
    assert bends.max() < 10


def test_fields_are_smooth_and_centred():
    fields = [smooth_field((64, 80), np.random.default_rng(seed)) for seed in range(50)]
    assert {field.shape for field in fields} == {(64, 80)}
    assert abs(np.mean(fields)) < 0.1
    assert 0.5 < np.std(fields) < 1.1
    assert max(np.abs(np.diff(field, axis=axis)).max() for field in fields for axis in (0, 1)) < 0.8
