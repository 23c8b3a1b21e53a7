"""The prompt half of the network as an OpenVINO model; `model/prompt_encoder.py`, `model/transformer.py` and
`model/mask_decoder.py` say what it calculates and why.
"""

import numpy as np
from openvino import Dimension, Model, Node, PartialShape, Type
from openvino import opset13 as op

from ..probe import PADDING
from .encoder import CHANNEL_EPS, SIZE
from .layers import Layers, centred, gelu, named, number, reshape, take, transpose, whole

WIDTH = 256
HEADS = 8
GRID = SIZE // 4
_NEGATIVE, _POSITIVE = 0, 1
_IOU_TOKEN, _MASK_TOKEN = 0, 1
_HIDDEN = -1e4


def prompt_half(layers: Layers) -> Model:
    """Model from features and prompts to masks, for any number N of prompts with any number P of points.

    Inputs are the outputs of the image half, float32; ``points`` ``(N, P, 2)``, ``labels`` ``(N, P)``, ``boxes``
    ``(N, 4)``, ``scribbles`` ``(N, 1, 256, 256)`` and ``has_scribble`` ``(N,)``, as `Backend.decode` describes them.
    Outputs are ``logits`` ``(N, 256, 256)`` and ``iou`` ``(N,)``.
    """
    prompts = _prompt_inputs()
    images = _image_inputs("f32")
    tokens, mask = _tokens(layers, *prompts)
    return Model(_masks(layers, images, tokens, mask), [*images[:3], *prompts, *images[3:]], "prompt half")


def prompt_encoder(layers: Layers) -> Model:
    """The first part of `prompt_half`: ``points``, ``labels`` and ``boxes`` to ``tokens`` and ``mask``.

    It is apart since half precision would lose the phase of the higher frequencies.
    """
    prompts = _prompt_inputs()
    tokens, mask = _tokens(layers, *prompts)
    return Model([named(op.result(tokens), "tokens"), named(op.result(mask), "mask")], prompts, "prompt encoder")


def mask_decoder(layers: Layers, count: int) -> Model:
    """The rest of `prompt_half` for `count` prompts: features in half precision, tokens, mask, scribbles to masks.

    The number of tokens stays open: OpenVINO 2026.4 makes other masks of one prompt in bf16 where it is fixed, too.
    """
    images = _image_inputs("f16", count)
    tokens, mask = _input("tokens", (count, -1, WIDTH)), _input("mask", (count, 1, 1, -1))
    return Model(_masks(layers, images, tokens, mask), [*images, tokens, mask], "mask decoder")


def _prompt_inputs() -> list[Node]:
    return [_input("points", (-1, -1, 2)), _input("labels", (-1, -1), np.int64), _input("boxes", (-1, 4))]


def _image_inputs(kept: str, count: int = -1) -> list[Node]:
    shapes = {"embedding": (GRID**2, WIDTH), "deep": (GRID**2, WIDTH), "shallow": (4 * GRID**2, 64)}
    features = [_input(name, shape, getattr(Type, kept)) for name, shape in shapes.items()]
    return [*features, _input("scribbles", (count, 1, SIZE, SIZE)), _input("has_scribble", (count,))]


def _input(name: str, shape: tuple[int, ...], dtype: type | Type = np.float32) -> Node:
    return named(op.parameter(PartialShape([Dimension(n) for n in shape]), dtype), name)


def _for_each(values: np.ndarray, boxes: Node) -> Node:
    """Repeat values for each prompt, ``(N, ...)``."""
    count = take(op.shape_of(boxes), [0])
    shape = op.concat([count, whole(*values.shape)], 0)
    return op.broadcast(op.constant(values.astype(np.float32)[None]), shape)


