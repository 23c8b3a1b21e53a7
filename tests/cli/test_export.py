import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.io import imread, imsave

from napari_swin_litemedsam.backends.probe import picture, prompts
from napari_swin_litemedsam.predictor import Predictor

ROOT = Path(__file__).parents[2]
FORMATS = [("onnx", "onnxruntime"), ("openvino", "openvino")]


@pytest.fixture(scope="module")
def exported(tmp_path_factory, checkpoint):
    """Folders of exported models by format."""
    from napari_swin_litemedsam.cli import main

    folders = {}
    for name, package in FORMATS:
        pytest.importorskip(package)
        folders[name] = tmp_path_factory.mktemp(name)
        assert main(["export", str(folders[name]), "--checkpoint", str(checkpoint), "--format", name]) == 0
    return folders


@pytest.fixture(scope="module")
def example():
    sys.path.insert(0, str(ROOT / "examples"))
    import run_exported

    sys.path.pop(0)
    return run_exported


@pytest.fixture(scope="module")
def features_of_torch(reference_model):
    with torch.inference_mode():
        return reference_model.encode_image(torch.from_numpy(picture())[None])


@pytest.mark.parametrize("name", [name for name, _ in FORMATS])
def test_the_two_halves_answer_as_torch_does(exported, example, reference_model, features_of_torch, name):
    features = example.load(exported[name], "image")({"image": picture()[None]})
    half = example.load(exported[name], "prompt")
    for count, kept in ((1, 4), (3, 2)):
        points, labels, boxes, scribbles = prompts(count)
        given = points[:, :kept], labels[:, :kept], boxes, scribbles
        inputs = dict(zip(("points", "labels", "boxes", "scribbles"), given, strict=True))
        masks = half({**features, **inputs, "has_scribble": np.ones(count, np.float32)})
        with torch.inference_mode():
            logits, iou = reference_model.decode(features_of_torch, *(torch.from_numpy(x) for x in given))
        assert masks["logits"].shape == (count, 256, 256)
        np.testing.assert_allclose(masks["logits"], logits, atol=1e-3)
        np.testing.assert_allclose(masks["iou"], iou, atol=1e-3)


def test_the_example_segments_a_box_without_torch(exported, exact, tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (60, 90), np.uint8)
    imsave(tmp_path / "image.png", image, check_contrast=False)
    masks = {name: tmp_path / f"{name}.png" for name in exported}
    runs = [
        ["", str(exported[name]), str(tmp_path / "image.png"), *["10", "20", "50", "70"], str(mask)]
        for name, mask in masks.items()
    ]
    code = f"""
import runpy, sys
for sys.argv in {runs}:
    runpy.run_path({str(ROOT / "examples" / "run_exported.py")!r}, run_name="__main__")
sys.exit("torch was imported" if "torch" in sys.modules else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    predictor = Predictor(None, exact)
    predictor.set_image(image)
    expected = predictor.predict((10, 20, 50, 70), points=[], scribble=False)
    for mask in masks.values():
        differ = (imread(mask) > 0) != expected.mask
        assert not differ[abs(expected.probability - 0.5) > 0.02].any()


def test_missing_weights_are_exit_code_2(command, tmp_path):
    code, _, err = command("export", tmp_path, "--checkpoint", tmp_path / "absent.pth")
    assert (code, len(err)) == (2, 1)


def test_without_onnx_the_other_format_is_written(command, tmp_path, checkpoint, monkeypatch):
    monkeypatch.setattr("napari_swin_litemedsam.backends.export.find_spec", lambda name: None)
    code, _, err = command("export", tmp_path, "--checkpoint", checkpoint)
    assert (code, len(err)) == (2, 1)
    assert "pip install" in err[0]
    assert {path.name for path in tmp_path.glob("*.xml")} == {"image.xml", "prompt.xml"}


def test_a_full_disk_leaves_the_onnx_models_of_before(command, tmp_path, checkpoint, monkeypatch):
    pytest.importorskip("onnx")

    def full(half, example, path, **_):
        Path(path).write_bytes(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch.onnx, "export", full)
    (tmp_path / "image.onnx").write_bytes(b"before")
    code, _, err = command("export", tmp_path, "--checkpoint", checkpoint, "--format", "onnx")
    assert (code, len(err)) == (2, 1)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("image.onnx", b"before")]


def test_a_place_that_cannot_be_written_is_one_line_and_exit_code_2(command, tmp_path, checkpoint):
    pytest.importorskip("openvino")
    (tmp_path / "image.bin").mkdir()
    code, _, err = command("export", tmp_path, "--checkpoint", checkpoint, "--format", "openvino")
    assert (code, len(err)) == (2, 1)
    assert "image.xml: cannot be written; is the disk full?" in err[0]
