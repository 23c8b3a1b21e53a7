"""Dice similarity (DSC), surface Dice (NSD) and 95 % Hausdorff distance (HD95).

DSC and NSD equal the evaluation code of the CVPR 2024 challenge.

The surface lies between the pixels: around every corner where pixels meet, the pattern of set pixels (2x2, or
2x2x2 in 3D) decides how much length or area there is, as in marching cubes.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt

Corner = tuple[int, int, int]

# headers hold spacings in single precision: a distance that equals the tolerance must not depend on their last digits
_ROUNDING = 1e-5


def dice(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Dice similarity of two masks.

    Parameters
    ----------
    truth, prediction : array
        Masks of one shape.

    Returns
    -------
    float
        0..1; 1 if both are empty.
    """
    truth, prediction = _masks(truth, prediction)
    total = np.count_nonzero(truth) + np.count_nonzero(prediction)
    return 2 * np.count_nonzero(truth & prediction) / total if total else 1.0


def surface_dice(
    truth: ArrayLike, prediction: ArrayLike, spacing: Sequence[float] | NDArray | None = None, tolerance: float = 2
) -> float:
    """Share of the two surfaces that lies within a tolerance of the other one.

    Parameters
    ----------
    truth, prediction : array
        Masks of one shape, 2D or 3D. A 2D mask counts as a slab one pixel thick, as in the challenge.
    spacing : sequence of float, optional
        Of the pixels along each axis; 1 by default.
    tolerance : float
        In the units of `spacing`.

    Returns
    -------
    float
        0..1; 1 if both masks are empty, 0 if one is.
    """
    truth, prediction = _masks(truth, prediction)
    spacing = _check_spacing(spacing, truth.ndim)
    if not tolerance >= 0:
        raise ValueError(f"the tolerance must not be negative, it is {tolerance}")
    if not truth.any() or not prediction.any():
        return float(truth.any() == prediction.any())
    if truth.ndim == 2:
        truth, prediction, spacing = truth[..., None], prediction[..., None], np.append(spacing, 1.0)
    codes = [_corner_codes(mask) for mask in _crop(truth, prediction)]
    within = total = 0.0
    for distance, area in _surface_distances(codes, spacing):
        within += area[distance <= tolerance * (1 + _ROUNDING)].sum()
        total += area.sum()
    return float(within / total)


def hausdorff95(truth: ArrayLike, prediction: ArrayLike, spacing: Sequence[float] | NDArray | None = None) -> float:
    """Distance within which 95 % of each of the two surfaces lies from the other one.

    Parameters
    ----------
    truth, prediction : array
        Masks of one shape, 2D or 3D. In 2D the outlines count, not, as in `surface_dice`, the faces of a slab.
    spacing : sequence of float, optional
        Of the pixels along each axis; 1 by default.

    Returns
    -------
    float
        In the units of `spacing`; 0 if both masks are empty, infinity if one is.
    """
    truth, prediction = _masks(truth, prediction)
    spacing = _check_spacing(spacing, truth.ndim)
    if not truth.any() or not prediction.any():
        return 0.0 if truth.any() == prediction.any() else float("inf")
    masks = _crop(truth, prediction)
    if truth.ndim == 2:
        # the corners in the middle of a prism have no face up or down
        codes = [_corner_codes(np.stack([mask, mask], axis=-1))[..., 1:2] for mask in masks]
        spacing = np.append(spacing, 1.0)
    else:
        codes = [_corner_codes(mask) for mask in masks]
    return max(_weighted_percentile(*pair) for pair in _surface_distances(codes, spacing))


def _check_spacing(spacing: Sequence[float] | NDArray | None, ndim: int) -> NDArray[np.float64]:
    spacing = np.ones(ndim) if spacing is None else np.asarray(spacing, float)
    if spacing.shape != (ndim,) or not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise ValueError(f"expected {ndim} positive spacings, got {spacing}")
    return spacing


