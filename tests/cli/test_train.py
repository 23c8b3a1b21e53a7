import shutil

import numpy as np
import pytest
import torch
from skimage.io import imsave

from napari_swin_litemedsam.cli import main
from napari_swin_litemedsam.model import load_checkpoint
from napari_swin_litemedsam.training import loop


@pytest.fixture
def data(tmp_path):
    for kind in ("images", "labels"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    label = np.zeros((64, 64), np.uint8)
    label[20:50, 10:40] = 1
    for name in ("a.png", "b.png"):
        imsave(tmp_path / "data" / "images" / name, label * 90 + 5, check_contrast=False)
        imsave(tmp_path / "data" / "labels" / name, label, check_contrast=False)
    (tmp_path / "data" / "images" / "b.png").write_bytes(b"not an image")
    return tmp_path / "data"


def test_training_writes_a_usable_checkpoint_and_tells_what_it_skipped(data, tmp_path, capsys):
    options = ["--init", "random", "--steps", "1", "--images", "1", "--prompts", "2", "--size", "64"]
    assert main(["train", str(data), "-o", str(tmp_path / "run"), *options]) == 0
    told = capsys.readouterr()
    assert "b.png" in told.err
    assert "1 images, 1 skipped" in told.err
    assert "validation DSC" in told.err
    load_checkpoint(told.out.strip())


def test_stage_1_needs_its_teacher_and_then_moves_the_encoder(data, tmp_path, teach, monkeypatch):
    # one that is compiled already
    monkeypatch.setattr(loop, "make_teacher", lambda device, threads: teach)
    monkeypatch.setattr(loop, "WARM_START_IMAGES", 1)
    options = ["--init", "litemedsam", "--steps", "1", "--images", "1"]
    assert main(["distill", str(data), "-o", str(tmp_path / "run"), *options]) == 0
    assert "distillation" in (tmp_path / "run" / "log.csv").read_text()
    # going on makes no warm start, which would take a minute
    monkeypatch.setattr(loop, "warm_start", None)
    assert main(["distill", str(data), "-o", str(tmp_path / "run"), *options]) == 0
    load_checkpoint(tmp_path / "run" / "last.safetensors")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "100"], "multiple of 64"),
        (["--prompts", "3"], "must be even"),
        (["--distill", "-1"], "must not be negative"),
        (["--encoder-rate", "-1"], "must not be negative"),
        (["--distill", "1", "--size", "128"], "needs --size 256"),
        (["--init", "no.pth"], "no such file"),
        (["--steps", "-1"], "--steps must be"),
        (["--images", "0"], "--images must be"),
        (["--val-cases", "-2"], "--val-cases must be"),
        (["--seed", "-1"], "--seed must be"),
        (["--warm-up", "-1"], "--warm-up must be"),
        (["--rate", "0"], "--rate must be above 0"),
        (["--ema", "1"], "--ema must lie between"),
        (["--schedule", "plateau", "--val-cases", "0"], "--schedule plateau needs"),
        (["--favour", "CT"], "'CT' is not a source, = and a number above 0"),
        (["--favour", "CT=2", "--init", "bundled"], "no image to train on is of CT; there are images of data"),
        (["--device", "abacus"], "device 'abacus' cannot be used"),
        (["--device", "cuda:99"], "device 'cuda:99' cannot be used"),
    ],
)
def test_bad_options_are_one_line_and_exit_code_2(data, tmp_path, capsys, options, message):
    assert main(["train", str(data), "-o", str(tmp_path / "run"), *options]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_a_missing_folder_is_one_line_and_exit_code_2(tmp_path, capsys):
    assert main(["train", str(tmp_path / "nothing"), "-o", str(tmp_path / "run")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_in_bf16_on_all_images_without_validation(data, tmp_path, capsys):
    options = ["--init", "random", "--steps", "1", "--images", "1", "--prompts", "2", "--size", "64", "--bf16"]
    assert main(["train", str(data), "-o", str(tmp_path / "run"), *options, "--val-cases", "0"]) == 0
    told = capsys.readouterr()
    assert "validation DSC" not in told.err
    assert told.out.strip().endswith("last.safetensors")
    model = load_checkpoint(told.out.strip())
    assert all(tensor.isfinite().all() for tensor in model.parameters())
    # what it started from is not needed any more
    options[1] = "gone.safetensors"
    assert main(["train", str(data), "-o", str(tmp_path / "run"), *options, "--val-cases", "0"]) == 0
    assert "goes on after step 1" in capsys.readouterr().err


def test_data_without_a_usable_pair_are_told(data, tmp_path, capsys):
    (data / "images" / "a.png").write_bytes(b"not an image either")
    assert main(["train", str(data), "-o", str(tmp_path / "run"), "--init", "random"]) == 2
    assert "none of the pairs can be used" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_an_npz_file_and_images_without_label_are_read_and_told(data, tmp_path, capsys):
    label = np.zeros((40, 40), np.uint8)
    label[10:30, 10:30] = 1
    np.savez(tmp_path / "CT_one.npz", imgs=label * 90, gts=label)
    (data / "labels" / "b.png").rename(data / "labels" / "b_mask.png")
    inputs = [str(data), str(tmp_path / "CT_one.npz")]
    assert main(["train", *inputs, "-o", str(tmp_path / "run"), "--init", "no.pth"]) == 2
    told = capsys.readouterr().err
    assert "without a label of the same name: 1, such as" in told
    assert "2 images, 0 skipped" in told


def test_images_that_cannot_be_validated_on_are_told_before_training(data, tmp_path, capsys):
    label = np.zeros((600, 600), np.uint8)
    label[20:25, 10:15] = 1
    for kind in ("images", "labels"):
        imsave(data / kind / "a.png", label, check_contrast=False)
    assert main(["train", str(data), "-o", str(tmp_path / "run"), "--init", "random"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert "there is but one image, to train and to validate on" in told
    assert "a.png: no object is large enough to validate on" in told[-1]


def test_images_to_validate_on_are_not_trained_on(data, tmp_path, capsys, monkeypatch):
    for kind in ("images", "labels"):
        (data / "val" / kind).mkdir(parents=True)
        shutil.copy(data / kind / "a.png", data / "val" / kind / "c.png")
    seen = []
    monkeypatch.setattr(loop, "fit", lambda model, samples, *_: seen.extend(s.pair.image for s in samples))
    # the same place by other words
    val = data / "images" / ".." / "val"
    assert main(["train", str(data), "--val", str(val), "-o", str(tmp_path / "run"), "--init", "random"]) == 0
    assert seen == [data / "images" / "a.png"]
    assert "1 images are left out of training, since --val names them" in capsys.readouterr().err.splitlines()
    assert main(["train", str(val), "--val", str(val), "-o", str(tmp_path / "run"), "--init", "random"]) == 2
    assert "none of the pairs can be used" in capsys.readouterr().err.splitlines()[-1]


def test_images_held_out_by_training_are_not_trained_on_though_they_are_found_twice(data, tmp_path, monkeypatch):
    for kind in ("images", "labels"):
        shutil.copy(data / kind / "a.png", data / kind / "c.png")
    seen = []
    monkeypatch.setattr(loop, "fit", lambda model, samples, *_: seen.extend(s.pair.image.name for s in samples))
    # once by itself, once by the folder above
    options = ["-o", str(tmp_path / "run"), "--init", "random"]
    assert main(["train", str(data), str(tmp_path), *options]) == 0
    assert seen == ["c.png", "c.png"]


def test_weights_of_a_run_that_cannot_go_on_are_told_before_the_data_are_read(data, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "best.safetensors").touch()
    assert main(["train", str(data), "-o", str(tmp_path / "run"), "--init", "random"]) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert "best.safetensors: weights without a state.pt to go on with; choose another folder" in told


def test_files_of_one_name_and_the_manifest_are_told(data, tmp_path, capsys):
    (tmp_path / "sources.json").write_text('{"data": {"nested": {"all": [1]}}}')
    shutil.copy(data / "labels" / "b.png", data / "labels" / "b.tif")
    assert main(["train", str(data), "-o", str(tmp_path / "run"), "--init", "no.pth"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0] == f"the sources are told of in {tmp_path / 'sources.json'}"
    assert f"skipped {data / 'labels' / 'b.png'} and b.tif are both labels of b" in told
    assert "1 images, 1 skipped" in told


def test_the_first_number_of_threads_counts(data, tmp_path, capsys, monkeypatch):
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")
    try:
        assert main(["train", str(data), "-o", str(tmp_path / "run"), "--init", "no.pth"]) == 2
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert "no such file" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 64 bytes")])
def test_too_little_memory_is_one_line_and_exit_code_2(data, tmp_path, capsys, monkeypatch, error):
    def fit(*_):
        raise error

    monkeypatch.setattr(loop, "fit", fit)
    assert main(["train", str(data), "-o", str(tmp_path / "run"), "--init", "random"]) == 2
    assert "out of memory; take fewer --images" in capsys.readouterr().err.splitlines()[-1]


def test_a_file_is_not_taken_for_the_folder_of_a_run(data, tmp_path, capsys):
    (tmp_path / "run").write_text("notes")
    assert main(["train", str(data), "-o", str(tmp_path / "run"), "--init", "random"]) == 2
    assert "is a file" in capsys.readouterr().err
    assert (tmp_path / "run").read_text() == "notes"
