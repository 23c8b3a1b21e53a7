"""Simulated corrections: where an annotator who sees a mask's errors would click."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from ..model import PointLabel


class Click(NamedTuple):
    """A pixel (y, x) and what it says: `PointLabel.POSITIVE` or `PointLabel.NEGATIVE`."""

    y: int
    x: int
    label: PointLabel


def corrective_click(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Click | None:
    """Click into the middle of the widest error.

    Parameters
    ----------
    mask, truth : array of bool
        ``(H, W)``.

    Returns
    -------
    Click or None
        The pixel of an error that is farthest from the error's rim: positive where the object was missed,
        negative where the mask goes too far. None if the two are equal.
    """
    best, click = 0.0, None
    for error, label in ((truth & ~mask, PointLabel.POSITIVE), (mask & ~truth, PointLabel.NEGATIVE)):
        if not error.any():
            continue
        # what lies beyond the image is no error
        depth = distance_transform_edt(np.pad(error, 1))[1:-1, 1:-1]
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        if depth[y, x] > best:
            best, click = float(depth[y, x]), Click(int(y), int(x), label)
    return click


def add_clicks(points: Tensor, labels: Tensor, logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Give each of N prompts one more point, on the largest error of its mask; twice, as all that are placed by hand.

    Parameters
    ----------
    points, labels : Tensor
        ``(N, P, 2)`` (x, y) and ``(N, P)``.
    logits, truth : Tensor
        ``(N, H, W)``.

    Returns
    -------
    points, labels : Tensor
        With P + 2 points; a prompt without error gets padding.
    """
    masks, truths = (logits > 0).cpu().numpy(), (truth > 0.5).cpu().numpy()
    clicks = [
        corrective_click(mask, other) or Click(0, 0, PointLabel.PADDING)
        for mask, other in zip(masks, truths, strict=True)
    ]
    more = points.new_tensor([[[click.x, click.y]] * 2 for click in clicks])
    said = labels.new_tensor([[int(click.label)] * 2 for click in clicks])
    return torch.cat([points, more], 1), torch.cat([labels, said], 1)
