"""The widget: it joins the panel, the layers of the chosen image and the worker."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Image
from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from ..preprocessing import percentile_window
from .edits import Edits
from .images import UnsupportedImageError, pixels_of, show_plane
from .layers import SessionLayers
from .loading import LazyPredictor, load_predictor
from .objects import State
from .panel import Panel
from .planes import Plane
from .runs import Runs, Work
from .visibility import show_all_but
from .window_section import Percentiles
from .worker import Runner

if TYPE_CHECKING:
    import napari
    from napari.viewer import Viewer

    from ..predictor import Predictor

WINDOW_PAUSE = 250  # ms without a change of the window before the model sees it
_MODES = {
    "box": ("boxes", "add_rectangle"),
    "positive": ("points", "add"),
    "negative": ("points", "add"),
    "paint": ("scribble", "paint"),
    "erase": ("scribble", "erase"),
}


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
        self.viewer = napari_viewer
        self._predictor = LazyPredictor(load or load_predictor)
        self._runner = Runner()
        self._side_runner = Runner()  # for what need not wait for the model
        self._works: dict[Any, Work] = {}
        self._work: Work | None = None
        self._runs = Runs(self._runner, self._works.values(), self)
        self._closed = False

        self._chooser = ComboBox(choices=self._images, tooltip="What is segmented. It is never changed.")
        self.panel = Panel(self._chooser.native)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.panel)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        # layers are not added inside the event that tells of another one
        self._image_timer = QTimer(self)
        self._image_timer.setSingleShot(True)
        self._image_timer.timeout.connect(self._take_image)
        self._connect()
        self._take_image()

    def _connect(self) -> None:
        panel = self.panel
        self._chooser.changed.connect(lambda _: self._image_timer.start())
        for name, button in panel.tools.items():
            button.clicked.connect(lambda _=False, name=name: self.use_tool(name))
        panel.table.chosen.connect(self._choose_object)
        panel.table.renamed.connect(self._rename)
        panel.table.shown.connect(self._show_or_hide)
        panel.table.unwanted.connect(self._remove)
        panel.window_section.changed.connect(self._window_changed)
        panel.window_section.percentiles_wanted.connect(self._measure)
        panel.regenerate.clicked.connect(self.regenerate)
        panel.delete.clicked.connect(self.delete)
        panel.propagate.clicked.connect(self.propagate)
        panel.cancel.clicked.connect(self.cancel)
        self._runs.said.connect(self._say)
        self._runs.failed.connect(self._fail)
        self._runs.changed.connect(self._show_objects)
        self._runs.progressed.connect(self._show_progress)
        self._runs.reached.connect(self._follow)
        self.viewer.layers.events.inserted.connect(self._layers_changed)
        self.viewer.layers.events.removed.connect(self._layer_removed)
        self.viewer.dims.events.order.connect(self._show_range)
        for runner in (self._runner, self._side_runner):
            self.destroyed.connect(runner.close)

    # ---- the image

    def _images(self, _: Any = None) -> list["napari.layers.Image"]:
        return [layer for layer in self.viewer.layers if isinstance(layer, Image)]

    @property
    def image(self) -> "napari.layers.Image | None":
        """The chosen image layer."""
        return self._chooser.value

    @image.setter
    def image(self, layer: "napari.layers.Image") -> None:
        self._chooser.value = layer
        self._take_image()

    def _layers_changed(self, event: Any = None) -> None:
        self._chooser.reset_choices()

    def _layer_removed(self, event: Any) -> None:
        layer = event.value
        for image, work in list(self._works.items()):
            if layer in (image, work.layers.boxes):
                self._drop(image, f"'{layer.name}' was removed; the other layers stay as they are.")
            else:
                work.layers.forget(layer)
        self._chooser.reset_choices()

    def _drop(self, image: Any, message: str) -> None:
        work = self._works.pop(image)
        work.edits.stop()
        if work is self._work:
            self._work = None
            self._runs.cancel()
        self._show_objects()
        self._say(message)

    def _take_image(self) -> None:
        """Work on the chosen image, each image with its own boxes."""
        image = self.image
        self._leave(image)
        self._work = None if image is None else self._works.get(image)
        if image is None:
            self._say("Open an image or a volume to begin.")
        elif self._work is None:
            self._begin(image)
        if self._work is not None:
            self._show_range()
        self.panel.window_section.show_image(image)
        self._show_objects()

    def _show_range(self, event: Any = None) -> None:
        """Offer the slices that boxes can be carried through in the view that the canvas shows."""
        if self._work is not None:
            axis = self._work.edits.plane_in_view().axis
            self.panel.show_range(1 if axis is None else self._work.session.shape[axis])

    def _begin(self, image: "napari.layers.Image") -> None:
        try:
            layers = SessionLayers(self.viewer, image, self._predictor)
        except UnsupportedImageError as error:
            self.panel.show_range(1)
            self._say(str(error))
            show_warning(str(error))
            return
        self._work = self._works[image] = Work(layers, Edits(layers, self._edited, self._warn))
        if self._work.session.objects:
            return
        self._say("Press New box and draw a rectangle around what you want to segment.")

    def _leave(self, image: Any) -> None:
        """Take an unused boxes' layer away when another image is chosen."""
        for other, work in list(self._works.items()):
            if other != image and not work.session.objects:
                del self._works[other]
                work.edits.stop()
                for layer in work.layers.own():
                    if layer in self.viewer.layers:
                        self.viewer.layers.remove(layer)

    # ---- the user's intents

    def use_tool(self, name: str) -> None:
        """Choose the layer and the mode of a tool: box, positive, negative, paint or erase."""
        if self._work is None:
            self._take_image()
        if self._work is None:
            show_warning("There is no image that boxes could be drawn on.")
            return
        layers = self._work.layers
        which, mode = _MODES[name]
        if which != "boxes":
            self._work.ensure_layers()
        layer = getattr(layers, which)
        if which == "points":
            layers.choose_kind(name)
        self.viewer.layers.selection.active = layer
        layer.mode = mode

    def _choose_object(self, id: int) -> None:
        """Select all that belongs to an object, and show its slice."""
        if self._work is not None:
            self._work.edits.select(id)
            self._work.layers.select(id)
            show_plane(self._work.layers.image, self.viewer.dims, self._work.session.objects[id].plane)

    def regenerate(self) -> None:
        """Replace the chosen object's prompts by others."""
        work = self._work
        if work is not None and (item := work.session.current_object) is not None:
            work.session.regenerate(item.id)
            self._edited()

    def delete(self) -> None:
        """Remove the chosen objects."""
        self._remove(self.panel.table.chosen_ids)

    def _remove(self, ids: list[int]) -> None:
        if self._work is not None and ids:
            self._work.layers.remove(ids)

    def _rename(self, id: int, name: str) -> None:
        if self._work is not None:
            self._work.session.objects[id].name = name

    def _show_or_hide(self, id: int, shown: bool) -> None:
        work = self._work
        if work is not None:
            work.hidden = work.hidden - {id} if shown else work.hidden | {id}
            show_all_but(work.layers, work.hidden)

    def _window_changed(self) -> None:
        work = self._work
        # a propagation goes on with the window that it began with
        if work is not None and work.session.current_object is not None and not self._runs.propagating:
            work.session.current_object.wait()
            self._show_objects()
            self._runs.edited(WINDOW_PAUSE)

    def _measure(self, percentiles: Percentiles) -> None:
        """Find the window of percentiles in a worker."""
        image = self.image
        if image is None or self._side_runner.busy:
            return
        pixels = pixels_of(image)

        def steps() -> Iterator[tuple[float, float]]:
            yield percentile_window(pixels, percentiles.low, percentiles.high)

        def end(error: Exception | None) -> None:
            if error is not None:
                self._fail("Window", error)

        self._side_runner.start(steps, lambda window: self.panel.window_section.set_limits(*window), end)

    def propagate(self) -> None:
        """Carry the boxes of the view that the canvas shows through the chosen slices."""
        first, last = sorted((self.panel.first.value(), self.panel.last.value()))
        work = self._work
        plane = None if work is None else work.edits.plane_in_view()
        if work is None or plane is None or plane.axis is None:
            show_warning("Only volumes have slices to carry boxes through.")
            return
        inside = work.session.in_range(plane, first, last)
        outside = [item.id for item in work.session.objects.values() if item not in inside]
        if outside:
            self._warn(f"Boxes outside slices {first} to {last} stay where they are: {', '.join(map(str, outside))}.")
        if len(outside) == len(work.session.objects):
            self._warn("Draw a box on one of the slices first.")
            return
        self._runs.propagate(work, plane, first, last)

    def cancel(self) -> None:
        """Stop a propagation; what is done stays."""
        self._runs.cancel()

    # ---- what runs

    def _edited(self) -> None:
        self._show_objects()
        self._runs.edited()

    def _show_progress(self, done: int, total: int) -> None:
        self.panel.show_running(total > 0, total)
        self.panel.progress.setValue(done)

    def _follow(self, work: Work, plane: Plane) -> None:
        if work is not self._work or not self.panel.follow.isChecked():
            return
        # whoever turns the view during the run wants to look at something else
        if work.edits.plane_in_view().joins(plane):
            show_plane(work.layers.image, self.viewer.dims, plane)

    @property
    def busy(self) -> bool:
        """Whether something runs or is about to."""
        return self._runs.busy or self._image_timer.isActive()

    @property
    def failures(self) -> list[str]:
        """What went wrong with objects of the chosen image, in words for the user."""
        objects = self._work.session.objects.values() if self._work is not None else ()
        return [item.message for item in objects if item.state is State.FAILED]

    # ---- to the user

    def _show_objects(self) -> None:
        work = self._work
        if work is None:
            self.panel.table.show_objects([], None)
            self.panel.enable(image=self.image is not None, objects=False)
            return
        session = work.session
        work.hidden &= session.objects.keys()
        if work.hidden:
            show_all_but(work.layers, work.hidden)
        self.panel.table.show_objects(session.objects.values(), session.current, work.layers.colour_of, work.hidden)
        self.panel.enable(image=True, objects=session.current_object is not None)

    def _say(self, message: str) -> None:
        self.panel.status.setText(message)

    def _warn(self, message: str) -> None:
        self._say(message)
        show_warning(message)

    def _fail(self, what: str, error: Exception) -> None:
        # a ValueError tells of bad input in words for the user; anything else names itself
        message = f"{what}: {error}" if isinstance(error, ValueError) else f"{what}: {type(error).__name__}: {error}"
        self._say(message)
        (show_warning if isinstance(error, ValueError) else show_error)(message)

    # ---- the end

    def event(self, event: QEvent | None) -> bool:
        """Notice that napari has taken the widget out of its dock."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.shut_down()
        return super().event(event)

    def shut_down(self) -> None:
        """Stop what runs and let go of the viewer; the layers stay."""
        if self._closed:
            return
        self._closed = True
        self._runs.close()
        self._side_runner.close()
        self.panel.window_section.show_image(None)
        for work in self._works.values():
            work.edits.stop()
        self._works.clear()
        self._work = None
        self.viewer.layers.events.inserted.disconnect(self._layers_changed)
        self.viewer.layers.events.removed.disconnect(self._layer_removed)
        self.viewer.dims.events.order.disconnect(self._show_range)
