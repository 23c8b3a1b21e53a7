"""Points that someone placed are right: where the network has not heeded one, the mask gives way around it.

Not from the paper: the network alone leaves many a pixel that is clicked on as it was.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_REACH = 0.25  # of the box's size, at most
_SURE = 2.0  # logit at the point: a probability of 0.88
_SEEN = 3  # standard deviations; what is farther stays as it is


def heeded(logits: NDArray[np.float32], points: ArrayLike, labels: ArrayLike, box: ArrayLike) -> NDArray[np.float32]:
    """Turn logits around points that they contradict.

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

    Returns
    -------
    array
        ``(H, W)``; `logits` itself if no point is contradicted.
    """
    at = np.rint(np.asarray(points, float).reshape(-1, 2)).astype(int)
    inside = ((at >= 0) & (at < logits.shape)).all(axis=1)
    at, said = at[inside], np.asarray(labels)[inside] == 1
    mask = logits > 0
    ignored = mask[tuple(at.T)] != said
    if not ignored.any():
        return logits
    low, high = np.split(np.asarray(box, float), 2)
    most = max(1.0, _REACH * float(np.prod(high - low + 1)) ** 0.5)
    change = np.zeros_like(logits)
    for point, positive in zip(at[ignored], said[ignored], strict=True):
        (y0, x0), (y1, x1) = np.maximum(point - int(_SEEN * most), 0), point + int(_SEEN * most) + 1
        part = np.s_[y0:y1, x0:x1]
        rows, columns = np.ogrid[: logits.shape[0], : logits.shape[1]]
        rows, columns = rows[y0:y1], columns[:, x0:x1]
        away = _squares(rows, columns, point)
        variance = away[mask[part] == positive].min(initial=max(1, int(most**2)))
        turn = (abs(logits[tuple(point)]) + _SURE) * np.exp(-away / (2 * variance))
        turn[away > _SEEN**2 * variance] = 0
        for other in at[said != positive]:
            turn[_squares(rows, columns, other) < away] = 0
        larger = turn > abs(change[part])
        change[part][larger] = turn[larger] if positive else -turn[larger]
    return logits + change


def _squares(rows: NDArray[np.int64], columns: NDArray[np.int64], point: NDArray[np.int64]) -> NDArray[np.int64]:
    """Squared distances from a point."""
    return (rows - point[0]) ** 2 + (columns - point[1]) ** 2
