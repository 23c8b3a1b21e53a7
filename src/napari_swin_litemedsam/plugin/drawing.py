"""Objects drawn on planes of label ids, and what the user has drawn there read back.

Where masks or scribbles overlap the object with the higher id is on top, and what the user has painted on a mask is
above all masks, so that the same objects always give the same picture.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .objects import BoxObject
from .patches import HandEdit, Mask, Patch
from .planes import Plane

T = TypeVar("T")


def draw_masks(labels: NDArray, objects: Iterable[BoxObject], plane: Plane, gone: Iterable[int] = ()) -> None:
    """Bring a plane of label ids up to date with the objects' masks.

    Parameters
    ----------
    labels : array of int
        ``(H, W)``, changed in place; ids that are of no object stay.
    objects : iterable of BoxObject
        All of the image.
    plane : Plane
        Where `labels` lie; masks on planes across it show where they meet it.
    gone : iterable of int
        Ids of objects that were removed.
    """
    ordered = sorted(objects, key=lambda item: item.id)
    _clear(labels, ordered, gone)
    for item in ordered:
        for own, mask in _meeting(item, item.masks, plane):
            mask.paint_across(own, labels, plane, item.id)
    for item in ordered:
        for own, hand in _meeting(item, item.hand, plane):
            hand.added.paint_across(own, labels, plane, item.id)


def draw_scribbles(labels: NDArray, objects: Iterable[BoxObject], plane: Plane, gone: Iterable[int] = ()) -> None:
    """Bring a plane of label ids up to date with the objects' scribbles; as `draw_masks`."""
    ordered = sorted(objects, key=lambda item: item.id)
    _clear(labels, ordered, gone)
    for item in ordered:
        if item.scribble is not None:
            item.scribble.paint_across(item.plane, labels, plane, item.id)


def _clear(labels: NDArray, objects: Collection[BoxObject], gone: Iterable[int]) -> None:
    # most planes are empty, or nearly so
    rows = np.flatnonzero(labels.any(axis=1))
    if len(rows):
        part = labels[rows[0] : rows[-1] + 1]
        part[np.isin(part, [*(item.id for item in objects), *gone])] = 0


def _meeting(item: BoxObject, parts: Mapping[Plane, T], plane: Plane) -> list[tuple[Plane, T]]:
    """Those of an object's parts that may meet a plane, each with its own plane."""
    same = [(plane, parts[plane])] if plane in parts else []
    if item.directions <= {plane.spans}:
        # an object may have a thousand of them, and all of its planes may be drawn at once
        return same
    return same + [(own, part) for own, part in parts.items() if own.spans != plane.spans]


def read_masks(
    labels: NDArray, objects: Collection[BoxObject], plane: Plane, reverted: bool = False
) -> dict[int, HandEdit]:
    """What the user has painted on the masks of a plane, or erased from them.

    Parameters
    ----------
    labels : array of int
        ``(H, W)``, as `draw_masks` has drawn it and the user changed it.
    objects, plane
        As in `draw_masks`; only objects whose masks lie on such planes are read.
    reverted : bool
        Whether the user has taken strokes back: pixels that are as the model drew them count as not painted on.

    Returns
    -------
    dict
        Of the objects whose pixels differ: all that the user has done to their masks of this plane.
    """
    drawn = labels.copy()
    draw_masks(drawn, objects, plane)
    changed = labels != drawn
    if not changed.any():
        return {}
    result = {}
    nothing = np.zeros(labels.shape, bool)
    for item in objects:
        if not (item.plane == plane or item.plane.joins(plane)):
            continue
        mask = item.masks[plane].full() if plane in item.masks else None
        gained = changed & (labels == item.id)
        # what lies below another object is erased with it
        lost = nothing if mask is None else changed & (labels != item.id) & mask
        if not (gained.any() or lost.any()):
            continue
        hand = item.hand.get(plane)
        added, removed = (nothing, nothing) if hand is None else (hand.added.full(), hand.removed.full())
        added, removed = (added | gained) & ~lost, (removed | lost) & ~gained
        if reverted:
            answer = item.answers[plane].full() if plane in item.answers else nothing
            added, removed = added & ~(gained & answer), removed & ~(lost & ~answer)
        result[item.id] = HandEdit(Patch.cut(added), Patch.cut(removed))
    return result


def read_scribbles(labels: NDArray, objects: Collection[BoxObject], plane: Plane) -> dict[int, Mask]:
    """What the user has painted on a plane of scribbles or erased from it: the scribbles that differ."""
    drawn = labels.copy()
    draw_scribbles(drawn, objects, plane)
    changed = labels != drawn
    if not changed.any():
        return {}
    result = {}
    for item in objects:
        if item.plane != plane:
            continue
        old = np.zeros(labels.shape, bool) if item.scribble is None else item.scribble.full()
        # where scribbles cross, the lower one goes on under the upper one
        new = (old | (changed & (labels == item.id))) & ~(changed & (drawn == item.id))
        if (new != old).any():
            result[item.id] = new
    return result
