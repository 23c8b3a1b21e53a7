"""What lies between two slices: boxes by linear, masks by shape-based interpolation."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt

from .prompts import covered_part


def interpolate_boxes(boxes: Mapping[int, ArrayLike], z: int) -> NDArray[np.float64]:
    """Box of a slice between those that have one, ``(4,)``; beyond them the nearest one's.

    Parameters
    ----------
    boxes : mapping
        (y0, x0, y1, x1) by slice; at least one.
    z : int
        The slice.
    """
    slices = sorted(boxes)
    corners = np.array([boxes[s] for s in slices], float)
    return np.array([np.interp(z, slices, side) for side in corners.T])


def interpolate_masks(
    first: NDArray[np.bool_], second: NDArray[np.bool_], shares: ArrayLike
) -> list[NDArray[np.bool_]]:
    """Masks between two masks, ``(H, W)``, by their signed distances to the contour.

    Parameters
    ----------
    first, second : array of bool
        ``(H, W)``. If one is empty, the other one counts up to the middle; if they have no pixel in common, the shape
        moves from the one to the other.
    shares : array
        Of the way from the first to the second, each between 0 and 1.
    """
    shares = np.atleast_1d(np.asarray(shares, float))
    if not (first.any() and second.any()):
        return [(first if share <= 0.5 else second).copy() for share in shares]
    if not (first & second).any():
        return _interpolate_apart(first, second, shares)
    # beyond the masks and a pixel around them every mask in between is empty
    inside = covered_part(first | second, margin=1)
    from_first, from_second = _signed_distance(first[inside]), _signed_distance(second[inside])
    results = []
    for share in shares:
        mask = np.zeros_like(first)
        mask[inside] = (1 - share) * from_first + share * from_second > 0
        results.append(mask)
    return results


def _interpolate_apart(
    first: NDArray[np.bool_], second: NDArray[np.bool_], shares: NDArray[np.float64]
) -> list[NDArray[np.bool_]]:
    """Masks between two without a common pixel: the one is laid over the other, and what is in between moves along."""
    here, there = np.argwhere(first), np.argwhere(second)
    way = _middle(there) - _middle(here)
    there -= way
    corner = np.minimum(here.min(axis=0), there.min(axis=0))
    size = (np.maximum(here.max(axis=0), there.max(axis=0)) - corner + 1).tolist()
    over = interpolate_masks(_drawn(here - corner, size), _drawn(there - corner, size), shares)
    results = []
    for share, mask in zip(shares, over, strict=True):
        pixels = np.argwhere(mask) + corner + np.rint(share * way).astype(int)
        results.append(_drawn(pixels[((pixels >= 0) & (pixels < first.shape)).all(axis=1)], first.shape))
    return results


def _middle(pixels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Of a shape's pixels, ``(N, 2)``, the one that is nearest to their centroid."""
    return pixels[np.square(pixels - pixels.mean(axis=0)).sum(axis=1).argmin()]


def _drawn(pixels: NDArray[np.intp], shape: Sequence[int]) -> NDArray[np.bool_]:
    """A mask of some pixels, ``(N, 2)``."""
    mask = np.zeros(shape, bool)
    mask[tuple(pixels.T)] = True
    return mask


def _signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance to the contour in pixels, positive inside."""
    inside = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    # the contour runs half way between the last pixel inside and the first one outside
    return np.where(mask, inside - 0.5, 0.5 - distance_transform_edt(~mask))
