"""What the plugin adds to napari's menus, besides the widget."""

from napari.viewer import Viewer

from .widget import SwinLiteMedSAMWidget
from .workbench import Workbench


def save_session(viewer: Viewer) -> None:
    """Save the session of the widget's image in a file that the user chooses."""
    _workbench(viewer).intents.save_session()


def open_session(viewer: Viewer) -> None:
    """Open a session on the widget's image from a file that the user chooses."""
    _workbench(viewer).intents.open_session()


def _workbench(viewer: Viewer) -> Workbench:
    """What is in the widget of a viewer, which is opened if it is not there yet."""
    for docked in viewer.window.dock_widgets.values():
        if isinstance(docked, SwinLiteMedSAMWidget):
            return docked.workbench
    _, widget = viewer.window.add_plugin_dock_widget("napari-swin-litemedsam")
    return widget.workbench
