import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_swin_litemedsam.prompts import (
    bounding_box,
    inference_points,
    inference_scribble,
    jitter_box,
    object_rng,
    training_points,
    training_scribble,
)

SIZE = 256
corner = st.floats(0, SIZE - 1)


@st.composite
def boxes(draw):
    (y0, y1), (x0, x1) = (sorted((draw(corner), draw(corner))) for _ in range(2))
    return np.array([y0, x0, y1, x1])


def disc(radius=60):
    y, x = np.ogrid[:SIZE, :SIZE]
    return (y - 128) ** 2 + (x - 128) ** 2 < radius**2


@settings(deadline=None, max_examples=60)
@given(boxes(), st.integers(0, 5))
def test_points_are_allowed_pixels_of_the_box_or_its_centre(box, seed):
    allowed = np.random.default_rng(1).random((SIZE, SIZE)) < 0.5
    centre = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
    points = inference_points(allowed, box, seed)
    assert points.shape == (4, 2)
    for point in points:
        if not np.allclose(point, centre):
            assert allowed[tuple(point.astype(int))]
            assert (point >= np.floor(box[:2])).all()
            assert (point <= np.ceil(box[2:])).all()


@settings(deadline=None, max_examples=60)
@given(boxes(), st.integers(0, 5))
def test_scribble_is_one_allowed_piece_inside_the_box(box, seed):
    from skimage.measure import label

    allowed = np.zeros((SIZE, SIZE), bool)
    allowed[:, ::2] = allowed[:130] = True
    scribble = inference_scribble(allowed, box, seed)
    assert not (scribble & ~allowed).any()
    assert label(scribble, connectivity=2).max() <= 1
    if scribble.any():
        y0, x0, y1, x1 = bounding_box(scribble)
        assert y0 >= np.floor(box[0])
        assert x0 >= np.floor(box[1])
        assert y1 <= np.ceil(box[2])
        assert x1 <= np.ceil(box[3])


def test_same_box_gives_same_prompts_whatever_ran_before():
    box, area = (40, 50, 140, 170), np.ones((SIZE, SIZE), bool)
    points, scribble = inference_points(area, box), inference_scribble(area, box)
    inference_points(area, (1, 2, 100, 90), 7)
    np.testing.assert_array_equal(inference_points(area, box), points)
    np.testing.assert_array_equal(inference_scribble(area, box), scribble)


def test_another_seed_gives_other_prompts():
    box, area = (40, 50, 140, 170), np.ones((SIZE, SIZE), bool)
    assert (inference_points(area, box, 1) != inference_points(area, box, 0)).any()
    assert (inference_scribble(area, box, 1) != inference_scribble(area, box, 0)).any()


def test_rounding_errors_of_a_box_do_not_change_the_numbers():
    assert object_rng((10, 20, 30, 40)).random() == object_rng((10, 20 + 1e-9, 30 - 1e-9, 40)).random()


def test_inference_points_keep_away_from_the_border():
    box = np.array([50, 30, 150, 230])
    for seed in range(20):
        points = inference_points(np.ones((SIZE, SIZE), bool), box, seed)
        inside = np.array([[20, 40]])
        assert (points >= box[:2] + inside - 1).all()
        assert (points <= box[2:] - inside + 1).all()


def test_training_prompts_lie_on_the_object():
    truth = disc() & ~disc(40)
    box = bounding_box(truth)
    rng = np.random.default_rng(0)
    for _ in range(10):
        points = training_points(truth, box, rng).astype(int)
        assert truth[tuple(points.T)].all()
        assert not (training_scribble(truth, box, rng) & ~truth).any()


def test_an_empty_area_gives_centre_points_and_no_scribble():
    nothing = np.zeros((SIZE, SIZE), bool)
    np.testing.assert_array_equal(inference_points(nothing, (10, 20, 30, 60)), [[20, 40]] * 4)
    assert not inference_scribble(nothing, (10, 20, 30, 60)).any()


@settings(deadline=None)
@given(boxes(), st.integers(0, 1000))
def test_jitter_grows_a_box_by_at_most_five_inside_the_frame(box, seed):
    grown = jitter_box(box, np.random.default_rng(seed), SIZE)
    assert (grown[:2] <= box[:2]).all()
    assert (grown[2:] >= box[2:]).all()
    # the sum of a coordinate and 5 is rounded
    assert (abs(grown - box) <= 5 + 1e-9).all()
    assert grown.min() >= 0
    assert grown.max() <= SIZE - 1


def test_an_empty_mask_has_no_box():
    with pytest.raises(ValueError, match="empty"):
        bounding_box(np.zeros((4, 4), bool))
