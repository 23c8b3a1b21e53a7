"""Swin-LiteMedSAM in napari: draw a box on a scan, get a mask.

The public names load on first use, so that importing the package costs neither torch nor napari.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    from ._version import __version__
except ImportError:  # a source tree that was never installed
    __version__ = "unknown"

if TYPE_CHECKING:
    from .answers import Prediction
    from .evaluation import dice, surface_dice
    from .io import read_case, read_labels, read_scan, write_labels, write_segmentation
    from .predictor import EmptyBoxError, Predictor, load_model
    from .propagation import Step, count_steps, propagate, segment_volume

_HOMES = {
    "EmptyBoxError": "predictor",
    "Prediction": "answers",
    "Predictor": "predictor",
    "Step": "propagation",
    "count_steps": "propagation",
    "dice": "evaluation",
    "load_model": "predictor",
    "propagate": "propagation",
    "read_case": "io",
    "read_labels": "io",
    "read_scan": "io",
    "segment_volume": "propagation",
    "surface_dice": "evaluation",
    "write_labels": "io",
    "write_segmentation": "io",
}

__all__ = [
    "EmptyBoxError",
    "Prediction",
    "Predictor",
    "Step",
    "__version__",
    "count_steps",
    "dice",
    "load_model",
    "propagate",
    "read_case",
    "read_labels",
    "read_scan",
    "segment_volume",
    "surface_dice",
    "write_labels",
    "write_segmentation",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
