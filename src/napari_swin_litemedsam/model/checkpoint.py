"""Reading and writing weights: under our own names, or under those of the published checkpoint."""

import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from .image_encoder import shifted_window_masks
from .network import SwinLiteMedSAM


class CheckpointError(ValueError):
    """A file that is no usable checkpoint; the message says what it is instead."""


# our name -> published name, applied from top to bottom
_PUBLISHED = [
    (r"^image_encoder\.patch_embed\.(\d)\.conv\.", r"image_encoder.patch_embed.seq.\1.c."),
    (r"^image_encoder\.patch_embed\.(\d)\.norm\.", r"image_encoder.patch_embed.seq.\1.bn."),
    (r"\.merge\.", ".downsample.linear."),
    (r"\.attention_norm\.", ".attention_block.fn.norm."),
    (r"\.attention\.qkv\.", ".attention_block.fn.fn.to_qkv."),
    (r"\.attention\.proj\.", ".attention_block.fn.fn.to_out."),
    (r"\.attention\.position_bias$", ".attention_block.fn.fn.pos_embedding"),
    (r"\.local_conv\.conv\.", ".local_conv.c."),
    (r"\.local_conv\.norm\.", ".local_conv.bn."),
    (r"\.mlp_norm\.", ".mlp_block.fn.norm."),
    (r"\.mlp\.fc1\.", ".mlp_block.fn.fn.net.0."),
    (r"\.mlp\.fc2\.", ".mlp_block.fn.fn.net.2."),
    (r"\.self_attention\.", ".self_attn."),
    (r"\.token_to_image\.", ".cross_attn_token_to_image."),
    (r"\.image_to_token\.", ".cross_attn_image_to_token."),
    (r"\.final_attention\.", ".final_attn_token_to_image."),
    (r"\.final_norm\.", ".norm_final_attn."),
    (r"(transformer\.layers\.\d\.mlp)\.0\.", r"\1.lin1."),
    (r"(transformer\.layers\.\d\.mlp)\.2\.", r"\1.lin2."),
    (r"^mask_decoder\.(iou_token|mask_tokens)$", r"mask_decoder.\1.weight"),
    (r"^mask_decoder\.skip_neck\.", "mask_decoder.neck."),
    (r"^mask_decoder\.deep_conv\.", "mask_decoder.output_upscaling1.0."),
    (r"^mask_decoder\.deep_norm\.", "mask_decoder.output_upscaling1.1."),
    (r"^mask_decoder\.deep_up\.", "mask_decoder.output_upscaling1.3."),
    (r"^mask_decoder\.shallow_conv\.", "mask_decoder.output_upscaling2.0."),
    (r"^mask_decoder\.shallow_norm\.", "mask_decoder.output_upscaling2.1."),
    (r"^mask_decoder\.shallow_up\.", "mask_decoder.output_upscaling2.3."),
    (r"^prompt_encoder\.frequencies$", "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    (r"^prompt_encoder\.kinds\.(\d)$", r"prompt_encoder.point_embeddings.\1.weight"),
    (r"^prompt_encoder\.not_a_point$", "prompt_encoder.not_a_point_embed.weight"),
    (r"^prompt_encoder\.no_scribble$", "prompt_encoder.no_mask_embed.weight"),
    (r"^prompt_encoder\.scribble_convs\.", "prompt_encoder.mask_downscaling."),
]
# published tensors that take no part in the forward pass, and constants that the network computes itself
_DROPPED = re.compile(r"^mask_decoder\.prompt[12]\.|\.(upper_lower|left_right)_mask$")
_FOREIGN = [
    (r"^image_encoder\.layers\.\d+\.blocks\.", "a LiteMedSAM checkpoint (TinyViT encoder)"),
    (r"^image_encoder\.(pos_embed$|blocks\.\d+\.attn\.)", "a SAM or MedSAM checkpoint (ViT encoder)"),
    (r"^(image_encoder\.trunk|memory_encoder)\.", "a SAM 2 checkpoint"),
    (r"^image_encoder\.(backbone|model)\.", "a checkpoint of another MedSAM variant"),
]


def published_name(name: str) -> str:
    """Name of one of our tensors in the published checkpoint."""
    if block := re.match(r"image_encoder\.stages\.(\d+)\.(?:blocks\.(\d+))?", name):
        stage, index = int(block[1]) + 1, block[2]
        pair = f"blocks.{int(index) // 2}.{int(index) % 2}" if index else ""
        name = f"image_encoder.stage{stage}.{pair}{name[block.end() :]}"
    if layer := re.match(r"mask_decoder\.(mask_heads\.(\d)|iou_head)\.(\d)\.", name):
        owner = f"output_hypernetworks_mlps.{layer[2]}" if layer[2] else "iou_prediction_head"
        return f"mask_decoder.{owner}.layers.{int(layer[3]) // 2}.{name[layer.end() :]}"
    for ours, published in _PUBLISHED:
        name = re.sub(ours, published, name)
    return name


def to_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename our tensors to the published names and add the constants that the published network stores.

    The eight tensors of ``prompt1`` and ``prompt2``, which nothing reads, are not made up.
    """
    result = {}
    bottom, right = shifted_window_masks()
    for name, tensor in state.items():
        target = published_name(name)
        # patch merging is a strided convolution here and a linear layer on unfolded patches there
        result[target] = tensor.flatten(1) if target.endswith(".downsample.linear.weight") else tensor
        odd_block = re.match(r"(image_encoder\.stage\d\.blocks\.\d\.1\.attention_block\.fn\.fn)\.pos_embedding", target)
        if odd_block:
            result[f"{odd_block[1]}.upper_lower_mask"] = bottom.clone()
            result[f"{odd_block[1]}.left_right_mask"] = right.clone()
    return result


def from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename published tensors to ours, dropping those without use; the inverse of `to_published`.

    Tensors with names unknown to the network keep them, so that `load_into` can report them.
    """
    expected = _expected()
    ours = {published_name(name): name for name in expected}
    result = {}
    for name, tensor in state.items():
        if _DROPPED.search(name):
            continue
        target = ours.get(name, name)
        if target in expected and target.endswith(".merge.weight") and tensor.numel() == expected[target].numel():
            tensor = tensor.reshape(expected[target].shape)
        result[target] = tensor
    return result


def load_into(model: SwinLiteMedSAM, state: Mapping[str, Tensor], source: str = "checkpoint") -> None:
    """Load tensors under either set of names.

    Raises
    ------
    CheckpointError
        Naming the tensors that are missing, unexpected or of another shape.
    """
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    for pattern, kind in _FOREIGN:
        if any(re.search(pattern, name) for name in state):
            raise CheckpointError(f"{source}: this is {kind}, not one of Swin-LiteMedSAM")
    state = from_published(state)
    expected = model.state_dict()
    problems = [
        ("missing", sorted(expected.keys() - state.keys())),
        ("unexpected", sorted(state.keys() - expected.keys())),
        (
            "of another shape",
            [
                f"{name} {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
                for name, tensor in expected.items()
                if name in state and state[name].shape != tensor.shape
            ],
        ),
    ]
    told = [f"{len(names)} tensors {what}: {_some(names)}" for what, names in problems if names]
    if told:
        raise CheckpointError(f"{source}: not a whole Swin-LiteMedSAM checkpoint; " + "; ".join(told))
    model.load_state_dict(state)


def read_tensors(path: str | os.PathLike) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a ``.safetensors`` or PyTorch file without running code that it may contain.

    Returns
    -------
    tensors : dict
        Name to tensor; of a training checkpoint with an entry ``model``, that entry.
    metadata : dict
        Of a safetensors file, its own; else empty.

    Raises
    ------
    CheckpointError
        If the file cannot be read or holds no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: {'a folder, no file of weights' if path.is_dir() else 'no such file'}")
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, "pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path}: not a readable safetensors file ({error})") from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: not a plain file of tensors; Python objects are not unpickled") from error
    except Exception as error:  # the unpickler runs on damaged instructions
        raise CheckpointError(f"{path}: not a checkpoint of PyTorch, or a damaged one") from error
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    parts = content.items() if isinstance(content, Mapping) else ()
    if not parts or not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in parts):
        raise CheckpointError(f"{path}: holds no state dict (names and tensors)")
    return dict(content), {}


