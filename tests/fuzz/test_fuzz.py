"""A small sample of what ``tests/fuzz/fuzz.py`` does, in this process.

Memory is checked by `fuzz.run` alone, which has a child for each suffix: this process may have had more before than a
reader takes.
"""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("resource", reason="memory is measured as on Unix")

import fuzz  # noqa: I001
from damage import whole_files


@pytest.mark.parametrize(
    "suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".tif", ".png", ".dcm", ".seg.dcm", ".npz", ".pth", ".safetensors"]
)
def test_damaged_files_are_read_or_refused(suffix, tmp_path, monkeypatch):
    if suffix == ".seg.dcm":
        pytest.importorskip("highdicom")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"input{suffix}"
    for original in whole_files()[suffix]:
        path.write_bytes(original)
        trapped = b"sprung" in original
        assert fuzz.check(path, suffix) is not trapped, "whole files are read, except for those that would run code"

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 2**32))
    def check(number):
        path.write_bytes(fuzz.make(suffix, number, seed=1))
        fuzz.check(path, suffix)

    check()
    assert not (tmp_path / "sprung").exists()


def test_a_run_tells_faults_crashes_and_hangs(tmp_path, monkeypatch):
    # stand-ins for children that end in these ways
    scripts = {
        "fault": "print('begin 0'); print('fault read: KeyError'); print('begin 1'); print('refused')",
        "crash": "import os; print('begin 0', flush=True); print('read\\nbegin 1', flush=True); os.abort()",
        "hang": "import os, signal; print('begin 1', flush=True); os.kill(os.getpid(), signal.SIGPROF)",
    }
    run = fuzz.subprocess.run
    told = {}
    for kind, script in scripts.items():
        monkeypatch.setattr(
            fuzz.subprocess, "run", lambda _, script=script, **k: run([sys.executable, "-c", script], **k)
        )
        told[kind] = fuzz.run(".npz", 2, 0, tmp_path)
    assert told["fault"][0] == {"fault": 1, "refused": 1}
    assert told["fault"][1] == [".npz 0: read: KeyError"]
    assert told["crash"][0] == {"read": 1, "crash": 1}
    assert told["crash"][1][0].startswith(".npz 1: the process died with -6")
    assert told["hang"][1] == [".npz 1: it hung"]
