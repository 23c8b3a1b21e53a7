"""The way back: objects return from where they ended, and a slice's mask is what both ways agree on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .interpolation import interpolate_masks
from .prompts import bounding_box, covered_part
from .stopping import Stop
from .tracks import Box, Mask, Track
from .walking import Step, unasked

_LEVELS = 255  # of a probability, while it waits for the other one


@dataclass(frozen=True)
class _Draft:
    """What was found on the way there; its arrays without their empty surroundings."""

    shape: tuple[int, ...]
    part: tuple[slice, slice]
    mask: Mask
    probability: NDArray[np.uint8]
    iou: float
    box: Box
    stop: Stop | None

    @classmethod
    def of(cls, step: Step) -> "_Draft":
        found = step.prediction
        levels = np.rint(found.probability * _LEVELS).astype(np.uint8)
        seen = found.mask | (levels > 0)
        part = covered_part(seen) if seen.any() else np.s_[:0, :0]
        return cls(found.mask.shape, part, found.mask[part], levels[part], found.iou, found.box, step.stop)

    def full(self) -> tuple[Mask, NDArray[np.float32]]:
        """Mask and probability, ``(H, W)``."""
        mask, probability = np.zeros(self.shape, bool), np.zeros(self.shape, np.float32)
        mask[self.part], probability[self.part] = self.mask, self.probability / np.float32(_LEVELS)
        return mask, probability


class WayThere:
    """Remembers the steps of objects on their way from their boxes to their ends.

    Parameters
    ----------
    tracks : sequence of Track
        One for each object.
    """

    def __init__(self, tracks: Sequence[Track]):
        self._tracks = tracks
        self._drafts: dict[tuple[int, int], _Draft] = {}
        self._ends: dict[tuple[int, int], Step] = {}  # by object and direction, the last with a mask
        self._boxed = [dict(track.masks) for track in tracks]  # by slice, masks of boxes among them

    def take(self, step: Step) -> Step:
        """Remember a step, and return it as a draft, if the way back comes by its slice."""
        direction = self._direction(step.object, step.z)
        if direction == 0:
            boxes = self._tracks[step.object].boxes
            if step.z in (min(boxes), max(boxes)):
                self._boxed[step.object][step.z] = step.prediction.mask
            return step
        self._drafts[step.object, step.z] = _Draft.of(step)
        if step.prediction.mask.any():
            end = self._ends.get((step.object, direction))
            if end is None or (step.z - end.z) * direction > 0:
                self._ends[step.object, direction] = step
        return replace(step, draft=True)

    def _direction(self, number: int, z: int) -> int:
        """1 above the object's boxes, -1 below; 0 between, where boxes do not depend on masks."""
        slices = self._tracks[number].boxes
        return int(z > max(slices)) - int(z < min(slices))

    def settle(self) -> Iterator[Step]:
        """What stays as it is: the ends, and the slices beyond, where nothing was found."""
        for (number, z), draft in list(self._drafts.items()):
            direction = self._direction(number, z)
            end = self._ends.get((number, direction))
            if end is not None and (end.z - z) * direction > 0:
                continue
            del self._drafts[number, z]
            nothing = unasked(np.zeros(draft.shape, bool), draft.box, draft.iou)
            yield end if end is not None and z == end.z else Step(number, z, nothing, draft.stop)

    def ways_back(self) -> tuple[list[Track], list[int]]:
        """The ways from the ends to the boxes, and for each its object."""
        ways, owners = [], []
        for (number, direction), end in self._ends.items():
            track = self._tracks[number]
            nearest = max(track.boxes) if direction > 0 else min(track.boxes)
            if abs(end.z - nearest) < 2:
                continue
            first, last = sorted((nearest + direction, end.z))
            # the boxes may lie beside the range
            reach = track.span(last + 1)
            first, last = max(first, reach[0]), min(last, reach[1])
            # what the object looks like is known from its box, not from its end
            masks = {z: mask for z, mask in self._boxed[number].items() if first <= z <= last or z == nearest}
            masks[end.z] = end.prediction.mask
            boxes = {end.z: bounding_box(end.prediction.mask)}
            ways.append(Track(boxes, first, last, masks, track.done, track.seed, track.bounds, shown_on=nearest))
            owners.append(number)
        return ways, owners

    def agree(self, step: Step) -> Step:
        """The step of an object's way back, with the mask that comes of both ways.

        Where only one of them has the object, the mean of the probabilities decides, and outside the box of one of them
        the other one, since nothing was looked for there.
        """
        draft, found = self._drafts.pop((step.object, step.z)), step.prediction
        mask, probability = draft.full()
        if np.isnan(draft.iou + found.iou):
            # between slices that the model saw there are only shapes
            mask = interpolate_masks(mask, found.mask, 0.5)[0]
            probability = mask.astype(np.float32)
        else:
            there, back = _inside(draft.box, mask.shape), _inside(found.box, mask.shape)
            share = np.float32(0.5) * (1 + back.astype(np.float32) - there)
            probability += share * (found.probability - probability)
            mask = (mask & found.mask) | ((mask | found.mask) & (probability > 0.5))
        found = replace(found, mask=mask, probability=probability, iou=(draft.iou + found.iou) / 2)
        return replace(step, prediction=found, stop=draft.stop)


def _inside(box: Box, shape: tuple[int, ...]) -> Mask:
    """The pixels of a box."""
    inside = np.zeros(shape, bool)
    (y0, x0), (y1, x1) = np.floor(box[:2]).astype(int), np.ceil(box[2:]).astype(int)
    inside[y0 : y1 + 1, x0 : x1 + 1] = True
    return inside
