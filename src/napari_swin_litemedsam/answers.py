"""What the network answers: logits in its frame, which become a mask in the image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .frame_prompts import FramePrompts
from .preprocessing import Frame
from .zooming import Tile

_LOGIT_LIMIT = 60
Answer = tuple[NDArray[np.float32], float]  # logits, in the frame or in the image, and predicted IoU


@dataclass(frozen=True)
class Prediction:
    """A mask with the prompts it was made from, in pixels of the image, (y, x) order.

    Parameters
    ----------
    mask : array of bool
        ``(H, W)``.
    probability : array of float32
        ``(H, W)``, 0..1.
    iou : float
        As the network predicts it.
    points : array
        ``(N, 2)``.
    point_labels : array of int
        ``(N,)``: 1 inside, 0 outside the object.
    scribble : array of bool
        ``(H, W)``.
    box : array
        (y0, x0, y1, x1), clipped to the image.
    """

    mask: NDArray[np.bool_]
    probability: NDArray[np.float32]
    iou: float
    points: NDArray[np.float64]
    point_labels: NDArray[np.int64]
    scribble: NDArray[np.bool_]
    box: NDArray[np.float64]


def in_image(frame: Frame, answer: Answer) -> Answer:
    """An answer in the frame, ``(256, 256)``, as one in the image, ``(H, W)``."""
    return frame.logits_to_image(answer[0][None])[0], answer[1]


def mean_of_looks(whole: Answer, part: Answer, tile: Tile) -> Answer:
    """The mean of an answer in the image and one in the part of it that was looked at again."""
    logits = whole[0].copy()
    logits[tile.pixels] = (logits[tile.pixels] + part[0]) / 2
    return logits, (whole[1] + part[1]) / 2


def prediction_of(frame: Frame, prompt: FramePrompts, answer: Answer) -> Prediction:
    """An answer in the image, with the prompts that it was made from."""
    logits, iou = answer
    probability = 1 / (1 + np.exp(-np.clip(logits, -_LOGIT_LIMIT, _LOGIT_LIMIT)))
    scribble = np.zeros_like(logits, bool) if prompt.scribble is None else frame.mask_to_image(prompt.scribble)
    return Prediction(
        logits > 0,
        probability.astype(np.float32, copy=False),
        iou,
        frame.to_image(prompt.points),
        prompt.labels,
        scribble,
        frame.box_to_image(prompt.box),
    )
