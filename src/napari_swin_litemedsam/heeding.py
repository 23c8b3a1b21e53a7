"""What someone has placed or painted is right: where the network has not heeded it, the mask gives way around it.

Not from the paper: the network alone leaves many a pixel that is clicked or painted on as it was.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_REACH = 0.25  # of the box's size, at most
_SURE = 2.0  # logit at the point: a probability of 0.88
_SEEN = 3  # standard deviations; what is farther stays as it is
_ALONG = 32  # points that stand for what was painted, at most


def heeded(
    logits: NDArray[np.float32],
    points: ArrayLike,
    labels: ArrayLike,
    box: ArrayLike,
    painted: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Turn logits around points and strokes that they contradict.

    A user clicks into the middle of what is wrong, so that this reaches about as far as the mask's rim is away. The
    change is a Gaussian of that width, and ends where a point that says otherwise is nearer.

    Parameters
    ----------
    logits : array
        ``(H, W)``, above 0 in the mask.
    points : array
        ``(N, 2)`` (y, x) in pixels of the image; those outside do nothing.
    labels : array of int
        ``(N,)``: 1 inside, 0 outside the object.
    box : array
        (y0, x0, y1, x1) of the object, a quarter of whose size is the most that the width can be.
    painted : array of bool, optional
        ``(H, W)``, strokes on the object. Points evenly spread over what of them is missed stand for it.

    Returns
    -------
    array
        ``(H, W)``; `logits` itself if nothing is contradicted.
    """
    at = np.rint(np.asarray(points, float).reshape(-1, 2)).astype(int)
    inside = ((at >= 0) & (at < logits.shape)).all(axis=1)
    at, said = at[inside], np.asarray(labels)[inside] == 1
    mask = logits > 0
    if painted is not None:
        missed = np.argwhere(painted & ~mask)
        along = missed[:: max(1, -(-len(missed) // _ALONG))]
        at, said = np.vstack([at, along]), np.append(said, np.ones(len(along), bool))
    ignored = mask[tuple(at.T)] != said
    if not ignored.any():
        return logits
    low, high = np.split(np.asarray(box, float), 2)
    most = max(1.0, _REACH * float(np.prod(high - low + 1)) ** 0.5)
    change = np.zeros_like(logits)
    for point, positive in zip(at[ignored], said[ignored], strict=True):
        rows, columns = _around(point, most, logits.shape)
        agrees = mask[rows, columns] == positive
        variance = _squares(rows, columns, point)[agrees].min(initial=max(1, int(most**2)))
        rows, columns = _around(point, _SEEN * variance**0.5, logits.shape)
        away = _squares(rows, columns, point)
        turn = (abs(logits[tuple(point)]) + _SURE) * np.exp(-away / (2 * variance))
        turn[away > _SEEN**2 * variance] = 0
        for other in at[said != positive]:
            turn[_squares(rows, columns, other) <= away] = 0
        part = change[rows, columns]
        change[rows, columns] = np.where(turn > abs(part), turn if positive else -turn, part)
    return logits + change


def _around(point: NDArray[np.int64], reach: float, shape: tuple[int, ...]) -> tuple[NDArray, ...]:
    """Rows and columns, as `numpy.ogrid` gives them, of the square around a point, as far as there are."""
    low, high = np.maximum(point - int(reach), 0), np.minimum(point + int(reach) + 1, shape)
    return np.ogrid[low[0] : high[0], low[1] : high[1]]


def _squares(rows: NDArray[np.int64], columns: NDArray[np.int64], point: NDArray[np.int64]) -> NDArray[np.int64]:
    """Squared distances from a point."""
    return (rows - point[0]) ** 2 + (columns - point[1]) ** 2
