"""Tidying of masks: one connected object without holes."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, label

from .prompts import covered_part

Mask = NDArray[np.bool_]
_EIGHT = np.ones((3, 3), bool)


def connected_to(mask: Mask, before: Mask | None) -> Mask:
    """Keep the parts of a slice's mask that continue the object.

    Those that overlap with the object on the slice before; if none does, or it is not known, the largest.

    Parameters
    ----------
    mask, before : array of bool
        ``(H, W)``, of neighbouring slices.
    """
    if not mask.any():
        return mask
    inside = covered_part(mask)
    parts, count = label(mask[inside], _EIGHT)
    if count < 2:
        return mask
    kept = np.unique(parts[(before & mask)[inside]]) if before is not None else np.zeros(0, int)
    if not len(kept):
        kept = np.array([np.bincount(parts[parts > 0]).argmax()])
    result = np.zeros_like(mask)
    result[inside] = np.isin(parts, kept)
    return result


def fill_holes(mask: Mask) -> Mask:
    """Fill what a mask, ``(H, W)``, encloses."""
    if not mask.any():
        return mask
    inside = covered_part(mask)
    filled = mask.copy()
    filled[inside] = binary_fill_holes(mask[inside])
    return filled
