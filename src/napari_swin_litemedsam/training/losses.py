"""Losses of stage 2 (paper, section 3.4): Dice + binary cross-entropy + squared error of the predicted IoU.

Ours is that errors around corrective clicks count for more.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..preprocessing import FRAME_SIZE

# how far around a click it counts, in pixels of the 256 frame (a standard deviation)
HEED_REACH = 6


def dice_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Soft Dice loss, ``(N,)``, of ``(N, H, W)`` logits."""
    probability = logits.sigmoid()
    overlap = (probability * truth).sum((1, 2))
    return 1 - (2 * overlap + 1) / (probability.sum((1, 2)) + truth.sum((1, 2)) + 1)


def true_iou(logits: Tensor, truth: Tensor) -> Tensor:
    """IoU, ``(N,)``, of the masks that the logits stand for."""
    mask, truth = logits > 0, truth > 0.5
    union = (mask | truth).sum((1, 2)).clamp(min=1)
    return (mask & truth).sum((1, 2)) / union


def stage2_losses(logits: Tensor, iou: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """The three terms, by name; their sum is the loss.

    Where there is no object, the first two do not count: a mask there cannot be right, and the network should say so
    rather than give up masks of what is hard to see.
    """
    logits = logits.float()
    shown = truth.amax((1, 2))
    share = shown / shown.sum().clamp(min=1)
    return {
        "dice": (share * dice_loss(logits, truth)).sum(),
        "bce": (share * F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean((1, 2))).sum(),
        "iou": F.mse_loss(iou.float(), true_iou(logits, truth)),
    }


def heed_loss(logits: Tensor, truth: Tensor, clicks: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy around clicks: a mask that is right on the whole but not where it was corrected is useless.

    Parameters
    ----------
    logits, truth : Tensor
        ``(N, H, W)``.
    clicks, labels : Tensor
        ``(N, C, 2)`` (x, y) and ``(N, C)``; those with a label below 0 are padding.
    """
    rows, columns = (torch.arange(side, device=logits.device) for side in logits.shape[1:])
    x, y = clicks.float().unsqueeze(-1).unbind(2)
    reach = HEED_REACH * logits.shape[-1] / FRAME_SIZE
    down, across = (torch.exp(-(((axis - at) / reach) ** 2) / 2) for axis, at in ((rows, y), (columns, x)))
    near = torch.einsum("nch,ncw->nhw", down * (labels >= 0).unsqueeze(-1), across)
    errors = F.binary_cross_entropy_with_logits(logits.float(), truth, reduction="none")
    total = near.sum((1, 2))
    clicked = total > 0
    return ((near * errors).sum((1, 2)) / total.clamp(min=1e-6) * clicked).sum() / clicked.sum().clamp(min=1)


def distillation_loss(student: list[Tensor], teacher: list[Tensor | None]) -> Tensor:
    """Mean absolute difference of feature maps, each in units of the teacher's standard deviation.

    Where the teacher has no counterpart (None), the student's map is free.
    """
    terms = [F.l1_loss(s.float(), t) / t.std() for s, t in zip(student, teacher, strict=True) if t is not None]
    return torch.stack(terms).mean()
