"""What 8 bits must hold: the largest value that enters each layer."""

from collections.abc import Callable, Mapping

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from .decoder import prompt_half
from .encoder import image_half
from .layers import Layers, whole

EXACT = (
    "image_encoder.patch_embed",
    "image_encoder.stages.0",
    "image_encoder.stages.1",
    "mask_decoder.shallow_conv",
)
"""The layers of the image half that lose most by 8 bits: the first ones, whose errors pass through all the others."""
DECODED = (
    "mask_decoder.deep_conv.prompt",
    "mask_decoder.deep_up",
    "mask_decoder.shallow_conv.prompt",
    "mask_decoder.shallow_up",
)
"""The large layers of the prompt half; the others have few rows, or feed the attention."""
_PROMPTS = ("points", "labels", "boxes", "scribbles")


class RangeRecorder:
    """A backend that takes down, in float32, what enters the layers that bear 8 bits; for `Predictor`.

    Parameters
    ----------
    tensors : dict
        Weights under our names, float32.
    """

    name = "ranges"
    description = "ranges"
    batch = 1

    def __init__(self, tensors: Mapping[str, NDArray]):
        self.ranges: dict[str, float] = {}
        """Largest absolute value by layer."""
        self._image = _measured(lambda layers: image_half(layers, "f32"), tensors, lambda n: not n.startswith(EXACT))
        self._prompt = _measured(prompt_half, tensors, lambda name: name in DECODED)

    def encode(self, pixels: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """See `Backend`."""
        return tuple(self._run(self._image, {"image": pixels[None]}))

    def decode(
        self,
        features: tuple[NDArray[np.float32], ...],
        points: NDArray[np.float32],
        labels: NDArray[np.int64],
        boxes: NDArray[np.float32],
        scribbles: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `Backend`."""
        if scribbles is None:
            raise ValueError("ranges are measured with scribbles")
        given: dict[str, NDArray] = dict(zip(_PROMPTS, (points, labels, boxes, scribbles), strict=True))
        given |= dict(zip(("embedding", "deep", "shallow"), features, strict=True))
        logits, iou = self._run(self._prompt, {**given, "has_scribble": np.ones(len(boxes), np.float32)})
        return logits, iou

    def _run(self, half: tuple[ov.InferRequest, list[str]], given: Mapping[str, NDArray]) -> list[NDArray]:
        request, names = half
        request.infer(given)
        outputs = [tensor.data.copy() for tensor in request.output_tensors]
        answers = len(outputs) - len(names)
        for name, value in zip(names, outputs[answers:], strict=True):
            # three digits tell enough
            self.ranges[name] = max(self.ranges.get(name, 0), float(f"{float(value):.3g}"))
        return outputs[:answers]


def _measured(
    build: Callable[[Layers], ov.Model], tensors: Mapping[str, NDArray], chosen: Callable[[str], bool]
) -> tuple[ov.InferRequest, list[str]]:
    """A half whose last outputs are the largest values that enter some of its layers, and these layers' names."""
    layers = Layers(tensors)
    half = build(layers)
    marked = {name: node for name, node in layers.marked.items() if chosen(name)}
    for node in marked.values():
        rank = node.get_output_partial_shape(0).rank.get_length()
        half.add_results([op.result(op.reduce_max(op.abs(node), whole(*range(rank))))])
    request = ov.Core().compile_model(half, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    return request, list(marked)
