import re

from napari_swin_litemedsam import __version__


def test_info_tells_versions_weights_and_times(command, checkpoint):
    code, out, err = command("info", "--checkpoint", checkpoint, "--backend", "torch")
    assert (code, err) == (0, [])
    facts = dict(line.strip().split(maxsplit=1) for line in out if not line.strip().startswith("trained on"))
    assert facts["version"] == __version__
    assert {"Python", "napari", "torch"} <= {one.split()[0] for one in facts["beside"].split(", ")}
    assert facts["weights"] == str(checkpoint)
    # the reference counts 15.64 M, with the running statistics and the stored masks
    assert facts["parameters"] == "15.59 M"
    assert facts["device"] == "cpu"
    assert facts["backend"].startswith("torch ")
    assert any(line.split() == ["trained", "on", "nothing"] for line in out)
    for half in ("encode", "decode"):
        assert re.match(r"[1-9]\d* ms", facts[half])


def test_the_choice_is_told_with_the_times_of_all(command, checkpoint, monkeypatch, tmp_path):
    monkeypatch.setenv("SWIN_LITEMEDSAM_CACHE", str(tmp_path))
    times = {"torch": {"encode": 2.0, "decode": 1.0}, "openvino": {"encode": 30.0, "decode": 1.0}}
    monkeypatch.setattr("napari_swin_litemedsam.backends.choice.measure", lambda model: times)
    _, out, _ = command("info", "--checkpoint", checkpoint)
    facts = dict(line.split(maxsplit=1) for line in out if not line.startswith(" "))
    assert facts["backend"].startswith("torch ")
    assert facts["measured"] == "torch 2 + 1 ms; openvino 30 + 1 ms"


def test_missing_weights_are_exit_code_2(command, tmp_path):
    code, _, err = command("info", "--checkpoint", tmp_path / "absent.pth")
    assert (code, len(err)) == (2, 1)
    assert "absent.pth: no such file" in err[0]
