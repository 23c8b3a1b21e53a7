import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_swin_litemedsam.evaluation import dice, hausdorff95, surface_dice

CASES = ["2d_ragged", "2d_same", "2d_shift", "3d_aniso", "3d_iso", "3d_touching_border"]


@pytest.mark.parametrize("case", CASES)
def test_dice_equals_the_challenge(metric_vectors, case):
    vectors = metric_vectors[case]
    assert dice(vectors["truth"], vectors["prediction"]) == pytest.approx(float(vectors["dsc"]), abs=1e-6)


@pytest.mark.parametrize("tolerance", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_surface_dice_equals_the_challenge(metric_vectors, case, tolerance):
    vectors = metric_vectors[case]
    score = surface_dice(vectors["truth"], vectors["prediction"], vectors["spacing"], tolerance)
    assert score == pytest.approx(float(vectors[f"nsd_{tolerance}"]), abs=1e-6)


def test_every_reference_case_is_tested(metric_vectors):
    assert sorted(metric_vectors) == CASES


def box(*slices, shape=(20, 20, 20)):
    mask = np.zeros(shape[: len(slices)], bool)
    mask[slices] = True
    return mask


def test_small_surfaces_have_their_true_weight():
    # a voxel alone is an octahedron with eight faces; far away is a 2-voxel prism
    voxel, prism = box(*[slice(2, 3)] * 3), box(slice(12, 13), slice(12, 13), slice(12, 14))
    octahedron = 8 * np.sqrt(3) / 8
    sides = 4 * np.sqrt(0.5)
    truth, prediction = voxel | prism, voxel
    expected = 2 * octahedron / (2 * octahedron + octahedron + sides)
    assert surface_dice(truth, prediction, tolerance=1) == pytest.approx(expected, abs=1e-12)


def test_spacing_stretches_the_surface():
    voxel = box(*[slice(2, 3)] * 3)
    slab = box(slice(12, 13), slice(12, 13), slice(12, 14))
    z, y, x = spacing = (5, 0.8, 0.7)
    face = np.linalg.norm([y * x, z * x, z * y])
    octahedron, sides = face, 4 * 0.5 * x * np.hypot(z, y)
    expected = 2 * octahedron / (3 * octahedron + sides)
    assert surface_dice(voxel | slab, voxel, spacing, tolerance=1) == pytest.approx(expected, abs=1e-12)


def test_tolerance_decides():
    truth, prediction = box(slice(2, 10), slice(2, 10)), box(slice(2, 10), slice(5, 13))
    scores = [surface_dice(truth, prediction, tolerance=t) for t in (0, 1, 3)]
    assert scores[0] < scores[1] < scores[2] == 1


@pytest.mark.parametrize("shape", [(9, 9), (5, 6, 7)])
def test_empty_masks(shape):
    empty, full = np.zeros(shape), np.ones(shape)
    assert dice(empty, empty) == surface_dice(empty, empty) == 1
    assert dice(empty, full) == surface_dice(empty, full) == 0
    assert dice(full, empty) == surface_dice(full, empty) == 0
    assert hausdorff95(empty, empty) == 0
    assert hausdorff95(empty, full) == hausdorff95(full, empty) == np.inf


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(6, 7), (4, 5, 6)]), st.floats(0.05, 0.95))
def test_scores_are_symmetric_bounded_and_one_for_equal_masks(seed, shape, density):
    rng = np.random.default_rng(seed)
    one, other = (rng.random(shape) < density for _ in range(2))
    for score in (dice, surface_dice):
        assert score(one, other) == pytest.approx(score(other, one))
        assert 0 <= score(one, other) <= 1
        assert score(one, one) == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.permutations([0, 1, 2]))
def test_axes_may_be_exchanged(seed, order):
    rng = np.random.default_rng(seed)
    one, other = (rng.random((4, 5, 6)) < 0.5 for _ in range(2))
    spacing = np.array([3.0, 1.0, 0.6])
    turned = surface_dice(one.transpose(order), other.transpose(order), spacing[list(order)], tolerance=0.9)
    assert turned == pytest.approx(surface_dice(one, other, spacing, tolerance=0.9))


def test_masks_of_different_shapes_are_refused():
    for score in (dice, surface_dice):
        with pytest.raises(ValueError, match="differ in shape"):
            score(np.zeros((3, 4)), np.zeros((4, 3)))


@pytest.mark.parametrize("spacing", [(1, 1), (1, 1, 0), (1, -1, 1), (1, 1, np.nan)])
def test_impossible_spacings_are_refused(spacing):
    with pytest.raises(ValueError, match="3 positive spacings"):
        surface_dice(np.ones((3, 3, 3)), np.ones((3, 3, 3)), spacing)


@pytest.mark.parametrize("tolerance", [-1, np.nan])
def test_impossible_tolerances_are_refused(tolerance):
    with pytest.raises(ValueError, match="tolerance"):
        surface_dice(np.ones((3, 3)), np.ones((3, 3)), tolerance=tolerance)


@pytest.mark.parametrize("spacing", [(1, 1), (2.5, 0.5)])
def test_hausdorff_distance_of_shifted_squares(spacing):
    truth = box(slice(2, 10), slice(2, 10))
    # three pixels along one axis: the outer side is that far away, and more than 5 % of the outline
    for axis in (0, 1):
        assert hausdorff95(truth, np.roll(truth, 3, axis), spacing) == pytest.approx(3 * spacing[axis])
    assert hausdorff95(truth, truth, spacing) == 0


def test_hausdorff_distance_forgives_a_twentieth_of_the_outline():
    truth = box(slice(2, 32), slice(2, 32), shape=(64, 64))
    speck = truth | box(slice(55, 56), slice(55, 56), shape=(64, 64))
    assert hausdorff95(truth, speck) < 1
    blot = truth | box(slice(50, 58), slice(50, 58), shape=(64, 64))
    assert hausdorff95(truth, blot) > 20


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(7, 8), (5, 6, 7)]))
def test_hausdorff_distance_lies_between_the_smallest_and_the_largest_distance(seed, shape):
    rng = np.random.default_rng(seed)
    one, other = (rng.random(shape) < 0.2 for _ in range(2))
    one.flat[0] = other.flat[-1] = True
    distance = hausdorff95(one, other)
    assert distance == hausdorff95(other, one)
    farthest = 0.0
    for a, b in ((one, other), (other, one)):
        pixels, targets = np.argwhere(a), np.argwhere(b)
        farthest = max(farthest, np.linalg.norm(pixels[:, None] - targets, axis=-1).min(axis=1).max())
    assert 0 <= distance <= farthest + np.sqrt(len(shape))


@pytest.mark.parametrize("spacing", [np.float32(0.4), 0.4, np.nextafter(np.float32(0.4), np.float32(0))])
def test_the_last_digits_of_a_spacing_do_not_decide(spacing):
    mask = np.zeros((20, 20, 20), bool)
    mask[4:12, 4:12, 4:12] = True
    moved = np.roll(mask, 5, axis=0)
    assert surface_dice(mask, moved, (float(spacing),) * 3, 2) == 1
    assert surface_dice(mask, moved, (float(spacing),) * 3, 1.99) < 1
