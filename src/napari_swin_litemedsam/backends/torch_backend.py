"""The network run by torch: on the processor, CUDA or MPS."""

import copy
import warnings
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..model import SwinLiteMedSAM
from ..model.image_encoder import ConvNorm
from .lite_medsam import LiteMedSAM
from .probe import TOLERANCE, difference, probe

N = TypeVar("N", bound=nn.Module)


class TorchBackend:
    """Runs a copy of a network, as it was when this was made.

    Parameters
    ----------
    network : SwinLiteMedSAM or LiteMedSAM
        On the device that shall be used.
    half : bool, optional
        Whether to calculate in half precision; by default where the device is fast at it and agrees with
        float32 on the processor.
    """

    name = "torch"
    batch = 32

    def __init__(self, network: SwinLiteMedSAM | LiteMedSAM, half: bool | None = None):
        self._device = next(network.parameters()).device
        self._network = fused(network)
        if self._device.type == "cpu":
            self._half = torch.bfloat16
            self.is_half = has_fast_bf16() if half is None else half
            return
        self._half = torch.float16
        self.is_half = half is not False
        if half is None and not self._half_is_right(network):
            warnings.warn(
                f"{self._device.type} in half precision fails, or disagrees with float32, which is used and is slower",
                stacklevel=2,
            )
            self.is_half = False

    @property
    def description(self) -> str:
        """What runs, for people to read."""
        kind = str(self._half).removeprefix("torch.") if self.is_half else "float32"
        return f"torch {torch.__version__.partition('+')[0]}, {kind}, {self._device}"

    def encode(self, pixels: NDArray[np.float32]) -> Any:
        """See `Backend`."""
        try:
            with torch.inference_mode(), self._precision():
                features = self._network.encode_image(torch.from_numpy(pixels)[None].to(self._device))
            return type(features)(*(x.half() for x in features))
        except RuntimeError as error:
            if not lacks_memory(error):
                raise
        raise self._no_memory()

    def decode(
        self,
        features: Any,
        points: NDArray[np.float32],
        labels: NDArray[np.int64],
        boxes: NDArray[np.float32],
        scribbles: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `Backend`; in smaller parts if memory does not suffice for all prompts together."""
        some = points.shape[1] > 0
        try:
            with torch.inference_mode(), self._precision():
                logits, iou = self._network.decode(
                    type(features)(*(x.float() for x in features)),
                    self._tensor(points) if some else None,
                    self._tensor(labels) if some else None,
                    self._tensor(boxes),
                    None if scribbles is None else self._tensor(scribbles),
                )
            return logits.float().cpu().numpy(), iou.float().cpu().numpy()
        except RuntimeError as error:
            if not lacks_memory(error):
                raise
        # not before the error is gone, which holds on to what was calculated
        middle = len(boxes) // 2
        if not middle:
            raise self._no_memory()

        halves = []
        for rows in (slice(middle), slice(middle, None)):
            some_scribbles = None if scribbles is None else scribbles[rows]
            halves.append(self.decode(features, points[rows], labels[rows], boxes[rows], some_scribbles))
        all_logits, all_iou = zip(*halves, strict=True)
        return np.concatenate(all_logits), np.concatenate(all_iou)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self._device.type, self._half, enabled=self.is_half)

    def _tensor(self, array: NDArray) -> Tensor:
        return torch.from_numpy(array).to(self._device)

    def _no_memory(self) -> MemoryError:
        return MemoryError(f"{self._device} has too little memory left; free some, or let the processor calculate")

    def _half_is_right(self, network: SwinLiteMedSAM | LiteMedSAM) -> bool:
        exact = TorchBackend(copy.deepcopy(network).cpu(), half=False)
        try:
            logits = probe(self)
        except (RuntimeError, MemoryError):  # what the device lacks in half precision it may have in float32
            return False
        return difference(logits, probe(exact)) < TOLERANCE


def lacks_memory(error: RuntimeError) -> bool:
    """Whether torch tells that memory was refused: by CUDA and MPS, and by the processor's system."""
    return any(told in str(error) for told in ("out of memory", "allocate memory", "not enough memory"))


def has_fast_bf16() -> bool:
    """Whether this processor has instructions for bf16; without them it is slower than float32 by a multiple."""
    ask = getattr(torch.cpu, "get_capabilities", None)
    capabilities = ask() if ask else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def fused(network: N) -> N:
    """A copy in float32 for inference, with batch normalisation inside its convolutions."""
    copied = copy.deepcopy(network).float().eval().requires_grad_(False)
    for module in copied.modules():
        if isinstance(module, ConvNorm):
            module.conv = fuse_conv_bn_eval(module.conv, module.norm)
            module.add_module("norm", nn.Identity())
    return copied.to(memory_format=torch.channels_last)
