"""The event loop goes on turning: while the model works, while layers are made, and while files are written."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from napari_swin_litemedsam.plugin.objects import State

from .conftest import axial
from .probe import Probe

# the aim is 50 ms on a machine of its own; caches shared with other programs slow the GUI thread down
LIMIT = 0.1  # seconds
# napari's own work on a new layer cannot be cut up: a turn may add one, the first of its kind being the slowest
ADDING_A_LAYER = 0.5


@pytest.fixture
def slowness(pytestconfig):
    """How many times as long turns may take: twice where `--cov` watches every line."""
    return 2 if pytestconfig.pluginmanager.hasplugin("_cov") else 1


@pytest.fixture
def widget(viewer, open_widget):
    volume = np.random.default_rng(0).integers(0, 1000, (16, 256, 256), np.int16)
    viewer.add_image(volume, name="scan", contrast_limits=(0, 1000))
    return open_widget()


@pytest.fixture
def probe(widget, qtbot):
    qtbot.wait(50)
    probe = Probe()
    yield probe
    probe.stop()


@pytest.mark.window
@pytest.mark.usefixtures("saves_at_once")
def test_no_turn_of_the_event_loop_is_long(viewer, widget, probe, settle, draw, qtbot, tmp_path, slowness):
    load = widget._model.predictor._load

    def slow_load():
        time.sleep(0.2)
        return load()

    widget._model.predictor._load = slow_load
    press = {name: button.click for name, button in widget.panel.buttons.items()}
    turns = {}
    for name, action in {
        "loading, which adds layers": press["box"],
        "first box": lambda: draw(widget, (100, 100, 180, 180), axial(8)),
        "second box": lambda: draw(widget, (20, 20, 60, 80), axial(8)),
        "propagating": press["propagate"],
        "propagating again": press["propagate"],
        "commit, which adds a layer": press["commit"],
        "third box": lambda: draw(widget, (200, 20, 230, 80), axial(8)),
        "second commit": press["commit"],
        "undo": press["undo"],
        "redo": press["redo"],
        "saving": lambda: widget.sessions.save(widget._work, tmp_path / "session.zip"),
    }.items():
        action()
        settle(widget)
        # what is saved behind the user's back after it, too
        qtbot.waitUntil(lambda: not widget.sessions.busy)
        qtbot.wait(10)
        turns[name] = probe.take()
    limits = {name: slowness * (ADDING_A_LAYER if "adds" in name else LIMIT) for name in turns}
    too_long = {name: taken for name, taken in turns.items() if taken > limits[name]}
    assert not too_long
    qtbot.waitUntil((tmp_path / "session.zip").exists)


OPENING = """
import sys
import napari
import numpy as np
from qtpy.QtTest import QTest
sys.path.insert(0, sys.argv[1])
from plugin.probe import Probe

viewer = napari.Viewer()
viewer.add_image(np.zeros((16, 256, 256), np.int16), name="scan")
QTest.qWait(500)
known = [name for name in sys.modules if name == "pandas" or name.startswith("napari_swin_litemedsam")]
probe = Probe()
_, widget = viewer.window.add_plugin_dock_widget("napari-swin-litemedsam")
while widget._workbench is None or widget._timer.isActive():
    QTest.qWait(10)
print(probe.take(), *known)
viewer.close()
"""


def test_no_turn_of_the_event_loop_is_long_when_the_widget_opens():
    """In a process of its own, where nothing that the widget needs has been imported before."""
    command = [sys.executable, "-W", "ignore", "-c", OPENING, str(Path(__file__).parents[1])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    longest, *known = done.stdout.split()
    assert not known
    assert float(longest) < LIMIT


def test_many_objects_do_not_slow_the_window_down(viewer, widget, slowness):
    session = widget._work.session
    with session.together():
        for number in range(200):
            session.add_box(axial(number % 16), (number, 10, number + 20, 40))
            session.objects[number + 1].state = State.DONE
    widget._work.ensure_layers()
    widget._show_objects()
    begin = time.thread_time()
    session.select(7)
    widget._show_objects()
    assert time.thread_time() - begin < slowness * LIMIT
    assert len(widget._work.layers.boxes.data) == widget.panel.table.rowCount() == 200
