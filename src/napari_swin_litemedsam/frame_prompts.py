"""What the network is told of an object: its prompts in the frame of an image, and in that of a part of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .preprocessing import Frame
from .prompts import differ, inference_points, inference_scribble
from .zooming import Tile

_SAME = 0.5  # pixels of the frame; nearer to a point drawn from the box, a point is that one


@dataclass(frozen=True)
class FramePrompts:
    """One object's prompts in the network's frame; a scribble of None is no scribble.

    placed : for each point, whether someone put it there, rather than that it was drawn from the box.
    stroke : the scribble in pixels of the image where someone drew it, which is finer than the frame.
    painted : what of that someone painted, rather than that it was drawn from the box.
    """

    box: NDArray[np.float64]
    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    placed: NDArray[np.bool_]
    scribble: NDArray[np.bool_] | None
    stroke: NDArray[np.bool_] | None = None
    painted: NDArray[np.bool_] | None = None

    def within(self, tile: Tile, whole: Frame, frame: Frame) -> "FramePrompts":
        """The same prompts in the frame of a tile that the box lies in; points outside are left out."""
        points = frame.to_frame(whole.to_image(self.points) - tile.origin)
        seen = ((points > -0.5) & (points < np.array(frame.resized) - 0.5)).all(axis=1)
        box = frame.box_to_frame(whole.box_to_image(self.box) - np.tile(tile.origin, 2))
        scribble = self.scribble
        if scribble is not None:
            stroke = whole.mask_to_image(scribble) if self.stroke is None else self.stroke
            scribble = frame.mask_to_frame(stroke[tile.pixels])
        return FramePrompts(box, points[seen], self.labels[seen], self.placed[seen], scribble)


def told_points(
    points: NDArray[np.float64], labels: NDArray[np.int64], placed: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points and labels as the network gets them: those placed twice, which tells them from those of a box."""
    return np.vstack([points, points[placed]]), np.append(labels, labels[placed])


def prompts_in_frame(
    frame: Frame,
    area: NDArray[np.bool_],
    box: NDArray[np.float64],
    points: ArrayLike | None = None,
    point_labels: ArrayLike | None = None,
    scribble: ArrayLike | bool | None = None,
    seed: int = 0,
    placed: ArrayLike | None = None,
    painted: ArrayLike | None = None,
) -> FramePrompts:
    """Move what `Predictor.predict` was given to the frame, and draw what it was not given.

    Parameters
    ----------
    frame : Frame
        Of the image.
    area : array of bool
        ``(size, size)``, where the image is not black.
    box : array
        (y0, x0, y1, x1) in pixels of the image, inside it.
    points, point_labels, scribble, seed, placed, painted
        As `Predictor.predict` takes them.

    Raises
    ------
    ValueError
        If points, labels and what is placed are not as many or not what they can be, or a scribble is not of the
        image's size.
    """
    box = frame.box_to_frame(box)
    drawn_points = inference_points(area, box, seed)
    if points is None:
        points, labels = drawn_points, np.ones(len(drawn_points), np.int64)
    else:
        points, labels = _given_points(frame, points, point_labels)
    drawn: NDArray[np.bool_] | None
    stroke = own = None
    if scribble is None:
        drawn = inference_scribble(area, box, seed)
    elif scribble is False:
        drawn = None
    else:
        scribble = np.asarray(scribble)
        if scribble.shape != (frame.height, frame.width):
            raise ValueError(f"the scribble is {scribble.shape}, but the image is {frame.height}x{frame.width} pixels")
        stroke, drawn = scribble != 0, frame.mask_to_frame(scribble)
        if painted is None:
            painted = ~frame.mask_to_image(inference_scribble(area, box, seed))
        own = stroke & (np.asarray(painted) != 0)
    if placed is None:
        placed = differ(points, drawn_points, _SAME)
    placed = np.asarray(placed, bool).reshape(-1)
    if len(placed) != len(points):
        raise ValueError(f"of {len(points)} points it is told for {len(placed)} whether someone placed them")
    return FramePrompts(box, points, labels, placed | (labels == 0), drawn, stroke, own)


def _given_points(
    frame: Frame, points: ArrayLike, labels: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points in the frame, with a label each."""
    points = np.asarray(points, float)
    if points.size and (points.shape[-1] != 2 or not np.isfinite(points).all()):
        raise ValueError(f"points are pairs of finite numbers (y, x), not {points.tolist()}")
    points = frame.to_frame(points.reshape(-1, 2))
    given = np.ones(len(points)) if labels is None else np.asarray(labels).reshape(-1)
    if len(given) != len(points):
        raise ValueError(f"{len(points)} points have {len(given)} labels")
    if not np.isin(given, (0, 1)).all():
        raise ValueError(f"the label of a point is 1, inside, or 0, outside, not {given.tolist()}")
    return points, given.astype(np.int64)
