import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_swin_litemedsam.zooming import Tile, tile_around

SIDES = st.integers(1, 1500)


@settings(deadline=None)
@given(height=SIDES, width=SIDES, seed=st.integers(0, 10**6))
def test_a_tile_holds_the_box_and_lies_in_the_image(height, width, seed):
    rng = np.random.default_rng(seed)
    size = np.minimum([height, width], rng.integers(1, 300, 2))
    low = rng.integers(0, np.array([height, width]) - size + 1)
    high = low + size - 1
    tile = tile_around([*low, *high], (height, width))
    if tile is None:
        return
    assert 0 <= tile.y0 <= low[0] <= high[0] < tile.y1 <= height
    assert 0 <= tile.x0 <= low[1] <= high[1] < tile.x1 <= width
    assert max(tile.y1 - tile.y0, tile.x1 - tile.x0) <= 0.9 * max(height, width)


@pytest.mark.parametrize(("side", "times"), [(5, 8), (9, 4), (16, 2), (20, 2), (47, 2)])
def test_smaller_objects_are_shown_larger(side, times):
    tile = tile_around((500, 300, 500 + 4 * side, 300), (1024, 1024))
    assert tile.y1 - tile.y0 == tile.x1 - tile.x0 == 1024 / times


def test_large_objects_and_tiny_images_are_seen_once():
    assert tile_around((0, 0, 50, 10), (256, 256)) is None
    assert tile_around((0, 0, 3, 3), (35, 20)) is None


def test_near_objects_share_a_tile():
    boxes = [(y, x, y + 25, x + 25) for y in range(0, 230, 12) for x in range(0, 230, 12)]
    assert len({tile_around(box, (256, 256)) for box in boxes}) == 9


def test_a_tile_is_an_index_of_the_image():
    image = np.arange(100).reshape(10, 10)
    tile = Tile(2, 3, 5, 7)
    assert image[tile.pixels].shape == (3, 4)
    assert image[tile.pixels][0, 0] == image[tuple(tile.origin)]
