"""Carry objects through a volume, slice by slice, from one slice of each outwards."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .consistency import WayThere
from .predictor import Predictor
from .slices import Slice
from .stopping import Stop, StopRules
from .tracks import Track, count_steps, tracks_of_boxes
from .walking import Options, Step, Walk

__all__ = [
    "Options",
    "Step",
    "Stop",
    "StopRules",
    "Track",
    "count_steps",
    "follow",
    "label_dtype",
    "propagate",
    "segment_volume",
]


def propagate(
    volume: Any,
    boxes: ArrayLike,
    predictor: Predictor,
    seeds: Sequence[int] | None = None,
    window: tuple[float, float] | None = None,
    first_slices: Sequence[int] | None = None,
    key: Hashable | None = None,
    options: Options | None = None,
) -> Iterator[Step]:
    """Segment objects with 3D boxes; see `follow` for objects with other ranges.

    Parameters
    ----------
    volume : array-like
        ``(Z, H, W)`` or ``(Z, H, W, 3)``, read slice by slice: NumPy, dask, zarr.
    boxes : array
        ``(N, 6)``: z0, y0, x0, z1, y1, x1 in pixels, both ends included.
    predictor : Predictor
        Makes the masks.
    seeds : sequence of int, optional
        Of the prompts of each object; 0 by default.
    window : (low, high), optional
        Intensities outside are cut off; None takes the whole range of each slice.
    first_slices : sequence of int, optional
        Where to begin; by default in the middle of each box.
    key : hashable, optional
        Names the volume in the predictor's cache, so that slices encoded before are not encoded again.
    options : Options, optional
        How objects are carried.

    Yields
    ------
    Step
        As in `follow`.

    Raises
    ------
    ValueError
        If a box lies outside the volume, or a first slice outside its box.
    """
    yield from follow(volume, tracks_of_boxes(boxes, first_slices, seeds), predictor, window, key, options)


def follow(
    volume: Any,
    tracks: Sequence[Track],
    predictor: Predictor,
    window: tuple[float, float] | None = None,
    key: Hashable | None = None,
    options: Options | None = None,
) -> Iterator[Step]:
    """Segment objects through a volume.

    Each slice is read and encoded once for all objects (where they begin on different slices, as long as the
    predictor's cache holds the slices between), and they are decoded together.

    Parameters
    ----------
    volume : array-like
        ``(Z, H, W)`` or ``(Z, H, W, 3)``, read slice by slice: NumPy, dask, zarr.
    tracks : sequence of Track
        One for each object.
    predictor : Predictor
        Makes the masks.
    window : (low, high), optional
        Intensities outside are cut off; None takes the whole range of each slice.
    key : hashable, optional
        Names the volume in the predictor's cache, so that slices encoded before are not encoded again.
    options : Options, optional
        How objects are carried.

    Yields
    ------
    Step
        From each object's highest box downwards as far as another object's, then upwards to the end, then the
        rest downwards. With ``options.consistent`` all but the slices with boxes, and those between, are drafts at
        first, and the final steps follow. Closing the generator stops it.

    Raises
    ------
    ValueError
        If a track, or one of its boxes, does not lie in the volume.
    """
    options = options or Options()
    if len(volume.shape) not in (3, 4):
        raise ValueError(f"expected a volume of shape (Z, H, W) or (Z, H, W, 3), got {volume.shape}")
    if not options.consistent:
        yield from _one_way(volume, tracks, predictor, window, key, options)
        return
    # the slices are needed again
    key = object() if key is None else key
    there = WayThere(tracks)
    for step in _one_way(volume, tracks, predictor, window, key, options):
        yield there.take(step)
    ways, owners = there.ways_back()
    yield from there.settle()
    # boxes get smaller towards an object's ends, not on the way from them
    for step in _one_way(volume, ways, predictor, window, key, replace(options, taper=0)):
        yield there.agree(replace(step, object=owners[step.object]))


def _one_way(
    volume: Any,
    tracks: Sequence[Track],
    predictor: Predictor,
    window: tuple[float, float] | None,
    key: Hashable | None,
    options: Options,
) -> Iterator[Step]:
    """From the boxes of all objects outwards, as `follow` tells."""
    walks = []
    # objects that begin on one slice all look at it
    slice_at = lru_cache(maxsize=2)(partial(Slice, volume, window=window))
    for number, track in enumerate(tracks):
        try:
            walks.append(Walk(number, track, volume.shape, options, slice_at))
        except ValueError as error:
            raise ValueError(f"object {number}: {error}") from None
    starts = [walk.start for walk in walks]
    own = object()
    for z, direction in _visits(starts, volume.shape[0]):
        for walk in walks:
            yield from walk.arrive(z, direction)
        active = [walk for walk in walks if walk.visits(z, direction)]
        if not active:
            continue
        image = slice_at(z)
        inside = []
        for walk in active:
            if walk.is_open(z, direction) and options.stops.outside(image, walk.box(z, direction)):
                yield from walk.end(z, direction, Stop.OUTSIDE)
            else:
                inside.append(walk)
        if not inside:
            continue
        # without a key, only slices between the starts are needed again, and others take no memory
        named = (own if key is None else key, z) if key is not None or min(starts) <= z <= max(starts) else None
        predictor.set_image(image, window, named, options.zoom)
        boxes = [walk.box(z, direction) for walk in inside]
        # one by one, since a large slice's masks of all objects take much room
        predictions = predictor.predict_each(boxes, [walk.track.seed for walk in inside])
        for walk, prediction in zip(inside, predictions, strict=True):
            yield from walk.take(z, direction, prediction, image)


def segment_volume(volume: Any, boxes: ArrayLike, predictor: Predictor, **more: Any) -> NDArray[np.integer]:
    """Run `propagate` to the end.

    Parameters
    ----------
    volume : array-like
        As in `propagate`.
    boxes : array
        ``(N, 6)``, as in `propagate`.
    predictor : Predictor
        Makes the masks.
    **more
        What else `propagate` takes, by name.

    Returns
    -------
    array
        ``(Z, H, W)``, object i as i + 1, later objects over earlier ones; uint8, or uint16 above 255 objects.
    """
    boxes = np.asarray(boxes, float).reshape(-1, 6)
    labels = np.zeros(volume.shape[:3], label_dtype(len(boxes)))
    for step in propagate(volume, boxes, predictor, **more):
        step.paint(labels[step.z], step.object + 1)
    return labels


def label_dtype(count: int) -> type[np.unsignedinteger]:
    """Smallest type that the labels of `count` objects fit into."""
    return np.uint8 if count <= 255 else np.uint16


def _visits(starts: Sequence[int], depth: int) -> Iterator[tuple[int, int]]:
    """Slices with directions, so ordered that those needed twice follow each other closely."""
    if not starts:
        return
    low, high = min(starts), max(starts)
    for direction, slices in ((-1, range(high, low - 1, -1)), (1, range(low, depth)), (-1, range(low - 1, -1, -1))):
        for z in slices:
            yield z, direction
