"""How an object looks on the slice of its box, and what of other slices looks so, by intensities.

Not from the paper. The network sees one slice, and finds something in nearly every box; what an object looks like is
known from the slice that the user has seen to.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from .prompts import covered_part

Mask = NDArray[np.bool_]

# edges, in standard deviations from the mean, which is the middle of a bin; what is further away is all the same
_BINS = np.arange(-6.25, 6.5, 0.5)
# of the square root of an object's area: how far its surroundings reach
_AROUND = 0.45
_LEAST_AROUND = 6  # pixels
# of histograms: neighbouring bins count, too, and what was never seen is not impossible
_BLUR = (0.25, 0.5, 0.25)
_RARE = 0.002
# of how frequent an intensity is in the object and around it
_LEAST_RATIO = 0.5


@dataclass(frozen=True)
class Appearance:
    """Distributions of intensities in an object and around it.

    Parameters
    ----------
    edges : array
        Of the bins, which are as wide as the object's intensities vary, so that neither scale nor window matters.
    inside, around : array
        Share of each bin.
    """

    edges: NDArray[np.float64]
    inside: NDArray[np.float64]
    around: NDArray[np.float64]

    def likeness(self, values: NDArray) -> float:
        """How much intensities, ``(N,)``, have in common with the object's: common area of the histograms, 0 to 1."""
        return float(np.minimum(_shares(values, self.edges), self.inside).sum())

    def part_alike(self, pixels: NDArray, mask: Mask, blur: float = 0) -> Mask:
        """The part of a mask, ``(H, W)``, where intensities are not much rarer in the object than around it.

        Parameters
        ----------
        pixels, mask : array
            ``(H, W)``.
        blur : float
            Standard deviation in pixels, over which neighbours speak for each other.
        """
        if not mask.any():
            return mask
        inside, around = (np.convolve(x, _BLUR, "same") + _RARE for x in (self.inside, self.around))
        part = covered_part(mask, int(np.ceil(3 * blur)))
        evidence = np.log(inside / around)[_bins(pixels[part], self.edges)]
        kept = np.zeros_like(mask)
        kept[part] = mask[part] & (gaussian_filter(evidence, blur) >= np.log(_LEAST_RATIO))
        return kept


def appearance(pixels: NDArray, mask: Mask, level: float) -> Appearance:
    """Look at an object.

    Parameters
    ----------
    pixels : array
        ``(H, W)``, of any type.
    mask : array of bool
        ``(H, W)``, not empty.
    level : float
        Differences below it are none.
    """
    values = pixels[mask].astype(float)
    values = values[np.isfinite(values)]
    # a mask of pixels without numbers looks like nothing else
    mean, deviation = (float(values.mean()), float(values.std())) if len(values) else (0.0, 0.0)
    edges = mean + (max(deviation, level) or 1.0) * _BINS
    return Appearance(edges, _shares(values, edges), _shares(_surroundings(pixels, mask), edges))


def brightness(image: NDArray) -> NDArray:
    """One value a pixel, ``(H, W)``, of a slice ``(H, W)`` or ``(H, W, C)``; what is opaque need not show anything."""
    # several times as fast as the maximum along the axis of colours
    return image if image.ndim == 2 else reduce(np.maximum, np.moveaxis(image[..., :3], -1, 0))


def span(pixels: NDArray) -> tuple[float, float]:
    """Smallest and largest finite value, as floats, since the difference of a type's values does not fit into it."""
    numbers = pixels[np.isfinite(pixels)]
    return (float(numbers.min()), float(numbers.max())) if len(numbers) else (0.0, 0.0)


def _surroundings(pixels: NDArray, mask: Mask) -> NDArray:
    reach = max(_LEAST_AROUND, _AROUND * np.count_nonzero(mask) ** 0.5)
    part = covered_part(mask, int(np.ceil(reach)))
    away = distance_transform_edt(~mask[part])
    return pixels[part][(away > 0) & (away <= reach)]


def _bins(values: NDArray, edges: NDArray[np.float64]) -> NDArray[np.intp]:
    """Bin of each intensity, of any shape; NaN counts as the smallest, as it does for the network."""
    return np.clip(np.digitize(np.nan_to_num(values.astype(float), nan=-np.inf), edges) - 1, 0, len(edges) - 2)


def _shares(values: NDArray, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.bincount(_bins(values, edges), minlength=len(edges) - 1) / max(len(values), 1)
