"""The widget that napari opens: it is there at once, and its panel as soon as what that needs is imported."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from napari.qt.threading import create_worker
from napari.settings import get_plugin_settings
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

if TYPE_CHECKING:
    import napari
    from napari.viewer import Viewer

    from ..predictor import Predictor
    from .scripting import ScriptSession
    from .workbench import Workbench

_PAINTED = 50  # ms until the widget is in its place; importing meanwhile would hold up the GUI thread again and again
_WIDTH = 320  # pixels, as wide as the panel will be, so that the canvas changes its size but once


class SwinLiteMedSAMWidget(QWidget):
    """Draw boxes on an image, see and edit what the model is given, and carry it through a volume.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer that the widget works in.
    load : callable, optional
        Returns the predictor; called in a worker when it is first needed.
    """

    def __init__(self, napari_viewer: "Viewer", load: "Callable[[], Predictor] | None" = None):
        super().__init__()
        self._viewer, self._load = napari_viewer, load
        self._workbench: Workbench | None = None
        self._closed = False
        self._notice = QLabel("Opening…")
        self._notice.setWordWrap(True)
        self._notice.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._notice.setMinimumWidth(_WIDTH)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._notice)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._go_on)
        QTimer.singleShot(_PAINTED, self._import)

    @property
    def workbench(self) -> "Workbench":
        """All that is in the widget; who asks before it is there waits for it.

        Raises
        ------
        RuntimeError
            If the widget was closed before.
        """
        self._furnish()
        if self._workbench is None:
            raise RuntimeError("the widget was closed before there was anything in it")
        while self._put_in():
            pass
        return self._workbench

    @property
    def session(self) -> "ScriptSession":
        """What scripts drive the panel with: the objects of the chosen image."""
        return self.workbench.session

    @property
    def image(self) -> "napari.layers.Image | None":
        """The image layer that is worked on."""
        return self.workbench.image

    @image.setter
    def image(self, layer: "napari.layers.Image") -> None:
        self.workbench.image = layer

    def _import(self) -> None:
        if not self._closed:
            create_worker(_import_all, _connect={"finished": self._furnish})

    def _furnish(self) -> None:
        if self._workbench is not None or self._closed:
            return
        try:
            from .workbench import Workbench

            self._workbench = Workbench(self._viewer, self._load)
        except Exception as error:
            self._notice.setText(f"The panel cannot be opened: {error}")
            raise
        # a turn of the event loop for each part of it: to Qt it is as much work again to put them into the window
        self._timer.start()

    def _go_on(self) -> None:
        if self._put_in():
            self._timer.start()

    def _put_in(self) -> bool:
        """Show the next part of the panel; return whether there was one."""
        workbench, layout = self._workbench, self.layout()
        if workbench is None or layout is None:
            return False
        if workbench.parent() is not None:
            return workbench.panel.fill_next()
        layout.replaceWidget(self._notice, workbench)
        self._notice.deleteLater()
        return True

    def event(self, event: QEvent | None) -> bool:
        """Notice that napari has taken the widget out of its dock."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._closed = True
            if self._workbench is not None:
                self._workbench.shut_down()
        return super().event(event)


def _import_all() -> None:
    """Do what takes long on the way to a panel and its first layer, and needs no window."""
    for name in ("pandas", "skimage.color.colorconv"):  # napari imports them with the first layers of shapes and labels
        import_module(name)
    import_module(".workbench", __package__)
    get_plugin_settings()  # the first time napari reads the manifests of all plugins
