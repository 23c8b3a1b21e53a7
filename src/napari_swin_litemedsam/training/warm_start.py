"""Our network out of LiteMedSAM's: what fits is copied, and what leads from one to the next is fitted.

LiteMedSAM's encoder has one layer of convolutions and three of blocks like ours. Its second layer becomes our first
stage, the third our third and the fourth our fourth. Copied blocks make sense only of the features that they know, so
the convolution before each of our stages is fitted to what the teacher's layer gets. With convolutions left as they
came, features fell into a few directions, and training did not get out of these again (docs/training-log.md).
"""

from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..backends.lite_medsam import build_lite_medsam
from ..model import SwinLiteMedSAM
from ..model.checkpoint import from_published
from ..model.image_encoder import HEAD_WIDTH, WINDOW
from .teacher import Teacher

# the teacher's layer in each of our stages; one has none and is near the identity
_LAYERS = (1, None, 2, 3)
# which of the teacher's layers, counted from the second, has the entry that a stage's convolution is fitted to
_ENTRIES = (0, 1, 1, 2)
_RIDGE = 1e-4


@torch.no_grad()
def warm_start(model: SwinLiteMedSAM, images: Tensor) -> None:
    """Make a network of LiteMedSAM.

    Prompt encoder, transformer, tokens, heads, patch embedding and neck have the same names and shapes.

    Parameters
    ----------
    model : SwinLiteMedSAM
        Is changed.
    images : Tensor
        ``(N, 3, 256, 256)`` in 0..1, some tens, that show what the network is to see.
    """
    state = model.state_dict()
    weights = from_published(build_lite_medsam().state_dict())
    same = {name: x for name, x in weights.items() if name in state and state[name].shape == x.shape}
    model.load_state_dict(same, strict=False)
    teacher = Teacher().eval()
    layers: Any = teacher.encoder.layers
    stages: Any = model.image_encoder.stages
    for stage, layer in zip(stages, _LAYERS, strict=True):
        for number, block in enumerate(stage.blocks):
            if layer is None:
                _near_identity(block)
            else:
                _copy_block(block, layers[layer].blocks[number])
    deep = model.mask_decoder.deep_conv.weight
    deep.mul_(0.3)[:, : deep.shape[0], 0, 0] += torch.eye(deep.shape[0])

    training = model.training
    model.eval()
    entries = [teacher.entries(image) for image in images.split(1)]
    maps = [model.image_encoder.patch_embed(image) for image in images.split(1)]
    for stage, entry in zip(stages, _ENTRIES, strict=True):
        _fit(stage.merge, maps, [each[entry] for each in entries])
        maps = [stage(x) for x in maps]
    model.train(training)


def _fit(conv: nn.Conv2d, inputs: list[Tensor], targets: list[Tensor]) -> None:
    """Let a convolution without overlap give the targets, by ridge regression; what is left of its outputs is 0."""
    step = conv.stride[0]
    gram = cross = torch.zeros(1, dtype=torch.float64)
    for x, y in zip(inputs, targets, strict=True):
        patches = F.unfold(x, step, stride=step)[0].double()
        patches = torch.cat([patches, torch.ones_like(patches[:1])])
        gram = gram + patches @ patches.T
        cross = cross + patches @ y[0].flatten(1).double().T
    ridge = _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64)
    ridge[-1, -1] = 0
    solution = torch.linalg.solve(gram + ridge, cross).float()
    count = solution.shape[1]
    assert conv.bias is not None
    nn.init.zeros_(conv.weight)[:count] = solution[:-1].T.unflatten(1, conv.weight.shape[1:])
    nn.init.zeros_(conv.bias)[:count] = solution[-1]


def _near_identity(block: Any) -> None:
    _pass_through(block.local_conv)
    for layer in (block.mlp.fc2, block.attention.proj):
        layer.weight.mul_(0.1)
        layer.bias.zero_()


