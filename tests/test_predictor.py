import numpy as np
import pytest
import torch

from napari_swin_litemedsam.model import SwinLiteMedSAM
from napari_swin_litemedsam.predictor import EmptyBoxError, Predictor, clip_box

BOX = (20, 30, 80, 110)


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(1, 255, (100, 150), dtype=np.uint8)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return SwinLiteMedSAM()


@pytest.fixture
def predictor(model, image):
    predictor = Predictor(model)
    predictor.set_image(image, key="image")
    return predictor


def test_prediction_has_the_image_shape_and_tells_its_prompts(predictor):
    result = predictor.predict(BOX)
    assert result.mask.shape == result.probability.shape == result.scribble.shape == (100, 150)
    assert result.points.shape == (4, 2)
    assert result.point_labels.tolist() == [1, 1, 1, 1]
    assert (result.points >= BOX[:2]).all()
    assert (result.points <= BOX[2:]).all()
    assert result.scribble.any()
    np.testing.assert_array_equal(result.mask, result.probability > 0.5)


def test_passing_the_generated_prompts_back_gives_the_same_mask(predictor):
    first = predictor.predict(BOX)
    again = predictor.predict(BOX, first.points, first.point_labels, first.scribble)
    np.testing.assert_allclose(again.points, first.points, atol=1e-9)
    np.testing.assert_allclose(again.probability, first.probability, atol=0.05)


def test_each_kind_of_prompt_can_be_left_out(predictor):
    full = predictor.predict(BOX)
    for options in ({"points": []}, {"scribble": False}, {"points": [], "scribble": False}):
        less = predictor.predict(BOX, **options)
        assert abs(less.probability - full.probability).max() > 1e-4
        assert len(less.points) == (0 if "points" in options else 4)
        assert less.scribble.any() == ("scribble" not in options)


def test_a_negative_point_changes_the_mask(predictor):
    inside, outside = (predictor.predict(BOX, [(50, 70)], [label]).probability for label in (1, 0))
    assert abs(inside - outside).max() > 1e-4


def test_predicting_many_equals_one_by_one(predictor):
    boxes = [BOX, (5, 5, 40, 60), (60, 80, 99, 149)]
    for box, seed, result in zip(boxes, range(3), predictor.predict_many(boxes, range(3)), strict=True):
        alone = predictor.predict(box, seed=seed)
        np.testing.assert_allclose(result.probability, alone.probability, atol=1e-4)
        np.testing.assert_array_equal(result.points, alone.points)


def test_no_boxes_give_no_predictions(predictor):
    assert predictor.predict_many([]) == []


@pytest.mark.parametrize("box", [(80, 110, 20, 30), (80, 30, 20, 110), (20, 110, 80, 30)])
def test_boxes_may_be_drawn_in_any_direction(predictor, box):
    np.testing.assert_array_equal(predictor.predict(box).mask, predictor.predict(BOX).mask)


def test_boxes_are_clipped_to_the_image():
    np.testing.assert_array_equal(clip_box((-20, 10, 50, 400), 100, 150), (0, 10, 50, 149))


@pytest.mark.parametrize("box", [(-30, 10, -2, 50), (10, 160, 50, 300), (20, 30, 20, 60)])
def test_an_empty_box_is_refused(predictor, box):
    with pytest.raises(EmptyBoxError, match="covers nothing"):
        predictor.predict(box)


@pytest.mark.parametrize("box", [(1, 2, 3), (1, 2, np.nan, 4)])
def test_a_box_is_four_finite_numbers(predictor, box):
    with pytest.raises(ValueError, match="four finite numbers"):
        predictor.predict(box)


def test_mismatched_prompts_are_refused(predictor):
    with pytest.raises(ValueError, match="2 points have 1 labels"):
        predictor.predict(BOX, [(1, 2), (3, 4)], [1])
    with pytest.raises(ValueError, match="scribble is"):
        predictor.predict(BOX, scribble=np.zeros((3, 3)))


def test_predicting_without_an_image_is_refused(model):
    with pytest.raises(RuntimeError, match="set_image"):
        Predictor(model).predict(BOX)


def test_a_known_image_is_not_encoded_again(predictor, model, image, monkeypatch):
    expected = predictor.predict(BOX).probability
    predictor.set_image(image[::-1], key="other")
    calls = []
    encode = model.encode_image
    monkeypatch.setattr(model, "encode_image", lambda x: calls.append(1) or encode(x))
    predictor.set_image(image, key="image")
    assert calls == []
    np.testing.assert_array_equal(predictor.predict(BOX).probability, expected)
    predictor.set_image(image, window=(10, 100), key="image")
    assert calls == [1]


def test_image_size_does_not_matter_to_the_caller(model):
    for shape in ((1, 40), (300, 20), (64, 64, 3), (50, 60, 4)):
        predictor = Predictor(model)
        predictor.set_image(np.random.default_rng(0).random(shape))
        box = (0, 2, shape[0] - 0.6, 18)
        assert predictor.predict(box).mask.shape == shape[:2]
