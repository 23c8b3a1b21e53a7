"""What the model is asked on one image, and what it answers; knows no widgets and no napari.

One box is one object is one label id. An edit makes an object wait; `Session.next_request` hands its prompts to a
worker, and `Session.accept` takes the answer unless the object was edited in the meantime. `Session.compute` and what
`Session.carry` returns run in a worker, all else in the GUI thread. Whoever shows the session listens to
`Session.changed`.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..slices import Slice
from ..stopping import Stop
from .carrying import Route, boxes_of, carry_again, outgrown_ends, tracks_of
from .editing import Editing
from .history import Step
from .objects import BoxObject, Carried, Change, Request, State, Window
from .patches import Mask, Patch
from .planes import Plane, Stack

if TYPE_CHECKING:
    from ..answers import Prediction
    from .loading import LazyPredictor

_names = (f"image {number}" for number in itertools.count())


class Session(Editing):
    """The objects of one image.

    Parameters
    ----------
    data : array-like
        ``(..., H, W)``, or ``(..., H, W, C)`` with colours; read plane by plane.
    shape : tuple of int
        Without the colour axis.
    predictor : LazyPredictor
        Several sessions may share one.
    """

    def __init__(self, data: Any, shape: tuple[int, ...], predictor: "LazyPredictor"):
        super().__init__(shape)
        self.data = data
        self.predictor = predictor
        self._asked_for: set[int] = set()
        self._name = next(_names)
        self._propagation: Step | None = None

    def image_changed(self, data: Any) -> None:
        """Read from `data` from now on, and reuse nothing that was computed of the old pixels."""
        self.data = data
        self._name = next(_names)

    def resume(self, data: Any, predictor: "LazyPredictor") -> None:
        """Go on with another predictor, after whoever ran the last one was closed; what ran then waits again."""
        if data is not self.data:
            self.image_changed(data)
        self.predictor = predictor
        for item in self.objects.values():
            if item.state is State.RUNNING:
                item.wait()

    # ---- one object on its plane

    def ask(self) -> None:
        """Let all objects that wait be run, also if the session is not `live`."""
        self._asked_for = {id for id, item in self.objects.items() if item.state is State.WAITING}
        self.changed.emit(Change(frozenset(), frozenset(), bool(self._asked_for)))

    def next_request(self, window: Window) -> Request | None:
        """Take the waiting object that the user turned to last, or None."""
        waiting = [item for item in self.objects.values() if item.state is State.WAITING]
        if not self.live:
            waiting = [item for item in waiting if item.id in self._asked_for]
        if not waiting:
            return None
        item = next((item for item in waiting if item.id == self.current), waiting[0])
        item.state = State.RUNNING
        self._asked_for.discard(item.id)
        return Request(
            item.id,
            item.version,
            item.plane,
            item.box,
            item.seed,
            *_given_points(item, self.use_points),
            *_given_scribble(item, self.use_scribble),
            window,
            (self._key(item.plane), item.plane.position),
        )

    def _key(self, plane: Plane) -> tuple:
        """Names the neighbours of a plane in the predictor's cache."""
        return self._name, plane if plane.axis is None else plane.moved(0)

    def prepare(self, plane: Plane, window: Window) -> None:
        """Encode a plane, so that the first answer on it comes at once; to be called in a worker."""
        key = (self._key(plane), plane.position)
        self.predictor().set_image(Slice(self.data, plane.index), window=window, key=key)

    def compute(self, request: Request) -> "Iterator[tuple[Prediction, bool]]":
        """Run the model, in a worker; yield an answer, and whether it is the last.

        Where a second look takes an encoding of its own, the answer of the first comes before.
        """
        predictor = self.predictor()
        predictor.set_image(Slice(self.data, request.plane.index), request.window, request.key)
        prompts = (request.points, request.point_labels, request.scribble)
        more = (request.seed, request.placed, request.painted)
        for answer in predictor.predict_soon(request.box, *prompts, *more):
            yield answer
            if self._asked(request.id, request.version) is None:
                # what the user has done meanwhile comes first
                return

    def accept(self, request: Request, prediction: "Prediction", last: bool = True) -> BoxObject | None:
        """Take an answer; return its object, or None if the object has changed since it was asked for.

        Until the last answer has come the object is running.
        """
        item = self._asked(request.id, request.version)
        if item is None:
            return None
        # the answer belongs to the edit that asked for it, and both are undone together
        with self.consequence(self._edit_of(item.id), item.id):
            if not item.points_edited:
                item.points, item.point_labels = prediction.points, prediction.point_labels
                item.drawn_points = item.points
            if not item.scribble_edited:
                item.scribble = item.drawn_scribble = Patch.cut(prediction.scribble)
            item.answer(request.plane, prediction.mask)
            item.ious[request.plane] = prediction.iou
            if last:
                item.state = State.DONE
            # what was carried from the old mask is to be done again, as far as the next box
            carry_again(item, request.plane)
        return item

    def fail(self, request: Request, message: str) -> BoxObject | None:
        """Note that a run has failed; the object's old mask and prompts stay."""
        item = self._asked(request.id, request.version)
        if item is not None:
            with self.consequence(self._edit_of(item.id), item.id):
                item.state, item.message = State.FAILED, message
        return item

    def _asked(self, id: int, version: int) -> BoxObject | None:
        item = self.objects.get(id)
        return item if item is not None and self.is_asked(item, version) else None

    def is_asked(self, item: BoxObject, version: int) -> bool:
        """Whether an object is still as it was when a run of it began."""
        return self.objects.get(item.id) is item and item.version == version

    # ---- all objects through the volume

    def carry(self, route: Route, window: Window) -> tuple[Callable[[], Iterator[Carried]], int]:
        """Prepare carrying boxes to the slices of a route that they were not carried to yet.

        If none is missing, all are done again.

        Returns
        -------
        steps : callable
            To be called, and what it returns to be iterated over, in a worker.
        total : int
            Number of steps, at most.
        """
        # everything is read now, in the GUI thread, so that edits during the run cannot mix with it
        from ..propagation import Options, follow

        # their rows in the table say why some are left out, and must not keep others waiting
        objects = [item for item in route.objects(self.open_objects.values()) if self._are_on_image(item)]
        plane = route.plane
        if not objects:
            return lambda: iter(()), 0
        volume, key, options = Stack(self.data, plane), self._key(plane), route.options or Options()
        tracks = tracks_of(objects, route, volume.shape)
        asked = [(item.id, item.version) for item in objects]

        def steps() -> Iterator[Carried]:
            for step in follow(volume, tracks, self.predictor(), window, key, options):
                if not any(self._asked(*which) for which in asked):
                    return
                yield Carried(*asked[step.object], plane.moved(step.z), step)

        again, outgrown = [], []
        for item, track in zip(objects, tracks, strict=True):
            carried = [other for other in item.carried if other.joins(plane)]
            again += [(item, other) for other in carried if other.position not in track.done]
            outgrown += [(item, end) for end in outgrown_ends(item, track.first, track.last)]
        self._propagation = None
        if again or outgrown:
            self._propagation = self.history.record("propagate", {})
            # all objects at once, since it is slow work to show that one has changed
            with self.consequence(self._propagation, *{item.id for item, _ in again + outgrown}):
                for item, other in again:
                    item.stop_carrying(other)
                for item, end in outgrown:
                    item.ends.pop(end, None)
        return steps, options.count(tracks, len(volume))

    def _are_on_image(self, item: BoxObject) -> bool:
        """Whether each of the boxes that were drawn for an object covers something of the image."""
        from ..predictor import EmptyBoxError, clip_box

        # those around masks do, however thin
        drawn = {plane: box for plane, box in boxes_of(item).items() if plane in item.boxes}
        try:
            for plane, box in drawn.items():
                clip_box(box, *(self.shape[axis] for axis in plane.spans))
        except EmptyBoxError:
            return False
        return True

    def accept_step(self, carried: Carried) -> BoxObject | None:
        """Take one plane of a propagation; return its object, or None if it has changed since."""
        item, prediction = self._asked(carried.id, carried.version), carried.step.prediction
        if item is None:
            return None
        y0, x0, y1, x1 = prediction.box.tolist()
        if self._propagation is None:
            self._propagation = self.history.record("propagate", {})
        with self.consequence(self._propagation, item.id, goes_on=True):
            # a draft is not what it is to be, should the run be stopped before the way back
            if not carried.step.draft:
                item.carried[carried.plane] = (y0, x0, y1, x1)
            item.answer(carried.plane, prediction.mask)
            # what lies between slices that the model saw has no predicted IoU
            if prediction.mask.any() and not np.isnan(prediction.iou):
                item.ious[carried.plane] = prediction.iou
            else:
                item.ious.pop(carried.plane, None)
            if carried.step.stop is not None:
                item.ends[carried.plane] = str(carried.step.stop)
                # beyond a range nobody has looked
                if not prediction.mask.any() and carried.step.stop != Stop.RANGE:
                    self._forget_beyond(item, carried.plane)
        return item

    def _forget_beyond(self, item: BoxObject, end: Plane) -> None:
        """Drop what an earlier run had found beyond the end of an object."""
        position, start = end.position or 0, [plane.position or 0 for plane in boxes_of(item)]
        for plane in [plane for plane in item.answers if plane.joins(end) and plane not in boxes_of(item)]:
            beyond = (plane.position or 0) > position > max(start) or (plane.position or 0) < position < min(start)
            if beyond:
                item.forget(plane)


def _given_points(item: BoxObject, use: bool) -> tuple[NDArray | None, NDArray | None, NDArray | None]:
    """Points as the user has them, with labels and which are his own; None to have some drawn, or none at all."""
    if not use:
        return np.zeros((0, 2)), np.zeros(0, int), None
    return (item.points, item.point_labels, item.placed) if item.points_edited else (None, None, None)


def _given_scribble(item: BoxObject, use: bool) -> tuple[Mask | bool | None, Mask | None]:
    """The scribble as the user has it, and what of it is his own.

    None to have one drawn, or False for none; an empty one is none to the model.
    """
    if not use:
        return False, None
    if not item.scribble_edited:
        return None, None
    if not item.scribble:
        return False, None
    scribble = item.scribble.full()
    return scribble, scribble if item.drawn_scribble is None else scribble & ~item.drawn_scribble.full()
