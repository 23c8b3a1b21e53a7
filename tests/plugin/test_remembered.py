from pathlib import Path

import pytest

from napari_swin_litemedsam.plugin.folders import user_data
from napari_swin_litemedsam.plugin.loading import ModelChoice
from napari_swin_litemedsam.plugin.remembered import recall, remember

DEVICES = ["cpu", "cuda"]


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "mine.pth"
    path.touch()
    return path


def test_a_choice_comes_back(checkpoint):
    choice = ModelChoice(checkpoint, "torch", "cuda", mirror=True)
    remember(choice)
    assert recall(DEVICES) == (choice, "")


def test_of_a_file_that_is_gone_the_rest_comes_back(checkpoint):
    remember(ModelChoice(checkpoint, "torch"))
    checkpoint.unlink()
    choice, missing = recall(DEVICES)
    assert choice == ModelChoice(backend="torch")
    assert str(checkpoint) in missing
    assert "bundled weights" in missing


def test_a_file_that_cannot_even_be_asked_for_is_gone():
    # as on a network drive that is down
    remember(ModelChoice(Path("x" * 5000)))
    choice, missing = recall(DEVICES)
    assert choice == ModelChoice()
    assert "is gone" in missing


def test_a_device_that_is_gone_is_not_asked_for(checkpoint):
    remember(ModelChoice(checkpoint, device="cuda"))
    assert recall(["cpu"]) == (ModelChoice(checkpoint), "")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"checkpoint": 3, "backend": "", "device": ""}'])
def test_a_damaged_note_counts_as_none(text):
    user_data().mkdir(parents=True)
    (user_data() / "model.json").write_text(text)
    assert recall(DEVICES) == (ModelChoice(), "")


def test_where_nothing_can_be_written_nothing_is_remembered():
    user_data().parent.mkdir(exist_ok=True)
    user_data().touch()
    remember(ModelChoice(backend="torch"))
    assert recall(DEVICES) == (ModelChoice(), "")
