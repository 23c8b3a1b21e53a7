"""One box with its prompts and its masks, and a run of the model on it."""

import itertools
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..prompts import differ
from .history import Key
from .patches import HandEdit, Mask, Patch
from .planes import Box, Plane

if TYPE_CHECKING:
    from ..propagation import Step

Window = tuple[float, float] | None

_versions = itertools.count()
_SAME = 1e-3  # pixels; nearer to a point drawn from the box, a point is that one


class State(StrEnum):
    """How far an object is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


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
    scribble: Patch | None = None
    points_edited: bool = False
    scribble_edited: bool = False
    drawn_points: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))  # the user may have left them
    drawn_scribble: Patch | None = None
    ious: dict[Plane, float] = field(default_factory=dict)  # as the model itself predicts
    state: State = State.WAITING
    message: str = ""
    committed: bool = False
    result_planes: frozenset[Plane] = frozenset()  # where the result has it
    answers: dict[Plane, Patch] = field(default_factory=dict)  # of the model
    hand: dict[Plane, HandEdit] = field(default_factory=dict)
    carried: dict[Plane, Box] = field(default_factory=dict)
    anchors: dict[Plane, Box] = field(default_factory=dict)  # boxes on other planes; their masks stay
    ends: dict[Plane, str] = field(default_factory=dict)  # why propagation stopped there
    version: int = field(default_factory=_versions.__next__)
    masks: dict[Plane, Patch] = field(default_factory=dict)  # the answers with the user's pixels
    directions: set[tuple[int, int]] = field(default_factory=set)  # axes of all planes that ever had a mask

    @property
    def iou(self) -> float | None:
        """Predicted IoU of the mask on the box's plane."""
        return self.ious.get(self.plane)

    @property
    def iou_by_position(self) -> dict[int, float]:
        """Predicted IoU of all masks on neighbours of the box's plane."""
        planes = [plane for plane in self.ious if plane.joins(self.plane) and plane in self.masks]
        return {plane.position: self.ious[plane] for plane in planes if plane.position is not None}

    @property
    def boxes(self) -> dict[Plane, Box]:
        """The current box and those on other planes."""
        return {**self.anchors, self.plane: self.box}

    @property
    def edited(self) -> bool:
        """Whether the user has changed points or scribble."""
        return self.points_edited or self.scribble_edited

    @property
    def placed(self) -> NDArray[np.bool_]:
        """Which points the user has moved or added."""
        return differ(self.points, self.drawn_points, _SAME)

    @property
    def settled(self) -> bool:
        """Whether neither a run goes on nor one is waited for."""
        return self.state in (State.DONE, State.FAILED)

    @property
    def given(self) -> bool:
        """Whether the mask on the box's plane was made elsewhere, and no prompt changed since."""
        return self.state is State.DONE and self.plane in self.answers and self.plane not in self.ious

    @property
    def stage(self) -> str:
        """How far it is, for the user: a state, or what its masks come from."""
        if self.committed:
            return "committed"
        if self.state is not State.DONE:
            return str(self.state)
        if self.hand:
            return "edited"
        if len(self.masks) > 1:
            return "propagated"
        return "edited" if self.edited else "previewed"

    def wait(self) -> None:
        """Ask for a new run; what is running becomes outdated."""
        self.outdate()
        self.committed = False
        self.state = State.WAITING
        self.message = ""

    def drop_drawn(self) -> None:
        """Drop the prompts that the user has not changed: others are drawn with the next answer."""
        if not self.points_edited:
            self.points, self.point_labels, self.drawn_points = np.zeros((0, 2)), np.zeros(0, int), np.zeros((0, 2))
        if not self.scribble_edited:
            self.scribble = self.drawn_scribble = None

    def outdate(self) -> None:
        """Let what is running come to nothing."""
        self.version = next(_versions)

    def answer(self, plane: Plane, mask: Mask) -> None:
        """Take the model's mask of a plane; the user's pixels stay."""
        self.answers[plane] = Patch.cut(mask)
        self.compose(plane)

    def stop_carrying(self, plane: Plane) -> None:
        """Let a plane be one that propagation has not come to; its mask stays."""
        self.carried.pop(plane)
        self.ends.pop(plane, None)

    def forget(self, plane: Plane) -> None:
        """Drop the model's mask of a plane; the user's pixels stay."""
        self.answers.pop(plane, None)
        self.ious.pop(plane, None)
        self.compose(plane)

    def compose(self, plane: Plane) -> None:
        """Bring the mask of a plane up to date with the model's answer and the user's pixels."""
        answer, hand = self.answers.get(plane), self.hand.get(plane)
        mask = answer if hand is None else hand.applied_to(answer)
        if mask is None:
            self.masks.pop(plane, None)
        else:
            self.masks[plane] = mask
            self.directions.add(plane.spans)

    def remembered(self) -> dict[Key, Any]:
        """All that undo brings back; its values are replaced, never changed."""
        values: dict[Key, Any] = {}
        for name in REMEMBERED:
            value = getattr(self, name)
            if isinstance(value, dict):
                values |= {(self.id, name, plane): part for plane, part in value.items()}
            else:
                values[self.id, name, None] = value
        if self.state is State.RUNNING:
            # what runs now will not be waited for later
            values[self.id, "state", None] = State.WAITING
        return values

    def recall(self, name: str, plane: Plane | None, value: Any) -> None:
        """Set one of the remembered values; of a plane, None takes it away."""
        if plane is None:
            setattr(self, name, value)
            return
        part = getattr(self, name)
        if value is None:
            part.pop(plane, None)
        else:
            part[plane] = value
        if name in ("answers", "hand"):
            self.compose(plane)


REMEMBERED = tuple(f.name for f in fields(BoxObject) if f.name not in ("id", "version", "masks", "directions"))


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
    placed: NDArray[np.bool_] | None
    scribble: Mask | bool | None
    painted: Mask | None
    window: Window
    key: tuple


@dataclass(frozen=True)
class Carried:
    """One step of a propagation, with the object that it belongs to."""

    id: int
    version: int
    plane: Plane
    step: "Step"


@dataclass(frozen=True)
class Change:
    """What of a session differs from before.

    Parameters
    ----------
    ids : frozenset of int
        Objects that were made, edited, answered or removed.
    planes : frozenset of Plane
        Where masks or scribbles differ.
    waits : bool
        Whether one of the objects waits for a run.
    goes_on : bool
        Whether it is a step of a propagation, which others follow.
    """

    ids: frozenset[int]
    planes: frozenset[Plane]
    waits: bool
    goes_on: bool = False
