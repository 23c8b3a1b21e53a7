"""Points and scribble derived from a box (paper, section 3.3), always the same for the same box and seed.

Everything is in the network's frame: masks are ``(size, size)``, positions (y, x) in frame pixels, boxes
(y0, x0, y1, x1).
"""

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.draw import line
from skimage.measure import label

Box = NDArray[np.float64]
Allowed = NDArray[np.bool_]


def object_rng(box: ArrayLike, seed: int = 0) -> np.random.Generator:
    """Random numbers that depend on the box and the seed alone, not on what ran before."""
    # boxes that differ by rounding errors alone must draw the same numbers
    whole = np.rint(np.asarray(box, float) * 16).astype(np.int64)
    return np.random.default_rng([seed, *(whole - np.iinfo(np.int32).min).tolist()])


def _pixels(box: ArrayLike, size: int) -> tuple[slice, slice]:
    """The pixels whose centres lie in a box, at least one on each axis."""
    y0, x0, y1, x1 = np.clip(np.asarray(box, float), 0, size - 1)

    def span(low: float, high: float) -> slice:
        first, last = int(np.ceil(low)), int(np.floor(high))
        if first > last:
            first = last = round((low + high) / 2)
        return slice(first, last + 1)

    return span(y0, y1), span(x0, x1)


def _shrink(box: ArrayLike, rng: np.random.Generator, low: float, high: float) -> Box:
    """Take a random share, between `low` and `high`, off each side; the same on opposite sides."""
    y0, x0, y1, x1 = np.asarray(box, float)
    dy, dx = rng.uniform(low, high, 2) * (y1 - y0, x1 - x0)
    return np.array([y0 + dy, x0 + dx, y1 - dy, x1 - dx])


def quadrant_points(allowed: Allowed, box: ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw one allowed pixel in each quadrant of a box.

    Parameters
    ----------
    allowed : array of bool
        ``(size, size)``, the pixels that may be drawn.
    box : array
        (y0, x0, y1, x1).
    rng : Generator
        Source of randomness.

    Returns
    -------
    array
        ``(4, 2)`` (y, x); a quadrant without allowed pixels gets the box's centre.
    """
    box = np.asarray(box, float)
    cy, cx = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    quadrants = [(box[0], box[1], cy, cx), (cy, box[1], box[2], cx), (cy, cx, box[2], box[3]), (box[0], cx, cy, box[3])]
    points = []
    for quadrant in quadrants:
        rows, columns = _pixels(quadrant, len(allowed))
        choice = np.argwhere(allowed[rows, columns])
        if len(choice):
            points.append(choice[rng.integers(len(choice))] + (rows.start, columns.start))
        else:
            points.append(np.array([cy, cx]))
    return np.array(points, float)


def curve(allowed: Allowed, box: ArrayLike, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw a random smooth curve in a box and keep the largest piece of it that is allowed.

    Parameters
    ----------
    allowed, box, rng
        As in `quadrant_points`.

    Returns
    -------
    array of bool
        ``(size, size)``; all False if nothing of the curve is allowed.
    """
    rows, columns = _pixels(box, len(allowed))
    low = np.array([rows.start, columns.start])
    extent = np.array([rows.stop, columns.stop]) - 1 - low
    control = low + rng.random((4, 2)) * extent
    t = np.linspace(0, 1, 33)[:, None]
    basis = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    path = np.rint(basis @ control).astype(int)
    drawn = np.zeros_like(allowed)
    for start, end in pairwise(path):
        drawn[line(*start, *end)] = True
    drawn &= allowed
    if drawn.any():
        # nothing lies outside these pixels, and searching them takes less time
        pieces = label(drawn[rows, columns], connectivity=2)
        drawn[rows, columns] = pieces == np.bincount(pieces[pieces > 0]).argmax()
    return drawn


def inference_points(image_area: Allowed, box: ArrayLike, seed: int = 0) -> NDArray[np.float64]:
    """Four points from a box, as published for inference: away from its border, where the image is not zero."""
    rng = object_rng(box, seed)
    return quadrant_points(image_area, _shrink(box, rng, 1 / 5, 2 / 5), rng)


def inference_scribble(image_area: Allowed, box: ArrayLike, seed: int = 0) -> NDArray[np.bool_]:
    """A scribble from a box, as published for inference."""
    rng = object_rng(box, seed + 1)
    return curve(image_area, _shrink(box, rng, 1 / 8, 1 / 6), rng)


def training_points(truth: Allowed, box: ArrayLike, rng: np.random.Generator) -> NDArray[np.float64]:
    """Four points from a box and the ground truth, as published for training: anywhere on the object."""
    return quadrant_points(truth, box, rng)


def training_scribble(truth: Allowed, box: ArrayLike, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A scribble from a box and the ground truth, as published for training."""
    return curve(truth, box, rng)


def differ(points: NDArray[np.float64], drawn: NDArray[np.float64], by: float) -> NDArray[np.bool_]:
    """Which points, ``(N, 2)``, lie farther than `by` pixels, along an axis, from all that were drawn, ``(M, 2)``."""
    return (np.abs(points[:, None] - drawn).max(axis=2) > by).all(axis=1)


def mask_prompts(mask: Allowed, seed: int = 0) -> tuple[Box, NDArray[np.float64], Allowed]:
    """Box, points and scribble from a mask, as in training but for its tight box.

    Parameters
    ----------
    mask : array of bool
        ``(H, W)``, not empty.
    seed : int
        Other seeds draw other points and scribbles.

    Returns
    -------
    box : array
        (y0, x0, y1, x1).
    points : array
        ``(4, 2)`` (y, x), on the mask.
    scribble : array of bool
        ``(H, W)``, on the mask.
    """
    height, width = mask.shape
    square = np.zeros((max(mask.shape),) * 2, bool)
    square[:height, :width] = mask
    box = bounding_box(mask)
    rng = object_rng(box, seed)
    points = training_points(square, box, rng)
    # a quadrant without the object gets the box's centre, which may lie beside it
    on_mask = mask[tuple(np.rint(points).astype(int).T)]
    return box, points[on_mask], training_scribble(square, box, rng)[:height, :width]


def jitter_box(box: ArrayLike, rng: np.random.Generator, size: int, most: float = 5) -> Box:
    """Grow a box by 0 to `most` pixels on each side, inside the frame (paper, section 4.2)."""
    y0, x0, y1, x1 = np.asarray(box, float)
    grow = rng.integers(0, int(most) + 1, 4)
    return np.clip([y0 - grow[0], x0 - grow[1], y1 + grow[2], x1 + grow[3]], 0, size - 1)


def bounding_box(mask: Allowed) -> Box:
    """Box (y0, x0, y1, x1) of a mask's pixels, both ends included.

    Raises
    ------
    ValueError
        If the mask is empty.
    """
    ends = []
    for axis in (1, 0):
        index = np.flatnonzero(mask.any(axis=axis))
        if not len(index):
            raise ValueError("an empty mask has no bounding box")
        ends.append((index[0], index[-1]))
    (y0, y1), (x0, x1) = ends
    return np.array([y0, x0, y1, x1], float)


def covered_part(mask: Allowed, margin: int = 0) -> tuple[slice, slice]:
    """Rows and columns that a mask covers, and some more on each side as far as there are; errors as `bounding_box`."""
    y0, x0, y1, x1 = bounding_box(mask).astype(int)
    return slice(max(0, y0 - margin), y1 + 1 + margin), slice(max(0, x0 - margin), x1 + 1 + margin)
