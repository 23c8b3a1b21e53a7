"""Carry objects through a volume, slice by slice, from one slice of each outwards."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .interpolation import interpolate_boxes, interpolate_masks
from .postprocessing import connected_to, fill_holes
from .predictor import Prediction, Predictor, clip_box
from .preprocessing import FRAME_SIZE
from .prompts import bounding_box
from .stopping import Stop, StopRules
from .tracks import Box, Mask, Track, count_steps, tracks_of_boxes

__all__ = ["Options", "Step", "Stop", "Track", "count_steps", "follow", "label_dtype", "propagate", "segment_volume"]

# of a box's size from one slice to the next, so that less is lost should the range end before the object does
_LEAST_SHARE = 0.8


@dataclass(frozen=True)
class Options:
    """How objects are carried from slice to slice.

    Parameters
    ----------
    margin : float
        From the mask's outermost pixels to the next slice's box, in pixels of the 256 frame.
    spacing : sequence of float, optional
        (z, y, x) of the volume in mm; with it `margin_mm` counts instead of `margin`.
    margin_mm : float
        Margin for each mm between slices.
    taper : float
        How much smaller boxes get towards the ends of a range inside the volume, by no more than a fifth a slice:
        0.5 as the sections of an ellipsoid, 0 not at all.
    every : int
        The model runs on every k-th slice, the masks in between are interpolated.
    one_part : bool
        Whether only those parts of a mask are kept that continue the object.
    filled : bool
        Whether holes in masks are filled.
    zoom : bool
        Whether small objects are looked at again in the part of the slice around them, which is encoded for it.
    stops : StopRules
        End objects without a range.
    """

    margin: float = 5
    spacing: Sequence[float] | None = None
    margin_mm: float = 1
    taper: float = 0.5
    every: int = 1
    one_part: bool = True
    filled: bool = True
    zoom: bool = False
    stops: StopRules = field(default_factory=StopRules)

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every must be at least 1, it is {self.every}")
        if self.spacing is not None and not (len(self.spacing) == 3 and np.all(np.asarray(self.spacing) > 0)):
            raise ValueError(f"expected three positive spacings (z, y, x), got {self.spacing}")

    def margins(self, size: int) -> NDArray[np.float64]:
        """Margin along y and x, in pixels of slices whose longest side is `size`."""
        if self.spacing is None:
            return np.full(2, self.margin * size / FRAME_SIZE)
        dz, dy, dx = self.spacing
        return self.margin_mm * dz / np.array([dy, dx])


@dataclass(frozen=True)
class Step:
    """One object on one slice.

    Parameters
    ----------
    object : int
        Index of the object.
    z : int
        The slice.
    prediction : Prediction
        What was found there, the mask tidied up; without points and scribble if the model was not asked.
    stop : Stop, optional
        Why the object goes no further in this direction. Where a rule has ended it, the mask is empty.
    """

    object: int
    z: int
    prediction: Prediction
    stop: Stop | None = None


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
        rest downwards. Closing the generator stops it.

    Raises
    ------
    ValueError
        If a track, or one of its boxes, does not lie in the volume.
    """
    options = options or Options()
    if len(volume.shape) not in (3, 4):
        raise ValueError(f"expected a volume of shape (Z, H, W) or (Z, H, W, 3), got {volume.shape}")
    walks = []
    for number, track in enumerate(tracks):
        try:
            walks.append(_Walk(number, track, volume.shape[:3], options))
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
        image = np.asarray(volume[z])
        inside = []
        for walk in active:
            if walk.is_open(z, direction) and options.stops.outside(image, walk.box(z, direction), window):
                yield from walk.end(z, direction, Stop.OUTSIDE)
            else:
                inside.append(walk)
        if not inside:
            continue
        # without a key, only slices between the starts are needed again, and others take no memory
        named = (own if key is None else key, z) if key is not None or min(starts) <= z <= max(starts) else None
        predictor.set_image(image, window, named, options.zoom)
        boxes = [walk.box(z, direction) for walk in inside]
        predictions = predictor.predict_many(boxes, [walk.track.seed for walk in inside])
        for walk, prediction in zip(inside, predictions, strict=True):
            yield from walk.take(z, direction, prediction)


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
        plane = labels[step.z]
        plane[step.prediction.mask & (plane < step.object + 1)] = step.object + 1
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


