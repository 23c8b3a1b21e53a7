import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_swin_litemedsam.preprocessing import (
    FRAME_SIZE,
    Frame,
    check_image,
    normalise,
    percentile_window,
    resize_8bit,
    resize_area,
)

sides = st.integers(1, 2000)


def random_image(shape, dtype=np.uint8):
    values = np.random.default_rng(0).random(shape)
    return (values * 200 - 100 if np.dtype(dtype).kind != "u" else values * 250).astype(dtype)


def test_resizing_matches_the_published_pixels(image_vectors):
    for case, vectors in image_vectors.items():
        frame = Frame(*vectors["image"].shape[:2])
        assert frame.resized == vectors["resized"].shape[:2], case
        exact = vectors["resized"].astype(float)
        assert np.abs(resize_area(vectors["image"], frame.resized) - exact).max() <= 1, case
        whole = resize_8bit(vectors["image"], frame.resized)
        assert np.abs(whole - exact).max() <= 1, case
        assert (whole == exact).mean() > 0.9999, case


@pytest.mark.parametrize("shape", [(512, 512), (300, 200), (1, 700), (257, 255), (1000, 1), (40, 300, 3)])
def test_shrinking_averages_what_each_pixel_covers(shape):
    image = random_image(shape)
    rows, columns = Frame(*shape[:2]).resized
    # every pixel cut into as many parts as the target has pixels, so that each of those covers whole parts
    expected = image.astype(float).repeat(rows, axis=0).reshape(rows, shape[0], *shape[1:]).mean(axis=1)
    expected = expected.repeat(columns, axis=1).reshape(rows, columns, shape[1], *shape[2:]).mean(axis=2)
    np.testing.assert_allclose(resize_area(image, (rows, columns)), expected, atol=1e-3)
    if shape[0] >= rows and shape[1] >= columns:
        assert np.abs(resize_8bit(image, (rows, columns)) - expected).max() <= 0.501


@pytest.mark.parametrize("shape", [(97, 130), (200, 255), (3, 5), (40, 30, 3)])
def test_enlarging_whole_numbers_is_within_a_grey_level(shape):
    image = random_image(shape)
    target = Frame(*shape[:2]).resized
    assert np.abs(resize_8bit(image, target) - resize_area(image, target)).max() <= 1


def test_resizing_keeps_the_mean():
    image = random_image((500, 300), np.float32)
    assert resize_area(image, (125, 75)).mean() == pytest.approx(image.mean(), abs=1e-3)


@settings(deadline=None)
@given(sides, sides)
def test_longest_side_fills_the_frame(height, width):
    resized = Frame(height, width).resized
    assert max(resized) == FRAME_SIZE
    assert min(resized) >= 1


@settings(deadline=None)
@given(sides, sides, st.floats(0, 1), st.floats(0, 1))
def test_coordinates_survive_the_round_trip(height, width, y, x):
    frame = Frame(height, width)
    point = np.array([y * (height - 1), x * (width - 1)])
    np.testing.assert_allclose(frame.to_image(frame.to_frame(point)), point, atol=1e-6)


@settings(deadline=None)
@given(sides, sides)
def test_corners_of_the_image_are_corners_of_the_resized_image(height, width):
    frame = Frame(height, width)
    corners = [[-0.5, -0.5], [height - 0.5, width - 0.5]]
    expected = [[-0.5, -0.5], [frame.resized[0] - 0.5, frame.resized[1] - 0.5]]
    np.testing.assert_allclose(frame.to_frame(corners), expected, atol=1e-6)


@settings(deadline=None)
@given(sides, sides, st.integers(0, 10**6))
def test_boxes_go_to_the_frame_and_back(height, width, seed):
    frame = Frame(height, width)
    box = np.sort(np.random.default_rng(seed).random((2, 2)) * (height, width), axis=0).reshape(4)
    np.testing.assert_allclose(frame.box_to_image(frame.box_to_frame(box)), box, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(48, 35), (128, 128), (256, 200), (700, 900)])
def test_a_box_covers_its_pixels_in_the_frame(height, width):
    frame = Frame(height, width)
    mask = np.zeros((height, width), bool)
    mask[10:30, 12:20] = True
    rows, columns = np.nonzero(resize_area(mask, frame.resized) > 0.5)
    expected = [rows.min(), columns.min(), rows.max(), columns.max()]
    # without its pixels' extent a box in the coarsest of these images would be 2.2 pixels short on each side
    assert np.abs(frame.box_to_frame([10, 12, 29, 19]) - expected).max() <= 1


