"""Carry boxes through a volume, slice by slice, from one slice of each outwards."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .predictor import Prediction, Predictor
from .prompts import bounding_box

MARGIN = 3
"""Pixels of the 256 frame by which the box of the next slice is larger than the mask (as published)."""


@dataclass(frozen=True)
class Step:
    """One object on one slice: the object's index, the slice, and what was predicted there."""

    object: int
    z: int
    prediction: Prediction


def count_steps(boxes: ArrayLike) -> int:
    """Number of steps that `propagate` takes for these boxes, ``(N, 6)``."""
    boxes = np.asarray(boxes, float).reshape(-1, 6)
    return sum(len(_slices(box)) for box in boxes)


def propagate(
    volume: Any,
    boxes: ArrayLike,
    predictor: Predictor,
    seeds: Sequence[int] | None = None,
    window: tuple[float, float] | None = None,
    first_slices: Sequence[int] | None = None,
    key: str | None = None,
) -> Iterator[Step]:
    """Segment objects through a volume.

    Each slice is read and encoded once and all objects that need it are decoded together. The next slice's
    box is the bounding box of the mask, grown by a margin; an empty mask falls back to the object's first
    box (reference: "From image to mask", 3D). Unlike the published loop every slice of a box is segmented,
    both ends included.

    Parameters
    ----------
    volume : array-like
        ``(Z, H, W)`` or ``(Z, H, W, 3)``, read slice by slice: NumPy, dask, zarr.
    boxes : array
        ``(N, 6)``: z0, y0, x0, z1, y1, x1 in pixels, both ends included.
    predictor : Predictor
        Makes the masks.
    seeds : sequence of int, optional
        Of the prompts of each object; 0 by default.
    window : (low, high), optional
        Intensity window.
    first_slices : sequence of int, optional
        Where each box was drawn; by default the middle of its range.
    key : str, optional
        Names the volume in the predictor's cache, so that slices encoded before are not encoded again.

    Yields
    ------
    Step
        First from each object's first slice upwards in z, then downwards. Closing the generator stops it.

    Raises
    ------
    ValueError
        If a range lies outside the volume, or a first slice outside its range.
    """
    boxes = np.asarray(boxes, float).reshape(-1, 6)
    if not len(boxes):
        return
    depth, size = len(volume), max(volume.shape[1:3])
    ranges = [_slices(box) for box in boxes]
    seeds = [0] * len(boxes) if seeds is None else seeds
    starts = [r[len(r) // 2] for r in ranges] if first_slices is None else list(first_slices)
    for number, (within, start) in enumerate(zip(ranges, starts, strict=True)):
        if within[0] < 0 or within[-1] >= depth:
            raise ValueError(f"box {number}: slices {within[0]}..{within[-1]} are outside 0..{depth - 1}")
        if start not in within:
            raise ValueError(f"box {number}: slice {start} is outside its range {within[0]}..{within[-1]}")

    flat = boxes[:, [1, 2, 4, 5]]
    current, after_start = list(flat), list(flat)
    margin = MARGIN * size / 256
    for direction in (1, -1):
        for z in range(min(starts), depth) if direction > 0 else range(max(starts) - 1, -1, -1):
            # the first slice belongs to the way up
            active = [
                i for i, r in enumerate(ranges) if z in r and (z >= starts[i] if direction > 0 else z < starts[i])
            ]
            if not active:
                continue
            predictor.set_image(np.asarray(volume[z]), window, None if key is None else (key, z))
            predictions = predictor.predict_many([current[i] for i in active], [seeds[i] for i in active])
            for i, prediction in zip(active, predictions, strict=True):
                current[i] = _next_box(prediction.mask, margin, flat[i])
                if z == starts[i]:
                    after_start[i] = current[i]
                yield Step(i, z, prediction)
        current = after_start


def segment_volume(volume: Any, boxes: ArrayLike, predictor: Predictor, **options: Any) -> NDArray[np.integer]:
    """Run `propagate` to the end.

    Returns
    -------
    array
        ``(Z, H, W)``, object i as i + 1, later objects over earlier ones; uint8, or uint16 above 255 objects.
    """
    boxes = np.asarray(boxes, float).reshape(-1, 6)
    labels = np.zeros(volume.shape[:3], label_dtype(len(boxes)))
    for step in propagate(volume, boxes, predictor, **options):
        plane = labels[step.z]
        plane[step.prediction.mask & (plane < step.object + 1)] = step.object + 1
    return labels


def label_dtype(count: int) -> type[np.unsignedinteger]:
    """Smallest type that the labels of `count` objects fit into."""
    return np.uint8 if count <= 255 else np.uint16


def _slices(box: NDArray[np.float64]) -> range:
    low, high = sorted((box[0], box[3]))
    return range(round(low), round(high) + 1)


def _next_box(mask: NDArray[np.bool_], margin: float, fallback: NDArray[np.float64]) -> NDArray[np.float64]:
    if not mask.any():
        return fallback
    y0, x0, y1, x1 = bounding_box(mask)
    height, width = mask.shape
    return np.array(
        [max(0, y0 - margin), max(0, x0 - margin), min(height - 1, y1 + margin), min(width - 1, x1 + margin)]
    )
