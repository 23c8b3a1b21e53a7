"""Every image seen twice, once in a mirror: masks that are sometimes better, for twice the time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from . import Backend, Features


@dataclass(frozen=True)
class _Twice:
    """Features of an image and of its mirror image, and how many columns of the frame were turned round."""

    image: "Features"
    mirrored: "Features"
    columns: int

    def __iter__(self) -> Iterator[Any]:
        yield from self.image
        yield from self.mirrored


class MirroredBackend:
    """The mean of the logits for an image and for its mirror image.

    Parameters
    ----------
    backend : Backend
        What runs the network.
    """

    def __init__(self, backend: "Backend"):
        self._backend = backend
        self.name = backend.name
        self.batch = backend.batch

    @property
    def description(self) -> str:
        """What runs, for people to read."""
        return f"{self._backend.description}, with mirror image"

    def encode(self, pixels: NDArray[np.float32]) -> _Twice:
        """See `Backend`."""
        used = np.flatnonzero(pixels.any(axis=(0, 1)))
        # images begin at the left edge of the frame, and so must mirror images
        columns = int(used[-1]) + 1 if len(used) else pixels.shape[2]
        turned = _turned(pixels, columns)
        return _Twice(self._backend.encode(pixels), self._backend.encode(turned), columns)

    def decode(
        self,
        features: _Twice,
        points: NDArray[np.float32],
        labels: NDArray[np.int64],
        boxes: NDArray[np.float32],
        scribbles: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `Backend`."""
        logits, iou = self._backend.decode(features.image, points, labels, boxes, scribbles)
        last = features.columns - 1
        # what lies beside the image, in the black, goes to the edge
        points = np.stack([np.maximum(last - points[..., 0], 0), points[..., 1]], axis=-1)
        x0, y0, x1, y1 = boxes.T
        boxes = np.stack([np.maximum(last - x1, 0), y0, np.maximum(last - x0, 0), y1], axis=-1)
        turned = None if scribbles is None else _turned(scribbles, features.columns)
        others, other_iou = self._backend.decode(features.mirrored, points, labels, boxes, turned)
        mean = logits.copy()
        mean[..., : features.columns] = (logits + _turned(others, features.columns))[..., : features.columns] / 2
        return mean, np.mean([iou, other_iou], axis=0, dtype=np.float32)


def _turned(array: NDArray[np.float32], columns: int) -> NDArray[np.float32]:
    """Turn the first columns of an array round; the others are 0."""
    result = np.zeros_like(array)
    result[..., :columns] = array[..., :columns][..., ::-1]
    return result
