"""What runs, and what runs next: one thing at a time, edits first, then the propagation that was asked for."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from .carrying import Route
from .edits import Edits
from .ends import told_of_carried
from .images import window_of
from .layers import SessionLayers
from .loading import LazyPredictor
from .objects import Carried, Request, State
from .planes import Plane
from .session import Session
from .worker import Runner

if TYPE_CHECKING:
    from ..answers import Prediction
    from ..predictor import Predictor

DEBOUNCE = 60  # ms between the last edit and the run


@dataclass(eq=False)
class Work:
    """One image that is being segmented."""

    layers: SessionLayers
    edits: Edits
    drawing: bool = False  # whether the user has turned to it, so that its layers are needed soon
    hidden: set[int] = field(default_factory=set)  # ids of objects that the user does not want to see

    @property
    def session(self) -> Session:
        """The image's objects."""
        return self.layers.session

    @property
    def unused(self) -> bool:
        """Whether there is nothing that could be lost, not even what undo would bring back."""
        session, history = self.session, self.session.history
        return not (session.objects or session.painted or history.undo_name or history.redo_name)

    @property
    def depth(self) -> int:
        """Number of slices that boxes are carried through in the view that the canvas shows."""
        axis = self.edits.plane_in_view().axis
        return 1 if axis is None else self.session.shape[axis]

    def ensure_layers(self) -> None:
        """Add those of our layers that are missing."""
        if self.layers.ensure():
            self.edits.listen()

    def add_layer(self, name: str) -> None:
        """Add one of our layers, if it is missing."""
        if name in self.layers.missing:
            self.layers.add(name)
            self.edits.listen()

    def add_next_layer(self) -> bool:
        """Add one of the layers that boxes or the result need, if one is missing; return whether one was."""
        boxes = self.drawing or bool(self.session.objects)
        missing = [name for name in self.layers.missing if boxes or name == "result"]
        if missing:
            self.add_layer(missing[0])
        return bool(missing)


