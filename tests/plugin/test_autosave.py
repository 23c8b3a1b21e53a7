"""Where sessions are saved behind the user's back, by several windows and processes, and what is left of them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_swin_litemedsam.plugin import autosave, storage
from napari_swin_litemedsam.plugin.autosave import key_of, latest
from napari_swin_litemedsam.plugin.grid import Placement, file_of
from napari_swin_litemedsam.plugin.workbench import Workbench

from .conftest import BOX, PIXELS

pytestmark = pytest.mark.usefixtures("saves_at_once")


@pytest.fixture
def open_window(predictor, qtbot):
    """Open the panel in a viewer of its own, with the picture."""

    def do():
        viewer = ViewerModel()
        viewer.add_image(PIXELS.copy(), name="picture")
        widget = Workbench(viewer, load=lambda: predictor)
        qtbot.addWidget(widget)
        return widget

    return do


@pytest.fixture
def saved(qtbot):
    """Wait until all is saved; return the files."""

    def wait(*widgets):
        qtbot.waitUntil(lambda: not any(w.busy or w.sessions.busy for w in widgets), timeout=10000)
        return sorted(autosave.folder().glob(f"*{storage.SUFFIX}"))

    return wait


def masks(widget):
    return widget._work.layers.masks.data


def offered(widget):
    return not widget.panel.session_section.offer.isHidden()


def test_old_many_and_large_files_go(monkeypatch):
    monkeypatch.setattr(autosave, "MOST_FILES", 3)
    folder = autosave.folder()
    folder.mkdir(parents=True)
    now = time.time()
    for number in range(5):
        path = folder / f"a-{number}{storage.SUFFIX}"
        path.write_bytes(b"x" * 100)
        os.utime(path, (now - number, now - number))
    ancient = folder / f"b-0{storage.SUFFIX}"
    ancient.write_bytes(b"")
    os.utime(ancient, (0, 0))
    half = folder / f".1.part.a-0{storage.SUFFIX}"
    half.write_bytes(b"")
    os.utime(half, (0, 0))
    (folder / "notes.txt").write_text("the user's own")
    autosave.tidy()
    left = sorted(path.name for path in folder.iterdir())
    assert left == [f"a-{number}{storage.SUFFIX}" for number in range(3)] + ["notes.txt"]
    monkeypatch.setattr(autosave, "MOST_BYTES", 150)
    autosave.tidy()
    assert latest("a").path.name == f"a-0{storage.SUFFIX}"
    assert len(list(folder.glob("a-*"))) == 1


def test_files_that_another_window_takes_away_meanwhile_are_no_trouble():
    autosave.folder().mkdir(parents=True)
    # listed, and not there when it is looked at
    for name in ("key-1", ".7.part.key-1"):
        (autosave.folder() / f"{name}{storage.SUFFIX}").symlink_to(autosave.folder() / "gone")
    autosave.tidy()
    assert latest("key") is None


def test_files_that_a_window_works_on_stay_and_leftover_locks_go(monkeypatch):
    monkeypatch.setattr(autosave, "MOST_FILES", 0)
    names = "newest", "claimed", "free"
    files = [autosave.SessionFile(autosave.folder() / f"{name}-0{storage.SUFFIX}") for name in names]
    orphan = autosave.SessionFile(autosave.folder() / f"gone-0{storage.SUFFIX}")
    assert files[1].claim()
    assert orphan.claim()
    for age, file in enumerate(files):
        file.path.write_bytes(b"")
        os.utime(file.path, (time.time() - age,) * 2)
    orphan_lock = Path(f"{orphan.path}.lock")
    left_by_the_dead = orphan_lock.read_bytes().replace(str(os.getpid()).encode(), b"999999999")
    orphan.release()
    orphan_lock.write_bytes(left_by_the_dead)
    autosave.tidy()
    assert [file.path.exists() for file in files] == [True, True, False]
    assert not orphan_lock.exists()


@pytest.mark.parametrize(("days", "offered"), [(1, False), (8, True)])
def test_what_a_window_on_another_computer_left_is_offered_after_a_week(days, offered):
    file = autosave.SessionFile(autosave.folder() / f"a-0{storage.SUFFIX}")
    assert file.claim()
    file.path.write_bytes(b"")
    lock = Path(f"{file.path}.lock")
    pid, program, _, *more = lock.read_text().split("\n")
    file.release()
    lock.write_text("\n".join([pid, program, "elsewhere", *more]))
    os.utime(lock, (time.time() - days * 86400,) * 2)
    assert (latest("a") is not None) == offered
    assert autosave.SessionFile(file.path).claim() == offered


def test_images_are_told_apart_by_their_pixels():
    assert key_of(Image(PIXELS, name="a")) == key_of(Image(PIXELS.copy(), name="a"))
    assert key_of(Image(PIXELS, name="a")) != key_of(Image(PIXELS + 1, name="a"))
    assert key_of(Image(PIXELS, name="a")) != key_of(Image(PIXELS, name="b"))


def test_an_image_is_known_by_its_file_however_that_was_named(monkeypatch, tmp_path):
    def key(path):
        return key_of(Image(PIXELS, metadata={"scan": Placement(None, (0, 1), (Path(path),))}))

    monkeypatch.chdir(tmp_path)
    assert key("scan.nii") == key(tmp_path / "scan.nii") != key("other.nii")
    assert file_of(Image(PIXELS, metadata={"scan": Placement(None, (0, 1), ())})) == ""


CHILD = """
import sys, threading, time
import napari
import numpy as np
from napari_swin_litemedsam.plugin import autosave
from napari_swin_litemedsam.plugin.workbench import Workbench
from qtpy.QtWidgets import QApplication
sys.path.insert(0, sys.argv[1])
from plugin.conftest import FLAT, FakePredictor

