"""What someone has placed or painted is right: where the network has not heeded it, the mask gives way around it.

Not from the paper: the network alone leaves many a pixel that is clicked or painted on as it was.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_REACH = 0.25  # of the box's size, at most
_SURE = 4.0  # logit at the point: a probability of 0.98
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
    if painted is not None:
        missed = np.argwhere(painted & (logits <= 0))
        along = missed[:: max(1, -(-len(missed) // _ALONG))]
        at, said = np.vstack([at, along]), np.append(said, np.ones(len(along), bool))
    ignored = (logits[tuple(at.T)] > 0) != said
    # nearly always, as where boxes are carried: what follows reads the whole image
    if not ignored.any():
        return logits
    mask = logits > 0
    low, high = np.split(np.asarray(box, float), 2)
    most = max(1.0, _REACH * float(np.prod(high - low + 1)) ** 0.5)
    change = np.zeros_like(logits)
    for point, positive in zip(at[ignored], said[ignored], strict=True):
        width = _to_rim(mask, point, positive, most)
        part, rows, columns = _around(point, _SEEN * width, mask.shape)
        height = abs(logits[tuple(point)]) + _SURE
        turn = height * _bell(rows / width) * _bell(columns / width)
        turn[turn < height * _bell(_SEEN)] = 0
        for down, right in at[said != positive] - point:
            turn[2 * (rows * down + columns * right) >= down**2 + right**2] = 0
        change[part] = np.where(turn > abs(change[part]), turn if positive else -turn, change[part])
    return logits + change


def _to_rim(mask: NDArray[np.bool_], point: NDArray[np.int64], positive: bool, most: float) -> float:
    """How far the nearest pixel is that the mask holds or, if not `positive`, does not; `most` at most."""
    reach = 8.0
    while True:
        # the search grows, since most are near
        part, rows, columns = _around(point, reach, mask.shape)
        away = float((rows**2 + columns**2)[mask[part] == positive].min(initial=np.inf)) ** 0.5
        if away <= reach or reach > most:
            return min(away, most)
        reach *= 2


def _around(
    point: NDArray[np.int64], reach: float, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], NDArray[np.float32], NDArray[np.float32]]:
    """The square around a point, as far as there is one, and how far its rows and columns are from the point."""
    low, high = np.maximum(point - int(reach), 0), np.minimum(point + int(reach) + 1, shape)
    rows, columns = (np.arange(*ends, dtype=np.float32) - at for *ends, at in zip(low, high, point, strict=True))
    return (slice(low[0], high[0]), slice(low[1], high[1])), rows[:, None], columns[None]


def _bell(deviations: ArrayLike) -> NDArray[np.float32]:
    """Gaussian of height 1."""
    return np.exp(-np.square(deviations) / 2)