def load_checkpoint(path: str | os.PathLike) -> SwinLiteMedSAM:
    """Build the network with the weights of a file, in float32 and evaluation mode."""
    tensors, _ = read_tensors(path)
    model = SwinLiteMedSAM()
    load_into(model, tensors, str(path))
    return model.eval()


def save_checkpoint(
    model: SwinLiteMedSAM,
    path: str | os.PathLike,
    half: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write the weights: ``.safetensors`` under our names, anything else as ``.pth`` under the published ones.

    Parameters
    ----------
    model : SwinLiteMedSAM
        The network.
    path : path-like
        Replaced only when the new file is complete.
    half : bool
        Store floating point tensors as float16.
    metadata : mapping of str to str, optional
        Kept in a safetensors file.

    Raises
    ------
    OSError
        If the file cannot be written, as on a full disk; what was there before is whole then.
    """
    path = Path(path)
    state = {
        name: (tensor.half() if half and tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
    }
    unfinished = path.with_name(path.name + ".part")
    try:
        if path.suffix == ".safetensors":
            # `save_file` would leave a file that nobody else may read
            unfinished.write_bytes(save(state, metadata=dict(metadata or {})))
        else:
            torch.save({"model": to_published(state)}, unfinished)
        unfinished.replace(path)
    except RuntimeError as error:  # how torch tells of a full disk
        raise OSError(f"{path}: cannot be written; is the disk full?") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _expected() -> dict[str, Tensor]:
    with torch.device("meta"):
        return SwinLiteMedSAM().state_dict()


def _some(names: list[str], limit: int = 4) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
