"""Boxes of a scan in a JSON file, as `docs/file-formats.md` describes it."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Geometry, Scan
from .files import CaseError, require_file
from .segments import Segment, stem_of

BOXES_SUFFIX = ".boxes.json"
_FIELDS = ("name", "label", "colour", "box", "unit", "slice")


@dataclass(frozen=True, eq=False)
class ScanBox:
    """A box of a boxes file.

    Parameters
    ----------
    segment : Segment
        Label id, name and colour.
    corners : array
        In pixels, both ends included: (z0, y0, x0, z1, y1, x1), or (y0, x0, y1, x1) on a slice or a flat image.
    z : int or None
        The slice that a box of four numbers lies on; None on a flat image.
    """

    segment: Segment
    corners: NDArray[np.float64]
    z: int | None = None


def read_boxes(path: str | os.PathLike, scan: Scan) -> list[ScanBox]:
    """Read the boxes of a scan.

    Raises
    ------
    CaseError
        If the file is none, or a box is empty, reversed or outside the scan; the message tells which box.
    """
    path = require_file(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise CaseError(f"{path}: not a JSON file ({error})") from error
    entries = content.get("boxes") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise CaseError(f"{path}: expected a list of boxes, or an object with a list named 'boxes'")
    if not entries:
        raise CaseError(f"{path}: holds no boxes")
    shape = scan.array.shape[:-1] if scan.is_colour else scan.array.shape
    boxes = []
    for number, entry in enumerate(entries, 1):
        try:
            boxes.append(_box(entry, number, shape, scan.geometry))
        except ValueError as error:
            raise CaseError(f"{path}: box {number}: {error}") from error
    return boxes


def segments_of(boxes: Sequence[ScanBox]) -> list[Segment]:
    """One segment for each label id; of boxes that share one, the first that has a name of its own."""
    segments: dict[int, Segment] = {}
    for segment in (box.segment for box in boxes):
        if segment.id not in segments or segments[segment.id].name == Segment(segment.id).name:
            segments[segment.id] = segment
    return sorted(segments.values(), key=lambda segment: segment.id)


def _box(entry: Any, number: int, shape: tuple[int, ...], geometry: Geometry | None) -> ScanBox:
    if not isinstance(entry, dict):
        raise ValueError(f"expected an object with a 'box', not {entry!r}")
    # null says nothing
    entry = {key: value for key, value in entry.items() if value is not None}
    if unknown := [key for key in entry if key not in _FIELDS]:
        raise ValueError(f"unknown field '{unknown[0]}'; known are {', '.join(_FIELDS)}")
    segment = Segment(entry.get("label", number), entry.get("name", ""), entry.get("colour", ""))
    corners = _numbers(entry.get("box"))
    if (unit := entry.get("unit", "voxel")) not in ("voxel", "mm"):
        raise ValueError(f"the unit is 'voxel' or 'mm', not {unit!r}")
    z = entry.get("slice")
    if z is not None:
        _check_slice(z, corners, unit, shape)
    elif len(corners) != 2 * len(shape):
        sides = "z0, y0, x0, z1, y1, x1" if len(shape) == 3 else "y0, x0, y1, x1"
        hint = ", or 4 and a 'slice'" if len(shape) == 3 else ""
        raise ValueError(f"expected {2 * len(shape)} numbers, {sides}{hint}; there are {len(corners)}")
    if unit == "mm":
        corners = _to_pixels(corners, geometry)
    _check_corners(corners, shape[-len(corners) // 2 :])
    return ScanBox(segment, corners, z)


def _numbers(box: Any) -> NDArray[np.float64]:
    if not isinstance(box, list):
        raise ValueError("has no list named 'box'")
    if len(box) not in (4, 6):
        raise ValueError(f"a box has 4 or 6 numbers, not {len(box)}")
    for value in box:
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise ValueError(f"{value!r} is not a number")
    return np.array(box, float)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _check_slice(z: Any, corners: NDArray, unit: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 3:
        raise ValueError("has a 'slice', but the image has none")
    if len(corners) != 4:
        raise ValueError(f"on a slice a box has 4 numbers, y0, x0, y1, x1, not {len(corners)}")
    if unit != "voxel":
        raise ValueError("on a slice a box is in voxels")
    if isinstance(z, bool) or not isinstance(z, int):
        raise ValueError(f"the slice is a whole number, not {z!r}")
    if not 0 <= z < shape[0]:
        raise ValueError(f"slice {z} is outside 0..{shape[0] - 1}")


def _to_pixels(corners: NDArray[np.float64], geometry: Geometry | None) -> NDArray[np.float64]:
    """The smallest box of pixels around a box of the world, whose sides may lie askew to it."""
    if geometry is None:
        raise ValueError("is in mm, but the scan tells no spacing")
    low, high = np.sort(corners.reshape(2, -1), axis=0)
    positions = geometry.to_index(list(product(*zip(low, high, strict=True))))
    # what is on a pixel up to rounding is on it
    positions = np.round(positions, 6)
    return np.concatenate([positions.min(axis=0), positions.max(axis=0)])


def _check_corners(corners: NDArray[np.float64], shape: tuple[int, ...]) -> None:
    low, high = corners.reshape(2, -1)
    for axis, first, last, side in zip("zyx"[-len(shape) :], low, high, shape, strict=True):
        if first > last:
            raise ValueError(f"its {axis} range is reversed: {first:g} to {last:g}")
        # one slice is a range, one row or column is none
        if axis != "z" and first == last:
            raise ValueError(f"is empty: {axis} from {first:g} to {last:g}")
        if last < 0 or first > side - 1:
            raise ValueError(f"lies outside the scan: {axis} from {first:g} to {last:g}, the scan from 0 to {side - 1}")


def name_of(path: Path) -> str:
    """What a scan is known by: the name of its file, without the ending, or of its folder."""
    # "." has no name, and that of a link counts
    return Path(os.path.abspath(path)).name if path.is_dir() else stem_of(path)


def boxes_of(path: Path, folder: Path | None) -> Path:
    """Where the boxes of a scan are looked for: beside it, or in a folder of boxes files."""
    beside = Path(os.path.abspath(path)).parent
    return (beside if folder is None else folder) / f"{name_of(path)}{BOXES_SUFFIX}"
