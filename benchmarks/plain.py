"""The plain way to run the network, against which `speed.py` measures: as published, eager, float32.

Same weights, same operations as the published code: attention written out, patches unfolded and merged by a linear
layer, batch normalisation by itself, the necks and skip convolutions anew for every prompt, an image encoded for
every object, one call of the decoder for every box.
"""

import copy
import types

import torch
import torch.nn.functional as F
from einops import rearrange

from napari_swin_litemedsam.model.image_encoder import HEAD_WIDTH, WINDOW


def plain_network(network):
    """A copy of a network that calculates as the published one; use `encode` and `decode` below."""
    network = copy.deepcopy(network).float().eval().to(memory_format=torch.contiguous_format)
    for stage in network.image_encoder.stages:
        stage.forward = types.MethodType(_stage, stage)
        for block in stage.blocks:
            block.forward = types.MethodType(_block, block)
            block.attention.forward = types.MethodType(_attention, block.attention)
    return network


def encode(network, pixels):
    """Embedding and stage outputs of ``(3, 256, 256)`` pixels."""
    with torch.no_grad():
        encoder = network.image_encoder
        x = encoder.patch_embed(torch.from_numpy(pixels)[None])
        skips = []
        for stage in encoder.stages:
            x = stage(x)
            skips.append(x)
        return encoder.neck(x), skips


def decode(network, features, points, labels, boxes, scribbles):
    """Logits, ``(1, 256, 256)``, and IoU, ``(1,)``, of one prompt; arrays as `Backend.decode` takes them."""
    with torch.no_grad():
        decoder = network.mask_decoder
        embedding, skips = features
        tensors = [torch.from_numpy(x) for x in (points, labels, boxes, scribbles)]
        tokens, dense, _ = network.prompt_encoder((64, 64), *tensors)
        position = network.prompt_encoder.grid_position(64, 64).flatten(2).transpose(1, 2)
        tokens = torch.cat([torch.cat([decoder.iou_token, decoder.mask_tokens])[None], tokens], dim=1)
        image = (embedding + dense).flatten(2).transpose(1, 2)
        tokens, image = decoder.transformer(tokens, image, position)
        x = image.transpose(1, 2).reshape(1, 256, 64, 64)
        skip = decoder.skip_neck(torch.cat(skips[1:], dim=1))
        x = F.gelu(decoder.deep_norm(decoder.deep_conv(torch.cat([x, skip], dim=1))))
        x = F.gelu(decoder.deep_up(x))
        x = F.gelu(decoder.shallow_norm(decoder.shallow_conv(torch.cat([x, skips[0]], dim=1))))
        x = F.gelu(decoder.shallow_up(x))
        weights = torch.stack([head(tokens[:, 1 + i]) for i, head in enumerate(decoder.mask_heads)], dim=1)
        masks = (weights @ x.flatten(2)).reshape(1, -1, 256, 256)
        return masks[:, 0].numpy(), decoder.iou_head(tokens[:, 0])[:, 0].numpy()


def _stage(self, x):
    kernel, stride = self.merge.kernel_size[0], self.merge.stride[0]
    batch, _, height, width = x.shape
    x = F.unfold(x, kernel, stride=stride).view(batch, -1, height // stride, width // stride)
    x = F.linear(x.permute(0, 2, 3, 1), self.merge.weight.flatten(1), self.merge.bias)
    return self.blocks(x).permute(0, 3, 1, 2)


def _block(self, x):
    x = x + self.attention(self.attention_norm(x))
    x = self.local_conv(x.permute(0, 3, 1, 2).contiguous()).permute(0, 2, 3, 1).contiguous()
    return x + self.mlp(self.mlp_norm(x))


def _attention(self, x):
    if self.shift:
        x = torch.roll(x, (-self.shift, -self.shift), dims=(1, 2))
    rows, columns = x.shape[1] // WINDOW, x.shape[2] // WINDOW
    query, key, value = (
        rearrange(part, "b (r i) (c j) (h d) -> b h (r c) (i j) d", i=WINDOW, j=WINDOW, h=self.heads)
        for part in self.qkv(x).chunk(3, dim=-1)
    )
    scores = torch.einsum("bhwid,bhwjd->bhwij", query, key) * HEAD_WIDTH**-0.5
    scores = scores + self.position_bias.flatten()[self.position_index]
    if self.shift:
        scores[:, :, -columns:] += self.bottom_mask
        scores[:, :, columns - 1 :: columns] += self.right_mask
    x = torch.einsum("bhwij,bhwjd->bhwid", scores.softmax(dim=-1), value)
    x = rearrange(x, "b h (r c) (i j) d -> b (r i) (c j) (h d)", r=rows, c=columns, i=WINDOW, j=WINDOW)
    x = self.proj(x)
    return torch.roll(x, (self.shift, self.shift), dims=(1, 2)) if self.shift else x
