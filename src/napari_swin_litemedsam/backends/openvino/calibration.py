"""What 8 bits must hold: the largest value that enters each layer of the image half."""

from collections.abc import Iterable, Mapping

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from .encoder import image_half
from .layers import Layers, whole

EXACT = ("image_encoder.patch_embed", "image_encoder.stages.0.", "mask_decoder.shallow_conv")
"""The layers of fine detail, a tenth of the work: in 8 bits they would cost more accuracy than all others together."""


def activation_ranges(tensors: Mapping[str, NDArray], images: Iterable[NDArray[np.float32]]) -> dict[str, float]:
    """Run images through the image half.

    Parameters
    ----------
    tensors : dict
        Weights under our names, float32.
    images : iterable of array
        ``(3, 256, 256)`` in 0..1, from `Frame.input`; some from each kind that will be segmented.

    Returns
    -------
    dict
        Largest absolute value by layer, with three digits, for the layers that bear 8 bits.
    """
    layers = Layers(tensors)
    inputs = image_half(layers).inputs
    marked = {name: node for name, node in layers.marked.items() if not name.startswith(EXACT)}
    results = []
    for node in marked.values():
        rank = node.get_output_partial_shape(0).rank.get_length()
        results.append(op.result(op.reduce_max(op.abs(node), whole(*range(rank)))))
    model = ov.Model(results, [x.get_node() for x in inputs], "ranges")
    request = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    most = np.zeros(len(results))
    for image in images:
        request.infer({0: image[None]})
        most = np.maximum(most, [float(tensor.data) for tensor in request.output_tensors])
    return {name: float(f"{value:.3g}") for name, value in zip(marked, most, strict=True)}
