"""One box with its prompts and its masks, and a run of the model on it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..propagation import Step

Index = tuple[int, ...]  # of a 2D image (), of a slice of a volume (z,)
Box = tuple[float, float, float, float]  # y0, x0, y1, x1 in image pixels
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
        """Set the mask's pixels of a slice to `value`."""
        height, width = self.pixels.shape
        labels[self.top : self.top + height, self.left : self.left + width][self.pixels] = value


@dataclass(eq=False)
class BoxObject:
    """A box with its prompts and its masks.

    Parameters
    ----------
    id : int
        Label id.
    index : tuple of int
        The slice that the box and its prompts lie on; empty in 2D.
    box : tuple of float
        (y0, x0, y1, x1) in image pixels.
    """

    id: int
    index: Index
    box: Box
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
    masks: dict[Index, Patch] = field(default_factory=dict)
    carried: dict[Index, Box] = field(default_factory=dict)

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
    index: Index
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
    step: "Step"
