"""What the user has asked for on one image, and what the model has answered; knows no widgets and no napari.

One box is one object is one label id. An edit makes an object wait; `Session.next_request` hands its prompts to a
worker, and `Session.accept` takes the answer unless the object was edited in the meantime. `Session.compute` and what
`Session.carry` returns run in a worker, all else in the GUI thread. Whoever shows the session listens to
`Session.changed`.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import find_objects

from ..prompts import mask_prompts
from . import drawing
from .carrying import Route, between, boxes_of, tracks_of
from .history import Step
from .objects import BoxObject, Carried, Change, Request, State, Window
from .patches import Mask, Patch
from .planes import Box, Plane, Slice, Stack
from .results import Results

if TYPE_CHECKING:
    from ..predictor import Prediction
    from .loading import LazyPredictor

_names = (f"image {number}" for number in itertools.count())


class Session(Results):
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
        self.use_points = self.use_scribble = True
        self._asked_for: set[int] = set()
        self._name = next(_names)
        self._propagation: Step | None = None

    # ---- the user's edits

    @property
    def current_object(self) -> BoxObject | None:
        """The object that new points and strokes belong to."""
        return self.objects.get(self.current or 0)

    def select(self, id: int) -> None:
        """Let new points and strokes belong to an object."""
        self.current = id
        self.tell({})

    def add_box(self, plane: Plane, box: Box, id: int = 0) -> BoxObject:
        """Make an object of a new box; it becomes the current one, with its old id if that is free."""
        if id <= 0 or id in self.objects:
            id = max(self.highest_id, *self.objects, 0) + 1
        with self.step("new box", id):
            self.objects[id] = BoxObject(id, plane, box)
            self.current = id
        return self.objects[id]

    def move_box(self, id: int, plane: Plane, box: Box) -> bool:
        """Give an object another box; return whether it differs from the old one.

        Edited prompts stay as long as some of them lie in the box.
        """
        item = self.objects[id]
        if item.plane == plane and np.allclose(item.box, box):
            return False
        with self.step("move box", id):
            if plane != item.plane or not _any_inside(item.points[item.point_labels == 1], box):
                item.points_edited = False
            if plane != item.plane or item.scribble is None or not _any_inside(np.argwhere(item.scribble.full()), box):
                item.scribble_edited = False
            item.plane, item.box = plane, box
            item.wait()
            self.current = id
        return True

    def place_box(self, id: int, plane: Plane, box: Box) -> None:
        """Give an object one more box, on another plane, or turn to one that it has.

        Its prompts are those of the new box; on the plane of the one before box and mask stay.
        """
        item = self.objects[id]
        with self.step("box on another slice", id):
            anchors = {**item.anchors, item.plane: item.box}
            anchors.pop(plane, None)
            item.anchors = anchors
            item.points_edited = item.scribble_edited = False
            item.plane, item.box = plane, box
            item.wait()
            self.current = id

    def remove_box(self, id: int, plane: Plane) -> None:
        """Take one of several boxes from an object; without the current one the nearest is the current one."""
        item = self.objects[id]
        with self.step("remove box", id):
            anchors = dict(item.anchors)
            if plane == item.plane:
                nearest = min(anchors, key=lambda other: abs((other.position or 0) - (plane.position or 0)))
                item.points_edited = item.scribble_edited = False
                item.plane, item.box = nearest, anchors[nearest]
                item.wait()
            anchors.pop(plane if plane in anchors else item.plane)
            item.anchors = anchors
            for other in between(item, plane):
                item.carried.pop(other)
                item.ends.pop(other, None)

    def remove(self, id: int) -> BoxObject:
        """Forget an object, and take it out of the result; return it."""
        with self.step("delete object", id):
            self.erase_result(id)
            removed = self.objects.pop(id)
            if self.current == id:
                self.current = max(self.objects, default=None)
        return removed

    def rename(self, id: int, name: str) -> None:
        """Give an object a name for the user."""
        with self.step("rename", id):
            self.objects[id].name = name

    def edit_points(self, id: int, points: ArrayLike, labels: ArrayLike) -> bool:
        """Replace an object's points by the user's, (y, x); return whether they differ."""
        item = self.objects[id]
        points, labels = np.array(points, float).reshape(-1, 2), np.array(labels, int).reshape(-1)
        if np.array_equal(points, item.points) and np.array_equal(labels, item.point_labels):
            return False
        with self.step("edit points", id):
            item.points, item.point_labels, item.points_edited = points, labels, True
            item.wait()
        return True

    def edit_scribble(self, id: int, scribble: Mask) -> bool:
        """Replace an object's scribble by the user's; return whether it differs."""
        item = self.objects[id]
        if np.array_equal(scribble, np.zeros_like(scribble) if item.scribble is None else item.scribble.full()):
            return False
        with self.step("paint scribble", id):
            item.scribble, item.scribble_edited = Patch.cut(scribble), True
            item.wait()
        return True

    def draw_scribbles(self, labels: NDArray, plane: Plane, gone: Iterable[int] = ()) -> None:
        """Bring a plane of label ids up to date with all scribbles; ids that are of no object stay."""
        drawing.draw_scribbles(labels, self.open_objects.values(), plane, list(gone))

    def read_scribbles(self, labels: NDArray, plane: Plane) -> bool:
        """Take what the user has painted on or erased from a plane; return whether any scribble differs."""
        edited = drawing.read_scribbles(labels, self.open_objects.values(), plane)
        with self.together():
            for id, scribble in edited.items():
                self.edit_scribble(id, scribble)
        return bool(edited)

    def regenerate(self, id: int) -> None:
        """Drop an object's prompts for others, drawn with the next seed."""
        item = self.objects[id]
        with self.step("regenerate prompts", id):
            item.seed += 1
            item.points_edited = item.scribble_edited = False
            item.wait()

    def reset_prompts(self, id: int) -> None:
        """Drop an object's prompts for the first ones that were drawn in its box."""
        item = self.objects[id]
        with self.step("reset prompts", id):
            item.seed = 0
            item.points_edited = item.scribble_edited = False
            item.wait()

    def switch_prompts(self, points: bool | None = None, scribble: bool | None = None) -> None:
        """Let the model see points, or the scribble, or let it not; all open objects are run again.

        The user's points and scribbles are kept while they are off.
        """
        before = self.use_points, self.use_scribble
        self.use_points = self.use_points if points is None else points
        self.use_scribble = self.use_scribble if scribble is None else scribble
        if (self.use_points, self.use_scribble) != before:
            for item in self.open_objects.values():
                item.wait()
            self.changed.emit(Change(frozenset(self.open_objects), frozenset(), bool(self.open_objects)))

    def add_label(self, labels: NDArray, label: int, plane: Plane) -> BoxObject:
        """Make an object of a mask made elsewhere, to correct it: it starts with that mask, and nothing is run.

        Parameters
        ----------
        labels : array of int
            Of the image's shape.
        label : int
            Which of them.
        plane : Plane
            Box, points and scribble are drawn from the mask here; masks of its neighbours are taken too.

        Raises
        ------
        ValueError
            If the shape is not the image's, or nothing on the plane has the label.
        """
        if labels.shape != self.shape:
            raise ValueError(f"the labels are {labels.shape}, but the image is {self.shape}")
        mask = labels[plane.index] == label
        if label == 0 or not mask.any():
            raise ValueError(f"nothing on this slice has the label {label}")
        (y0, x0, y1, x1), points, scribble = mask_prompts(mask)
        with self.together():
            item = self.add_box(plane, (float(y0), float(x0), float(y1), float(x1)))
            with self.step("new box", item.id):
                item.points, item.point_labels, item.points_edited = points, np.ones(len(points), int), True
                item.scribble, item.scribble_edited = Patch.cut(scribble), True
                (where,) = find_objects((labels == label).view(np.uint8))
                for other in plane.parallels(where):
                    item.answer(other, labels[other.index] == label)
                item.state = State.DONE
        return item

    def image_changed(self, data: Any) -> None:
        """Read from `data` from now on, and reuse nothing that was computed of the old pixels."""
        self.data = data
        self._name = next(_names)

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
            _given_scribble(item, self.use_scribble),
            window,
            (self._key(item.plane), item.plane.position),
        )

    def _key(self, plane: Plane) -> tuple:
        """Names the neighbours of a plane in the predictor's cache."""
        return self._name, plane if plane.axis is None else plane.moved(0)

    def prepare(self, plane: Plane, window: Window) -> None:
        """Encode a plane, so that the first answer on it comes at once; to be called in a worker."""
        key = (self._key(plane), plane.position)
        self.predictor().set_image(Slice(self.data, plane), window=window, key=key)

    def compute(self, request: Request) -> "Prediction":
        """Run the model; to be called in a worker."""
        predictor = self.predictor()
        predictor.set_image(Slice(self.data, request.plane), window=request.window, key=request.key)
        return predictor.predict(
            request.box,
            points=request.points,
            point_labels=request.point_labels,
            scribble=request.scribble,
            seed=request.seed,
        )

    def accept(self, request: Request, prediction: "Prediction") -> BoxObject | None:
        """Take an answer; return its object, or None if the object has changed since it was asked for."""
        item = self._asked(request.id, request.version)
        if item is None:
            return None
        # the answer belongs to the edit that asked for it, and both are undone together
        with self.consequence(self.history.newest_of(item.id), item.id):
            if not item.points_edited:
                item.points, item.point_labels = prediction.points, prediction.point_labels
            if not item.scribble_edited:
                item.scribble = Patch.cut(prediction.scribble)
            item.answer(request.plane, prediction.mask)
            item.ious[request.plane], item.state = prediction.iou, State.DONE
            # what was carried from the old mask is to be done again, as far as the next box
            for plane in between(item, request.plane) if request.plane.axis is not None else ():
                item.carried.pop(plane)
                item.ends.pop(plane, None)
        return item

    def fail(self, request: Request, message: str) -> BoxObject | None:
        """Note that a run has failed; the object's old mask and prompts stay."""
        item = self._asked(request.id, request.version)
        if item is not None:
            with self.consequence(self.history.newest_of(item.id), item.id):
                item.state, item.message = State.FAILED, message
        return item

    def _asked(self, id: int, version: int) -> BoxObject | None:
        item = self.objects.get(id)
        return item if item is not None and item.version == version else None

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
        from ..propagation import follow

        objects, plane = route.objects(self.open_objects.values()), route.plane
        if not objects:
            return lambda: iter(()), 0
        volume, key = Stack(self.data, plane), self._key(plane)
        tracks = tracks_of(objects, route, volume.shape)
        asked = [(item.id, item.version) for item in objects]

        def steps() -> Iterator[Carried]:
            for step in follow(volume, tracks, self.predictor(), window, key, route.options):
                if not any(self._asked(*which) for which in asked):
                    return
                yield Carried(*asked[step.object], plane.moved(step.z), step)

        self._propagation = None
        for item, track in zip(objects, tracks, strict=True):
            again = [other for other in item.carried if other.joins(plane) and other.position not in track.done]
            if again:
                self._propagation = self._propagation or self.history.record("propagate", {})
                with self.consequence(self._propagation, item.id):
                    for other in again:
                        item.carried.pop(other)
                        item.ends.pop(other, None)
        return steps, sum(track.count(len(volume)) for track in tracks)

    def accept_step(self, carried: Carried) -> BoxObject | None:
        """Take one plane of a propagation; return its object, or None if it has changed since."""
        item, prediction = self._asked(carried.id, carried.version), carried.step.prediction
        if item is None:
            return None
        y0, x0, y1, x1 = prediction.box.tolist()
        if self._propagation is None:
            self._propagation = self.history.record("propagate", {})
        with self.consequence(self._propagation, item.id):
            item.carried[carried.plane] = (y0, x0, y1, x1)
            item.answer(carried.plane, prediction.mask)
            # what lies between slices that the model saw has no predicted IoU
            if prediction.mask.any() and not np.isnan(prediction.iou):
                item.ious[carried.plane] = prediction.iou
            else:
                item.ious.pop(carried.plane, None)
            if carried.step.stop is not None:
                item.ends[carried.plane] = str(carried.step.stop)
                if not prediction.mask.any():
                    self._forget_beyond(item, carried.plane)
        return item

    def _forget_beyond(self, item: BoxObject, end: Plane) -> None:
        """Drop what an earlier run had found beyond the end of an object."""
        position, start = end.position or 0, [plane.position or 0 for plane in boxes_of(item)]
        for plane in [plane for plane in item.answers if plane.joins(end) and plane not in boxes_of(item)]:
            beyond = (plane.position or 0) > position > max(start) or (plane.position or 0) < position < min(start)
            if beyond:
                item.forget(plane)

    # ---- masks

    def draw_masks(self, labels: NDArray, plane: Plane, gone: Iterable[int] = ()) -> None:
        """Bring a plane of label ids up to date with all masks; ids that are of no object stay.

        Parameters
        ----------
        labels : array of int
            ``(H, W)``, changed in place.
        plane : Plane
            Where they lie.
        gone : iterable of int
            Ids of objects that were removed.
        """
        drawing.draw_masks(labels, self.open_objects.values(), plane, list(gone))

    def read_masks(self, labels: NDArray, plane: Plane, reverted: bool = False) -> bool:
        """Take what the user has painted on or erased from the masks of a plane; no later run changes these pixels.

        Parameters
        ----------
        labels : array of int
            ``(H, W)``, as `draw_masks` has drawn it and the user changed it.
        plane : Plane
            Where they lie.
        reverted : bool
            Whether the user has taken strokes back, so that pixels as the model drew them are the model's again.

        Returns
        -------
        bool
            Whether any mask differs.
        """
        edits = drawing.read_masks(labels, self.open_objects.values(), plane, reverted)
        with self.together():
            for id, edit in edits.items():
                with self.step("paint mask", id):
                    self.objects[id].recall("hand", plane, edit or None)
        return bool(edits)

    def adopt_masks(self, labels: NDArray) -> None:
        """Take the masks of all objects, as the model's, from label ids of the whole image."""
        for id, where in enumerate(find_objects(labels), start=1):
            item = self.objects.get(id)
            if item is None or where is None:
                continue
            with self.step("adopt mask", id):
                for plane in item.plane.parallels(where):
                    item.answer(plane, labels[plane.index] == id)

    def forget_hand_edits(self, id: int) -> None:
        """Give the pixels of an object that the user has painted or erased back to the model, on all its slices."""
        item = self.objects[id]
        with self.step("forget hand edits", id):
            for plane in list(item.hand):
                item.recall("hand", plane, None)


def _given_points(item: BoxObject, use: bool) -> tuple[NDArray | None, NDArray | None]:
    """The user's points, None to have some drawn, or none at all."""
    if not use:
        return np.zeros((0, 2)), np.zeros(0, int)
    return (item.points, item.point_labels) if item.points_edited else (None, None)


def _given_scribble(item: BoxObject, use: bool) -> Mask | bool | None:
    """The user's scribble, None to have one drawn, or False for none; an empty one is none to the model."""
    if not use:
        return False
    if not item.scribble_edited:
        return None
    return item.scribble.full() if item.scribble else False


def _any_inside(positions: NDArray, box: Box) -> bool:
    return bool(((positions >= box[:2]) & (positions <= box[2:])).all(axis=1).any())
