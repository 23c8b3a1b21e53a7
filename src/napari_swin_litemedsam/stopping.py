"""When an object without a range of its own has come to its end, and why."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

# of histograms, in standard deviations; what is further away is all the same
_REACH = 6


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
        Least `likeness` to the object on the outermost slice with a box: where one ends, the next organ looks otherwise.
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
            `likeness` of what the mask covers.
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

    def outside(self, image: NDArray, box: NDArray, window: tuple[float, float] | None) -> bool:
        """Say whether a slice, ``(H, W)`` or ``(H, W, C)``, shows next to nothing in a box (y0, x0, y1, x1)."""
        pixels = brightness(image)
        low, high = span(pixels) if window is None else window
        y0, x0, y1, x1 = np.rint(np.clip(box, 0, None)).astype(int)
        inside = pixels[y0 : y1 + 1, x0 : x1 + 1]
        # a little above black is the noise of the air around the patient
        return bool(high <= low) or bool(np.mean(inside > low + 0.02 * (high - low)) < self.filled)


def brightness(image: NDArray) -> NDArray:
    """One value a pixel, ``(H, W)``, of a slice ``(H, W)`` or ``(H, W, C)``; what is opaque need not show anything."""
    return image if image.ndim == 2 else image[..., :3].max(axis=2)


def span(pixels: NDArray) -> tuple[float, float]:
    """Smallest and largest finite value, as floats, since the difference of a type's values does not fit into it."""
    numbers = pixels[np.isfinite(pixels)]
    return (float(numbers.min()), float(numbers.max())) if len(numbers) else (0.0, 0.0)


def likeness(values: NDArray, reference: NDArray, level: float) -> float:
    """How much the distributions of two sets of intensities have in common.

    Parameters
    ----------
    values, reference : array
        Of any length; what is not finite does not count.
    level : float
        Differences below it are none.

    Returns
    -------
    float
        Common area of the histograms, each of area 1, in bins half as wide as the reference's standard deviation, so
        that units and windows do not matter; 1 where one of the two is empty.
    """
    values, reference = (x[np.isfinite(x)].astype(float) for x in (values, reference))
    if not (len(values) and len(reference)):
        return 1.0
    unit = max(float(reference.std()), level)
    # the mean is the middle of one
    bins = np.arange(-_REACH - 0.25, _REACH + 0.5, 0.5)
    shares = [
        np.histogram(np.clip((x - reference.mean()) / unit, -_REACH, _REACH), bins)[0] / len(x)
        for x in (values, reference)
    ]
    return float(np.minimum(*shares).sum())
