"""Planes of an image of any number of axes: where boxes, prompts and masks lie."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Box = tuple[float, float, float, float]  # y0, x0, y1, x1 in pixels of a plane
_IN_MEMORY = 2**30  # bytes


@dataclass(frozen=True)
class Plane:
    """A plane of an image, parallel to two of its axes.

    Whatever way round the viewer shows it, its rows run along the first of the two and its columns along the second.

    Parameters
    ----------
    at : tuple
        The position on each axis of the image, None on the two that the plane spans.
    axis : int, optional
        The axis along which boxes are carried from it to its neighbours; None in an image without depth.

    Examples
    --------
    Slice 7 of a volume (z, y, x), and a coronal plane of the same volume:

    >>> Plane((7, None, None), axis=0), Plane((None, 40, None), axis=1)  # doctest: +SKIP
    """

    at: tuple[int | None, ...]
    axis: int | None = None

    @classmethod
    def of(cls, shape: Sequence[int], spans: Sequence[int], position: ArrayLike, channel: int | None = None) -> "Plane":
        """The plane that spans two axes of an image and lies nearest to a position; channels are no neighbours."""
        nearest = np.clip(np.rint(position), 0, np.array(shape) - 1)
        deep = [axis for axis, side in enumerate(shape) if axis not in (*spans, channel) and side > 1]
        at = tuple(None if axis in spans else int(place) for axis, place in enumerate(nearest))
        return cls(at, deep[-1] if deep else None)

    @cached_property
    def spans(self) -> tuple[int, int]:
        """The two axes."""
        rows, columns = (axis for axis, place in enumerate(self.at) if place is None)
        return rows, columns

    @property
    def position(self) -> int | None:
        """Where it is among its neighbours; the number of a slice."""
        return None if self.axis is None else self.at[self.axis]

    @property
    def place(self) -> str:
        """Where it is along the axes that it does not span, for the user."""
        hidden = [str(place) for place in self.at if place is not None]
        return hidden[0] if len(hidden) == 1 else f"({', '.join(hidden)})"

    @property
    def index(self) -> tuple[int | slice, ...]:
        """What takes the plane out of an array."""
        return tuple(slice(None) if place is None else place for place in self.at)

    def moved(self, position: int, along: int | None = None) -> "Plane":
        """The parallel plane at another position, among its neighbours or along another axis that it does not span."""
        axis = self.axis if along is None else along
        assert axis is not None, "an image without depth has one plane"
        return replace(self, at=(*self.at[:axis], position, *self.at[axis + 1 :]))

    def parallels(self, where: Sequence[Any]) -> list["Plane"]:
        """The parallel planes that meet a part of the image, a slice or an array of positions for each axis."""
        hidden = [axis for axis, place in enumerate(self.at) if place is not None]
        planes = []
        for places in product(*(_places(where[axis]) for axis in hidden)):
            at = list(self.at)
            for axis, place in zip(hidden, places, strict=True):
                at[axis] = place
            planes.append(replace(self, at=tuple(at)))
        return planes

    def joins(self, other: "Plane") -> bool:
        """Whether boxes can be carried from one to the other."""
        return self.axis is not None and self.axis == other.axis and self._stack == other._stack

    @cached_property
    def _stack(self) -> tuple[int | None, ...]:
        """What it has in common with its neighbours, which may be asked for thousands of times."""
        return tuple(place for axis, place in enumerate(self.at) if axis != self.axis)

    def lift(self, positions: ArrayLike) -> NDArray[np.float64]:
        """Turn positions on the plane, ``(N, 2)``, into positions in the image, ``(N, ndim)``."""
        positions = np.asarray(positions, float).reshape(-1, 2)
        lifted = np.tile(np.array([place or 0 for place in self.at], float), (len(positions), 1))
        lifted[:, self.spans] = positions
        return lifted

    def drop(self, positions: NDArray) -> NDArray[np.float64]:
        """Positions in the image, ``(N, ndim)``, as positions on the plane, ``(N, 2)``."""
        return positions[:, self.spans]

    def holds(self, positions: NDArray) -> NDArray[np.bool_]:
        """For which of some positions in the image, ``(N, ndim)``, it is the nearest of its kind."""
        hidden = [axis for axis, place in enumerate(self.at) if place is not None]
        return (np.rint(positions[:, hidden]) == [self.at[axis] for axis in hidden]).all(axis=1)

    def rectangle(self, box: Box) -> NDArray[np.float64]:
        """Corners of a box, ``(4, ndim)``, as napari draws it."""
        y0, x0, y1, x1 = box
        return self.lift([[y0, x0], [y0, x1], [y1, x1], [y1, x0]])


def _places(where: Any) -> list[int]:
    return list(range(where.start, where.stop)) if isinstance(where, slice) else np.unique(where).tolist()


class Stack:
    """The neighbours of a plane as a volume (depth, rows, columns), read plane by plane.

    Parameters
    ----------
    data : array-like
        With the axes of the image, and perhaps one of colours after them.
    plane : Plane
        One that has an axis.
    """

    def __init__(self, data: Any, plane: Plane):
        assert plane.axis is not None, "an image without depth has one plane"
        self._data, self._plane = data, plane
        sides = data.shape
        self.shape = (sides[plane.axis], *(sides[axis] for axis in plane.spans), *sides[len(plane.at) :])

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, position: int) -> NDArray:
        return np.asarray(self._data[self._plane.moved(position).index])


def blank_labels(shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Label ids that are all 0, of which only the planes that something is written on take room.

    Beyond a gigabyte they lie in a temporary file, which goes with the array: systems refuse to promise more memory
    than they have, even if it is never used. On Windows, where files are not sparse unless asked for, it takes its full
    size.
    """
    if math.prod(shape) * 2 <= _IN_MEMORY:
        return np.zeros(shape, np.uint16)
    with tempfile.TemporaryFile(prefix="swin-litemedsam-") as file:
        return np.asarray(np.memmap(file, np.uint16, "w+", shape=shape))
