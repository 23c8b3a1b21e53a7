"""Measure what a user waits for when the widget opens in a new process of napari, in a window.

    python benchmarks/opening.py

Without a display it needs Xvfb. The longest turn is the longest time, by the clock on the wall, between two looks of
the event loop at what the user does; an empty widget is opened in another process, to compare with.
"""

import shutil
import sys

from _common import in_new_process

from napari_swin_litemedsam.plugin.demo import has_display

SCRIPT = """
import sys
import time
import napari
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QPushButton, QWidget

viewer = napari.Viewer()
viewer.add_image(np.random.default_rng(0).integers(0, 1000, (16, 256, 256), np.int16), contrast_limits=(0, 1000))


def turn_until(done):
    while not done():
        QApplication.processEvents()


def after(seconds):
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() > end


turn_until(after(1))
last, longest = time.perf_counter(), 0.0


def turn():
    global last, longest
    now = time.perf_counter()
    last, longest = now, max(longest, now - last)


timer = QTimer()
timer.timeout.connect(turn)
timer.start(0)
turn_until(after(0.2))
last, longest = time.perf_counter(), 0.0
begin = time.perf_counter()
if sys.argv[1] == "empty":
    viewer.window.add_dock_widget(QWidget())
    turn_until(after(1))
    print(longest)
else:
    _, widget = viewer.window.add_plugin_dock_widget("napari-swin-litemedsam")

    def is_complete():
        return any(b.isVisible() and b.text() == "Correct label" for b in widget.findChildren(QPushButton))

    turn_until(is_complete)
    complete = time.perf_counter() - begin
    turn_until(after(0.5))
    while_opening = longest
    begin = time.perf_counter()
    id = widget.session.add_box((100, 100, 180, 180), slice=8)
    turn_until(lambda: widget.session.objects[id].masks)
    print(while_opening, complete, complete + time.perf_counter() - begin)
viewer.close()
"""
REPEATS = 3
ROWS = {
    "longest turn of the GUI thread when an empty widget opens": None,
    "longest turn of the GUI thread when the widget opens": 0.05,
    "widget opened to its panel complete": None,
    "widget opened, its panel complete and a box drawn at once, to the first mask": 4,
}
"""What is measured, in order, and what it may take at most."""


def opening():
    """Seconds: the longest turn with an empty widget and with ours, until the panel is complete, until the first mask.

    The shortest of several runs. None where no window can be opened.
    """
    display = [] if has_display() else [shutil.which("xvfb-run"), "-a", "-s", "-screen 0 1400x900x24"]
    if display and display[0] is None:
        return None

    runs = [
        [seconds for kind in ("empty", "ours") for seconds in in_new_process(SCRIPT, kind, under=display)]
        for _ in range(REPEATS)
    ]
    return [min(values) for values in zip(*runs, strict=True)]


if __name__ == "__main__":
    found = opening()
    if found is None:
        sys.exit("there is no display, and no xvfb-run to make one")
    for name, seconds in zip(ROWS, found, strict=True):
        print(f"{name}: {seconds:.3f} s")
