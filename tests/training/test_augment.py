"""Views of an image and its labels."""

import numpy as np
import pytest

from napari_swin_litemedsam.training.augment import random_view


def test_labels_lie_on_the_image():
    rows, columns = np.indices((128, 128))
    disk = (rows - 70) ** 2 + (columns - 60) ** 2 < 30**2
    image = np.where(disk, 180, 60).astype(np.uint8)
    distances = []
    for seed in range(1000):
        view, labels = random_view(image, disk.astype(np.int32), 64, np.random.default_rng(seed))
        # augmented grey levels are a monotonous function of the image's
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
