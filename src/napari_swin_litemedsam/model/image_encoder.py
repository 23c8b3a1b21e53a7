"""The image encoder: a Swin transformer whose first stages keep a high resolution (paper, section 3.1)."""

import torch
import torch.nn.functional as F
from einops import rearrange
from timm.layers import LayerNorm2d, Mlp
from torch import Tensor, nn

WINDOW = 8
HEAD_WIDTH = 32
STAGE_WIDTHS = (128, 160, 320, 320)
STAGE_DEPTHS = (2, 2, 6, 2)
STAGE_HEADS = (2, 4, 5, 10)
STAGE_STRIDES = (2, 2, 1, 1)
EMBEDDING_WIDTH = 256


class ConvNorm(nn.Module):
    """A convolution without bias, followed by batch normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


def neck(inputs: int) -> nn.Sequential:
    """Two convolutions with channel normalisation that bring `inputs` channels to the embedding's 256."""
    return nn.Sequential(
        nn.Conv2d(inputs, EMBEDDING_WIDTH, 1, bias=False),
        LayerNorm2d(EMBEDDING_WIDTH, eps=1e-6),
        nn.Conv2d(EMBEDDING_WIDTH, EMBEDDING_WIDTH, 3, padding=1, bias=False),
        LayerNorm2d(EMBEDDING_WIDTH, eps=1e-6),
    )


def shifted_window_masks() -> tuple[Tensor, Tensor]:
    """Masks that keep apart what the cyclic shift brought together.

    Returns
    -------
    bottom, right : Tensor
        ``(64, 64)`` additive masks (0 or -inf) for the windows of the last row and of the last column.
    """
    part = torch.arange(WINDOW) < WINDOW - WINDOW // 2
    row, column = torch.meshgrid(part, part, indexing="ij")

    def separate(group: Tensor) -> Tensor:
        group = group.flatten()
        return torch.zeros(len(group), len(group)).masked_fill(group[:, None] != group[None], -torch.inf)

    return separate(row), separate(column)


def relative_positions() -> Tensor:
    """Flat index into the (15, 15) position table for each pair (i, j) of window pixels, ``(64, 64)``."""
    span = 2 * WINDOW - 1
    position = torch.cartesian_prod(torch.arange(WINDOW), torch.arange(WINDOW))
    offset = position[None] - position[:, None] + WINDOW - 1
    return offset[..., 0] * span + offset[..., 1]


class WindowAttention(nn.Module):
    """Self-attention inside 8x8 windows, cyclically shifted by half a window in every other block."""

    position_index: Tensor
    bottom_mask: Tensor
    right_mask: Tensor

    def __init__(self, width: int, heads: int, shifted: bool):
        super().__init__()
        self.heads = heads
        self.shift = WINDOW // 2 if shifted else 0
        self.qkv = nn.Linear(width, 3 * heads * HEAD_WIDTH, bias=False)
        self.proj = nn.Linear(heads * HEAD_WIDTH, width)
        self.position_bias = nn.Parameter(0.02 * torch.randn(2 * WINDOW - 1, 2 * WINDOW - 1))
        self.register_buffer("position_index", relative_positions(), persistent=False)
        bottom, right = shifted_window_masks()
        self.register_buffer("bottom_mask", bottom, persistent=False)
        self.register_buffer("right_mask", right, persistent=False)

    def bias(self, rows: int, columns: int) -> Tensor:
        """Additive attention bias, ``(rows * columns or 1, 1, 64, 64)``, for a grid of windows."""
        position = self.position_bias.flatten()[self.position_index]
        if not self.shift:
            return position[None, None]
        at_bottom = (torch.arange(rows, device=position.device) == rows - 1)[:, None, None, None]
        at_right = (torch.arange(columns, device=position.device) == columns - 1)[None, :, None, None]
        none = torch.zeros((), device=position.device, dtype=position.dtype)
        bias = position + torch.where(at_bottom, self.bottom_mask, none) + torch.where(at_right, self.right_mask, none)
        return bias.flatten(0, 1)[:, None]

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, H, W, C)`` to the same shape; H and W are multiples of 8."""
        batch, height, width, _ = x.shape
        rows, columns = height // WINDOW, width // WINDOW
        if self.shift:
            x = x.roll((-self.shift, -self.shift), dims=(1, 2))
        query, key, value = rearrange(
            self.qkv(x),
            "b (row i) (col j) (three head d) -> three (b row col) head (i j) d",
            i=WINDOW,
            j=WINDOW,
            three=3,
            head=self.heads,
        )
        bias = self.bias(rows, columns).to(query.dtype)
        bias = bias.repeat(batch, 1, 1, 1) if self.shift else bias
        x = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        x = rearrange(
            x, "(b row col) head (i j) d -> b (row i) (col j) (head d)", row=rows, col=columns, i=WINDOW, j=WINDOW
        )
        x = self.proj(x)
        return x.roll((self.shift, self.shift), dims=(1, 2)) if self.shift else x


class SwinBlock(nn.Module):
    """Window attention, a depthwise convolution (without residual) and an MLP, on ``(B, H, W, C)``."""

    def __init__(self, width: int, heads: int, shifted: bool):
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = WindowAttention(width, heads, shifted)
        self.local_conv = ConvNorm(width, width, kernel=3, groups=width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = Mlp(width, 4 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        # the permuted view is what channels-last convolution wants: nothing is copied
        x = self.local_conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return x + self.mlp(self.mlp_norm(x))


class SwinStage(nn.Module):
    """Patch merging by a strided convolution, then an even number of Swin blocks."""

    def __init__(self, inputs: int, width: int, depth: int, heads: int, stride: int):
        super().__init__()
        self.merge = nn.Conv2d(inputs, width, stride, stride)
        self.blocks = nn.Sequential(*(SwinBlock(width, heads, shifted=bool(i % 2)) for i in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.merge(x).permute(0, 2, 3, 1)
        return self.blocks(x).permute(0, 3, 1, 2)


class ImageEncoder(nn.Module):
    """Image to embedding, with the outputs of the four stages for the mask decoder's skip connections."""

    def __init__(self):
        super().__init__()
        self.patch_embed = nn.Sequential(ConvNorm(3, 32), nn.GELU(), ConvNorm(32, 64))
        inputs = (64, *STAGE_WIDTHS[:-1])
        self.stages = nn.ModuleList(
            SwinStage(*sizes)
            for sizes in zip(inputs, STAGE_WIDTHS, STAGE_DEPTHS, STAGE_HEADS, STAGE_STRIDES, strict=True)
        )
        self.neck = neck(STAGE_WIDTHS[-1])

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Encode a batch of images.

        Parameters
        ----------
        image : Tensor
            ``(B, 3, H, W)`` in 0..1; H and W are multiples of 64 (256 as published).

        Returns
        -------
        embedding : Tensor
            ``(B, 256, H/4, W/4)``.
        skips : list of Tensor
            Stage outputs with 128, 160, 320 and 320 channels, the first at half and the rest at a quarter
            of the image's resolution.
        """
        x = self.patch_embed(image.contiguous(memory_format=torch.channels_last))
        skips = []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        return self.neck(x), skips