def _tokens(layers: Layers, points: Node, labels: Node, boxes: Node) -> tuple[Node, Node]:
    """Tokens, ``(N, T, 256)``, and what hides those that are padding, ``(N, 1, 1, T)``."""
    own = np.concatenate([layers.tensors["mask_decoder.iou_token"], layers.tensors["mask_decoder.mask_tokens"]])
    tokens = op.concat([_for_each(own, boxes), _point_tokens(layers, points, labels), _corners(layers, boxes)], 1)
    hidden = op.select(op.equal(labels, op.constant(np.int64(PADDING))), number(_HIDDEN), number(0))
    shown = _for_each(np.zeros(len(own), np.float32), boxes), _for_each(np.zeros(2, np.float32), boxes)
    return tokens, op.unsqueeze(op.concat([shown[0], hidden, shown[1]], 1), whole(1, 2))


def _position(layers: Layers, pixels: Node) -> Node:
    """Fourier features of (x, y) pixels, ``(..., 2)``."""
    # to -1..1, and from there to the phase
    unit = op.subtract(op.multiply(op.add(pixels, number(0.5)), number(2 / SIZE)), number(1))
    turns = np.float32(2 * np.pi) * layers.tensors["prompt_encoder.frequencies"]
    phase = op.matmul(unit, op.constant(turns), False, False)
    return op.concat([op.sin(phase), op.cos(phase)], -1)


def _kind(layers: Layers, number: int) -> np.ndarray:
    return layers.tensors[f"prompt_encoder.kinds.{number}"]


def _point_tokens(layers: Layers, points: Node, labels: Node) -> Node:
    tokens = _position(layers, points)
    labels = op.unsqueeze(labels, whole(-1))
    for label in (_NEGATIVE, _POSITIVE):
        is_it = op.equal(labels, op.constant(np.int64(label)))
        tokens = op.select(is_it, op.add(tokens, op.constant(_kind(layers, label))), tokens)
    return tokens


def _corners(layers: Layers, boxes: Node) -> Node:
    corners = np.concatenate([_kind(layers, 2), _kind(layers, 3)])
    return op.add(_position(layers, reshape(boxes, -1, 2, 2)), op.constant(corners))


def _grid_position(layers: Layers) -> Node:
    """Positions of the embedding's pixels, ``(4096, 256)``, a constant."""
    centre = (np.arange(GRID) + 0.5) / GRID * 2 - 1
    y, x = np.meshgrid(centre, centre, indexing="ij")
    frequencies = layers.tensors["prompt_encoder.frequencies"]
    phase = 2 * np.pi * (np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32) @ frequencies)
    return op.constant(np.concatenate([np.sin(phase), np.cos(phase)], axis=-1).astype(np.float32))


def _dense(layers: Layers, scribbles: Node, has_scribble: Node) -> Node:
    """The scribble's share of the image, ``(N, 4096, 256)``."""
    x, side = scribbles, SIZE
    # pixels come last, since channels are few
    for i in (0, 3):
        name = f"prompt_encoder.scribble_convs.{i}"
        # channel normalisation is a division by the spread where the mean is 0 already
        weight, bias = centred(*layers.affine(name))
        outputs, inputs = weight.shape[:2]
        side //= 2
        patches = transpose(reshape(x, -1, inputs, side, 2, side, 2), 0, 1, 3, 5, 2, 4)
        x = op.matmul(op.constant(weight.reshape(outputs, -1)), reshape(patches, 0, 4 * inputs, -1), False, False)
        x = op.add(x, op.constant(bias[:, None]))
        variance = op.add(op.reduce_mean(op.multiply(x, x), whole(1), True), number(CHANNEL_EPS))
        scale, shift = (op.constant(v[:, None]) for v in layers.affine(f"prompt_encoder.scribble_convs.{i + 1}"))
        x = gelu(op.add(op.multiply(op.multiply(x, op.power(variance, number(-0.5))), scale), shift))
    drawn = layers.linear("prompt_encoder.scribble_convs.6", transpose(x, 0, 2, 1))
    absent = op.constant(layers.tensors["prompt_encoder.no_scribble"])
    share = op.unsqueeze(has_scribble, whole(1, 2))
    return op.add(op.multiply(drawn, share), op.multiply(absent, op.subtract(number(1), share)))


