import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from napari_swin_litemedsam.heeding import heeded

BOX = (20, 20, 79, 79)


@pytest.fixture
def logits():
    """A disc of 20 pixels in the middle of 100x100; the network is the surer the farther its rim."""
    rows, columns = np.ogrid[:100, :100]
    return (20.3 - np.hypot(rows - 50, columns - 50)).astype(np.float32) / 4


def changed(before, after):
    return (before > 0) != (after > 0)


def test_points_that_the_mask_agrees_with_change_nothing(logits):
    assert heeded(logits, [(50, 50), (50, 45), (20, 20)], [1, 1, 0], BOX) is logits
    assert heeded(logits, np.zeros((0, 2)), [], BOX) is logits


@pytest.mark.parametrize(("point", "label"), [((50, 78), 1), ((50, 62), 0)])
def test_the_mask_gives_way_around_a_point_and_nowhere_else(logits, point, label):
    before = logits.copy()
    result = heeded(logits, [point], [label], BOX)
    assert (result[point] > 0) == bool(label)
    rim = distance_transform_edt((logits > 0) != bool(label))[point]
    area = changed(logits, result).sum()
    assert 0.8 * rim < (area / np.pi) ** 0.5 < 1.5 * rim, "it reaches about as far as the mask's rim"
    far = np.hypot(*(np.indices(logits.shape) - np.reshape(point, (2, 1, 1)))) > 4 * rim
    np.testing.assert_array_equal(result[far], logits[far])
    np.testing.assert_array_equal(logits, before)


def test_a_point_beside_the_rim_moves_it_by_little(logits):
    near, deep = (changed(logits, heeded(logits, [(50, x)], [0], BOX)).sum() for x in (69, 60))
    assert 0 < near < deep / 5


def test_no_change_is_larger_than_a_part_of_the_box(logits):
    far = heeded(logits, [(50, 99)], [1], (45, 45, 54, 54))
    rows, columns = np.nonzero(far != logits)
    assert np.hypot(rows - 50, columns - 99).max() <= 7.5, "three standard deviations of a quarter"


def test_a_point_where_there_is_no_mask_at_all_makes_one():
    nothing = np.full((60, 40), -3, np.float32)
    assert heeded(nothing, [(30, 20)], [1], BOX)[30, 20] > 0


def test_points_side_by_side_that_say_opposite_things_are_both_right(logits):
    points, labels = [(50, 60), (50, 61), (50, 62), (50, 64)], [0, 1, 0, 1]
    result = heeded(logits, points, labels, BOX)
    assert [int(result[point] > 0) for point in points] == labels


def test_the_order_of_points_does_not_matter(logits):
    points, labels = np.array([(50, 60), (44, 58), (50, 78), (58, 78)]), np.array([0, 0, 1, 1])
    one, other = (heeded(logits, points[order], labels[order], BOX) for order in (np.s_[:], np.s_[::-1]))
    np.testing.assert_array_equal(one, other)


def test_points_beyond_the_image_do_nothing_and_those_on_its_border_do(logits):
    assert heeded(logits, [(-1, 50), (50, 100), (300, 300)], [1, 1, 1], BOX) is logits
    result = heeded(logits, [(0, 0), (99.4, 99.4)], [1, 1], BOX)
    assert result[0, 0] > 0
    assert result[99, 99] > 0


def test_what_is_painted_is_in_the_mask_with_what_is_around_it(logits):
    stroke = np.zeros(logits.shape, bool)
    stroke[46:54, 50:85] = True
    result = heeded(logits, np.zeros((0, 2)), [], BOX, stroke)
    assert (result[stroke] > 0).mean() > 0.95
    assert result[43, 78] > 0
    assert result[3, 20] == logits[3, 20]


def test_strokes_inside_the_mask_change_nothing(logits):
    stroke = np.zeros(logits.shape, bool)
    stroke[45:55, 45:55] = True
    assert heeded(logits, [(50, 50)], [1], BOX, stroke) is logits


def test_a_negative_point_beside_a_stroke_is_heeded_too(logits):
    stroke = np.zeros(logits.shape, bool)
    stroke[50, 75:90] = True
    result = heeded(logits, [(52, 80), (50, 82)], [0, 0], BOX, stroke)
    assert result[52, 80] <= 0
    assert result[50, 82] <= 0, "also on it"
    assert result[50, 88] > 0
