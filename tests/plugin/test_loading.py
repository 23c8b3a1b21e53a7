import os
import socket
import subprocess
import sys
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest

from napari_swin_litemedsam.backends import processor
from napari_swin_litemedsam.plugin.loading import LazyPredictor, ModelChoice, finished_trainings, load_predictor
from napari_swin_litemedsam.predictor import Predictor, load_model


def test_torch_leaves_a_core_to_the_window(monkeypatch):
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda _: range(4), raising=False)
    try:
        load_predictor(ModelChoice(backend="torch"))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_the_bundled_weights_need_no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was asked for something")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    predictor = Predictor(load_model(), "torch")
    image = np.zeros((64, 64))
    image[20:40, 20:40] = 1
    predictor.set_image(image)
    assert predictor.predict((18, 18, 41, 41)).mask[30, 30]


def test_loads_once_and_only_when_asked():
    loads = []

    def load():
        loads.append(1)
        return object()

    lazy = LazyPredictor(load)
    assert not lazy.loaded
    assert not loads
    threads = [Thread(target=lazy) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lazy.loaded
    assert len(loads) == 1
    assert lazy() is lazy()


def test_tries_again_after_a_failure():
    answers = [OSError("no weights"), "predictor"]

    def load():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    lazy = LazyPredictor(load)
    with pytest.raises(OSError, match="no weights"):
        lazy()
    assert not lazy.loaded
    assert lazy() == "predictor"


def test_exchanges_one_for_another_that_loads():
    def fail():
        raise OSError("no weights")

    lazy = LazyPredictor(lambda: "first")
    lazy.exchange(lambda: "second")
    assert lazy() == "second"
    with pytest.raises(OSError, match="no weights"):
        lazy.exchange(fail)
    assert lazy() == "second"


def test_facts_are_told_while_the_model_runs():
    times = {}

    class Growing(float):
        def __round__(self, digits=None):
            # as the worker does at any moment
            times["decode"] = 5.0
            return 20

    times["encode"] = Growing()
    lazy = LazyPredictor(lambda: SimpleNamespace(backend=SimpleNamespace(description="torch"), milliseconds=times))
    lazy()
    assert lazy.facts == "torch, encode 20 ms"
    assert lazy.facts == "torch, encode 20 ms, decode 5 ms"


def test_finds_finished_trainings(tmp_path):
    for name in ("old", "new", "unfinished"):
        (tmp_path / name).mkdir()
    for age, name in enumerate(("new", "old")):
        (tmp_path / name / "best.safetensors").touch()
        os.utime(tmp_path / name / "best.safetensors", (1000 - age, 1000 - age))
    found = finished_trainings(tmp_path)
    assert [ModelChoice(path).name for path in found] == ["new", "old"]
    assert finished_trainings(tmp_path / "unfinished") == []


def test_a_training_without_validation_offers_its_last_weights(tmp_path):
    for run, names in {"all": ("last", "best"), "blind": ("last",)}.items():
        (tmp_path / run).mkdir()
        for name in names:
            (tmp_path / run / f"{name}.safetensors").touch()
    found = finished_trainings(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in found} == {
        "all/best.safetensors",
        "blind/last.safetensors",
    }
    assert {ModelChoice(path).name for path in found} == {"all", "blind"}


def test_loading_leaves_triton_alone():
    # a new process, since this one may have imported it for other reasons
    code = """
import sys
from napari_swin_litemedsam.backends import choice
from napari_swin_litemedsam.plugin.loading import load_predictor
# measuring all backends is not the subject
choice.measure = lambda model: {"torch": {"encode": 1.0, "decode": 1.0}}
try:
    _ = load_predictor().model.network
except ValueError:
    pass  # this is not about the weights
assert "napari_swin_litemedsam.predictor" in sys.modules
assert "torch" in sys.modules
sys.exit("triton was imported" if "triton" in sys.modules else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
