"""How one object goes through a volume: which slices, with which box, and where it ends."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .answers import Prediction
from .appearance import Appearance, appearance
from .interpolation import interpolate_boxes, interpolate_masks
from .postprocessing import connected_to, fill_holes
from .predictor import clip_box
from .preprocessing import FRAME_SIZE
from .prompts import bounding_box
from .slices import Slice
from .stopping import Stop, StopRules
from .tracks import Box, Mask, Track

# of a box's size from one slice to the next, so that less is lost should the range end before the object does
_LEAST_SHARE = 0.8
# of all intensities that are shown: those that differ by less look the same
_SAME_SHARE = 0.05
# of an object that shows what it looks like
_LEAST_PIXELS = 20


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
    alike : bool
        Whether pixels are left out that look rather like the surroundings of the object on the slice of its box.
    zoom : bool
        Whether small objects are looked at again in the part of the slice around them, which is encoded for it.
    consistent : bool
        Whether objects go back from their ends, too, and both ways make a mask: each slice beyond the
        outermost boxes is then yielded twice, first as a draft.
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
    alike: bool = True
    zoom: bool = False
    consistent: bool = False
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

    def count(self, tracks: Sequence[Track], depth: int) -> int:
        """Number of steps in a volume of `depth` slices, at most."""
        return (2 if self.consistent else 1) * sum(track.count(depth) for track in tracks)


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
        What was found there, the mask tidied up, its probability not. Where the model was not asked there are no
        points and no scribble, the probability is that of the mask, and the IoU NaN between slices, 0 outside the body.
    stop : Stop, optional
        Why the object goes no further in this direction. Where a rule has ended it, the mask is empty.
    draft : bool
        Whether a step of the same object on the same slice is to follow, after the way back.
    """

    object: int
    z: int
    prediction: Prediction
    stop: Stop | None = None
    draft: bool = False

    def paint(self, labels: NDArray[np.integer], id: int) -> None:
        """Write the mask into label ids of its slice, over lower ones; a draft, which is not final, writes nothing."""
        if not self.draft:
            labels[self.prediction.mask & (labels < id)] = id


class Walk:
    """How far one object has come."""

    def __init__(
        self, number: int, track: Track, shape: Sequence[int], options: Options, slice_at: Callable[[int], Slice]
    ):
        self.depth, *self.shape = shape[:3]
        self._slice_at = slice_at
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
        self._unit = max(self.shape) / FRAME_SIZE
        self._latest: dict[int, tuple[int, Mask]] = {}
        self._stopped: set[int] = set()
        self._looks: dict[int, Appearance] = {}

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
        first, last = self.track.extent or (self.first, self.last)
        end, nearest = (last, self.high) if direction > 0 else (first, self.low)
        # an object may go on where the volume ends, and does on the way to a known mask
        if end in (0, self.depth - 1) or any((s - z) * direction > 0 for s in self.masks):
            return 1.0
        # the end is the last slice that shows the object, which stops half a slice further
        radius = abs(end - nearest) + 0.5
        size, size_before = (max(1 - (max((s - nearest) * direction, 0) / radius) ** 2, 0) for s in (z, before))
        # beyond its end there is nothing of it, if the range goes on
        share = (size / size_before) ** self.options.taper if size_before else 0
        return float(np.clip(share, _LEAST_SHARE ** abs(z - before), 1))

    def _before(self, z: int, direction: int) -> tuple[int, Mask] | None:
        """The nearest slice, with its mask, on the side that the object comes from."""
        known = [s for s in self.masks if (z - s) * direction > 0]
        latest = self._latest.get(direction)
        nearest = min(known, key=lambda s: abs(z - s), default=None)
        if latest is not None and (nearest is None or abs(z - latest[0]) < abs(z - nearest)):
            return latest
        return None if nearest is None else (nearest, self.masks[nearest])

    def _look(self, z: int, mask: Mask, image: Slice) -> None:
        """Remember what the object looks like on a slice with a box, if it has enough pixels to tell."""
        if np.count_nonzero(mask) >= _LEAST_PIXELS:
            low, high = image.span
            self._looks[z] = appearance(image.intensities, mask, _SAME_SHARE * (high - low))

    def _known_look(self, z: int) -> Appearance | None:
        """What the object looks like on the nearest slice with a box; between two the boxes themselves are known."""
        if self.low <= z <= self.high:
            return None
        shown_on = self.track.shown_on
        if shown_on is None:
            shown_on = self.low if z < self.low else self.high
        if shown_on in self.masks and shown_on not in self._looks:
            self._look(shown_on, self.masks[shown_on], self._slice_at(shown_on))
        return self._looks.get(shown_on)

    def take(self, z: int, direction: int, prediction: Prediction, image: Slice) -> Iterator[Step]:
        """Accept what the model has found on a slice."""
        before = self._before(z, direction)
        judged_by = before[1] if before is not None and self.is_open(z, direction) else None
        look = self._known_look(z) if self.options.alike or judged_by is not None else None
        mask = prediction.mask
        if self.options.alike and look is not None:
            mask = look.part_alike(image.intensities, mask, self._unit)
        if self.options.one_part:
            mask = connected_to(mask, None if before is None else before[1])
        if self.options.filled:
            mask = fill_holes(mask)
        if judged_by is not None:
            alike = 1.0 if look is None else look.likeness(image.intensities[mask])
            reason = self.options.stops.judge(mask, prediction.iou, judged_by, alike)
            if reason is Stop.EMPTY and prediction.mask.any():
                # something was found, and all of it left out
                reason = Stop.CHANGED
            if reason is not None:
                yield from self.end(z, direction, reason, prediction)
                return
        if z in (self.low, self.high) and (self.options.alike or None in (self.track.first, self.track.last)):
            self._look(z, mask, image)
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
            prediction = unasked(nothing, self.box(z, direction), 0)
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
            yield Step(self.number, s, unasked(between, box, np.nan))


def _spread(box: ArrayLike) -> Box:
    """A box (y0, x0, y1, x1) in order, its sides at least half a pixel long."""
    low, high = np.sort(np.asarray(box, float).reshape(2, 2), axis=0)
    short = np.maximum(0.5 - (high - low), 0) / 2
    return np.concatenate([low - short, high + short])


def unasked(mask: Mask, box: Box, iou: float) -> Prediction:
    """A mask that does not come from the model, with no prompts."""
    nothing = np.zeros_like(mask)
    return Prediction(mask, mask.astype(np.float32), iou, np.zeros((0, 2)), np.zeros(0, int), nothing, box)