class Runs(QObject):
    """Runs the model on what the works ask for.

    Parameters
    ----------
    runner : Runner
        The one thread that all works share.
    works : collection of Work
        Looked at anew each time.
    """

    said = Signal(str)  # for the user, of what goes on
    failed = Signal(str, object)  # what, and the exception
    changed = Signal()  # the objects of a work
    progressed = Signal(int, int)  # of a propagation: steps done, and in all; 0, 0 at its end
    exchanged = Signal(object)  # None if another model is in use now, or the exception that kept it from loading
    reached = Signal(object, object)  # a work, and the plane that was segmented

    def __init__(self, runner: Runner, works: Collection[Work], parent: QObject | None = None):
        super().__init__(parent)
        self._runner, self._works = runner, works
        self._asked: tuple[Work, Route] | None = None
        self.stopped: Work | None = None
        self._loading: tuple[LazyPredictor, Callable[[], Predictor]] | None = None
        self._preparing: tuple[Work, Plane] | None = None
        self._propagating = False
        self._running: Work | None = None
        self._closed = False
        # one edit often comes as several events; the last of them starts the run
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._next)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.timeout.connect(self._next)
        self._layer_timer = QTimer(self)
        self._layer_timer.setSingleShot(True)
        self._layer_timer.timeout.connect(self._add_layer)

    @property
    def busy(self) -> bool:
        """Whether something runs or is about to."""
        timers = self._timer, self._pause, self._layer_timer
        return self._runner.busy or any(timer.isActive() for timer in timers)

    @property
    def propagating(self) -> bool:
        """Whether boxes are carried through a volume, or will be next."""
        return self._propagating or self._asked is not None

    def edited(self, pause: int = DEBOUNCE) -> None:
        """Run what waits, once no edit has come for `pause` milliseconds."""
        self.changed.emit()
        self._timer.start(pause)

    def propagate(self, work: Work, route: Route) -> None:
        """Carry boxes through a volume, after what runs now."""
        self._asked = work, route
        self.progressed.emit(0, 1)
        self._next()

    def exchange(self, predictor: LazyPredictor, load: "Callable[[], Predictor]") -> None:
        """Use another model from now on, if it can be loaded."""
        self._loading = predictor, load
        self._next()

    def prepare(self, work: Work, plane: Plane, pause: int = 0) -> None:
        """Load the model and encode a plane when there is nothing else to do, unless another comes in `pause` ms."""
        self._preparing = work, plane
        self._pause.start(pause)

    def drop(self, work: Work) -> None:
        """Do nothing more for a work."""
        if self._preparing is not None and self._preparing[0] is work:
            self._preparing = None
        if work is self._running or (self._asked is not None and self._asked[0] is work):
            self.cancel()

    def cancel(self) -> None:
        """Stop what runs; what is done stays."""
        if self._asked is not None:
            self._asked = None
            self.progressed.emit(0, 0)
        self._runner.cancel()

    def close(self) -> None:
        """Stop what runs and start nothing any more."""
        self._closed = True
        self._timer.stop()
        self._pause.stop()
        self._layer_timer.stop()
        self._runner.close()

    def _next(self) -> None:
        """Start what is to be done next, unless something runs: its end comes back here."""
        if self._closed:
            return
        # strokes do not wait for the end of a long run: until they are read they are not saved either
        for work in self._works:
            work.edits.catch_up()
        if not self._runner.busy:
            self._start_next()
        self._layer_timer.start()

    def _add_layer(self) -> None:
        """Add one missing layer a turn, while the model runs, since each of them keeps napari busy for a while."""
        if not self._closed and any(work.add_next_layer() for work in self._works):
            self.changed.emit()
            self._layer_timer.start()

    def _start_next(self) -> None:
        self._running = None
        if self._loading is not None:
            loading, self._loading = self._loading, None
            self._load(*loading)
            return
        for work in self._works:
            request = work.session.next_request(window_of(work.layers.image))
            if request is not None:
                self._run(work, request)
                return
        if self._asked is not None:
            asked, self._asked = self._asked, None
            self._run_through(*asked)
        elif self._preparing is not None:
            preparing, self._preparing = self._preparing, None
            self._prepare(*preparing)

    def _load(self, predictor: LazyPredictor, load: "Callable[[], Predictor]") -> None:
        def steps() -> Iterator[None]:
            predictor.exchange(load)
            yield

        def end(error: Exception | None) -> None:
            if error is not None:
                self.failed.emit("The model stays as it was", error)
            else:
                self.said.emit("The model is ready.")
            self.exchanged.emit(error)
            self._next()

        self.said.emit("Loading the model …")
        self._runner.start(steps, lambda _: None, end)

    def _prepare(self, work: Work, plane: Plane) -> None:
        window = window_of(work.layers.image)

        def steps() -> Iterator[None]:
            work.session.prepare(plane, window)
            yield

        def end(error: Exception | None) -> None:
            if error is not None:
                self.failed.emit("The image could not be prepared", error)
            self.changed.emit()
            self._next()

        self._runner.start(steps, lambda _: None, end)

    def _run(self, work: Work, request: Request) -> None:
        session = work.session

        def steps() -> "Iterator[tuple[Prediction, bool]]":
            return session.compute(request)

        def accept(answer: "tuple[Prediction, bool]") -> None:
            if work not in self._works:
                return
            # a drag or a stroke that goes on while the answer comes must not be painted over
            work.edits.read_prompts(request.plane)
            session.accept(request, *answer)

        def end(error: Exception | None) -> None:
            if error is not None and session.fail(request, str(error)) is not None:
                self.failed.emit(f"Object {request.id}", error)
            else:
                item = session.objects.get(request.id)
                if item is not None and item.state is State.RUNNING:
                    session.fail(request, "stopped before it was done")
                elif error is None:
                    self.said.emit("Drag a point or paint the scribble to correct the mask.")
            self.changed.emit()
            self._next()

        self._running = work
        self.said.emit(f"Segmenting object {request.id} …" if session.predictor.loaded else "Loading the model …")
        self.changed.emit()
        self._runner.start(steps, accept, end)

    def _run_through(self, work: Work, route: Route) -> None:
        session = work.session
        objects = route.objects(session.open_objects.values())
        asked = [(item, item.version) for item in objects]
        done, finished = 0, False

        def through() -> Iterator[Carried]:
            nonlocal finished
            yield from steps()
            finished = True

        def accept(carried: Carried) -> None:
            nonlocal done
            if work not in self._works:
                return
            done += 1
            # its planes are drawn anew, and what the user paints there is not to be painted over
            item, here = session.objects.get(carried.id), work.edits.plane_in_view()
            if item is not None and here in (carried.plane, item.plane):
                work.edits.read_prompts(here)
            else:
                work.edits.catch_up()
            if session.accept_step(carried) is not None:
                self.reached.emit(work, carried.plane)
            self.progressed.emit(done, total)
            self.said.emit(f"Slice {carried.step.z}: {done} of {total}")

        def end(error: Exception | None) -> None:
            self._propagating = False
            self.progressed.emit(0, 0)
            if error is not None:
                self.failed.emit("Propagation", error)
            elif not finished:
                self.stopped = work
                self.said.emit(f"Stopped after {done} of {total}; what is done stays.")
            elif carried := [item for item, version in asked if session.is_asked(item, version)]:
                self.said.emit(told_of_carried(carried))
            else:
                self.said.emit(f"Stopped after {done} of {total}: the objects have changed since.")
            self.changed.emit()
            self._next()

        try:
            steps, total = session.carry(route, window_of(work.layers.image))
        except Exception as error:
            # the panel shows a run since it was asked for, and waits for its end
            end(error)
            return
        self._propagating, self._running, self.stopped = True, work, None
        self.progressed.emit(0, total)
        self._runner.start(through, accept, end, {"total": total, "desc": "Propagating boxes"})
