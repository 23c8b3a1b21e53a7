"""Labels on the grid of what they belong to, of which files may hold but a part."""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..geometry import SAME_PIXELS, SAME_PLACE, Geometry, distance
from .files import CaseError


def place_on(
    path: str | os.PathLike,
    shape: Sequence[int],
    geometry: Geometry | None,
    whole: Sequence[int],
    grid: Geometry | None,
    owner: str,
) -> NDArray[np.integer]:
    """Where the first pixel of labels lies on a grid.

    3D Slicer may save no more than the part that its segments lie in, and DICOM-SEG no slices without labels.

    Parameters
    ----------
    path : path
        Of the labels, for messages.
    shape, geometry : sequence of int, Geometry or None
        Of the labels.
    whole, grid : sequence of int, Geometry or None
        Of what they belong to.
    owner : str
        What that is, for messages.

    Returns
    -------
    array of int
        Along each axis; zeros where the shapes are the same.

    Raises
    ------
    CaseError
        If the labels' pixels are not the grid's.
    """
    at = np.zeros(len(whole), int)
    if tuple(shape) == tuple(whole):
        off = distance(geometry, grid, shape)
        if off > SAME_PLACE:
            raise CaseError(f"{path}: lies elsewhere in space than {owner}, by up to {off:.1f} pixels; resample it")
        return at
    told = f"{path}: shape {tuple(shape)} instead of {tuple(whole)}"
    # an origin of 0 tells of no place
    if len(shape) != len(whole) or geometry is None or grid is None or not any(geometry.origin):
        raise CaseError(told)
    at = np.rint(grid.to_index(geometry.origin)).astype(int)
    there = Geometry.make(grid.spacing, grid.to_world(at), grid.direction)
    if distance(geometry, there, shape) > SAME_PIXELS or (at >= whole).any() or (at + shape <= 0).any():
        raise CaseError(f"{told}, and no part of the grid of {owner}; resample it")
    return at


def cut(ids: NDArray, low: NDArray[np.integer], high: NDArray[np.integer]) -> NDArray:
    """The part of an array from one corner to another, 0 where there is none of it."""
    if not low.any() and (high == ids.shape).all():
        return ids
    part = np.zeros(high - low, ids.dtype)
    ends = [(max(0, first), min(side, last)) for first, last, side in zip(low, high, ids.shape, strict=True)]
    to = tuple(slice(start - first, stop - first) for (start, stop), first in zip(ends, low, strict=True))
    part[to] = ids[tuple(slice(start, stop) for start, stop in ends)]
    return part
