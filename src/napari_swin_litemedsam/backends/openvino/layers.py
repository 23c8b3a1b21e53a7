"""Layers in OpenVINO's operations, on tokens: pixels in rows, ``(..., L, C)``."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from openvino import Node
from openvino import opset13 as op

Ranges = Mapping[str, float]
"""Largest absolute value that enters a layer, by the name of the layer's weights."""


def whole(*values: int) -> Node:
    """A constant of whole numbers."""
    return op.constant(np.array(values, np.int64))


def named(node: Node, name: str) -> Node:
    """Give a model's input or output its name."""
    node.friendly_name = name
    node.output(0).tensor.names = {name}
    return node


def take(x: Node, index: ArrayLike, axis: int = 0) -> Node:
    return op.gather(x, op.constant(np.asarray(index, np.int64)), op.constant(np.int64(axis)))


def number(value: float) -> Node:
    """A constant."""
    return op.constant(np.float32(value))


def reshape(x: Node, *shape: int) -> Node:
    """0 keeps the axis, -1 is what remains."""
    return op.reshape(x, whole(*shape), True)


def transpose(x: Node, *order: int) -> Node:
    return op.transpose(x, whole(*order))


def gelu(x: Node) -> Node:
    return op.gelu(x, "erf")


def normalise(x: Node, eps: float) -> Node:
    """To mean 0 and variance 1 over the last axis."""
    return op.mvn(x, whole(-1), True, eps, "INSIDE_SQRT")


def centred(weight: NDArray, bias: NDArray) -> tuple[NDArray, NDArray]:
    """Weights, outputs first, whose outputs have mean 0, as the normalisation that follows would make them."""
    return weight - weight.mean(axis=0), bias - bias.mean()


class Layers:
    """Makes layers of a checkpoint's tensors.

    Parameters
    ----------
    tensors : dict
        Under our names, float32.
    ranges : dict, optional
        Layers named there calculate in 8 bits.
    """

    def __init__(self, tensors: Mapping[str, NDArray], ranges: Ranges | None = None):
        self.tensors = tensors
        self.ranges = ranges or {}
        self.marked: dict[str, Node] = {}
        """What enters each layer that may calculate in 8 bits."""

    def affine(self, name: str) -> tuple[NDArray, NDArray]:
        """Weight and bias of a layer; a bias that it has not is zeros."""
        weight = self.tensors[f"{name}.weight"]
        return weight, self.tensors.get(f"{name}.bias", np.zeros(len(weight), np.float32))

    def conv_norm(self, name: str) -> tuple[NDArray, NDArray]:
        """Weight and bias of a convolution with the batch normalisation after it."""
        scale, shift = self.affine(f"{name}.norm")
        mean, variance = self.tensors[f"{name}.norm.running_mean"], self.tensors[f"{name}.norm.running_var"]
        scale = scale / np.sqrt(variance + 1e-5)
        weight = self.tensors[f"{name}.conv.weight"]
        return weight * scale[:, None, None, None], shift - mean * scale

    def linear(self, name: str, x: Node, weight: NDArray | None = None, bias: NDArray | None = None) -> Node:
        """A linear layer; by default with the tensors of its name."""
        if weight is None or bias is None:
            weight, bias = self.affine(name)
        if name not in self.marked:
            x = self.entering(name, x)
        product = op.matmul(x, self._weights(name, weight.reshape(len(weight), -1)), False, True)
        return op.add(product, op.constant(bias.astype(np.float32)))

    def normalised_linear(self, name: str, norm: str, x: Node, rows: slice = slice(None)) -> Node:
        """A linear layer, or some of its outputs, on what was normalised to mean 0 and variance 1.

        Scale and shift of `norm` go into it.
        """
        weight, bias = self.affine(name)
        scale, shift = self.affine(norm)
        weight = weight.reshape(len(weight), -1)
        return self.linear(name, x, (weight * scale)[rows], (bias + weight @ shift)[rows])

    def layer_norm(self, name: str, x: Node, eps: float = 1e-5) -> Node:
        scale, shift = self.affine(name)
        return op.add(op.multiply(normalise(x, eps), op.constant(scale)), op.constant(shift))

    def convolution(self, name: str, x: Node, weight: NDArray, bias: NDArray, stride: int = 1, pad: int = 0) -> Node:
        """On ``(1, C, H, W)``; depthwise if the weight has one input."""
        settings = ([stride] * 2, [pad] * 2, [pad] * 2, [1, 1])
        if weight.shape[1] == 1 and pad:
            x = op.group_convolution(x, op.constant(weight[:, None].astype(np.float32)), *settings)
        else:
            x = op.convolution(self.entering(name, x), self._weights(name, weight), *settings)
        return op.add(x, op.constant(bias.astype(np.float32).reshape(1, -1, 1, 1)))

    def entering(self, name: str, x: Node) -> Node:
        """Mark what enters a layer; in 8 bits if its range is known."""
        self.marked[name] = x
        if name not in self.ranges:
            return x
        most = self.ranges[name]
        low = -most * 128 / 127
        return op.fake_quantize(x, *(np.float32(v) for v in (low, most, low, most)), 256)

    def _weights(self, name: str, weight: NDArray) -> Node:
        weight = weight.astype(np.float32)
        if name not in self.ranges:
            return op.constant(weight)
        scale = np.maximum(np.abs(weight).reshape(len(weight), -1).max(axis=1), 1e-12) / 127
        scale = scale.reshape(-1, *[1] * (weight.ndim - 1)).astype(np.float32)
        small = op.convert(op.constant(np.rint(weight / scale).astype(np.int8)), "f32")
        return op.multiply(small, op.constant(scale))
