import sys

import numpy as np
import pytest

from napari_swin_litemedsam.backends import choice, make_backend
from napari_swin_litemedsam.backends.model import Model
from napari_swin_litemedsam.backends.probe import time_halves
from napari_swin_litemedsam.backends.processor import threads


class Fake:
    """A backend of a given speed, right for up to so many prompts at once."""

    def __init__(self, name, right=np.inf):
        self.name = name
        self.right = right

    def encode(self, pixels):
        return [pixels]

    def decode(self, features, *prompts):
        count = len(prompts[0])
        logits = np.repeat(np.linspace(-1, 1, 100).reshape(1, 10, 10), count, axis=0)
        return (logits if count <= self.right else -logits), np.ones(count)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose backends are as the test says; lists what was built."""
    pytest.importorskip("openvino")
    monkeypatch.setenv("SWIN_LITEMEDSAM_CACHE", str(tmp_path))
    built, broken, wrong, slow = [], set(), {}, {"torch": 700.0, "openvino": 400.0}

    def build(model, name):
        built.append(name)
        if name in broken:
            raise RuntimeError("no such instruction")
        return Fake(name, wrong.get(name, np.inf))

    monkeypatch.setattr(choice, "build", build)
    monkeypatch.setattr(choice, "time_halves", lambda b: {"encode": slow[b.name], "decode": 50.0})
    monkeypatch.setattr("napari_swin_litemedsam.backends.torch_backend.TorchBackend", lambda n, half: Fake("exact"))
    return {"built": built, "broken": broken, "wrong": wrong, "slow": slow, "folder": tmp_path}


@pytest.fixture
def model(checkpoint):
    return Model(checkpoint)


def test_the_fastest_is_chosen_and_remembered(machine, model):
    assert make_backend(model).name == "openvino"
    assert set(machine["built"]) == {"torch", "openvino"}
    assert choice.remembered(model)["openvino"]["encode"] == 400
    machine["built"].clear()
    assert make_backend(model).name == "openvino"
    assert machine["built"] == ["openvino"]


def test_torch_is_chosen_where_it_is_faster(machine, model):
    machine["slow"]["torch"] = 300.0
    assert make_backend(model).name == "torch"


@pytest.mark.parametrize("fault", ["broken", "wrong", "wrong for more than two"])
def test_a_backend_that_fails_is_not_used(machine, model, fault):
    if fault == "broken":
        machine["broken"].add("openvino")
    else:
        machine["wrong"]["openvino"] = 0 if fault == "wrong" else 2
    with pytest.warns(UserWarning, match="openvino"):
        assert make_backend(model).name == "torch"
    assert make_backend(model).name == "torch"


def test_eight_bits_need_ranges(machine, model, monkeypatch):
    assert "openvino-int8" not in choice.measure(model)
    monkeypatch.setattr(Model, "ranges", {"layer": 1.0})
    machine["slow"]["openvino-int8"] = 200.0
    assert make_backend(model).name == "openvino-int8"


def test_eight_bits_without_ranges_are_refused(model):
    pytest.importorskip("openvino")
    with pytest.raises(ValueError, match="no ranges"):
        make_backend(model, "openvino-int8")


def test_a_broken_installation_is_told(model, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setitem(sys.modules, "napari_swin_litemedsam.backends.openvino", None)
    with pytest.raises(ValueError, match="OpenVINO is installed, but cannot be loaded"):
        make_backend(model, "openvino")


def test_no_backend_at_all_is_an_error(machine, model):
    machine["broken"].update(("openvino", "torch"))
    with pytest.warns(UserWarning, match="does not work"), pytest.raises(RuntimeError, match="cannot be run"):
        make_backend(model)


def test_a_broken_memory_is_measured_anew(machine, model):
    (machine["folder"] / "backends.json").write_text("{")
    assert make_backend(model).name == "openvino"
    assert choice.remembered(model)


def test_what_was_fastest_and_fails_now_is_chosen_anew(machine, model):
    assert make_backend(model).name == "openvino"
    machine["broken"].add("openvino")
    with (
        pytest.warns(UserWarning, match="what was fastest here does not work any more"),
        pytest.warns(UserWarning, match="openvino does not work here"),
    ):
        assert make_backend(model).name == "torch"
    assert choice.remembered(model).keys() == {"torch"}


def test_openvino_does_without_torch(machine, model, monkeypatch):
    def broken(network, half):
        raise OSError("a library of torch cannot be loaded")

    monkeypatch.setattr("napari_swin_litemedsam.backends.torch_backend.TorchBackend", broken)
    machine["broken"].add("torch")
    with pytest.warns(UserWarning, match="torch does not work here"):
        assert make_backend(model).name == "openvino"


def test_other_threads_are_another_machine(machine, model, monkeypatch):
    make_backend(model)
    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    assert not choice.remembered(model)


def test_a_number_of_threads_that_is_none_is_ignored(monkeypatch):
    for asked, most in (("3", 3), ("3,2", 3), ("0", 1), ("many", 1000), ("", 1000)):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert 1 <= threads() <= most


def test_times_are_positive():
    times = time_halves(Fake("any"))
    assert set(times) == {"encode", "decode"}
    assert all(value >= 0 for value in times.values())