def test_boxes_are_near_the_published_ones(image_vectors):
    for case, vectors in image_vectors.items():
        frame = Frame(*vectors["image"].shape[:2])
        x0, y0, x1, y1 = vectors["box"]
        exact = frame.box_to_frame([y0, x0, y1, x1])[[1, 0, 3, 2]]
        assert np.abs(exact - vectors["box_256"]).max() < 2, case


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.int64, np.float32, np.float64])
def test_every_type_of_pixel_fills_the_range(dtype):
    result = Frame(40, 60).input(random_image((40, 60), dtype))
    assert result.dtype == np.float32
    assert result.shape == (3, FRAME_SIZE, FRAME_SIZE)
    assert result.min() == 0
    assert result.max() == 1
    assert np.isfinite(result).all()


def test_boolean_images_are_images():
    image = np.zeros((20, 20), bool)
    image[5:10] = True
    assert Frame(20, 20).input(image).max() == 1


def test_types_agree():
    image = random_image((300, 400))
    eight = Frame(300, 400).input(image)
    for dtype in (np.int16, np.float64):
        np.testing.assert_allclose(Frame(300, 400).input(image.astype(dtype)), eight, atol=0.02)


def test_grey_fills_three_equal_channels():
    result = Frame(30, 30).input(random_image((30, 30)))
    np.testing.assert_array_equal(result[0], result[1])
    np.testing.assert_array_equal(result[0], result[2])


def test_colours_keep_their_places():
    image = np.zeros((256, 256, 3), np.uint8)
    image[..., 1] = 100
    image[0, 0] = 200
    result = Frame(256, 256).input(image)
    assert result[:, 100, 100].tolist() == [0, 0.5, 0]


def test_alpha_is_ignored():
    colour = random_image((64, 32, 3))
    with_alpha = np.concatenate([colour, np.full((64, 32, 1), 255, np.uint8)], axis=-1)
    np.testing.assert_array_equal(Frame(64, 32).input(with_alpha), Frame(64, 32).input(colour))


