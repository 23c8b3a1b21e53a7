import io
import subprocess
import sys

import pytest

from napari_swin_litemedsam import __version__, cli


def test_version(command):
    assert command("--version") == (0, [f"swin-litemedsam {__version__}"], [])


def test_help_names_every_command(command):
    code, out, _ = command("--help")
    assert code == 0
    for name in ("predict", "evaluate", "distill", "train", "info", "demo"):
        assert any(line.split()[:1] == [name] for line in out), name


@pytest.mark.parametrize(
    "arguments", [(), ("dance",), ("predict",), ("predict", "a.npz"), ("evaluate", "a"), ("info", "--unknown")]
)
def test_bad_usage_is_one_line_and_exit_code_2(command, arguments):
    code, out, err = command(*arguments)
    assert code == 2
    assert out == []
    assert len(err) == 1
    assert err[0].startswith("swin-litemedsam: error: ")


def test_an_interrupt_is_no_traceback(command, monkeypatch, tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.evaluate, "run", interrupt)
    assert command("evaluate", tmp_path, tmp_path) == (130, [], ["swin-litemedsam: interrupted"])


def test_too_little_memory_is_no_traceback(command, monkeypatch, tmp_path):
    def exhaust(_):
        raise MemoryError

    monkeypatch.setattr(cli.evaluate, "run", exhaust)
    assert command("evaluate", tmp_path, tmp_path) == (2, [], ["swin-litemedsam: error: MemoryError"])


def test_names_that_the_terminal_cannot_write_stop_nothing(monkeypatch, tmp_path):
    # Windows redirects into a file of its own code page
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setattr(cli.evaluate, "run", lambda _: print("größe 肝臓: 1 object") or 0)
    assert cli.main(["evaluate", str(tmp_path), str(tmp_path)]) == 0
    terminal.flush()
    assert terminal.buffer.getvalue().decode("cp1252").startswith("größe \\u809d")


def test_console_script_is_installed():
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="swin-litemedsam")
    assert script.load() is cli.main


def test_exit_code_reaches_the_shell():
    code = "import sys; from napari_swin_litemedsam.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, "predict"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
