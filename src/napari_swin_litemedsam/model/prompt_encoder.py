"""The prompt encoder of Segment Anything: points, box and scribble to tokens and a dense map."""

import math
from enum import IntEnum

import torch
from timm.layers import LayerNorm2d
from torch import Tensor, nn

WIDTH = 256


class PointLabel(IntEnum):
    """What a point says; `PADDING` fills up a batch and is seen by nothing."""

    PADDING = -2
    NOT_A_POINT = -1
    NEGATIVE = 0
    POSITIVE = 1


class PromptEncoder(nn.Module):
    """Encode prompts given in pixels of the network's input frame, (x, y) order."""

    frequencies: Tensor

    def __init__(self):
        super().__init__()
        self.register_buffer("frequencies", torch.randn(2, WIDTH // 2))
        # negative point, positive point, box corner at the top left, box corner at the bottom right
        self.kinds = nn.ParameterList(torch.randn(1, WIDTH) for _ in range(4))
        self.not_a_point = nn.Parameter(torch.randn(1, WIDTH))
        self.no_scribble = nn.Parameter(torch.randn(1, WIDTH))
        self.scribble_convs = nn.Sequential(
            nn.Conv2d(1, 4, 2, 2),
            LayerNorm2d(4, eps=1e-6),
            nn.GELU(),
            nn.Conv2d(4, 16, 2, 2),
            LayerNorm2d(16, eps=1e-6),
            nn.GELU(),
            nn.Conv2d(16, WIDTH, 1),
        )

    def position(self, unit: Tensor) -> Tensor:
        """Fourier features, ``(..., 256)``, of (x, y) positions in 0..1."""
        # half precision would lose the phase of the higher frequencies
        with torch.autocast(unit.device.type, enabled=False):
            phase = 2 * math.pi * ((2 * unit.float() - 1) @ self.frequencies.float())
            return torch.cat([phase.sin(), phase.cos()], dim=-1).to(self.no_scribble.dtype)

    def grid_position(self, height: int, width: int) -> Tensor:
        """Positions of an embedding's pixel centres, ``(1, 256, height, width)``."""
        like = self.frequencies
        y = (torch.arange(height, device=like.device) + 0.5) / height
        x = (torch.arange(width, device=like.device) + 0.5) / width
        y, x = torch.meshgrid(y, x, indexing="ij")
        return self.position(torch.stack([x, y], dim=-1)).permute(2, 0, 1)[None]

    def point_tokens(self, points: Tensor, labels: Tensor, size: Tensor) -> Tensor:
        tokens = self.position((points + 0.5) / size)
        labels = labels[..., None]
        tokens = torch.where(labels == PointLabel.NOT_A_POINT, self.not_a_point, tokens)
        tokens = torch.where(labels == PointLabel.NEGATIVE, tokens + self.kinds[0], tokens)
        return torch.where(labels == PointLabel.POSITIVE, tokens + self.kinds[1], tokens)

    def forward(
        self,
        grid: tuple[int, int],
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
        scribbles: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Encode the prompts of N objects.

        Parameters
        ----------
        grid : tuple of int
            Height and width of the image embedding, a quarter of the input frame's.
        points, labels : Tensor, optional
            ``(N, P, 2)`` (x, y) pixels and ``(N, P)`` `PointLabel` values.
        boxes : Tensor, optional
            ``(N, 4)`` x_min, y_min, x_max, y_max in pixels.
        scribbles : Tensor, optional
            ``(N, 1, H, W)`` planes of 0 and 1 in the input frame. None is not the same as a plane of zeros.

        Returns
        -------
        tokens : Tensor
            ``(N, T, 256)``; T = P, + 1 without boxes, + 2 with.
        dense : Tensor
            ``(N, 256, h, w)``, or ``(1, 256, 1, 1)`` without scribbles.
        mask : Tensor or None
            ``(N, T)`` bool, False for padding; None if there is none.
        """
        like = self.no_scribble
        size = torch.tensor([4 * grid[1], 4 * grid[0]], device=like.device, dtype=torch.float32)
        parts: list[Tensor] = []
        mask = None
        if points is not None:
            if labels is None:
                raise ValueError("points need labels")
            if boxes is None:
                points = torch.cat([points, points.new_zeros(len(points), 1, 2)], dim=1)
                labels = torch.cat([labels, labels.new_full((len(labels), 1), PointLabel.NOT_A_POINT)], dim=1)
            parts.append(self.point_tokens(points, labels, size))
        if boxes is not None:
            corners = self.position((boxes.reshape(-1, 2, 2) + 0.5) / size)
            parts.append(corners + torch.stack([self.kinds[2], self.kinds[3]], dim=1))
        if (
            labels is not None
            and points is not None
            and not torch.jit.is_tracing()
            and (labels == PointLabel.PADDING).any()
        ):
            mask = labels != PointLabel.PADDING
            if boxes is not None:
                mask = torch.cat([mask, mask.new_ones(len(mask), 2)], dim=1)
        dense = like[..., None, None] if scribbles is None else self.scribble_convs(scribbles)
        if not parts:
            return like.new_zeros(len(dense), 0, WIDTH), dense, None
        return torch.cat(parts, dim=1), dense, mask
