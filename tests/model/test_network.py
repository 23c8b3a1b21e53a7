import numpy as np
import pytest
import torch

from napari_swin_litemedsam.model import PointLabel, SwinLiteMedSAM
from napari_swin_litemedsam.preprocessing import Frame


@pytest.fixture(scope="module")
def image(forward_vectors):
    return torch.from_numpy(forward_vectors["image"])[None].float() / 255


@pytest.fixture(scope="module")
def encoded(reference_model, image):
    with torch.inference_mode():
        return reference_model.image_encoder(image)


@pytest.fixture(scope="module")
def features(reference_model, encoded):
    with torch.inference_mode():
        return reference_model.mask_decoder.image_half(*encoded)


@pytest.fixture(scope="module")
def prompts(forward_vectors):
    return {
        "points": torch.from_numpy(forward_vectors["points"])[None],
        "labels": torch.ones(1, 4, dtype=torch.int),
        "boxes": torch.from_numpy(forward_vectors["box"])[None],
        "scribbles": torch.from_numpy(forward_vectors["scribble"])[None, None].float(),
    }


def decode(model, features, **prompts):
    with torch.inference_mode():
        logits, iou = model.decode(features, **prompts)
    return logits.numpy(), iou.numpy()


def test_encoder_answers_as_published(encoded, forward_vectors):
    embedding, skips = encoded
    outputs = {"embedding": embedding[0, ::16, ::4, ::4], "skip0": skips[0][0, ::16, ::8, ::8]}
    outputs |= {f"skip{i}": skips[i][0, ::16, ::4, ::4] for i in (1, 2, 3)}
    for name, output in outputs.items():
        np.testing.assert_allclose(output.numpy(), forward_vectors[name], atol=1e-4, rtol=0, err_msg=name)


