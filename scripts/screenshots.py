"""Walk through the plugin as a user does and write the pictures of the documentation.

xvfb-run -a -s "-screen 0 1400x1000x24" python scripts/screenshots.py docs/images
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import napari
import numpy as np
from napari.layers import Labels
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow, QScrollArea, QWidget

from napari_swin_litemedsam.io import read_case
from napari_swin_litemedsam.plugin import sample_data
from napari_swin_litemedsam.plugin.demo import open_sample
from napari_swin_litemedsam.plugin.images import geometry_of
from napari_swin_litemedsam.plugin.runs import Work
from napari_swin_litemedsam.plugin.sample_data import skin_lesion
from napari_swin_litemedsam.plugin.widget import SwinLiteMedSAMWidget
from napari_swin_litemedsam.plugin.workbench import Workbench
from napari_swin_litemedsam.training.clicks import corrective_click

SIZE = 1180, 860
CARELESS = 6  # pixels of the sample that a box is too large on each side
DATA = Path(sample_data.__file__).with_name("data")
PATIENCE = 300  # seconds
MODEL = "model"  # folded, since its milliseconds are those of the machine that writes the pictures


def wait(widget: Workbench, pause: float = 0.3) -> None:
    """Let everything be answered and drawn."""
    end = time.monotonic() + PATIENCE
    still = time.monotonic() + pause
    while widget.busy or time.monotonic() < still:
        if widget.busy:
            still = time.monotonic() + pause
        if time.monotonic() > end:
            raise TimeoutError("the model does not answer")
        QApplication.processEvents()
        time.sleep(0.01)


def parent_of(widget: QWidget, kind: type) -> QWidget:
    """The nearest widget of a kind that another one is in."""
    while not isinstance(widget, kind):
        widget = widget.parentWidget()
    return widget


def save(widget: Workbench, path: Path) -> None:
    """Save a picture of the whole window."""
    wait(widget)
    pixels = widget.viewer.screenshot(canvas_only=False, flash=False)
    write(pixels, path)


def write(pixels: np.ndarray, path: Path) -> None:
    """Save a picture as small as it gets without loss."""
    Image.fromarray(pixels[..., :3]).save(path, optimize=True)
    print(path, path.stat().st_size // 1024, "kB")


@contextmanager
def opened(theme: str) -> Iterator[tuple[napari.Viewer, Workbench]]:
    """The sample volume with a box drawn and answered."""
    viewer = napari.Viewer()
    try:
        viewer.theme = theme
        widget = open_sample(viewer)
        arrange(widget)
        wait(widget)
        yield viewer, widget
    finally:
        viewer.close()


def arrange(widget: Workbench, width: int = 330) -> None:
    """Give the window the size of the pictures and the panel a width."""
    widget.viewer.window.resize(*SIZE)
    dock, window = parent_of(widget, QDockWidget), parent_of(widget, QMainWindow)
    window.resizeDocks([dock], [width], Qt.Orientation.Horizontal)
    wait(widget, 0.1)
    widget.viewer.reset_view()


def fold(widget: Workbench, *names: str) -> None:
    """Fold sections of the panel away, and unfold all others."""
    for name, section in widget.panel.sections.items():
        (section.collapse if name in names else section.expand)(animate=False)


def tour_of_a_picture(folder: Path) -> None:
    """A box on an RGB picture."""
    viewer = napari.Viewer()
    try:
        data, options, _ = skin_lesion()[0]
        viewer.add_image(data, **options)
        docked = SwinLiteMedSAMWidget(viewer)
        viewer.window.add_dock_widget(docked, name="Segment from boxes")
        widget = docked.workbench
        arrange(widget)
        fold(widget, MODEL, "review")
        widget.panel.buttons["box"].click()
        y0, x0, y1, x1 = options["metadata"]["box"]
        viewer.layers.selection.active.add_rectangles([[y0, x0], [y0, x1], [y1, x1], [y1, x0]])
        save(widget, folder / "picture.png")
    finally:
        viewer.close()


def correct(widget: Workbench, path: Path) -> None:
    """Draw the box of the sample carelessly and click into what the mask then takes too much; take both back."""
    work = widget._work
    item = work.session.current_object
    y0, x0, y1, x1 = item.box
    careless = y0 - CARELESS, x0 - CARELESS, y1 + CARELESS, x1 + CARELESS
    work.layers.boxes.data = [item.plane.rectangle(careless)]
    wait(widget)
    truth = read_case(DATA / "thigh_mr.npz").truth[item.plane.index] > 0
    click = corrective_click(item.masks[item.plane].full(), truth)
    widget.panel.buttons[click.label.name.lower()].click()
    work.layers.points.add(item.plane.lift([[click.y, click.x]]))
    save(widget, path)
    for _ in range(2):
        widget.panel.buttons["undo"].click()
        wait(widget)


def box_carried_into_view(work: Work, least: int) -> bool:
    """Whether at least so many boxes were carried, and one is on the slice that is shown."""
    positions = [shape[0, 0] for shape in work.layers.carried.data]
    return len(positions) >= least and bool(np.isclose(positions, work.edits.plane_in_view().position).any())


def tour_of_a_volume(folder: Path) -> None:
    """Correction, propagation and review."""
    with opened("dark") as (viewer, widget):
        fold(widget, MODEL, "review")
        save(widget, folder / "volume.png")
        panel, work = widget.panel, widget._work
        correct(widget, folder / "correction.png")
        fold(widget, MODEL, "window", "draw", "review")
        viewer.layers.selection.active = work.layers.boxes
        panel.buttons["propagate"].click()
        while not box_carried_into_view(work, 5):
            QApplication.processEvents()
            time.sleep(0.01)
        write(viewer.screenshot(canvas_only=False, flash=False), folder / "propagation.png")
        wait(widget)
        first = work.layers.masks.data.copy()
        panel.buttons["regenerate"].click()
        wait(widget)
        panel.buttons["propagate"].click()
        wait(widget)
        viewer.add_layer(Labels(first, name="first run", visible=False, **geometry_of(work.layers.image)))
        viewer.layers.selection.active = work.layers.boxes
        fold(widget, "window", MODEL, "draw", "volume")
        panel.buttons["compare"].click()
        while panel.review_section.scores.isHidden():
            wait(widget)
        panel.buttons["worst"].click()
        save(widget, folder / "review.png")


def tour_of_the_panel(folder: Path) -> None:
    """The light theme, and the panel at its narrowest."""
    with opened("light") as (_, widget):
        fold(widget, MODEL)
        arrange(widget, 320)
        wait(widget)
        # all of it, also what one has to scroll to
        content = widget.panel.findChild(QScrollArea).widget()
        content.grab().save(str(folder / "panel.png"))
        print("the panel is", widget.width(), "pixels wide")


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images")
    target.mkdir(parents=True, exist_ok=True)
    for tour in (tour_of_a_picture, tour_of_a_volume, tour_of_the_panel):
        # or the panel would offer what the tour before has left
        os.environ["SWIN_LITEMEDSAM_DATA"] = tempfile.mkdtemp()
        tour(target)