viewer = napari.Viewer(show=False)
viewer.add_image(np.random.default_rng(0).random((48, 64)), name="picture")
widget = Workbench(viewer, load=FakePredictor)
widget.intents.use_tool("box")
widget._work.layers.boxes.add_rectangles(FLAT.rectangle((10, 20, 30, 50)))
while widget.busy or widget.sessions.busy:
    QApplication.processEvents()
print("saved", flush=True)
while True:
    QApplication.processEvents()
    time.sleep(0.01)
"""


def start_child():
    """A process with a box on the picture, saved by itself."""
    command = [sys.executable, "-W", "ignore", "-c", CHILD, str(Path(__file__).parents[1])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if process.stdout.readline() != "saved\n":
        process.kill()
        pytest.fail(process.communicate()[1])
    return process


def test_what_a_process_works_on_is_its_own_until_it_is_killed(open_window, draw, saved, qtbot, monkeypatch):
    process = start_child()
    try:
        (theirs,) = autosave.folder().glob(f"*{storage.SUFFIX}")
        before = theirs.read_bytes()
        widget = open_window()
        assert not offered(widget)
        with monkeypatch.context() as patch:
            patch.setattr(autosave, "MOST_FILES", 0)
            draw(widget, (2, 2, 8, 8))
            assert len(saved(widget)) == 2
        assert theirs.read_bytes() == before
    finally:
        process.kill()
        process.communicate()
    widget = open_window()
    assert offered(widget)
    assert "saved automatically on" in widget.panel.session_section.text.text()
    assert not widget._work.session.objects, "never without asking"
    widget.panel.session_section.restore.click()
    qtbot.waitUntil(lambda: not offered(widget))
    expected = np.zeros((48, 64), int)
    expected[10:31, 20:51] = 1
    assert len(saved(widget)) == 2, "what was restored is saved in the same file"
    np.testing.assert_array_equal(masks(widget), expected)


@pytest.fixture
def left(open_window, draw, saved):
    """A file of the picture, from a window that was closed."""
    widget = open_window()
    draw(widget, BOX)
    (path,) = saved(widget)
    widget.shut_down()
    return path


def test_two_windows_on_one_image_have_two_files(open_window, draw, saved):
    one, other = open_window(), open_window()
    draw(one, BOX)
    saved(one)
    draw(other, (2, 2, 8, 8))
    files = saved(one, other)
    assert {storage.read(path).objects[0]["box"][0] for path in files} == {BOX[0], 2}
    # both are there when both windows are gone
    one.shut_down()
    other.shut_down()
    first = latest(key_of(one.image))
    assert first.claim()
    assert {first.path, latest(key_of(one.image)).path} == set(files)


def test_a_third_window_is_not_offered_what_the_first_works_on(left, open_window, saved, qtbot):
    first = open_window()
    first.panel.session_section.restore.click()
    qtbot.waitUntil(lambda: not offered(first))
    saved(first)
    assert not offered(open_window())


@pytest.mark.parametrize("answer", ["restore", "discard"])
def test_what_two_windows_are_offered_goes_to_the_first(left, open_window, saved, qtbot, warnings_shown, answer):
    one, other = open_window(), open_window()
    assert offered(one)
    assert offered(other)
    one.panel.session_section.restore.click()
    qtbot.waitUntil(lambda: not offered(one))
    getattr(other.panel.session_section, answer).click()
    assert not offered(other)
    assert "open in another window" in warnings_shown[-1].message
    assert not other._work.session.objects
    one._work.session.rename(1, "first")
    assert saved(one, other) == [left]
    assert storage.read(left).objects[0]["name"] == "first"