def test_sparse_prompts_are_encoded_as_published(reference_model, prompts, forward_vectors):
    with torch.inference_mode():
        tokens, _, mask = reference_model.prompt_encoder((64, 64), *prompts.values())
    assert mask is None
    np.testing.assert_allclose(tokens[0].numpy(), forward_vectors["sparse"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["all_prompts", "box_only", "empty_scribble"])
def test_decoder_answers_as_published(reference_model, features, prompts, forward_vectors, kind):
    if kind == "box_only":
        prompts = {"boxes": prompts["boxes"]}
    if kind == "empty_scribble":
        prompts = prompts | {"scribbles": 0 * prompts["scribbles"]}
    logits, iou = decode(reference_model, features, **prompts)
    np.testing.assert_allclose(logits[0], forward_vectors[f"logits_{kind}"], atol=1e-3, rtol=0)
    np.testing.assert_allclose(iou[0], forward_vectors[f"iou_{kind}"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("case", ["gray_512x512", "rgb_400x600", "rgb_371x283", "gray_97x130_upscaled", "gray_256x256"])
def test_image_to_mask_as_published(reference_model, image_vectors, case):
    vectors = image_vectors[case]
    image = vectors["image"]
    frame = Frame(*image.shape[:2])
    with torch.inference_mode():
        features = reference_model.encode_image(torch.from_numpy(frame.input(image))[None])
    logits, iou = decode(
        reference_model,
        features,
        points=torch.from_numpy(vectors["points_256"])[None],
        labels=torch.ones(1, 4, dtype=torch.int),
        boxes=torch.from_numpy(vectors["box_256"])[None],
        scribbles=torch.from_numpy(vectors["scribble_256"])[None, None].float(),
    )
    mask = frame.logits_to_image(logits)[0] > 0
    truth = np.unpackbits(vectors["mask"], count=mask.size).reshape(vectors["mask_shape"]) != 0
    assert mask.shape == truth.shape
    assert 0.01 < truth.mean() < 0.99
    assert (mask == truth).mean() >= 0.9999
    assert iou[0] == pytest.approx(float(vectors["iou"]), abs=1e-4)


def test_no_scribble_differs_from_an_empty_one(reference_model, features, prompts):
    without, _ = decode(reference_model, features, **(prompts | {"scribbles": None}))
    empty, _ = decode(reference_model, features, **(prompts | {"scribbles": 0 * prompts["scribbles"]}))
    assert np.abs(without - empty).max() > 0.1


def test_padding_points_change_nothing(reference_model, features, prompts):
    padded = prompts | {
        "points": torch.cat([prompts["points"], torch.tensor([[[7.0, 9.0], [200.0, 3.0]]])], dim=1),
        "labels": torch.cat([prompts["labels"], torch.full((1, 2), int(PointLabel.PADDING))], dim=1),
    }
    for left_out in ((), ("boxes",), ("scribbles",)):
        plain = {name: value for name, value in prompts.items() if name not in left_out}
        extra = {name: value for name, value in padded.items() if name not in left_out}
        for one, other in zip(
            decode(reference_model, features, **plain), decode(reference_model, features, **extra), strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1e-4, rtol=0)


def test_labels_matter(reference_model, features, prompts):
    positive, _ = decode(reference_model, features, **prompts)
    negative, _ = decode(reference_model, features, **(prompts | {"labels": 0 * prompts["labels"]}))
    assert np.abs(positive - negative).max() > 0.1


def test_points_without_labels_are_refused(reference_model, features, prompts):
    with pytest.raises(ValueError, match="labels"):
        decode(reference_model, features, points=prompts["points"])


def test_batch_equals_one_by_one(reference_model):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 128, 128, generator=generator)
    points = 127 * torch.rand(6, 4, 2, generator=generator)
    labels = torch.randint(0, 2, (6, 4), generator=generator)
    boxes = torch.tensor([[8.0, 8, 100, 90]]) + 20 * torch.rand(6, 4, generator=generator)
    scribbles = (torch.rand(6, 1, 128, 128, generator=generator) > 0.9).float()
    with torch.inference_mode():
        together, iou = reference_model.decode(reference_model.encode_image(images), points, labels, boxes, scribbles)
        apart = [reference_model.encode_image(image[None]) for image in images]
        for n in range(6):
            alone = apart[n // 3]
            one = slice(n, n + 1)
            logits, score = reference_model.decode(alone, points[one], labels[one], boxes[one], scribbles[one])
            torch.testing.assert_close(together[one], logits, atol=1e-4, rtol=0)
            torch.testing.assert_close(iou[one], score, atol=1e-4, rtol=0)
    assert (together[0] - together[3]).abs().max() > 0.1, "the second image was not used"


def test_other_input_sizes_work(reference_model):
    with torch.inference_mode():
        features = reference_model.encode_image(torch.rand(1, 3, 192, 192))
        logits, iou = reference_model.decode(features, boxes=torch.tensor([[10.0, 10, 96, 96]]))
    assert logits.shape == (1, 192, 192)
    assert torch.isfinite(logits).all()
    assert torch.isfinite(iou).all()


@pytest.mark.parametrize("shape", [(100, 100), (256, 100), (32, 64)])
def test_sizes_that_do_not_fit_the_windows_are_refused(reference_model, shape):
    with pytest.raises(ValueError, match="multiple of 64"):
        reference_model.encode_image(torch.zeros(1, 3, *shape))


def test_gradients_reach_every_weight_that_a_prompted_mask_uses():
    model = SwinLiteMedSAM().train()
    points, labels = torch.tensor([[[5.0, 9.0], [30.0, 40.0]]] * 2), torch.tensor([[1, 0]] * 2)
    boxes = torch.tensor([[4.0, 4.0, 50.0, 50.0]] * 2)
    logits, iou = model.decode(
        model.encode_image(torch.rand(2, 3, 64, 64)), points, labels, boxes, torch.ones(2, 1, 64, 64)
    )
    (logits.mean() + iou.mean()).backward()
    unused = {name for name, weight in model.named_parameters() if weight.grad is None}
    allowed = ("prompt_encoder.not_a_point", "prompt_encoder.no_scribble", "mask_decoder.mask_heads.")
    assert not {name for name in unused if not name.startswith(allowed)}
    assert not {name for name in unused if name.startswith("mask_decoder.mask_heads.0.")}
