"""All that is in the widget: it joins the panel, the layers of the chosen image and the worker."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Image, Labels
from qtpy.QtCore import QTimer
from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from .edits import Edits
from .folder_work import FolderWork
from .help import HelpPopover
from .images import show_plane, slices_out_of_reach
from .intents import Intents
from .keys import Keys
from .layers import SessionLayers, is_empty, leave, take_up
from .messages import Messages
from .model_in_use import ModelInUse
from .objects import Change
from .overview import show_no_work, show_position, show_work
from .panel import Panel
from .planes import Plane
from .runs import Runs, Work
from .scripting import ScriptSession
from .sessions import Sessions
from .shading import shade_result, show_whole_result
from .showing import show_names, show_rest
from .side_jobs import SideJobs
from .visibility import show_all_but
from .worker import Runner

if TYPE_CHECKING:
    import napari
    from napari.viewer import Viewer

    from ..predictor import Predictor


SHOW_PAUSE = 200  # ms between two looks at the objects during a propagation
_STAYS = 150  # ms on a slice before it is encoded ahead


class Workbench(QWidget):
    """The panel, and the work on each image that was chosen in it.

    Parameters
    ----------
    viewer : Viewer
        The viewer that is worked in.
    load : callable, optional
        Returns the predictor; called in a worker when it is first needed.
    """

    def __init__(self, viewer: "Viewer", load: "Callable[[], Predictor] | None" = None):
        super().__init__()
        self.viewer = viewer
        self._runner = Runner()
        self._works: dict[Any, Work] = {}
        self._work: Work | None = None
        self._runs = Runs(self._runner, self._works.values(), self)
        self._closed = False

        self._chooser = ComboBox(choices=self._images, tooltip="What is segmented. It is never changed.")
        self._references = ComboBox(
            choices=self._label_layers, tooltip="Labels of the same image to compare with, as from an expert."
        )
        self.panel = Panel(self._chooser.native, self._references.native)
        self._messages = Messages(self.panel.status)
        self._model = ModelInUse(self.panel.model_section, self._runs, self._messages, load, self)
        self.sessions = Sessions(
            self.panel.session_section, self._messages, lambda: self._work, lambda: self._model.checkpoint, self
        )
        self.folder = FolderWork(viewer, self._messages, self._works.get, self._put_away, self)
        self._side_jobs = SideJobs(self.panel, self._messages, lambda: self._work, lambda: self._references.value)
        self.intents = Intents(
            viewer,
            self.panel,
            self._runs,
            self._messages,
            self.sessions,
            self.folder,
            lambda: self._work,
            self._take_image,
            self._side_jobs,
        )
        self._session = ScriptSession(lambda: self._work, self._runs, self.sessions, lambda: self.busy)
        self._keys = Keys(self.intents.do, self._messages.warn, self._show_keys, self.panel)
        self._keys.bind(viewer)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.panel)
        # layers are not added inside the event that tells of another one
        self._image_timer = self._timer(0, self._take_image)
        self._follow_timer = self._timer(0, self._follow)
        self._held = False  # whether the mouse is down on the canvas
        self._show_timer = self._timer(SHOW_PAUSE, self._show_objects)
        self._lost_timer = self._timer(0, self._warn_of_lost)
        self._lost: dict[Work, list[str]] = {}
        self._connect()
        self._show_keys()
        self._take_image()
        self._model.show()

    def _timer(self, delay: int, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(delay)
        timer.timeout.connect(slot)
        return timer

    def _connect(self) -> None:
        panel, intents, runs = self.panel, self.intents, self._runs
        self._chooser.changed.connect(lambda _: self._image_timer.start())
        for name, button in panel.buttons.items():
            button.clicked.connect(lambda _=False, name=name: intents.do(name))
        panel.help.clicked.connect(lambda: HelpPopover(self._keys.by_action, self).show_below(panel.help))
        for box in (panel.live, panel.use_points, panel.use_scribble):
            box.clicked.connect(intents.switch)
        panel.table.chosen.connect(intents.choose)
        panel.table.renamed.connect(intents.rename)
        panel.table.shown.connect(intents.show_or_hide)
        panel.table.unwanted.connect(intents.remove)
        panel.model_section.searched.connect(self._side_jobs.find_trainings)
        panel.channels.axis_chosen.connect(intents.take_channels)
        panel.channels.channel_chosen.connect(intents.show_channel)
        panel.window_section.changed.connect(intents.take_window)
        panel.window_section.percentiles_wanted.connect(self._side_jobs.measure_window)
        panel.strip.clicked.connect(intents.go_to)
        self.sessions.opened.connect(runs.edited)
        self.folder.opened.connect(self._begin_on)
        self.folder.moved.connect(panel.folder_section.show_place)
        runs.said.connect(self._messages.say)
        runs.failed.connect(self._messages.fail)
        runs.changed.connect(self._show_objects)
        runs.exchanged.connect(self._model_exchanged)
        runs.progressed.connect(self._show_progress)
        runs.reached.connect(self._reached)
        self.viewer.mouse_drag_callbacks.append(self._hold)
        self.viewer.layers.events.inserted.connect(self._layers_changed)
        self.viewer.layers.events.removed.connect(self._layer_removed)
        self.viewer.layers.events.renamed.connect(self._layer_renamed)
        self.viewer.dims.events.order.connect(self._show_range)
        self.viewer.dims.events.current_step.connect(self._moved)
        self.viewer.grid.events.enabled.connect(self._warn_of_grid)
        self.destroyed.connect(self._runner.close)

    # ---- the image

    def _images(self, _: Any = None) -> list["napari.layers.Image"]:
        return [layer for layer in self.viewer.layers if isinstance(layer, Image)]

    def _label_layers(self, _: Any = None) -> list["napari.layers.Labels"]:
        own = [layer for work in self._works.values() for layer in work.layers.own()]
        return [layer for layer in self.viewer.layers if isinstance(layer, Labels) and layer not in own]

    @property
    def session(self) -> ScriptSession:
        """What scripts drive the panel with: the objects of the chosen image."""
        return self._session

    @property
    def image(self) -> "napari.layers.Image | None":
        """The chosen image layer."""
        return self._chooser.value

    @image.setter
    def image(self, layer: "napari.layers.Image") -> None:
        self._chooser.value = layer
        self._take_image()

    def _layers_changed(self, event: Any = None) -> None:
        self._reset_choices()

    def _layer_renamed(self, event: Any) -> None:
        names = [layer.name for layer in self.viewer.layers]
        # napari tells of a name that another layer has, too, before it numbers the two
        if len(set(names)) == len(names):
            self._reset_choices()

    def _reset_choices(self) -> None:
        image = self.image
        for chooser in (self._chooser, self._references):
            chosen = chooser.value
            # magicgui knows layers by their names, and lets go of one that has another name now
            with chooser.changed.blocked():
                chooser.reset_choices()
                if chooser.value is not chosen and chosen in chooser.choices:
                    chooser.value = chosen
        if self.image != image:
            self._image_timer.start()
        self._show_objects()

    def _layer_removed(self, event: Any) -> None:
        layer = event.value
        self._keys.release(layer)
        for image, work in list(self._works.items()):
            if layer == image:
                self._drop(image, f"'{image.name}' was removed. Its boxes and masks stay, as ordinary layers.")
            elif message := work.edits.forget(layer):
                self._warn_later(work, message)
        self._reset_choices()

    def _warn_later(self, work: Work, message: str) -> None:
        """Tell of what is gone in the next turn of the event loop: when napari closes, layers go and there is none."""
        self._lost.setdefault(work, []).append(message)
        self._lost_timer.start()

    def _warn_of_lost(self) -> None:
        lost, self._lost = self._lost, {}
        for work, messages in lost.items():
            # of an image that went with its layers the last message is enough
            for message in messages if work in self._works.values() else messages[-1:]:
                self._messages.warn(message)

    def _image_replaced(self, event: Any) -> None:
        """Begin anew on an image whose pixels were replaced by others of another size."""
        for image, work in list(self._works.items()):
            if work.layers.outdated:
                for layer in work.layers.own():
                    layer.name = f"{layer.name} (old)"
                self._drop(image, f"'{image.name}' has another size now. Its old boxes and masks stay, as mere layers.")
                self._image_timer.start()

    def _drop(self, image: Any, message: str = "") -> None:
        """Work no more on an image."""
        work = self._works.pop(image)
        self.sessions.end(work)
        self._hear_no_more(image, work)
        if work is self._work:
            self._work = None
        self._runs.drop(work)
        if message and work.session.objects:
            self._warn_later(work, message)

    def _hear_no_more(self, image: Any, work: Work) -> None:
        if work.hidden:
            # nobody could show them again
            show_all_but(work.layers, frozenset())
        show_whole_result(work.layers)
        image.events.data.disconnect(self._image_replaced)
        work.session.changed.disconnect(self._objects_changed)
        work.session.repainted.disconnect(self._show_soon)
        work.edits.stop()

    def _begin_on(self, image: "napari.layers.Image") -> None:
        """Work on an image of a folder, ready for a box."""
        self.image = image
        # napari does so for the first image of all only
        self.viewer.reset_view(layers=[image])
        self.intents.use_tool("box")

    def _put_away(self, image: "napari.layers.Image") -> None:
        """Take an image and the layers of ours that belong to it out of the viewer."""
        own = []
        if (work := self._works.get(image)) is not None:
            own = work.layers.own()
            self._drop(image)
        for layer in (*own, image):
            self.viewer.layers.remove(layer)

    def _take_image(self) -> None:
        """Work on the chosen image, each image with its own boxes."""
        image, before = self.image, self._work
        self._leave(image)
        self._work = None if image is None else self._works.get(image)
        if image is None:
            self._messages.say("Open an image or a volume to begin.")
        elif self._work is None:
            self._begin(image)
        elif self._work is not before:
            # what was said last is of another image
            self._messages.say(f"Objects of '{image.name}': {len(self._work.session.objects)}.")
        if self._work is not None:
            self._show_range()
        self.panel.window_section.show_image(image)
        self.sessions.show_offer()
        self.panel.review_section.forget_matches()
        self._show_objects()

    def _show_range(self, event: Any = None) -> None:
        """Offer the slices that boxes can be carried through in the view that the canvas shows."""
        if self._work is not None:
            self.panel.show_range(self._work.depth)
            show_position(self.panel, self._work)

    def _moved(self, event: Any = None) -> None:
        """Encode the slice that the user stays on while boxes are drawn, so that its first mask comes at once."""
        if (work := self._work) is not None:
            show_position(self.panel, work)
            if work.layers.boxes is not None and self._model.predictor.loaded:
                self._runs.prepare(work, work.edits.plane_in_view(), _STAYS)

    def _warn_of_grid(self, event: Any = None) -> None:
        if self.viewer.grid.enabled and self._work is not None and self._work.drawing:
            self._messages.warn("In grid mode boxes and prompts lie in other tiles than the image. New box ends it.")

    def _begin(self, image: "napari.layers.Image") -> None:
        layers = SessionLayers(self.viewer, image, self._model.predictor, take_up(image))
        layers.session.changed.connect(self._objects_changed)
        layers.session.repainted.connect(self._show_soon)
        image.events.data.connect(self._image_replaced)
        self._work = self._works[image] = Work(layers, Edits(layers, self._runs.edited, self._messages.warn))
        self.sessions.begin(self._work)
        if self._work.session.objects:
            return
        if lost := slices_out_of_reach(image, self.viewer.dims):
            self._messages.warn(
                f"'{image.name}' lies askew. napari leaves out its tilt, and so cannot show {lost} of its slices: "
                "resample it to straight axes."
            )
        self._messages.say("Press New box and draw a rectangle around what you want to segment.")

    def _leave(self, image: Any) -> None:
        """Take layers that are empty away when another image is chosen, if there is nothing to undo either."""
        for other, work in list(self._works.items()):
            if other != image and work.unused and work is not self.folder.work:
                self._drop(other)
                for layer in work.layers.own():
                    if layer in self.viewer.layers and is_empty(layer):
                        self.viewer.layers.remove(layer)

    # ---- the model

    def _model_exchanged(self, error: Exception | None) -> None:
        if error is None:
            self.intents.run()
        self._show_objects()

    # ---- what runs

    def _show_progress(self, done: int, total: int) -> None:
        # a bar that is set paints the window, so it is set once a step
        if done == 0:
            self.panel.show_running(total > 0, total)
        else:
            self.panel.progress.setValue(done)

    def _hold(self, viewer: Any, event: Any) -> Iterator[None]:
        """Take note of how long the mouse is down on the canvas, as one of napari's callbacks."""
        self._held = True
        yield
        while event.type == "mouse_move":
            yield
        self._held = False

    def _reached(self, work: Work, plane: Plane) -> None:
        """Go along with a propagation, in a turn of the event loop of its own, since moving the view is slow work."""
        self._to_show = work, plane
        self._follow_timer.start()

    def _follow(self) -> None:
        work, plane = self._to_show
        if work is not self._work or not self.panel.follow.isChecked():
            return
        # what is drawn or moved would go along to another slice; the next step moves the view
        if self._held or work.layers.drawing:
            return
        # whoever turns the view during the run wants to look at something else
        if work.edits.plane_in_view().joins(plane):
            show_plane(work.layers.image, self.viewer.dims, plane)

    @property
    def busy(self) -> bool:
        """Whether something runs or is about to."""
        timers = self._image_timer, self._follow_timer, self._lost_timer
        runs = self._runs.busy or self._side_jobs.busy or self.folder.busy
        return runs or any(timer.isActive() for timer in timers)

    # ---- to the user

    def _show_keys(self) -> None:
        self.panel.show_keys(self._keys.by_action)

    def _objects_changed(self, change: Change) -> None:
        """Show the objects; while steps of a propagation pour in, only now and then."""
        if change.waits and self._work is not None and not self._work.session.live:
            self._messages.say("Live is off: press Run for a new mask.")
        if change.goes_on:
            self._show_soon()
        else:
            self._show_objects()

    def _show_soon(self) -> None:
        if not self._show_timer.isActive():
            self._show_timer.start()

    def _show_objects(self) -> None:
        panel, work = self.panel, self._work
        for each in self._works.values():
            show_rest(each.layers)
        panel.model_section.show_facts(self._model.predictor.facts)
        if work is None:
            show_no_work(panel, self.image is not None)
            return
        for layer in work.layers.own():
            self._keys.bind(layer)
        show_names(work.layers)
        if work.hidden:
            work.hidden &= work.session.objects.keys()
            # also when none is left, for colours that others have only while one is hidden
            show_all_but(work.layers, work.hidden)
        shade_result(work.layers, work.hidden)
        show_work(panel, work, self._references.value is not None, self._runs.stopped is work)

    # ---- the end

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Save what is not saved yet: a window that is closed takes the panel with it, and tells it nothing else."""
        for work in self._works.values():
            work.edits.catch_up()
        self.sessions.save_pending()
        super().hideEvent(event)

    def shut_down(self) -> None:
        """Stop what runs and let go of the viewer; the layers stay."""
        if self._closed:
            return
        self._closed = True
        for work in self._works.values():
            # the last strokes are saved, too
            work.edits.catch_up()
        for timer in (self._image_timer, self._follow_timer, self._show_timer, self._lost_timer):
            timer.stop()
        self._runs.close()
        self.sessions.close()
        self.folder.close()
        self._side_jobs.close()
        self._keys.close()
        self.panel.window_section.show_image(None)
        for image, work in self._works.items():
            self._hear_no_more(image, work)
            leave(image, work.session)
        self._works.clear()
        self._work = None
        self.viewer.mouse_drag_callbacks.remove(self._hold)
        self.viewer.layers.events.inserted.disconnect(self._layers_changed)
        self.viewer.layers.events.removed.disconnect(self._layer_removed)
        self.viewer.layers.events.renamed.disconnect(self._layer_renamed)
        self.viewer.dims.events.order.disconnect(self._show_range)
        self.viewer.dims.events.current_step.disconnect(self._moved)
        self.viewer.grid.events.enabled.disconnect(self._warn_of_grid)
