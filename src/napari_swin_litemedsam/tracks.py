"""Where an object is to be looked for in a volume: its boxes, its range, and what is known of it already."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Box = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Track:
    """One object's way through a volume.

    Parameters
    ----------
    boxes : mapping
        (y0, x0, y1, x1) in pixels, by slice; at least one. Between the outermost of them boxes are
        interpolated; beyond, the mask of a slice gives the box of the next.
    first, last : int, optional
        Ends of the range, both included. Without one the object goes on until the volume ends or a rule of
        `StopRules` tells that the object does.
    masks : mapping
        ``(H, W)`` by slice: final masks, which the neighbouring slices go on from. Those on the outermost slices with
        boxes tell what the object looks like, where these are not segmented.
    done : collection of int
        Slices that are left alone, beside those of `masks`.
    seed : int
        Of the prompts.
    bounds : array, optional
        (y0, x0, y1, x1) that no box leaves.
    extent : (first, last), optional
        Slices that the object reaches from and to, if the range is but a part of them.
    shown_on : int, optional
        Slice of `masks` that tells what the object looks like, instead of the outermost ones with boxes.
    """

    boxes: Mapping[int, ArrayLike]
    first: int | None = None
    last: int | None = None
    masks: Mapping[int, Mask] = field(default_factory=dict)
    done: Collection[int] = ()
    seed: int = 0
    bounds: ArrayLike | None = None
    extent: tuple[int, int] | None = None
    shown_on: int | None = None

    @classmethod
    def of_box(
        cls, box: ArrayLike, start: int | None = None, seed: int = 0, within: tuple[int, int] | None = None
    ) -> "Track":
        """Make a track of a 3D box.

        Parameters
        ----------
        box : array
            (z0, y0, x0, z1, y1, x1), both ends included.
        start : int, optional
            The slice to begin with; by default the middle one, or the nearest to it.
        seed : int
            Of the prompts.
        within : (first, last), optional
            The slices that are asked for, both included; by default all of the box.

        Raises
        ------
        ValueError
            If `start` is outside the box, no slice is asked for, or its sides are no finite numbers.
        """
        z0, y0, x0, z1, y1, x1 = sides = np.asarray(box, float)
        if not np.isfinite(sides).all():
            raise ValueError(f"its sides are not all finite numbers: {sides.tolist()}")
        low, high = (round(z) for z in sorted((z0, z1)))
        first, last = (low, high) if within is None else (max(low, within[0]), min(high, within[1]))
        if first > last:
            raise ValueError(f"its slices {low}..{high} are none of those asked for")
        if start is None:
            start = min(max(low + (high - low + 1) // 2, first), last)
        if not first <= start <= last:
            raise ValueError(f"slice {start} is outside its range {first}..{last}")
        flat = np.array([min(y0, y1), min(x0, x1), max(y0, y1), max(x0, x1)])
        return cls({start: flat}, first, last, seed=seed, bounds=flat, extent=(low, high))

    def check(self, depth: int) -> None:
        """Check that the track lies in a volume of `depth` slices.

        Raises
        ------
        ValueError
            If it does not, or has no box, or its range is empty.
        """
        if not self.boxes:
            raise ValueError("has no box")
        first, last = self.span(depth)
        if first > last:
            raise ValueError(f"its range {first}..{last} is reversed")
        if first < 0 or last >= depth:
            raise ValueError(f"slices {first}..{last} are outside 0..{depth - 1}")
        outside = [z for z in (*self.boxes, *self.masks) if not 0 <= z < depth]
        if outside:
            raise ValueError(f"slice {outside[0]} is outside 0..{depth - 1}")

    def span(self, depth: int) -> tuple[int, int]:
        """First and last slice that may be visited in a volume of `depth` slices."""
        return 0 if self.first is None else self.first, depth - 1 if self.last is None else self.last

    def count(self, depth: int) -> int:
        """Number of slices to be segmented, at most."""
        first, last = self.span(depth)
        known = {*self.masks, *self.done}
        return last - first + 1 - sum(first <= z <= last for z in known)


def count_steps(boxes: ArrayLike) -> int:
    """Number of steps that `propagate` takes for these boxes, ``(N, 6)``, without `consistent`; see `Options.count`."""
    return sum(Track.of_box(box).count(0) for box in np.asarray(boxes, float).reshape(-1, 6))


def tracks_of_boxes(
    boxes: ArrayLike, starts: Sequence[int] | None = None, seeds: Sequence[int] | None = None
) -> list[Track]:
    """Tracks of 3D boxes, ``(N, 6)``; see `Track.of_box`."""
    boxes = np.asarray(boxes, float).reshape(-1, 6)
    for name, given in (("first slices", starts), ("seeds", seeds)):
        if given is not None and len(given) != len(boxes):
            raise ValueError(f"{len(boxes)} boxes have {len(given)} {name}")
    tracks = []
    for number, box in enumerate(boxes):
        try:
            start, seed = None if starts is None else starts[number], 0 if seeds is None else seeds[number]
            tracks.append(Track.of_box(box, start, seed))
        except ValueError as error:
            raise ValueError(f"box {number}: {error}") from None
    return tracks