class _Walk:
    """How far one object has come."""

    def __init__(self, number: int, track: Track, shape: tuple[int, int, int], options: Options):
        self.depth, *self.shape = shape
        track.check(self.depth)
        self.number, self.track, self.options = number, track, options
        self.masks = {z: np.asarray(mask, bool) for z, mask in track.masks.items()}
        # a mask may be a pixel thin, and so may be the box around it
        self.boxes = {
            z: clip_box(_spread(box) if z in self.masks else box, *self.shape) for z, box in track.boxes.items()
        }
        self.first, self.last = track.span(self.depth)
        self.low, self.high = min(track.boxes), max(track.boxes)
        self.start = self.high
        self._margins = options.margins(max(self.shape))
        self._latest: dict[int, tuple[int, Mask]] = {}
        self._stopped: set[int] = set()

    def visits(self, z: int, direction: int) -> bool:
        """Whether the model is to be asked on a slice."""
        if not self._is_missing(z, direction) or direction in self._stopped:
            return False
        if z % self.options.every == 0 or z in (self.first, self.last, self.start) or z in self.boxes:
            return True
        # nothing can be interpolated from or towards a slice whose mask is not known
        following = z + direction
        return (following in self.track.done and following not in self.masks) or self._before(z, direction) is None

    def _is_missing(self, z: int, direction: int) -> bool:
        """Whether a mask of a slice is asked for, and found on the way in this direction."""
        return (
            self.first <= z <= self.last
            and (z <= self.start if direction < 0 else z > self.start)
            and z not in self.masks
            and z not in self.track.done
        )

    def arrive(self, z: int, direction: int) -> Iterator[Step]:
        """Come to a slice; if its mask is known, those since the slice before are now between two."""
        if z in self.masks and direction not in self._stopped:
            yield from self._between(z, direction, self._before(z, direction), self.masks[z])

    def is_open(self, z: int, direction: int) -> bool:
        """Whether a rule may end the object here."""
        if direction > 0:
            return self.track.last is None and z > self.high
        return self.track.first is None and z < self.low

    def box(self, z: int, direction: int) -> Box:
        """Box of a slice: given, interpolated, or around the mask of the slice before."""
        nearest = interpolate_boxes(self.boxes, z)
        before = self._before(z, direction)
        if self.low <= z <= self.high or before is None or not before[1].any():
            return nearest
        corners = bounding_box(before[1]).reshape(2, 2)
        # half a pixel belongs to each side of the mask, and shrinks along
        middle, half = corners.mean(axis=0), np.diff(corners, axis=0)[0] / 2 + 0.5
        reach = np.maximum(half * self._taper(z, direction, before[0]) - 0.5, 0) + self._margins
        box = np.concatenate([middle - reach, middle + reach])
        height, width = self.shape
        bounds = (0, 0, height - 1, width - 1) if self.track.bounds is None else self.track.bounds
        low, high = np.split(np.asarray(bounds, float), 2)
        low, high = np.maximum(box[:2], low), np.minimum(box[2:], high)
        # a mask beyond the bounds leaves nothing of its box
        return np.concatenate([low, high]) if (low < high).all() else nearest

    def _taper(self, z: int, direction: int, before: int) -> float:
        """How large an object is on a slice, as a share of its size on the slice before."""
        end, nearest = (self.last, self.high) if direction > 0 else (self.first, self.low)
        # an object may go on where the volume ends, and does on the way to a known mask
        if end in (0, self.depth - 1) or any((s - z) * direction > 0 for s in self.masks):
            return 1.0
        # the end is the last slice that shows the object, which stops half a slice further
        radius = abs(end - nearest) + 0.5
        size, size_before = (1 - (max((s - nearest) * direction, 0) / radius) ** 2 for s in (z, before))
        share = (size / size_before) ** self.options.taper
        return float(np.clip(share, _LEAST_SHARE ** abs(z - before), 1))

    def _before(self, z: int, direction: int) -> tuple[int, Mask] | None:
        """The nearest slice, with its mask, on the side that the object comes from."""
        known = [s for s in self.masks if (z - s) * direction > 0]
        latest = self._latest.get(direction)
        nearest = min(known, key=lambda s: abs(z - s), default=None)
        if latest is not None and (nearest is None or abs(z - latest[0]) < abs(z - nearest)):
            return latest
        return None if nearest is None else (nearest, self.masks[nearest])

    def take(self, z: int, direction: int, prediction: Prediction) -> Iterator[Step]:
        """Accept what the model has found on a slice."""
        before = self._before(z, direction)
        mask = prediction.mask
        if self.options.one_part:
            mask = connected_to(mask, None if before is None else before[1])
        if self.options.filled:
            mask = fill_holes(mask)
        if self.is_open(z, direction) and before is not None:
            reason = self.options.stops.judge(mask, prediction.iou, before[1])
            if reason is not None:
                yield from self.end(z, direction, reason, prediction)
                return
        yield from self._between(z, direction, before, mask)
        self._latest[direction] = z, mask
        if z == self.start:
            self._latest[-direction] = z, mask
        yield Step(self.number, z, replace(prediction, mask=mask), self._reason(z))

    def end(self, z: int, direction: int, reason: Stop, prediction: Prediction | None = None) -> Iterator[Step]:
        """End the object in one direction, before a slice."""
        self._stopped.add(direction)
        nothing = np.zeros(self.shape, bool)
        yield from self._between(z, direction, self._before(z, direction), nothing)
        if prediction is None:
            prediction = _unasked(nothing, self.box(z, direction), 0)
        yield Step(self.number, z, replace(prediction, mask=nothing), reason)

    def _reason(self, z: int) -> Stop | None:
        for end, given in ((self.last, self.track.last), (self.first, self.track.first)):
            if z == end:
                return Stop.VOLUME if given is None else Stop.RANGE
        return None

    def _between(self, z: int, direction: int, before: tuple[int, Mask] | None, mask: Mask) -> Iterator[Step]:
        """The slices since the one before, which the model was not asked about."""
        if before is None:
            return
        origin, start = before
        slices = [s for s in range(origin + direction, z, direction) if self._is_missing(s, direction)]
        if not slices:
            return
        shares = [(s - origin) / (z - origin) for s in slices]
        for s, between in zip(slices, interpolate_masks(start, mask, shares), strict=True):
            box = bounding_box(between) if between.any() else self.box(s, direction)
            yield Step(self.number, s, _unasked(between, box, np.nan))


def _spread(box: ArrayLike) -> Box:
    """A box (y0, x0, y1, x1) in order, its sides at least half a pixel long."""
    low, high = np.sort(np.asarray(box, float).reshape(2, 2), axis=0)
    short = np.maximum(0.5 - (high - low), 0) / 2
    return np.concatenate([low - short, high + short])


def _unasked(mask: Mask, box: Box, iou: float) -> Prediction:
    """A mask that does not come from the model, with no prompts."""
    nothing = np.zeros_like(mask)
    return Prediction(mask, mask.astype(np.float32), iou, np.zeros((0, 2)), np.zeros(0, int), nothing, box)
