"""One box with its prompts and its masks, and a run of the model on it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .planes import Box, Plane

if TYPE_CHECKING:
    from ..propagation import Step

Window = tuple[float, float] | None
Mask = NDArray[np.bool_]


class State(StrEnum):
    """How far an object is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Patch:
    """A mask without the empty surroundings, so that a whole volume of them stays small."""

    top: int
    left: int
    pixels: Mask

    @classmethod
    def cut(cls, mask: Mask) -> "Patch":
        """Keep the part of a mask that holds something."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            return cls(0, 0, np.zeros((0, 0), bool))
        return cls(int(rows[0]), int(columns[0]), mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy())

    @property
    def box(self) -> Box:
        """Bounding box, both ends included."""
        height, width = self.pixels.shape
        return self.top, self.left, self.top + height - 1, self.left + width - 1

    def paint(self, labels: NDArray, value: int) -> None:
        """Set the mask's pixels of its plane to `value`."""
        height, width = self.pixels.shape
        labels[self.top : self.top + height, self.left : self.left + width][self.pixels] = value

    def paint_across(self, own: Plane, labels: NDArray, plane: Plane, value: int) -> None:
        """Set those pixels of another plane to `value` where the mask, on its own plane, meets it."""
        if any(here != there for here, there in zip(own.at, plane.at, strict=True) if None not in (here, there)):
            return
        source: list[int | slice] = [slice(None), slice(None)]
        target: list[Any] = [own.at[axis] for axis in plane.spans]
        starts = self.top, self.left
        for side, (axis, start, length) in enumerate(zip(own.spans, starts, self.pixels.shape, strict=True)):
            place = plane.at[axis]
            if place is None:
                target[plane.spans.index(axis)] = slice(start, start + length)
            elif start <= place < start + length:
                source[side] = place - start
            else:
                return
        met = self.pixels[tuple(source)]
        labels[tuple(target)] = np.where(met, value, labels[tuple(target)])


@dataclass(eq=False)
class BoxObject:
    """A box with its prompts and its masks.

    Parameters
    ----------
    id : int
        Label id.
    plane : Plane
        Where the box and its prompts lie.
    box : tuple of float
        (y0, x0, y1, x1) in pixels of the plane.
    """

    id: int
    plane: Plane
    box: Box
    name: str = ""
    seed: int = 0
    points: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    point_labels: NDArray[np.int_] = field(default_factory=lambda: np.zeros(0, int))
    scribble: Mask | None = None
    points_edited: bool = False
    scribble_edited: bool = False
    iou: float | None = None
    state: State = State.WAITING
    message: str = ""
    version: int = 0
    masks: dict[Plane, Patch] = field(default_factory=dict)
    carried: dict[Plane, Box] = field(default_factory=dict)

    @property
    def edited(self) -> bool:
        """Whether the user has changed points or scribble."""
        return self.points_edited or self.scribble_edited

    def wait(self) -> None:
        """Ask for a new run; what is running becomes outdated."""
        self.version += 1
        self.state = State.WAITING
        self.message = ""


@dataclass(frozen=True)
class Request:
    """One run of the model on one object, frozen at the time of asking."""

    id: int
    version: int
    plane: Plane
    box: Box
    seed: int
    points: NDArray[np.float64] | None
    point_labels: NDArray[np.int_] | None
    scribble: Mask | bool | None
    window: Window
    key: tuple


@dataclass(frozen=True)
class Carried:
    """One step of a propagation, with the object that it belongs to."""

    id: int
    version: int
    plane: Plane
    step: "Step"