def _heads(layers: Layers, name: str, tokens: Node) -> Node:
    """A linear layer, cut into heads, ``(N, 8, T, C)``."""
    inner = len(layers.tensors[f"{name}.weight"])
    return transpose(reshape(layers.linear(name, tokens), 0, -1, HEADS, inner // HEADS), 0, 2, 1, 3)


def _joined(heads: Node) -> Node:
    """Heads, ``(N, 8, T, C)``, to tokens, ``(N, T, 8 C)``."""
    inner = HEADS * heads.get_output_partial_shape(0)[3].get_length()
    return reshape(transpose(heads, 0, 2, 1, 3), 0, -1, inner)


def _weights_of_heads(layers: Layers, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Weight, ``(8, C, 256)``, and bias, ``(8, C, 1)``, of a projection of the image."""
    weight, bias = layers.affine(name)
    return weight.reshape(HEADS, -1, WIDTH), bias.reshape(HEADS, -1, 1)


def _self_attention(layers: Layers, name: str, query: Node, value: Node, mask: Node) -> Node:
    q, k, v = (_heads(layers, f"{name}.{x}_proj", t) for x, t in (("q", query), ("k", query), ("v", value)))
    scores = op.multiply(op.matmul(q, k, False, True), number((WIDTH / HEADS) ** -0.5))
    attended = op.matmul(op.softmax(op.add(scores, mask), -1), v, False, False)
    return layers.linear(f"{name}.out_proj", _joined(attended))


# Tokens are few and pixels many. Between the two, all projections are therefore calculated on the tokens' side: what
# a token and a head ask for, (Wq t) . (Wk x), is (Wk' Wq t) . x, and no pixel x is ever projected.


def _look(layers: Layers, name: str, query: Node, key: Node, image: Node) -> Node:
    """Tokens, ``(N, T, 256)``, attend to pixels, ``(N, 4096, 256)``."""
    weight, _ = _weights_of_heads(layers, f"{name}.k_proj")  # what the bias adds is the same for all pixels
    weight = weight * weight.shape[1] ** -0.5
    asked = op.matmul(_heads(layers, f"{name}.q_proj", query), op.constant(weight), False, False)
    scores = op.matmul(reshape(asked, 0, -1, WIDTH), key, False, True)
    # the last axis keeps OpenVINO from calculating all this in one kernel, which is slower
    shares = op.squeeze(op.softmax(op.unsqueeze(scores, whole(3)), 2), whole(3))
    seen = reshape(op.matmul(shares, image, False, False), 0, HEADS, -1, WIDTH)
    weight, bias = _weights_of_heads(layers, f"{name}.v_proj")
    value = op.add(op.matmul(seen, op.constant(weight), False, True), op.constant(bias.transpose(0, 2, 1)))
    return layers.linear(f"{name}.out_proj", _joined(value))


def _tell(layers: Layers, name: str, pixels: Node, key: Node, value: Node, mask: Node) -> Node:
    """Pixels, ``(N, 4096, 256)``, attend to tokens, ``(N, T, 256)``."""
    weight, bias = (x * x.shape[1] ** -0.5 for x in _weights_of_heads(layers, f"{name}.q_proj"))
    key = _heads(layers, f"{name}.k_proj", key)
    answers = reshape(op.matmul(key, op.constant(weight), False, False), 0, -1, WIDTH)
    scores = reshape(op.matmul(answers, pixels, False, True), 0, HEADS, -1, GRID**2)
    offset = op.add(op.matmul(key, op.constant(bias), False, False), transpose(mask, 0, 1, 3, 2))
    shares = reshape(op.softmax(op.add(scores, offset), 2), 0, -1, GRID**2)
    weight, bias = layers.affine(f"{name}.out_proj")
    weight = np.ascontiguousarray(weight.T).reshape(HEADS, -1, WIDTH)
    told = op.matmul(_heads(layers, f"{name}.v_proj", value), op.constant(weight), False, False)
    # the shares of a head add up to 1
    told = op.add(told, op.constant(bias / HEADS))
    return op.matmul(shares, reshape(told, 0, -1, WIDTH), True, False)


def _transformer(layers: Layers, tokens: Node, image: Node, place: Node, mask: Node) -> tuple[Node, Node]:
    """The two tokens that answers are read from, ``(N, 2, 256)``, and the image."""
    position = tokens
    for i in range(2):
        name = f"mask_decoder.transformer.layers.{i}"
        query = tokens if i == 0 else op.add(tokens, position)
        attended = _self_attention(layers, f"{name}.self_attention", query, tokens, mask)
        tokens = layers.layer_norm(f"{name}.norm1", attended if i == 0 else op.add(tokens, attended))
        key = op.add(image, place)
        seen = _look(layers, f"{name}.token_to_image", op.add(tokens, position), key, image)
        tokens = layers.layer_norm(f"{name}.norm2", op.add(tokens, seen))
        hidden = op.relu(layers.linear(f"{name}.mlp.0", tokens))
        tokens = layers.layer_norm(f"{name}.norm3", op.add(tokens, layers.linear(f"{name}.mlp.2", hidden)))
        told = _tell(layers, f"{name}.image_to_token", key, op.add(tokens, position), tokens, mask)
        image = layers.layer_norm(f"{name}.norm4", op.add(image, told))
    name = "mask_decoder.transformer.final"
    tokens, position = (take(x, [_IOU_TOKEN, _MASK_TOKEN], axis=1) for x in (tokens, position))
    seen = _look(layers, f"{name}_attention", op.add(tokens, position), op.add(image, place), image)
    return layers.layer_norm(f"{name}_norm", op.add(tokens, seen)), image


def _masks(layers: Layers, images: list[Node], tokens: Node, mask: Node) -> list[Node]:
    embedding, deep, shallow, scribbles, has_scribble = images
    image = op.add(op.convert(embedding, "f32"), _dense(layers, scribbles, has_scribble))
    tokens, x = _transformer(layers, tokens, image, _grid_position(layers), mask)
    for level, features in (("deep", deep), ("shallow", shallow)):
        name = f"mask_decoder.{level}"
        weight = layers.tensors[f"{name}_conv.weight"]
        weight = weight[:, : weight.shape[1] // 2, 0, 0]
        # the image half has the other half of this layer
        x = layers.linear(f"{name}_conv.prompt", x, weight, np.zeros(len(weight), np.float32))
        x = gelu(layers.layer_norm(f"{name}_norm", op.add(x, op.convert(features, "f32")), CHANNEL_EPS))
        # a transposed convolution makes 2x2 pixels of one, which stay together until the end
        weight, bias = layers.tensors[f"{name}_up.weight"], layers.tensors[f"{name}_up.bias"]
        outputs = weight.shape[1]
        weight = weight.transpose(2, 3, 1, 0).reshape(4 * outputs, -1)
        x = gelu(layers.linear(f"{name}_up", x, weight, np.tile(bias, 4)))
        if level == "deep":
            # made bytes of before the change of shape, it takes no step of its own
            x = layers.entering("mask_decoder.shallow_conv.prompt", x)
        x = reshape(x, 0, -1, outputs)
    mask_token = take(tokens, _MASK_TOKEN, axis=1)
    weights = op.unsqueeze(_head(layers, "mask_decoder.mask_heads.0", mask_token), whole(2))
    # pixels come as (row, column) of the embedding, then of the first 2x2, then of the second
    logits = transpose(reshape(op.matmul(x, weights, False, False), -1, GRID, GRID, 2, 2, 2, 2), 0, 1, 3, 5, 2, 4, 6)
    logits = reshape(logits, -1, SIZE, SIZE)
    iou_token = take(tokens, _IOU_TOKEN, axis=1)
    iou = op.gather(
        _head(layers, "mask_decoder.iou_head", iou_token), op.constant(np.int64(0)), op.constant(np.int64(1))
    )
    return [named(op.result(logits), "logits"), named(op.result(iou), "iou")]


def _head(layers: Layers, name: str, token: Node) -> Node:
    x = op.relu(layers.linear(f"{name}.0", token))
    return layers.linear(f"{name}.4", op.relu(layers.linear(f"{name}.2", x)))