def _surface_distances(
    surfaces: Sequence[NDArray[np.uint8]], spacing: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Distance to the other surface and area, for the corners on each of two surfaces given by their codes."""
    areas = _surface_areas(*spacing.tolist())
    for codes, others in (surfaces, surfaces[::-1]):
        on_surface = _has_surface(codes)
        # the distance is zero on the other surface and grows away from it
        distance = distance_transform_edt(~_has_surface(others), sampling=spacing)
        yield distance[on_surface], areas[codes[on_surface]]


def _weighted_percentile(values: NDArray[np.float64], weights: NDArray[np.float64], share: float = 0.95) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, share * reached[-1])])


def _masks(truth: ArrayLike, prediction: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    one, other = np.asarray(truth) != 0, np.asarray(prediction) != 0
    if one.shape != other.shape:
        raise ValueError(f"the masks differ in shape: {one.shape} and {other.shape}")
    if one.ndim not in (2, 3):
        raise ValueError(f"expected masks of two or three dimensions, got shape {one.shape}")
    return one, other


def _crop(*masks: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Cut to the part where any mask is set; outside there is no surface."""
    union = np.logical_or.reduce(masks)
    window = []
    for axis in range(union.ndim):
        others = tuple(a for a in range(union.ndim) if a != axis)
        index = np.flatnonzero(union.any(axis=others))
        window.append(slice(index[0], index[-1] + 1))
    return [mask[tuple(window)] for mask in masks]


def _corner_codes(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Pattern of the eight voxels around every corner: bit 4i + 2j + k is the voxel at offset (i, j, k)."""
    padded = np.pad(mask, 1).astype(np.uint8)
    codes = np.zeros(np.array(mask.shape) + 1, np.uint8)
    for bit, offset in enumerate(product((0, 1), repeat=3)):
        window = tuple(slice(o, o + n) for o, n in zip(offset, codes.shape, strict=True))
        codes |= padded[window] << bit
    return codes


def _has_surface(codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (codes != 0) & (codes != 255)


@lru_cache(maxsize=8)
def _surface_areas(*spacing: float) -> NDArray[np.float64]:
    """Area of the surface within each of the 256 patterns of `_corner_codes`."""
    voxels = [(i, j, k) for i, j, k in product((0, 1), repeat=3)]
    # a unit area facing along one axis is the product of the other two spacings
    facing = np.prod(spacing) / np.array(spacing)
    areas = np.zeros(256)
    for code in range(1, 255):
        inside = [voxel for bit, voxel in enumerate(voxels) if code >> bit & 1]
        if len(inside) > 4:
            # a pattern and its inverse have the same surface
            inside = [voxel for voxel in voxels if voxel not in inside]
        normals = [normal for part in _connected(inside) for normal in _facets(part)]
        areas[code] = np.linalg.norm(normals * facing, axis=1).sum()
    areas.setflags(write=False)
    return areas


def _axes(a: Corner, b: Corner) -> list[int]:
    """Axes along which two voxels of a pattern differ."""
    return [axis for axis in range(3) if a[axis] != b[axis]]


def _connected(voxels: list[Corner]) -> list[list[Corner]]:
    """Split into parts that touch by faces."""
    parts: list[list[Corner]] = []
    for voxel in voxels:
        touching = [part for part in parts if any(len(_axes(voxel, other)) == 1 for other in part)]
        parts = [part for part in parts if part not in touching]
        parts.append([voxel, *(other for part in touching for other in part)])
    return parts


def _facets(part: list[Corner]) -> list[NDArray[np.float64]]:
    """Normals, as long as the area and with signs dropped, of the flat pieces that cut off up to four voxels.

    The pieces join the middles of the edges between inside and outside, in units of the voxel.
    """
    links = {voxel: [_axes(voxel, other)[0] for other in part if len(_axes(voxel, other)) == 1] for voxel in part}
    directions = {axis for axes in links.values() for axis in axes}
    unit = np.eye(3)
    cut_corner = np.full(3, 0.125)
    if len(part) == 1:
        return [cut_corner]
    if len(part) == 2:
        return [0.5 * (1 - unit[directions.pop()])]
    if len(directions) == 2:
        normal = unit[3 - sum(directions)]
        # all four voxels of a face, or three of them
        return [normal] if len(part) == 4 else [0.5 * normal, 3 * cut_corner]
    if max(map(len, links.values())) == 3:
        # one voxel and its three neighbours
        return [6 * cut_corner]
    # a twisted chain: two pieces face the directions of its ends
    ends = [axes[0] for axes in links.values() if len(axes) == 1]
    return [cut_corner, 3 * cut_corner, *(0.25 * (1 - unit[axis]) for axis in ends)]
