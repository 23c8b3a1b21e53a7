"""Where and why objects were carried no further, in words for the user."""

from collections.abc import Collection

from ..stopping import Stop
from .carrying import ends_of
from .objects import BoxObject

_MOST_TOLD = 4  # objects in one message
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
}
_ASKED_FOR = (Stop.RANGE, Stop.VOLUME)


def why_by_slice(item: BoxObject) -> dict[int, str]:
    """Slices that an object was carried no further at, from the lowest, and why."""
    return {position: _told(reason) for position, reason in ends_of(item)}


def unasked_ends(item: BoxObject) -> list[tuple[int, str]]:
    """Those of the ends that neither the range nor the volume has set, and that so need an explanation."""
    return [(position, reason) for position, reason in ends_of(item) if reason not in _ASKED_FOR]


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
