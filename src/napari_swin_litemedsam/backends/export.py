"""Writing the two halves of the network as files that run without this package and without torch."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from ..io.files import replacing
from ..model import ImageFeatures, PointLabel, SwinLiteMedSAM
from .model import Model
from .probe import SIZE, picture, prompts
from .torch_backend import fused

FEATURES = ("embedding", "deep", "shallow")
PROMPTS = ("points", "labels", "boxes", "scribbles", "has_scribble")
MASKS = ("logits", "iou")


class _ImageHalf(nn.Module):
    def __init__(self, network: SwinLiteMedSAM):
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network.encode_image(image))


class _PromptHalf(nn.Module):
    """Takes all prompts always, since the inputs of an exported model cannot be left out."""

    def __init__(self, network: SwinLiteMedSAM):
        super().__init__()
        self.network = network

    def forward(
        self,
        embedding: Tensor,
        deep: Tensor,
        shallow: Tensor,
        points: Tensor,
        labels: Tensor,
        boxes: Tensor,
        scribbles: Tensor,
        has_scribble: Tensor,
    ) -> tuple[Tensor, Tensor]:
        encoder = self.network.prompt_encoder
        grid = (SIZE // 4, SIZE // 4)
        tokens, drawn, _ = encoder(grid, points, labels, boxes, scribbles)
        share = has_scribble[:, None, None, None]
        dense = share * drawn + (1 - share) * encoder.no_scribble[..., None, None]
        mask = torch.cat([labels != PointLabel.PADDING, torch.ones_like(boxes[:, :2]) > 0], dim=1)
        features = ImageFeatures(embedding, deep, shallow)
        return self.network.mask_decoder(features, encoder.grid_position(*grid), tokens, dense, mask)


def _prepare(model: Model, folder: Path) -> None:
    if not model.ours:
        raise ValueError("only Swin-LiteMedSAM can be exported")
    folder.mkdir(parents=True, exist_ok=True)


def export_openvino(model: Model, folder: Path) -> list[Path]:
    """Write ``image.xml`` and ``prompt.xml``, with their weights beside them.

    Raises
    ------
    ValueError
        If the model is LiteMedSAM.
    OSError
        If they cannot be written, as on a full disk.
    """
    from openvino import save_model

    from .openvino import Layers, image_half, prompt_half

    _prepare(model, folder)
    layers = Layers(model.tensors)
    halves = {folder / "image.xml": image_half(layers, "f32"), folder / "prompt.xml": prompt_half(layers)}
    for path, half in halves.items():
        try:
            save_model(half, path, compress_to_fp16=False)
        except RuntimeError as error:  # how OpenVINO tells of a full disk
            raise OSError(f"{path}: cannot be written; is the disk full?") from error
    return list(halves)


@torch.no_grad()
def export_onnx(model: Model, folder: Path) -> list[Path]:
    """Write ``image.onnx`` and ``prompt.onnx``, for any number of prompts with any number of points.

    Raises
    ------
    ValueError
        If the model is LiteMedSAM, or the package ``onnx`` is not installed.
    OSError
        If they cannot be written, as on a full disk; a file that was there before is whole then.
    """
    _prepare(model, folder)
    if not find_spec("onnx"):
        raise ValueError("ONNX models need the package onnx (pip install napari-swin-litemedsam[export])")
    assert isinstance(model.network, SwinLiteMedSAM)
    network = fused(model.network).cpu().to(memory_format=torch.contiguous_format)
    image = torch.from_numpy(picture())[None]
    dynamic = {name: {0: "prompts"} for name in (*PROMPTS, *MASKS)}
    dynamic |= {name: {0: "prompts", 1: "points"} for name in ("points", "labels")}
    given = (*(torch.from_numpy(x) for x in prompts(2)), torch.ones(2))
    halves = {
        "image": (_ImageHalf(network), (image,), ("image",), FEATURES, {}),
        "prompt": (
            _PromptHalf(network),
            (*_ImageHalf(network)(image), *given),
            (*FEATURES, *PROMPTS),
            MASKS,
            dynamic,
        ),
    }
    paths = []
    for name, (half, example, inputs, outputs, axes) in halves.items():
        paths.append(folder / f"{name}.onnx")
        with replacing(paths[-1]) as unfinished, warnings.catch_warnings():
            # the tracer warns of sizes that are constant here, and that it will be replaced one day
            warnings.simplefilter("ignore")
            torch.onnx.export(
                half,
                example,
                str(unfinished),
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes=axes,
                opset_version=17,
                dynamo=False,
            )
    return paths