def test_padding_is_zero_at_the_bottom_and_right():
    image = np.full((100, 200), 7.0)
    image[0, 0] = 0
    result = Frame(100, 200).input(image)
    assert result[:, 128:].max() == 0
    assert result[:, 100, 100].min() == pytest.approx(1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_count_as_the_minimum_and_warn(bad):
    image = random_image((50, 50), np.float32)
    cleaned = image.copy()
    image[3:9, 4] = bad
    cleaned[3:9, 4] = image[np.isfinite(image)].min()
    with pytest.warns(UserWarning, match="pixels that are NaN or infinite"):
        result = Frame(50, 50).input(image)
    np.testing.assert_array_equal(result, Frame(50, 50).input(cleaned))


def test_many_slices_with_such_pixels_give_one_message():
    told = set()
    for rows in (1, 2, 3):
        image = random_image((50, 50), np.float32)
        image[:rows] = np.nan
        with pytest.warns(UserWarning, match="NaN") as warned:
            Frame(50, 50).input(image)
        told |= {str(warning.message) for warning in warned}
    assert len(told) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("window", [None, (10, 150)])
@pytest.mark.parametrize(
    ("dtype", "offset"),
    [("u4", 2**31), (">u4", 2**32 - 256), ("i4", -(2**31)), ("i8", 2**50), ("f8", 1e9), ("f8", -1e12)],
)
def test_small_steps_far_from_zero_are_seen(dtype, offset, window):
    image = random_image((60, 50))
    far = image.astype(dtype) + np.dtype(dtype).type(offset)
    expected = Frame(60, 50).input(image.astype(np.float32), window)
    far_window = None if window is None else (offset + window[0], offset + window[1])
    np.testing.assert_allclose(Frame(60, 50).input(far, far_window), expected, atol=1e-6)


@pytest.mark.parametrize(("dtype", "offset"), [("i8", 2**60), ("i8", -(2**63)), (">u8", 2**63)])
def test_whole_numbers_of_64_bits_keep_their_steps(dtype, offset):
    image = random_image((60, 50))
    far = image.astype(dtype) + np.dtype(dtype).type(offset)
    np.testing.assert_allclose(Frame(60, 50).input(far), Frame(60, 50).input(image.astype(np.float32)), atol=1e-6)


def test_whole_numbers_may_span_their_type():
    image = np.array([[-(2**63), 0], [2**62, 2**63 - 1]])
    np.testing.assert_allclose(Frame(2, 2, size=2).input(image)[0], [[0, 0.5], [0.75, 1]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("window", [None, (-50, 50)])
def test_numbers_that_stand_for_missing_pixels_count_as_the_minimum(dtype, window):
    image = random_image((50, 50), dtype)
    cleaned = image.copy()
    largest = float(np.finfo(np.float32).max)
    image[3:9, 4], image[20, 5:9] = -largest, largest
    cleaned[3:9, 4] = cleaned[20, 5:9] = image[np.abs(image) < largest].min()
    with pytest.warns(UserWarning, match="beyond 1e37, count as the minimum"):
        result = Frame(50, 50).input(image, window)
    np.testing.assert_array_equal(result, Frame(50, 50).input(cleaned, window))


def test_numbers_beyond_single_precision_count_as_infinite():
    image = random_image((50, 50), np.float64)
    image[3:9, 4] = 1e300
    with pytest.warns(UserWarning, match="pixels that are NaN or infinite"):
        result = Frame(50, 50).input(image)
    assert np.isfinite(result).all()
    assert result.max() == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float16, np.uint8, np.int16, ">u2", bool])
@pytest.mark.parametrize("window", [(-160, 240), (0, 1e6), (np.int16(-5), np.float32(50))])
def test_windows_may_reach_beyond_the_type_of_the_pixels(dtype, window):
    image = random_image((50, 50)).astype(dtype)
    expected = Frame(50, 50).input(image.astype(float), tuple(map(float, window)))
    np.testing.assert_allclose(Frame(50, 50).input(image, window), expected, atol=1e-6)


def test_a_large_colour_image_is_not_copied_as_a_whole():
    image = np.zeros((600, 800, 3), np.uint8)
    resize_area(image, (192, 256))  # the weights of the interpolation are kept
    tracemalloc.start()
    resize_area(image, (192, 256))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * image[..., 0].size * 4


def test_an_image_without_any_number_is_black():
    with pytest.warns(UserWarning, match="pixels that are NaN"):
        assert Frame(5, 5).input(np.full((5, 5), np.nan)).max() == 0


@pytest.mark.parametrize("value", [0, 5, 255])
def test_constant_images_are_black(value):
    assert Frame(20, 30).input(np.full((20, 30), value, np.uint8)).max() == 0


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (1, 1), (1, 5000), (2, 3, 3)])
def test_thin_images(shape):
    image = random_image(shape)
    result = Frame(*shape[:2]).input(image)
    assert np.isfinite(result).all()
    assert result.max() == (1 if image.min() < image.max() else 0)


def test_window_cuts_off_and_stretches():
    image = np.array([[-1000.0, -100], [50, 3000]])
    result = Frame(2, 2, size=64).input(image, window=(-100, 200))
    assert result[0, 0, 0] == 0
    assert result[0, 0, 63] == 0
    assert result[0, 63, 0] == pytest.approx(0.5)
    assert result[0, 63, 63] == 1


@pytest.mark.parametrize("window", [(5, 5), (9, 2), (np.nan, 3)])
def test_windows_without_width_are_refused(window):
    with pytest.raises(ValueError, match="window"):
        Frame(4, 4).input(np.zeros((4, 4)), window)


@pytest.mark.parametrize("shape", [(3,), (4, 4, 2), (4, 4, 5), (2, 4, 4, 3), ()])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="expected an image"):
        check_image(np.zeros(shape))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 5, 3)])
def test_empty_images_are_refused(shape):
    with pytest.raises(ValueError, match="no pixels"):
        check_image(np.zeros(shape))


@pytest.mark.parametrize("dtype", [complex, object, "U3"])
def test_pixels_that_are_not_real_numbers_are_refused(dtype):
    with pytest.raises(ValueError, match="integer or floating"):
        check_image(np.zeros((4, 4), dtype))


def test_one_channel_is_grey():
    assert check_image(np.zeros((4, 5, 1))).shape == (4, 5)


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_normalised_values_lie_in_the_unit_range(a, b):
    result = normalise(np.array([[a, b]]))
    assert result.min() >= 0
    assert result.max() <= 1


