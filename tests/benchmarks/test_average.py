"""The script that makes one checkpoint of several."""

import runpy
from pathlib import Path

import torch

from napari_swin_litemedsam.model import SwinLiteMedSAM, load_checkpoint, save_checkpoint

SCRIPT = Path(__file__).parents[2] / "scripts" / "average.py"


def test_every_weight_is_the_mean(tmp_path):
    paths = [tmp_path / f"{number}.safetensors" for number in range(2)]
    models = [SwinLiteMedSAM().eval() for _ in paths]
    for model, path in zip(models, paths, strict=True):
        save_checkpoint(model, path)
    output = tmp_path / "mean.safetensors"
    runpy.run_path(str(SCRIPT))["main"]([str(path) for path in (output, *paths)])
    mean = load_checkpoint(output).state_dict()
    for name, value in mean.items():
        if value.is_floating_point():
            expected = sum(model.state_dict()[name] for model in models) / len(models)
            torch.testing.assert_close(value, expected, atol=2e-3, rtol=2e-3, msg=name)
