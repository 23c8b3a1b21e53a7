"""The image half of the network as an OpenVINO model; `model/image_encoder.py` says what it calculates and why."""

import numpy as np
from numpy.typing import NDArray
from openvino import Model, Node
from openvino import opset13 as op

from .layers import Layers, gelu, named, normalise, number, reshape, take, transpose

SIZE = 256
WINDOW = 8
HEAD_WIDTH = 32
STAGES = ((2, 2, 2), (2, 4, 2), (6, 5, 1), (2, 10, 1))
"""Blocks, heads and stride of each."""
CHANNEL_EPS = 1e-6


def image_half(layers: Layers, kept: str = "f16") -> Model:
    """Model from ``image``, ``(1, 3, 256, 256)``, to ``embedding`` and ``deep``, ``(4096, 256)``, and ``shallow``,
    ``(16384, 64)``, all of type `kept`, pixels in rows; `shallow` has the four pixels of each of `deep` together.
    """
    image = named(op.parameter([1, 3, SIZE, SIZE], np.float32), "image")
    first, second = (layers.conv_norm(f"image_encoder.patch_embed.{i}") for i in (0, 2))
    x = gelu(layers.convolution("image_encoder.patch_embed.0", image, *first))
    stages = []
    side = SIZE
    for i, (depth, heads, stride) in enumerate(STAGES):
        name = f"image_encoder.stages.{i}"
        weight, bias = layers.affine(f"{name}.merge")
        if i == 0:
            # nothing stands between the second convolution and the merging of patches: they are one
            bias = bias + np.einsum("oihw,i->o", weight, second[1])
            weight = np.einsum("oihw,ic->ochw", weight, second[0][:, :, 0, 0])
        side //= stride
        if stride > 1:
            if i > 0:
                x = _to_map(x, side * stride)
            x = _to_tokens(layers.convolution(f"{name}.merge", x, weight, bias, stride=stride))
        else:
            x = layers.linear(f"{name}.merge", x, weight, bias)
        for block in range(depth):
            x = _block(layers, f"{name}.blocks.{block}", x, side, heads, shift=WINDOW // 2 * (block % 2))
        stages.append(x)
    embedding = _neck(layers, "image_encoder.neck", stages[-1], side)
    scale, shift = layers.affine("image_encoder.neck.3")
    embedding = op.add(op.multiply(embedding, op.constant(scale)), op.constant(shift))

    deep = _neck(layers, "mask_decoder.skip_neck", op.concat(stages[1:], 1), side)
    scale, shift = layers.affine("mask_decoder.skip_neck.3")
    weight, bias = _second_half(layers, "mask_decoder.deep_conv")
    deep = layers.linear("mask_decoder.deep_conv", deep, weight * scale, bias + weight @ shift)
    shallow = layers.linear("mask_decoder.shallow_conv", stages[0], *_second_half(layers, "mask_decoder.shallow_conv"))
    order = np.arange(4 * side * side).reshape(side, 2, side, 2).transpose(0, 2, 1, 3).ravel()
    shallow = take(shallow, order)
    outputs = {"embedding": embedding, "deep": deep, "shallow": shallow}
    return Model([named(op.result(op.convert(x, kept)), name) for name, x in outputs.items()], [image], "image half")


def _block(layers: Layers, name: str, x: Node, side: int, heads: int, shift: int) -> Node:
    order = window_order(side, shift)
    inner = heads * HEAD_WIDTH
    # bytes are sorted into windows faster than floats
    windows = take(layers.entering(f"{name}.attention.qkv", normalise(x, 1e-5)), order)
    # three layers are faster than one whose outputs are then copied apart
    parts = (
        layers.normalised_linear(f"{name}.attention.qkv", f"{name}.attention_norm", windows, slice(i, i + inner))
        for i in (0, inner, 2 * inner)
    )
    query, key, value = (transpose(reshape(part, -1, WINDOW * WINDOW, heads, HEAD_WIDTH), 0, 2, 1, 3) for part in parts)
    scores = op.matmul(query, key, False, True)
    scores = op.add(
        op.multiply(scores, number(HEAD_WIDTH**-0.5)),
        op.constant(window_bias(layers.tensors[f"{name}.attention.position_bias"], side, shift)),
    )
    attended = op.matmul(op.softmax(scores, -1), value, False, False)
    attended = reshape(transpose(attended, 0, 2, 1, 3), -1, inner)
    attended = layers.linear(f"{name}.attention.proj", attended)
    x = op.add(x, take(attended, np.argsort(order)))
    x = layers.convolution(f"{name}.local_conv", _to_map(x, side), *layers.conv_norm(f"{name}.local_conv"), pad=1)
    x = _to_tokens(x)
    hidden = gelu(layers.normalised_linear(f"{name}.mlp.fc1", f"{name}.mlp_norm", normalise(x, 1e-5)))
    return op.add(x, layers.linear(f"{name}.mlp.fc2", hidden))


def _neck(layers: Layers, name: str, x: Node, side: int) -> Node:
    """Two convolutions; the last normalisation is left without scale and shift."""
    x = layers.linear(f"{name}.0", x)
    x = layers.layer_norm(f"{name}.1", x, CHANNEL_EPS)
    x = layers.convolution(f"{name}.2", _to_map(x, side), *layers.affine(f"{name}.2"), pad=1)
    return normalise(_to_tokens(x), CHANNEL_EPS)


def _second_half(layers: Layers, name: str) -> tuple[NDArray, NDArray]:
    weight, bias = layers.affine(name)
    return weight[:, weight.shape[1] // 2 :, 0, 0], bias


def _to_map(x: Node, side: int) -> Node:
    """``(L, C)`` to ``(1, C, side, side)``."""
    return transpose(reshape(x, 1, side, side, -1), 0, 3, 1, 2)


def _to_tokens(x: Node) -> Node:
    """``(1, C, H, W)`` to ``(L, C)``."""
    channels = x.get_output_shape(0)[1]
    return reshape(transpose(x, 0, 2, 3, 1), -1, channels)


def window_order(side: int, shift: int) -> NDArray[np.int64]:
    """Index of the pixel for each place of each window, ``(side**2,)``, on a map that was shifted cyclically."""
    pixels = np.arange(side * side).reshape(side, side)
    pixels = np.roll(pixels, (-shift, -shift), axis=(0, 1))
    count = side // WINDOW
    return pixels.reshape(count, WINDOW, count, WINDOW).transpose(0, 2, 1, 3).ravel()


def window_bias(table: NDArray, side: int, shift: int) -> NDArray[np.float32]:
    """What is added to the attention scores, ``(windows or 1, 1, 64, 64)``."""
    place = np.stack(np.divmod(np.arange(WINDOW * WINDOW), WINDOW))
    offset = place[:, None, :] - place[:, :, None] + WINDOW - 1
    bias = table[offset[0], offset[1]]
    if not shift:
        return bias[None, None]
    # what the shift brought together at the lower and the right edge is kept apart
    apart = [(axis[:, None] < WINDOW - shift) != (axis[None] < WINDOW - shift) for axis in place]
    count = side // WINDOW
    row, column = (axis.ravel() == count - 1 for axis in np.mgrid[:count, :count])
    hidden = (row[:, None, None] & apart[0]) | (column[:, None, None] & apart[1])
    return np.where(hidden, np.float32(-1e4), bias)[:, None].astype(np.float32)
