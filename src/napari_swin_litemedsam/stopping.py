"""When an object without a range of its own has come to its end, and why."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from .slices import Slice

Mask = NDArray[np.bool_]


class Stop(StrEnum):
    """Why an object goes no further in one direction, in words for the user."""

    RANGE = "end of range"
    VOLUME = "end of volume"
    EMPTY = "nothing found"
    OUTSIDE = "outside the body"
    SHRUNK = "area collapsed"
    GROWN = "area exploded"
    JUMPED = "mask jumped"
    UNSURE = "model unsure"
    CHANGED = "looks different"


@dataclass(frozen=True)
class StopRules:
    """Limits from one slice to the next; an object that passes one of them has ended.

    Parameters
    ----------
    smallest : float
        Least area, as a share of the area on the slice before.
    largest : float
        Largest area, as a share of the area on the slice before.
    overlap : float
        Least IoU with the mask of the slice before.
    iou : float
        Least IoU that the model predicts.
    alike : float
        Least likeness to the object on the slice of its box: where one ends, what comes next looks different.
    filled : float
        Least share of the box where the image shows anything.
    """

    smallest: float = 0.3
    largest: float = 2.5
    overlap: float = 0.3
    iou: float = 0.4
    alike: float = 0.4
    filled: float = 0.01

    def judge(self, mask: Mask, iou: float, before: Mask, alike: float = 1) -> Stop | None:
        """Say whether an object ends before this slice.

        Parameters
        ----------
        mask : array of bool
            ``(H, W)``, on this slice.
        iou : float
            As the model predicts it.
        before : array of bool
            The mask of the slice before.
        alike : float
            `Appearance.likeness` of what the mask covers.
        """
        area, area_before = np.count_nonzero(mask), np.count_nonzero(before)
        if not area:
            return Stop.EMPTY
        if iou < self.iou:
            return Stop.UNSURE
        if area < self.smallest * area_before:
            return Stop.SHRUNK
        if area > self.largest * area_before > 0:
            return Stop.GROWN
        common = np.count_nonzero(mask & before)
        if area_before and common < self.overlap * (area + area_before - common):
            return Stop.JUMPED
        if alike < self.alike:
            return Stop.CHANGED
        return None

    def outside(self, image: Slice, box: NDArray) -> bool:
        """Say whether a slice shows next to nothing in a box (y0, x0, y1, x1)."""
        low, high = image.span
        y0, x0, y1, x1 = np.rint(np.clip(box, 0, None)).astype(int)
        inside = image.intensities[y0 : y1 + 1, x0 : x1 + 1]
        # a little above black is the noise of the air around the patient
        return bool(high <= low) or bool(np.mean(inside > low + 0.02 * (high - low)) < self.filled)
