"""The two halves of the network behind one small protocol, so that whatever is fastest can run them."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .choice import build, choose
from .model import Model, bundled_weights, tensors_of
from .probe import PADDING

if TYPE_CHECKING:
    from ..model import SwinLiteMedSAM

__all__ = ["NAMES", "PADDING", "Backend", "Features", "Model", "bundled_weights", "make_backend"]

NAMES = ("auto", "openvino", "openvino-int8", "torch")

Features = Any
"""What `Backend.encode` returned: arrays of its own kind that have `nbytes`."""


class Backend(Protocol):
    """Runs the network. Encoding and decoding may be called from two threads at once."""

    name: str
    batch: int
    """Most prompts that one call of `decode` should be given."""

    @property
    def description(self) -> str:
        """What runs and in which precision, for people to read."""

    def encode(self, pixels: NDArray[np.float32]) -> Features:
        """Do all that depends on an image alone.

        Parameters
        ----------
        pixels : array
            ``(3, 256, 256)`` in 0..1, from `Frame.input`.

        Returns
        -------
        Features
            In half precision.
        """

    def decode(
        self,
        features: Features,
        points: NDArray[np.float32],
        labels: NDArray[np.int64],
        boxes: NDArray[np.float32],
        scribbles: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Predict masks for N prompts on one image; `features` stay as they are.

        Parameters
        ----------
        features : Features
            From `encode` of this backend.
        points, labels : array
            ``(N, P, 2)`` (x, y) pixels of the frame and ``(N, P)`` `PointLabel` values; P may be 0.
        boxes : array
            ``(N, 4)`` x_min, y_min, x_max, y_max.
        scribbles : array or None
            ``(N, 1, 256, 256)`` of 0 and 1. None is not the same as zeros.

        Returns
        -------
        logits : array
            ``(N, 256, 256)``.
        iou : array
            ``(N,)``.
        """


def make_backend(model: "Model | SwinLiteMedSAM", name: str = "auto") -> Backend:
    """Prepare a model for prediction.

    Parameters
    ----------
    model : Model or SwinLiteMedSAM
        A network of torch is copied as it is now.
    name : str
        One of `NAMES`; ``auto`` is torch for a network of torch.

    Raises
    ------
    ValueError
        If there is no such backend here.
    """
    if name not in NAMES:
        raise ValueError(f"the backend must be one of {', '.join(NAMES)}, not {name!r}")
    if isinstance(model, Model):
        return choose(model) if name == "auto" else build(model, name)
    if name == "openvino-int8":
        raise ValueError("a network of torch has no ranges for 8 bits")
    if name == "openvino":
        from .openvino import OpenVINOBackend

        tensors = tensors_of(model)  # now, since a decoder for more prompts is compiled when it is first needed
        return OpenVINOBackend(lambda: tensors)
    # a network at hand may still be trained, and compiling costs more than a few images
    from .torch_backend import TorchBackend

    return TorchBackend(model)
