"""Parts of arrays, as tuples of slices."""

from collections.abc import Iterable


def around(places: Iterable[tuple[slice, ...]], margin: int) -> tuple[slice, ...]:
    """The least part of an array that holds all of some parts, and some more on each side as far as there is."""
    return tuple(
        slice(max(0, min(side.start for side in sides) - margin), max(side.stop for side in sides) + margin)
        for sides in zip(*places, strict=True)
    )
