import numpy as np
import pytest

from napari_swin_litemedsam.slices import Slice


class Counting:
    """Remembers which slices were read."""

    def __init__(self, volume):
        self.volume, self.read = volume, []

    def __getitem__(self, z):
        self.read.append(z)
        return self.volume[z]


def test_is_read_once_and_when_it_is_needed():
    volume = Counting(np.arange(12).reshape(3, 2, 2))
    image = Slice(volume, 1)
    assert not volume.read
    np.testing.assert_array_equal(image, [[4, 5], [6, 7]])
    assert image.span == (4, 7)
    assert image.span is image.span, "objects ask for it one after the other"
    assert volume.read == [1]


@pytest.mark.parametrize("window", [(-1000, 5), [-1000, 5], np.array([-1000, 5]), np.percentile(np.arange(9), [0, 60])])
def test_is_cut_off_at_the_ends_of_a_window_of_any_kind(window):
    image = Slice(np.arange(12, dtype=np.uint8).reshape(3, 2, 2), 1, window)
    assert image.span == tuple(window)
    np.testing.assert_array_equal(image.intensities, np.clip([[4, 5], [6, 7]], *window))
    np.testing.assert_array_equal(image.pixels, [[4, 5], [6, 7]])


def test_of_colours_the_brightest_counts_and_what_is_opaque_does_not():
    pixels = np.zeros((1, 1, 3, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[0, 0, 1:, :2] = [[7, 3], [2, 9]]
    np.testing.assert_array_equal(Slice(pixels, 0).intensities, [[0, 7, 9]])
    np.testing.assert_array_equal(Slice(pixels[..., :1], 0).intensities, [[0, 7, 2]])


@pytest.mark.parametrize(("missing", "span"), [([np.nan, np.inf, -np.inf], (1, 2)), ([np.nan] * 5, (0, 0))])
def test_pixels_without_a_number_do_not_count_for_the_span(missing, span):
    pixels = np.array([[1, 2, 1, 2, 1]], np.float32)
    pixels[0, : len(missing)] = missing
    pixels[0, len(missing) :] = [2, 1][: 5 - len(missing)]
    assert Slice(pixels[None], 0).span == span
