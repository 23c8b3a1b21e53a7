"""The two-way transformer of Segment Anything: prompt tokens and image positions attend to each other."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention whose inner width may be smaller than its outer one."""

    def __init__(self, width: int, heads: int, downsample: int = 1):
        super().__init__()
        inner = width // downsample
        self.heads = heads
        self.q_proj = nn.Linear(width, inner)
        self.k_proj = nn.Linear(width, inner)
        self.v_proj = nn.Linear(width, inner)
        self.out_proj = nn.Linear(inner, width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, key_mask: Tensor | None = None) -> Tensor:
        """Attend; `key_mask` is ``(N, 1, 1, K)``, False where a key must not be seen."""
        query, key, value = (
            rearrange(x, "n t (head d) -> n head t d", head=self.heads).float()
            for x in (self.q_proj(query), self.k_proj(key), self.v_proj(value))
        )
        # with so few tokens half precision costs a processor more time than it saves, thrice as much in backward
        with torch.autocast(query.device.type, enabled=False):
            x = F.scaled_dot_product_attention(query, key, value, attn_mask=key_mask)
        return self.out_proj(rearrange(x, "n head t d -> n t (head d)"))


class TwoWayBlock(nn.Module):
    """Tokens attend to themselves and to the image, then the image attends to the tokens."""

    def __init__(self, width: int, heads: int, mlp_width: int, first: bool):
        super().__init__()
        self.first = first
        self.self_attention = Attention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.token_to_image = Attention(width, heads, downsample=2)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, mlp_width), nn.ReLU(), nn.Linear(mlp_width, width))
        self.norm3 = nn.LayerNorm(width)
        self.image_to_token = Attention(width, heads, downsample=2)
        self.norm4 = nn.LayerNorm(width)

    def forward(
        self, tokens: Tensor, image: Tensor, token_position: Tensor, image_position: Tensor, token_mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if self.first:
            # in the first layer the tokens are their own positions
            tokens = self.self_attention(tokens, tokens, tokens, token_mask)
        else:
            query = tokens + token_position
            tokens = tokens + self.self_attention(query, query, tokens, token_mask)
        tokens = self.norm1(tokens)
        image_key = image + image_position
        tokens = self.norm2(tokens + self.token_to_image(tokens + token_position, image_key, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.image_to_token(image_key, tokens + token_position, tokens, token_mask))
        return tokens, image


class TwoWayTransformer(nn.Module):
    """Two blocks and a last look of the tokens at the image."""

    def __init__(self, width: int = 256, depth: int = 2, heads: int = 8, mlp_width: int = 2048):
        super().__init__()
        self.layers = nn.ModuleList(TwoWayBlock(width, heads, mlp_width, first=i == 0) for i in range(depth))
        self.final_attention = Attention(width, heads, downsample=2)
        self.final_norm = nn.LayerNorm(width)

    def forward(
        self, tokens: Tensor, image: Tensor, image_position: Tensor, token_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Refine tokens and image.

        Parameters
        ----------
        tokens : Tensor
            ``(N, T, C)``, used as their own positional encoding.
        image, image_position : Tensor
            ``(N, L, C)`` and ``(1, L, C)``, flattened image positions.
        token_mask : Tensor, optional
            ``(N, T)`` bool, False for padding that nothing attends to.

        Returns
        -------
        tokens, image : Tensor
            Of the shapes given.
        """
        mask = None if token_mask is None else token_mask[:, None, None]
        position = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, position, image_position, mask)
        attended = self.final_attention(tokens + position, image + image_position, image)
        return self.final_norm(tokens + attended), image
