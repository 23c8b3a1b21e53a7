import numpy as np
import pytest
import torch

from napari_swin_litemedsam.backends import make_backend
from napari_swin_litemedsam.backends import torch_backend as module
from napari_swin_litemedsam.backends.probe import difference, picture, probe, prompts
from napari_swin_litemedsam.backends.torch_backend import TorchBackend, has_fast_bf16


def test_float32_answers_as_the_published_network(exact, exact_features, reference_model):
    with torch.inference_mode():
        features = reference_model.encode_image(torch.from_numpy(picture())[None])
        logits, iou = reference_model.decode(features, *(torch.from_numpy(x) for x in prompts(2)))
    ours, ours_iou = exact.decode(exact_features, *prompts(2))
    # the features are kept in half precision
    assert difference(ours, logits.numpy()) < 2e-3
    np.testing.assert_allclose(ours_iou, iou, atol=2e-3)


@pytest.mark.skipif(not has_fast_bf16(), reason="no bf16 here")
def test_half_precision_stays_close(exact, exact_features, reference_model):
    half = TorchBackend(reference_model)
    assert half.is_half
    assert "bfloat16" in half.description
    assert 0 < difference(probe(half), exact.decode(exact_features, *prompts())[0]) < 0.1


def test_features_are_kept_in_half_precision_and_left_alone(exact, exact_features):
    assert sum(x.nbytes for x in exact_features) == 2 * (2 * 256 * 64 * 64 + 64 * 128 * 128)
    before = [x.clone() for x in exact_features]
    exact.decode(exact_features, *prompts(3))
    assert all(torch.equal(x, y) for x, y in zip(before, exact_features, strict=True))


def test_the_network_given_stays_as_it_is(reference_model):
    network = reference_model.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    backend = make_backend(network, "torch")
    backend.decode(backend.encode(picture()), *prompts())
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    network.eval()


def test_a_device_whose_half_precision_is_wrong_falls_back_with_a_warning(reference_model, monkeypatch):
    # no other device is needed to see what the guard does
    backend = TorchBackend(reference_model, half=True)
    monkeypatch.setattr(module, "probe", lambda b: np.full((1, 2, 2), np.nan if b is backend else 1.0))
    assert not backend._half_is_right(reference_model)

    def fail(other):
        if other is backend:
            raise RuntimeError("not implemented for 'Half'")
        return np.ones((1, 2, 2))

    monkeypatch.setattr(module, "probe", fail)
    assert not backend._half_is_right(reference_model)


class Small(torch.nn.Module):
    """Decodes as many prompts at once as its memory takes; each logit is the box's first side."""

    def __init__(self, most):
        super().__init__()
        self.most, self.asked = torch.nn.Parameter(torch.tensor(float(most))), []

    def encode_image(self, image):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def decode(self, features, points, labels, boxes, scribbles):
        self.asked.append(len(boxes))
        if len(boxes) > self.most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return boxes[:, :1, None].expand(-1, 256, 256), boxes[:, 1]


@pytest.mark.parametrize("with_scribble", [False, True])
def test_too_little_memory_for_all_prompts_is_enough_for_some(with_scribble):
    backend = TorchBackend(Small(2), half=False)
    points, labels, _, scribbles = prompts(7)
    boxes = np.arange(28, dtype=np.float32).reshape(7, 4)
    logits, iou = backend.decode((), points, labels, boxes, scribbles if with_scribble else None)
    np.testing.assert_array_equal(logits[:, 0, 0], boxes[:, 0])
    np.testing.assert_array_equal(iou, boxes[:, 1])
    assert logits.shape == (7, 256, 256)


def test_too_little_memory_for_one_is_told():
    backend = TorchBackend(Small(0), half=False)
    for run in (lambda: backend.encode(picture()), lambda: backend.decode((), *prompts(3))):
        with pytest.raises(MemoryError, match="too little memory"):
            run()


def test_unknown_backends_are_refused(reference_model):
    with pytest.raises(ValueError, match="one of auto, openvino"):
        make_backend(reference_model, "abacus")