@pytest.mark.parametrize("shape", [(512, 400), (256, 256), (90, 120), (700, 200)])
def test_masks_survive_the_round_trip(shape):
    frame = Frame(*shape)
    mask = np.zeros(shape, bool)
    mask[shape[0] // 4 : shape[0] // 2, shape[1] // 4 : 3 * shape[1] // 4] = True
    back = frame.mask_to_image(frame.mask_to_frame(mask))
    assert back.shape == shape
    overlap = 2 * (mask & back).sum() / (mask.sum() + back.sum())
    assert overlap > 0.95


@pytest.mark.parametrize("size", [64, 256, 300, 1024, 2048])
def test_a_stroke_one_pixel_wide_is_not_lost(size):
    frame = Frame(size, size)
    for stroke in (np.s_[size // 3, 5:50], np.s_[5:50, size // 3]):
        scribble = np.zeros((size, size), bool)
        scribble[stroke] = True
        drawn = np.argwhere(frame.mask_to_frame(scribble))
        positions = frame.to_frame(np.argwhere(scribble))
        # every part of the stroke has a drawn pixel beside it, and nothing is drawn elsewhere
        distances = np.linalg.norm(drawn[:, None] - positions[None], axis=-1)
        assert distances.min(axis=0).max() <= 1.5
        assert distances.min(axis=1).max() <= max(1.5, frame.scale)


@pytest.mark.parametrize("size", [64, 213, 257, 700, 2048])
def test_a_single_dot_is_not_lost(size):
    frame = Frame(size, size)
    dot = np.zeros((size, size), bool)
    dot[size // 3, size // 2] = True
    drawn = np.argwhere(frame.mask_to_frame(dot))
    assert len(drawn)
    assert np.abs(drawn - frame.to_frame((size // 3, size // 2))).max() <= max(1, frame.scale / 2)
    assert not frame.mask_to_frame(np.zeros((size, size))).any()


def test_scribble_ids_count_as_drawn():
    scribble = np.zeros((256, 256), np.uint8)
    scribble[10, 10:20] = 7
    np.testing.assert_array_equal(Frame(256, 256).mask_to_frame(scribble), scribble > 0)


def test_logits_fill_the_image_without_a_shift():
    frame = Frame(300, 200)
    y, x = np.mgrid[:FRAME_SIZE, :FRAME_SIZE].astype(np.float32)
    for plane, axis in ((y, 0), (x, 1)):
        result = frame.logits_to_image(plane[None])[0]
        assert result.shape == (300, 200)
        expected = frame.to_frame(np.argwhere(np.ones((300, 200))))[:, axis].reshape(300, 200)
        inside = np.s_[5:-5, 5:-5]
        np.testing.assert_allclose(result[inside], expected[inside], atol=1e-3)


def test_a_thin_scribble_stays_whole_in_a_coarser_image():
    from skimage.measure import label

    line = np.zeros((256, 256), bool)
    line[np.arange(40, 200), np.arange(40, 200) // 3 + 30] = True
    drawn = Frame(100, 120).mask_to_image(line)
    assert drawn.any()
    assert label(drawn, connectivity=2).max() == 1


class TestPercentileWindow:
    def test_leaves_out_background_and_extremes(self):
        image = np.zeros((100, 100))
        image[:50] = np.linspace(1, 101, 5000).reshape(50, 100)
        image[0, 0], image[0, 1] = np.nan, 1e9
        image[60:] = -3.4028235e38
        low, high = percentile_window(image, 0.5, 99.5)
        assert (low, high) == pytest.approx((1.5, 100.5), abs=0.1)

    def test_reads_parts_of_a_large_volume(self):
        class Volume:
            shape, ndim = (64, 600, 300), 3

            def __getitem__(self, index):
                self.read = np.ones(self.shape)[index].size
                return np.arange(100)

        volume = Volume()
        assert percentile_window(volume, 0, 100) == (1, 99)
        assert volume.read == 16 * 300 * 300

    @pytest.mark.parametrize("axis", [0, 1])
    def test_of_one_channel_alone(self, axis):
        channels = np.stack([np.arange(1, 101).reshape(1, 10, 10) * factor for factor in (1, 1000)], axis)
        assert percentile_window(channels, 0, 100, (axis, 0)) == (1, 100)
        assert percentile_window(channels, 0, 100, (axis, 1)) == (1000, 100000)

    def test_of_an_empty_image(self):
        assert percentile_window(np.zeros((4, 4)), 0.5, 99.5) == (0, 0)


def test_a_marker_of_missing_pixels_does_not_spoil_the_window():
    image = np.arange(10, 42, dtype=np.int64).reshape(4, 8)
    image[0, 0] = np.iinfo(np.int64).min
    seen = Frame(4, 8).input(image, (10, 41))
    expected = Frame(4, 8).input(np.arange(10, 42, dtype=np.uint8).reshape(4, 8), (10, 41))
    np.testing.assert_allclose(seen, expected, atol=1e-6)
