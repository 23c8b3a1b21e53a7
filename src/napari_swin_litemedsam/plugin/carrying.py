"""An object of the session as the propagation sees it: where it is known, and how far it is to go."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ..stopping import Stop
from .objects import BoxObject, State
from .planes import Box, Plane

if TYPE_CHECKING:
    from ..propagation import Options, Track


class Reach(StrEnum):
    """How far objects are carried, in words for the user."""

    SLICES = "through these slices"
    BOXES = "between each object's boxes"
    OPEN = "until each object ends"


@dataclass(frozen=True)
class Route:
    """What the user wants carried, and how far.

    Parameters
    ----------
    plane : Plane
        The boxes on its neighbours are meant.
    first, last : int
        Neighbours; they count if `reach` says so.
    reach : Reach
        How far.
    options : Options, optional
        Of the propagation.
    """

    plane: Plane
    first: int
    last: int
    reach: Reach = Reach.SLICES
    options: "Options | None" = None

    def objects(self, items: Iterable[BoxObject]) -> list[BoxObject]:
        """Those of some objects that it is a way for."""
        beside = [item for item in items if item.plane.joins(self.plane)]
        if self.reach is Reach.BOXES:
            return [item for item in beside if len(boxes_of(item)) > 1]
        if self.reach is Reach.OPEN:
            return beside
        inside = range(self.first, self.last + 1)
        return [item for item in beside if any(plane.position in inside for plane in boxes_of(item))]


def told_of_route(items: Sequence[BoxObject], route: Route) -> str:
    """What the user is told of objects that a route leaves where they are; nothing if there are none."""
    inside = route.objects(items)
    apart = [item for item in items if not item.plane.joins(route.plane)]
    outside = [item for item in items if item not in inside and item not in apart]
    told = []
    if outside and route.reach is Reach.BOXES:
        told.append(f"Objects with one box stay where they are: {_ids(outside)}.")
    elif outside:
        told.append(f"Boxes outside slices {route.first} to {route.last} stay where they are: {_ids(outside)}.")
    if apart:
        told.append(f"Boxes {elsewhere(apart, route.plane)} stay where they are: {_ids(apart)}.")
    elif not inside and route.reach is Reach.BOXES:
        told.append(
            "An object needs two boxes, or masks corrected by hand, on different slices: "
            "go to another slice and press Box here, too."
        )
    elif not inside:
        told.append("Draw a box on one of the slices first.")
    return " ".join(told)


def elsewhere(items: Iterable[BoxObject], plane: Plane) -> str:
    """Where objects lie whose slices are no neighbours of a plane."""
    turned = {item.plane.spans != plane.spans for item in items}
    return " or ".join({True: "in another view", False: "at another time point"}[way] for way in sorted(turned))


def _ids(items: Iterable[BoxObject]) -> str:
    return ", ".join(str(item.id) for item in items)


def tracks_of(items: Sequence[BoxObject], route: Route, shape: Sequence[int]) -> "list[Track]":
    """Make the ways of objects through a volume of this shape that are not done yet; if none is missing, of all."""
    tracks = [_track(item, route, resume=True) for item in items]
    if not any(track.count(shape[0]) for track in tracks):
        tracks = [_track(item, route, resume=False) for item in items]
    return tracks


def _track(item: BoxObject, route: Route, resume: bool) -> "Track":
    from ..propagation import Track

    boxes = {_position(plane): box for plane, box in boxes_of(item).items()}
    kept = {plane for plane in boxes_of(item) if plane in item.masks and _is_kept(item, plane)}
    done = {plane for plane in item.carried if plane.joins(item.plane) and plane in item.masks} if resume else set()
    low: int | None
    high: int | None
    if route.reach is Reach.OPEN:
        # an end that was found before stays one, unless a way back was still to come
        found = item.ends.keys() & item.carried.keys() if resume else set()
        stops = [_position(plane) for plane in found if item.ends[plane] != Stop.RANGE]
        low = max((z for z in stops if z < min(boxes)), default=None)
        high = min((z for z in stops if z > max(boxes)), default=None)
    else:
        first, last = (min(boxes), max(boxes)) if route.reach is Reach.BOXES else (route.first, route.last)
        low, high = first, last
        # where a rule has ended the object the user wants it found
        ended = {plane for plane in done & item.ends.keys() if not item.masks[plane] and item.ends[plane] != Stop.RANGE}
        done -= {plane for plane in ended if first <= _position(plane) <= last}
    # towards the end of a range boxes get smaller: where it goes on, what was made of them is to be done again
    ends = [_position(plane) for plane in outgrown_ends(item, low, high)]
    below, above = range(min(ends, default=min(boxes)), min(boxes)), range(max(boxes) + 1, max(ends, default=-1) + 1)
    done -= {plane for plane in done if _position(plane) in below or _position(plane) in above}
    known = {_position(plane): plane for plane in kept | done}
    # what goes on from a stretch that is done goes on from its ends, and looks as on the outermost boxes
    told = [
        z
        for z, plane in known.items()
        if plane in kept or z in (min(boxes), max(boxes)) or z - 1 not in known or z + 1 not in known
    ]
    masks = {z: item.masks[known[z]].full() for z in told}
    return Track(boxes, low, high, masks, set(known), item.seed)


def outgrown_ends(item: BoxObject, first: int | None, last: int | None) -> list[Plane]:
    """Planes that a range has ended at, within one that leads further; without ends it leads through the volume."""
    low = -float("inf") if first is None else first
    high = float("inf") if last is None else last
    ends = [plane for plane, reason in item.ends.items() if reason == Stop.RANGE and plane.joins(item.plane)]
    return [plane for plane in ends if low < _position(plane) < high]


def boxes_of(item: BoxObject) -> dict[Plane, Box]:
    """All boxes of an object that can be carried to each other: drawn ones, and around masks corrected by hand."""
    corrected = {plane: item.masks[plane].box for plane in item.hand if item.masks.get(plane)}
    return {plane: box for plane, box in (corrected | item.boxes).items() if plane.joins(item.plane)}


def ends_of(item: BoxObject) -> list[tuple[int, str]]:
    """Slices where propagation has stopped, from the lowest, with the reasons."""
    return sorted((_position(plane), reason) for plane, reason in item.ends.items() if plane.joins(item.plane))


def _is_kept(item: BoxObject, plane: Plane) -> bool:
    """Whether the mask on a slice with a box is the user's choice, and not only what the box alone gives."""
    corrected = item.edited or bool(item.anchors) or plane in item.hand
    return plane != item.plane or (corrected and item.state is State.DONE)


def neighbours(item: BoxObject, plane: Plane) -> tuple[float, float]:
    """Positions of the next boxes below and above a plane; infinite where there is none."""
    z = _position(plane)
    others = [_position(other) for other in boxes_of(item) if other != plane]
    return max((o for o in others if o < z), default=-float("inf")), min(
        (o for o in others if o > z), default=float("inf")
    )


def between(item: BoxObject, plane: Plane) -> list[Plane]:
    """The planes that were carried to and lie nearer to a plane than the next boxes on either side."""
    if plane.axis is None:
        return []
    low, high = neighbours(item, plane)
    return [other for other in item.carried if other.joins(plane) and low < _position(other) < high]


def carry_again(item: BoxObject, plane: Plane) -> None:
    """Let what was carried from a plane be done again, as far as the next boxes on either side; masks stay."""
    for other in between(item, plane):
        item.stop_carrying(other)


def _position(plane: Plane) -> int:
    assert plane.position is not None, "only planes that have neighbours are carried"
    return plane.position
