import os
import re
from pathlib import Path

import pytest
import torch

from napari_swin_litemedsam.model import CheckpointError, SwinLiteMedSAM, load_checkpoint, save_checkpoint
from napari_swin_litemedsam.model.checkpoint import from_published, load_into, read_tensors, to_published


@pytest.fixture(scope="module")
def model():
    return SwinLiteMedSAM()


def test_export_has_the_published_names_and_shapes(reference_model, published_shapes):
    exported = {name: tuple(tensor.shape) for name, tensor in to_published(reference_model.state_dict()).items()}
    unused = {name for name in published_shapes if re.match(r"mask_decoder\.prompt[12]\.", name)}
    assert len(unused) == 8
    assert exported == {name: shape for name, shape in published_shapes.items() if name not in unused}


def test_export_gives_back_the_published_tensors(reference_model, published_state):
    exported = to_published(reference_model.state_dict())
    assert all(torch.equal(exported[name], tensor) for name, tensor in published_state.items())


def test_export_and_import_is_the_identity(reference_model):
    state = reference_model.state_dict()
    back = from_published(to_published(state))
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], state[name]) for name in state)


def test_tensors_without_use_are_dropped(model, published_state):
    extra = {f"mask_decoder.prompt{i}.{leaf}": torch.zeros(3) for i in (1, 2) for leaf in ("0.weight", "0.bias")}
    load_into(model, published_state | extra)
    assert "mask_decoder.prompt1.0.weight" not in model.state_dict()


def test_prefix_of_parallel_training_is_taken_off(model, published_state):
    with torch.no_grad():
        model.mask_decoder.iou_token.zero_()
    load_into(model, {f"module.{name}": tensor for name, tensor in published_state.items()})
    assert torch.equal(model.mask_decoder.iou_token, published_state["mask_decoder.iou_token.weight"])


@pytest.mark.parametrize("prefix", ["net.", "_orig_mod."])
def test_prefixes_of_other_programs_are_named(model, reference_model, published_state, prefix):
    for state in (reference_model.state_dict(), published_state):
        with pytest.raises(CheckpointError, match=f"unexpected: {prefix}image_encoder"):
            load_into(model, {prefix + name: tensor for name, tensor in state.items()})


def test_missing_tensors_are_named(model, published_state):
    state = {name: tensor for name, tensor in published_state.items() if "iou_token" not in name}
    with pytest.raises(CheckpointError, match=r"1 tensors missing: mask_decoder\.iou_token"):
        load_into(model, state)


def test_unexpected_tensors_are_named(model, published_state):
    with pytest.raises(CheckpointError, match=r"1 tensors unexpected: classifier\.weight"):
        load_into(model, published_state | {"classifier.weight": torch.zeros(3)})


def test_tensors_of_another_shape_are_named(model, published_state):
    state = published_state | {"mask_decoder.iou_token.weight": torch.zeros(1, 128)}
    with pytest.raises(CheckpointError, match=r"iou_token \(1, 128\) instead of \(1, 256\)"):
        load_into(model, state)


def test_failed_load_leaves_the_model_as_it_was(model, published_state):
    before = model.mask_decoder.iou_token.detach().clone()
    changed = published_state | {"mask_decoder.iou_token.weight": before + 1, "more": torch.zeros(1)}
    with pytest.raises(CheckpointError):
        load_into(model, changed)
    assert torch.equal(model.mask_decoder.iou_token, before)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("image_encoder.layers.1.blocks.0.attn.qkv.weight", "LiteMedSAM"),
        ("image_encoder.pos_embed", "SAM or MedSAM"),
        ("image_encoder.blocks.3.attn.qkv.weight", "SAM or MedSAM"),
        ("image_encoder.trunk.pos_embed", "SAM 2"),
    ],
)
def test_checkpoints_of_other_models_are_recognised(model, name, kind):
    with pytest.raises(CheckpointError, match=f"a {kind} checkpoint"):
        load_into(model, {name: torch.zeros(1), "mask_decoder.iou_token.weight": torch.zeros(1, 256)})


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_saved_weights_load_again(tmp_path, reference_model, name):
    save_checkpoint(reference_model, tmp_path / name)
    loaded = load_checkpoint(tmp_path / name)
    assert not loaded.training
    state = reference_model.state_dict()
    assert all(torch.equal(tensor, state[key]) for key, tensor in loaded.state_dict().items())
    assert os.listdir(tmp_path) == [name]


def test_half_precision_is_half_the_size_and_loads_as_float(tmp_path, reference_model):
    save_checkpoint(reference_model, tmp_path / "full.safetensors")
    save_checkpoint(reference_model, tmp_path / "half.safetensors", half=True)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.51 * sizes[1]
    weight = load_checkpoint(tmp_path / "half.safetensors").mask_decoder.iou_token
    assert weight.dtype == torch.float32
    torch.testing.assert_close(weight, reference_model.mask_decoder.iou_token, atol=2e-3, rtol=0)


def test_metadata_is_kept(checkpoint):
    tensors, metadata = read_tensors(checkpoint)
    assert metadata == {"trained on": "nothing"}
    assert "mask_decoder.iou_token" in tensors


def test_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint(tmp_path / "absent.pth")
    with pytest.raises(CheckpointError, match="a folder, no file of weights"):
        load_checkpoint(tmp_path)


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_python_objects_are_not_unpickled(tmp_path):
    torch.save({"model": {"a": torch.zeros(1)}, "trap": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    with pytest.raises(CheckpointError, match="not unpickled"):
        load_checkpoint(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [{}, [1, 2], {"model": 3}, {"a": "text"}, {0: torch.zeros(3)}])
def test_files_without_a_state_dict(tmp_path, content):
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(CheckpointError, match="no state dict"):
        load_checkpoint(tmp_path / "odd.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_truncated_files(tmp_path, suffix, share):
    path = tmp_path / f"cut{suffix}"
    tensors = {f"tensor{i}": torch.arange(500.0) for i in range(4)}
    if suffix == ".pth":
        torch.save(tensors, path)
    else:
        from safetensors.torch import save_file

        save_file(tensors, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="cut"):
        load_checkpoint(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_of_another_kind(tmp_path, suffix):
    path = tmp_path / f"page{suffix}"
    path.write_text("<!DOCTYPE html><html>Not Found</html>\n" * 20)
    with pytest.raises(CheckpointError, match="page"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "writer", "error"),
    [
        ("a.safetensors", "pathlib.Path.write_bytes", OSError("No space left on device")),
        ("a.pth", "torch.save", RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos")),
    ],
)
def test_a_full_disk_is_told_and_the_weights_before_kept(tmp_path, model, monkeypatch, name, writer, error):
    def full(*parts, **_):
        path = next(part for part in parts if isinstance(part, Path))
        with path.open("wb") as file:
            file.write(b"half of it")
        raise error

    (tmp_path / name).write_bytes(b"before")
    monkeypatch.setattr(writer, full)
    with pytest.raises(OSError, match=r"No space left|a\.pth: cannot be written; is the disk full"):
        save_checkpoint(model, tmp_path / name)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"before"]


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
def test_who_may_read_other_files_may_read_the_weights(tmp_path, model, name):
    save_checkpoint(model, tmp_path / name)
    (tmp_path / "other").touch()
    assert (tmp_path / name).stat().st_mode == (tmp_path / "other").stat().st_mode
