import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_swin_litemedsam.backends import PADDING, bundled_weights
from napari_swin_litemedsam.backends.model import Model, tensors_of
from napari_swin_litemedsam.model import CheckpointError, PointLabel, save_checkpoint


def test_every_kind_of_file_holds_the_same_tensors(tmp_path, reference_model):
    expected = tensors_of(reference_model)
    for name in ("ours.safetensors", "published.pth"):
        save_checkpoint(reference_model, tmp_path / name)
        model = Model(tmp_path / name)
        assert model.tensors.keys() == expected.keys()
        for key, array in model.tensors.items():
            np.testing.assert_array_equal(array, expected[key])
        assert torch.equal(model.network.state_dict()["mask_decoder.iou_token"], reference_model.mask_decoder.iou_token)


def test_weights_of_every_precision_are_read(tmp_path, reference_model):
    expected = tensors_of(reference_model)
    for dtype, error in ((torch.bfloat16, 2**-8), (torch.float16, 2**-9), (torch.float64, 0)):
        state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in reference_model.state_dict().items()}
        save_file(state, tmp_path / "weights.safetensors")
        tensors = Model(tmp_path / "weights.safetensors").tensors
        assert tensors.keys() == expected.keys()
        for key, array in tensors.items():
            assert array.dtype == expected[key].dtype
            np.testing.assert_allclose(array, expected[key], rtol=error, atol=1e-6)


def test_files_with_other_weights_have_other_digests(tmp_path, reference_model, checkpoint):
    save_checkpoint(reference_model, tmp_path / "half.safetensors", half=True)
    digests = {Model(path).digest for path in (checkpoint, tmp_path / "half.safetensors", bundled_weights())}
    assert len(digests) == 3


@pytest.mark.parametrize("name", ["absent.safetensors", "broken.safetensors", "broken.pth"])
def test_a_file_that_is_no_checkpoint_is_refused_at_once(tmp_path, name):
    if "broken" in name:
        (tmp_path / name).write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=name):
        Model(tmp_path / name)


def test_a_device_that_is_not_here_is_refused_at_once(checkpoint):
    with pytest.raises((RuntimeError, AssertionError)):
        Model(checkpoint, "cuda:77")


def test_ranges_of_other_weights_are_ignored(tmp_path, reference_model):
    path = tmp_path / "weights.safetensors"
    save_checkpoint(reference_model, path)
    assert Model(path).ranges == {}
    beside = tmp_path / "weights.ranges.json"
    beside.write_text(json.dumps({"weights": Model(path).digest, "ranges": {"layer": 2.5}}))
    assert Model(path).ranges == {"layer": 2.5}
    save_checkpoint(reference_model, path, half=True)
    assert Model(path).ranges == {}
    for damaged in ("{", "{}", "[]", "null"):
        beside.write_text(damaged)
        assert Model(path).ranges == {}


def test_the_bundled_weights_have_ranges():
    assert Model(bundled_weights()).ranges, "run scripts/calibrate.py after every change of the weights"


def test_padding_is_the_same_everywhere():
    assert PADDING == PointLabel.PADDING


def test_weights_are_read_without_torch():
    code = """
import sys
from napari_swin_litemedsam import Predictor, load_model
model = load_model()
Predictor(model)
assert "mask_decoder.iou_token" in model.tensors
sys.exit("torch was imported" if "torch" in sys.modules else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
