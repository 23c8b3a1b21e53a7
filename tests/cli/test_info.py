import re

from napari_swin_litemedsam import __version__


def test_info_tells_versions_weights_and_times(command, checkpoint):
    code, out, err = command("info", "--checkpoint", checkpoint)
    assert (code, err) == (0, [])
    facts = dict(line.strip().split(maxsplit=1) for line in out if not line.strip().startswith("trained on"))
    assert facts["version"] == __version__
    assert facts["weights"] == str(checkpoint)
    # the reference counts 15.64 M, with the running statistics and the stored masks
    assert facts["parameters"] == "15.59 M"
    assert facts["device"] == "cpu"
    assert any(line.split() == ["trained", "on", "nothing"] for line in out)
    for half in ("encode", "decode"):
        assert re.match(r"[1-9]\d* ms", facts[half])


def test_missing_weights_are_exit_code_2(command, tmp_path):
    code, _, err = command("info", "--checkpoint", tmp_path / "absent.pth")
    assert (code, len(err)) == (2, 1)
    assert "absent.pth: no such file" in err[0]
