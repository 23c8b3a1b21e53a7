"""Where and why objects were carried no further, in words for the user."""

from collections.abc import Collection

from ..stopping import Stop
from .carrying import boxes_of, ends_of
from .objects import BoxObject

_MOST_TOLD = 4  # objects in one message
_LOST = "nothing left"  # within a range no rule ends an object, but its masks may
_WHY: dict[str, str] = {
    Stop.RANGE: "the range ends",
    Stop.VOLUME: "the volume ends",
    Stop.EMPTY: "nothing was found",
    Stop.OUTSIDE: "the box lies outside the body",
    Stop.SHRUNK: "the mask got much smaller",
    Stop.GROWN: "the mask got much larger",
    Stop.JUMPED: "the mask lay elsewhere",
    Stop.UNSURE: "the model was unsure",
    Stop.CHANGED: "what the mask covered looked different",
    _LOST: "nothing was found that looks like it",
}
_ASKED_FOR = (Stop.RANGE, Stop.VOLUME)


def why_by_slice(item: BoxObject) -> dict[int, str]:
    """Slices that an object was carried no further at, from the lowest, and why."""
    # a slice where the range ends may be one without a mask
    return dict(sorted({position: _told(reason) for position, reason in [*ends_of(item), *_losses(item)]}.items()))


def unasked_ends(item: BoxObject) -> list[tuple[int, str]]:
    """Those of the ends that neither the range nor the volume has set, and that so need an explanation."""
    return sorted([end for end in ends_of(item) if end[1] not in _ASKED_FOR] + _losses(item))


def _losses(item: BoxObject) -> list[tuple[int, str]]:
    """Slices from which on masks that were carried there are empty, where no rule has ended the object."""
    carried = [plane for plane in item.carried if plane.joins(item.plane) and plane not in item.hand]
    empty = {plane.position or 0 for plane in carried if not item.masks.get(plane)}
    if not empty:
        return []
    starts = [plane.position or 0 for plane in boxes_of(item)]
    low, high = min(starts), max(starts)
    # before an end that a rule has found masks may be interpolated, and empty
    ended = [position for position, reason in ends_of(item) if reason not in _ASKED_FOR]
    if max(ended, default=high) > high:
        empty = {z for z in empty if z <= high}
    if min(ended, default=low) < low:
        empty = {z for z in empty if z >= low}
    return [(z, _LOST) for z in sorted(empty) if (z + 1 if z < low else z - 1) not in empty]


def told_of_carried(items: Collection[BoxObject]) -> str:
    """What has come of carrying some objects."""
    ends = [(item.id, unasked_ends(item)) for item in items]
    told = [f"Object {id} ends: {_listed(reasons)}." for id, reasons in ends if reasons]
    more = ["…"] if len(told) > _MOST_TOLD else []
    return " ".join([f"Carried {len(items)} object{'s' * (len(items) > 1)}.", *told[:_MOST_TOLD], *more])


def _listed(ends: list[tuple[int, str]]) -> str:
    return ", ".join(f"{_told(reason)} on slice {position}" for position, reason in ends)


def _told(reason: str) -> str:
    # a session of another version may hold other reasons
    return _WHY.get(reason, reason)
