"""What may happen to files and folders outside the program."""

import os
import sys

import interrupt
import numpy as np
import pytest

from napari_swin_litemedsam.cli import main
from napari_swin_litemedsam.io import write_labels, write_segmentation


def test_a_killed_prediction_leaves_whole_files(tmp_path):
    left = interrupt.run(tmp_path, times=3, count=6, side=300, boxes=60)
    assert len(left) == 3


def test_two_processes_may_write_into_one_folder(tmp_path):
    interrupt.make_cases(tmp_path / "cases", 4, 300, 60)
    processes = [interrupt.start(tmp_path / "cases", tmp_path / "out") for _ in range(2)]
    for process in processes:
        interrupt.finish(process)
    assert len(interrupt.labels_in(tmp_path / "out")) == 4
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


@pytest.fixture
def labels():
    labels = np.zeros((20, 30), np.uint8)
    labels[5:15, 5:15] = 1
    return labels


@pytest.mark.parametrize("name", ["with space", "Schädel-Röntgen", "脳 MRI", 'a\'b "c" [d] {e}%s', "-o", "CT.v1.2"])
def test_any_path_can_be_read_and_written(tmp_path, labels, name, capsys):
    if sys.platform == "win32" and '"' in name:
        pytest.skip("Windows allows no quotes in names")
    pred, truth = tmp_path / name / "pred", tmp_path / name / "truth"
    for folder in (pred, truth):
        folder.mkdir(parents=True)
    for suffix in (".npz", ".nii.gz", ".nrrd", ".png"):
        write_labels(truth / f"{name} {suffix[1:3]}{suffix}", labels)
        write_labels(pred / f"{name} {suffix[1:3]}{suffix}", labels)
    report = tmp_path / name / "report.html"
    assert main(["evaluate", str(pred), str(truth), "--html", str(report), "-o", str(report.with_suffix(".csv"))]) == 0
    assert "1.0000  1.0000" in capsys.readouterr().out
    assert report.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_told_and_keeps_its_files(tmp_path, labels):
    path = tmp_path / "a.npz"
    write_segmentation(path, labels)
    before = path.read_bytes()
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            write_segmentation(path, labels * 2)
    finally:
        tmp_path.chmod(0o700)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="needs a folder in which even root cannot write")
def test_an_output_that_cannot_be_written_is_one_line_and_exit_code_2(tmp_path, labels, capsys):
    write_segmentation(tmp_path / "a.npz", labels)
    code = main(["evaluate", str(tmp_path / "a.npz"), str(tmp_path / "a.npz"), "-o", "/proc/report.csv"])
    errors = capsys.readouterr().err.splitlines()
    assert code == 2
    assert len(errors) == 1
    assert "/proc" in errors[0]
