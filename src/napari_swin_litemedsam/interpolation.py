"""What lies between two slices: boxes by linear, masks by shape-based interpolation."""

from collections.abc import Mapping

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
        ``(H, W)``. If one is empty, the other one counts up to the middle.
    shares : array
        Of the way from the first to the second, each between 0 and 1.
    """
    shares = np.atleast_1d(np.asarray(shares, float))
    if not (first.any() and second.any()):
        return [(first if share <= 0.5 else second).copy() for share in shares]
    # beyond the masks and a pixel around them every mask in between is empty
    inside = covered_part(first | second, margin=1)
    from_first, from_second = _signed_distance(first[inside]), _signed_distance(second[inside])
    results = []
    for share in shares:
        mask = np.zeros_like(first)
        mask[inside] = (1 - share) * from_first + share * from_second > 0
        results.append(mask)
    return results


def _signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance to the contour in pixels, positive inside."""
    inside = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    # the contour runs half way between the last pixel inside and the first one outside
    return np.where(mask, inside - 0.5, 0.5 - distance_transform_edt(~mask))
