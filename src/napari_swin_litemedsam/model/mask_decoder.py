"""The mask decoder with skip connections from the encoder, in two halves: per image and per prompt."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from timm.layers import LayerNorm2d
from torch import Tensor, nn

from .image_encoder import STAGE_WIDTHS, neck
from .transformer import TwoWayTransformer

WIDTH = 256
MASK_TOKENS = 4


class ImageFeatures(NamedTuple):
    """All that depends on the image alone, for a batch of B images with input frames of H x W.

    embedding : ``(B, 256, H/4, W/4)``
    deep : ``(B, 256, H/4, W/4)``, the image's share of the first skip convolution
    shallow : ``(B, 64, H/2, W/2)``, the image's share of the second
    """

    embedding: Tensor
    deep: Tensor
    shallow: Tensor


def head(outputs: int) -> nn.Sequential:
    """A three-layer perceptron on one token."""
    return nn.Sequential(
        nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, outputs)
    )


def half_conv(conv: nn.Conv2d, x: Tensor, first: bool) -> Tensor:
    """Apply a 1x1 convolution to the first or the second half of its inputs; the bias goes with the second.

    A 1x1 convolution of two concatenated maps is the sum of two, and the map of the image needs its own
    but once.
    """
    half = conv.in_channels // 2
    if first:
        return F.conv2d(x, conv.weight[:, :half])
    return F.conv2d(x, conv.weight[:, half:], conv.bias)


class MaskDecoder(nn.Module):
    """Predict a mask and its IoU from image features and prompt tokens (paper, section 3.2)."""

    def __init__(self):
        super().__init__()
        self.transformer = TwoWayTransformer(WIDTH)
        self.iou_token = nn.Parameter(torch.randn(1, WIDTH))
        # as published there are four mask tokens; the first one's mask is the answer
        self.mask_tokens = nn.Parameter(torch.randn(MASK_TOKENS, WIDTH))
        self.skip_neck = neck(sum(STAGE_WIDTHS[1:]))
        self.deep_conv = nn.Conv2d(2 * WIDTH, WIDTH, 1)
        self.deep_norm = LayerNorm2d(WIDTH, eps=1e-6)
        self.deep_up = nn.ConvTranspose2d(WIDTH, 128, 2, 2)
        self.shallow_conv = nn.Conv2d(128 + STAGE_WIDTHS[0], 64, 1)
        self.shallow_norm = LayerNorm2d(64, eps=1e-6)
        self.shallow_up = nn.ConvTranspose2d(64, 32, 2, 2)
        self.mask_heads = nn.ModuleList(head(32) for _ in range(MASK_TOKENS))
        self.iou_head = head(MASK_TOKENS)

    def image_half(self, embedding: Tensor, skips: list[Tensor]) -> ImageFeatures:
        """The work that is the same for every prompt on an image; arguments as `ImageEncoder` returns them."""
        deep = half_conv(self.deep_conv, self.skip_neck(torch.cat(skips[1:], dim=1)), first=False)
        shallow = half_conv(self.shallow_conv, skips[0], first=False)
        return ImageFeatures(embedding, deep, shallow)

    def forward(
        self, features: ImageFeatures, grid_position: Tensor, tokens: Tensor, dense: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Decode N prompts.

        Parameters
        ----------
        features : ImageFeatures
            Of N images, or of one that all prompts share.
        grid_position : Tensor
            ``(1, 256, h, w)``.
        tokens, dense, mask : Tensor
            As `PromptEncoder` returns them.

        Returns
        -------
        logits : Tensor
            ``(N, 4h, 4w)``, above 0 inside the object.
        iou : Tensor
            ``(N,)``, the predicted IoU of the mask.
        """
        count = tokens.shape[0]  # len would be a constant to tracers
        height, width = features.embedding.shape[-2:]
        own = torch.cat([self.iou_token, self.mask_tokens]).expand(count, -1, -1)
        tokens = torch.cat([own, tokens], dim=1)
        if mask is not None:
            mask = torch.cat([mask.new_ones(count, own.shape[1]), mask], dim=1)
        image = rearrange(features.embedding + dense, "n c h w -> n (h w) c").expand(count, -1, -1)
        position = rearrange(grid_position, "n c h w -> n (h w) c")
        tokens, image = self.transformer(tokens, image, position, mask)

        x = rearrange(image, "n (h w) c -> n c h w", h=height, w=width)
        x = F.gelu(self.deep_norm(half_conv(self.deep_conv, x, first=True) + features.deep))
        x = F.gelu(self.deep_up(x))
        x = F.gelu(self.shallow_norm(half_conv(self.shallow_conv, x, first=True) + features.shallow))
        x = F.gelu(self.shallow_up(x))
        logits = torch.einsum("nc,nchw->nhw", self.mask_heads[0](tokens[:, 1]), x)
        return logits, self.iou_head(tokens[:, 0])[:, 0]
