"""A sample scan in napari with the widget open, a box drawn and its mask shown."""

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from ..io.files import replacing

if TYPE_CHECKING:
    import napari

    from .workbench import Workbench

DEFAULT_SCREENSHOT = "swin-litemedsam-demo.png"
_PATIENCE = 300  # seconds for the model to load and answer
_SIZE = 1280, 800


class DemoError(OSError):
    """The demo cannot be shown here; the message says what would help."""


def run_demo(screenshot: str | None = None) -> None:
    """Open napari with a sample scan, the widget and a box.

    Parameters
    ----------
    screenshot : str, optional
        Save a picture of the window there and close it. Without a display this is what happens anyway, to
        ``swin-litemedsam-demo.png``.

    Raises
    ------
    DemoError
        If there is no display and no ``xvfb-run`` to make one, or if the mask does not come.
    """
    if not has_display():
        _run_under_xvfb(screenshot or DEFAULT_SCREENSHOT)
        return
    import napari

    from .scripting import ScriptError

    viewer = napari.Viewer()
    workbench = open_sample(viewer)
    if screenshot is None:
        napari.run()
        return
    try:
        workbench.session.wait(_PATIENCE)
        with replacing(screenshot) as unfinished:
            viewer.screenshot(path=str(unfinished), canvas_only=False, flash=False)
    except (ScriptError, TimeoutError) as error:
        raise DemoError(str(error)) from error
    finally:
        viewer.close()
    print(f"The demo's picture is in {screenshot}")


def has_display() -> bool:
    """Whether a window can be opened."""
    if sys.platform != "linux":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def open_sample(viewer: "napari.Viewer") -> "Workbench":
    """Show the sample and the widget in a viewer, and draw the sample's box."""
    from qtpy.QtWidgets import QApplication

    from .planes import Plane
    from .sample_data import thigh_mr
    from .widget import SwinLiteMedSAMWidget

    data, options, _ = thigh_mr()[0]
    image = viewer.add_image(data, **options)
    widget = SwinLiteMedSAMWidget(viewer)
    workbench = widget.workbench
    # the box that the last demo drew is drawn again anyway
    workbench.sessions.decline()
    viewer.window.add_dock_widget(widget, name="Segment from boxes")
    viewer.window.resize(*_SIZE)
    # the canvas, which has become smaller, learns its size by events, and the view was made to fit it before
    QApplication.processEvents()
    viewer.reset_view(layers=[image])
    z = options["metadata"]["slice"]
    viewer.dims.set_point(0, image.data_to_world((z, 0, 0))[0])
    workbench.intents.use_tool("box")
    viewer.layers.selection.active.add_rectangles(Plane((z, None, None), axis=0).rectangle(options["metadata"]["box"]))
    return workbench


def _run_under_xvfb(screenshot: str) -> None:
    xvfb = shutil.which("xvfb-run")
    if xvfb is None:
        raise DemoError(
            "there is no display to open a window on; install Xvfb (Debian, Ubuntu: apt install xvfb) for a picture"
        )
    width, height = _SIZE
    run = [xvfb, "-a", "-s", f"-screen 0 {width}x{height}x24", sys.executable, "-m", __name__, screenshot]
    done = subprocess.run(run, check=False, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise DemoError(f"the demo failed under xvfb-run: {lines[-1]}")
    print(done.stdout, end="")


if __name__ == "__main__":
    run_demo(*sys.argv[1:2])