def _pass_through(local_conv: Any) -> None:
    local_conv.conv.weight.zero_()[:, :, 1, 1] = 1
    local_conv.norm.reset_running_stats()
    local_conv.norm.reset_parameters()


def _copy_block(block: Any, other: Any) -> None:
    """Copy a block into one of the same width, or into the first half of the channels of one twice as wide."""
    _copy_attention(block, other.attn)
    hidden = len(other.mlp.fc1.weight)
    block.mlp.fc1.weight[:hidden] = _copy_norm(block.mlp_norm, other.mlp.norm, other.mlp.fc1.weight)
    block.mlp.fc1.bias[:hidden] = other.mlp.fc1.bias
    width = len(other.mlp.fc2.weight)
    nn.init.zeros_(block.mlp.fc2.weight)[:width, :hidden] = other.mlp.fc2.weight
    nn.init.zeros_(block.mlp.fc2.bias)[:width] = other.mlp.fc2.bias
    _pass_through(block.local_conv)
    block.local_conv.conv.weight[:width] = other.local_conv.c.weight
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(block.local_conv.norm, name)[:width] = getattr(other.local_conv.bn, name)


def _copy_attention(block: Any, other: Any) -> None:
    """Copy those heads that do most; there may be fewer of ours."""
    ours = block.attention
    width = len(other.proj.weight)
    weights = rearrange(other.qkv.weight, "(head three d) c -> head three d c", three=3, d=HEAD_WIDTH)
    biases = rearrange(other.qkv.bias, "(head three d) -> head three d", three=3, d=HEAD_WIDTH)
    outputs = rearrange(other.proj.weight, "c (head d) -> head c d", d=HEAD_WIDTH)
    effect = (outputs @ weights[:, 2]).flatten(1).norm(dim=1)
    kept = effect.topk(ours.heads).indices.sort().values
    query, _, value = weights[kept].transpose(0, 1).flatten(1, 2)
    query_bias, _, value_bias = biases[kept].transpose(0, 1).flatten(1, 2)
    output = rearrange(outputs[kept], "head c d -> c (head d)")
    # ours knows no bias of queries, keys and values: that of queries moves into the norm before, that of values into
    # the projection behind, and that of keys is the same for all of them
    shift = torch.linalg.lstsq(query.double(), query_bias.double()[:, None], driver="gelsd").solution[:, 0].float()
    joined = rearrange(weights[kept], "head three d c -> (three head d) c")
    ours.qkv.weight.copy_(_copy_norm(block.attention_norm, other.norm, joined, shift))
    nn.init.zeros_(ours.proj.weight)[:width] = output
    nn.init.zeros_(ours.proj.bias)[:width] = other.proj.bias + output @ (value_bias - value @ shift)
    # one table for all heads, of offsets in either direction; the teacher's windows may be smaller or larger
    table = other.attention_biases[kept].mean(dim=0)[other.attention_bias_idxs[0]]
    side = round(len(table) ** 0.5)
    away = (torch.arange(2 * WINDOW - 1) - WINDOW + 1).abs().clamp(max=side - 1)
    ours.position_bias.copy_(table.unflatten(0, (side, side))[away][:, away])


def _copy_norm(norm: nn.LayerNorm, other: nn.LayerNorm, weight: Tensor, shift: Tensor | float = 0.0) -> Tensor:
    """Copy a norm, and return the weight, ``(outputs, channels)``, of the layer behind as it fits ours.

    Where ours has twice the channels and the second half is 0, it takes off half of the mean, shows the other half
    in the second half's channels, and divides by too little, by the square root of 2.
    """
    width = len(other.weight)
    if len(norm.weight) == width:
        norm.weight.copy_(other.weight)
        norm.bias.copy_(other.bias + shift)
        return weight
    norm.weight.fill_(1)[:width] = other.weight / 2**0.5
    norm.bias.zero_()[:width] = other.bias + shift
    wide = weight.new_zeros(len(weight), len(norm.weight))
    wide[:, :width] = weight
    wide[:, width] = weight @ (other.weight / 2**0.5)
    return wide
