"""What the user does to the objects of one image: boxes, points, scribbles, paint. Nothing here runs the model."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import find_objects

from ..prompts import mask_prompts
from . import drawing
from .carrying import carry_again
from .history import Step, differences
from .objects import BoxObject, Change, State
from .patches import Mask, Patch
from .planes import Box, Plane
from .results import MOST_IDS, Results

_UNASKED = ("name", "hand", "carried", "ends")  # what the user may change while a run goes on


class Editing(Results):
    """Objects that the user draws and corrects; each edit is a step that can be undone.

    Parameters
    ----------
    shape : tuple of int
        Of the image without its colour axis.
    """

    def __init__(self, shape: tuple[int, ...]):
        super().__init__(shape)
        self.use_points = self.use_scribble = True

    # ---- prompts

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
        if not 0 < id <= MOST_IDS or id in self.objects:
            id = self.free_id()
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
            item.drop_drawn()
            item.wait()
            self.current = id
        return True

    def place_box(self, id: int, plane: Plane, box: Box) -> None:
        """Give an object one more box, on another plane, or turn to one that it has.

        Its prompts are those of the new box; on the plane of the one before box and mask stay.
        """
        item = self.objects[id]
        with self.step("box on another slice", id):
            anchors = item.boxes
            anchors.pop(plane, None)
            item.anchors = anchors
            item.points_edited = item.scribble_edited = False
            item.plane, item.box = plane, box
            item.drop_drawn()
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
                item.drop_drawn()
                item.wait()
            anchors.pop(plane if plane in anchors else item.plane)
            item.anchors = anchors
            carry_again(item, plane)

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
            item.drop_drawn()
            item.wait()

    def reset_prompts(self, id: int) -> None:
        """Drop an object's prompts for the first ones that were drawn in its box."""
        item = self.objects[id]
        with self.step("reset prompts", id):
            item.seed = 0
            item.points_edited = item.scribble_edited = False
            item.drop_drawn()
            item.wait()

    def switch_prompts(self, points: bool | None = None, scribble: bool | None = None) -> None:
        """Let the model see points, or the scribble, or let it not; all open objects whose masks are its own are run.

        The user's points and scribbles are kept while they are off.
        """
        before = self.use_points, self.use_scribble
        self.use_points = self.use_points if points is None else points
        self.use_scribble = self.use_scribble if scribble is None else scribble
        if (self.use_points, self.use_scribble) != before:
            run = [item for item in self.open_objects.values() if not item.given]
            for item in run:
                self.run_again(item.id)
            self.changed.emit(Change(frozenset(self.open_objects), frozenset(), bool(run)))

    def run_again(self, id: int) -> None:
        """Let an object wait for a run with its prompts as they are; it is undone with the edit before it."""
        before = self._remembered(id)
        self.objects[id].wait()
        self.history.extend(self._edit_of(id), differences(before, self._remembered(id)))

    def _edit_of(self, id: int) -> Step | None:
        """The step that an answer belongs to."""
        return self.history.newest_of(id, besides=_UNASKED)

    def add_masks(self, masks: dict[Plane, Patch], plane: Plane) -> BoxObject:
        """Make an object of masks made elsewhere, to correct them: it starts with them, and nothing is run.

        Parameters
        ----------
        masks : dict
            One of the plane, and any of parallel ones.
        plane : Plane
            Box, points and scribble are drawn from the mask here.
        """
        (y0, x0, y1, x1), points, scribble = mask_prompts(masks[plane].full())
        with self.together():
            item = self.add_box(plane, (float(y0), float(x0), float(y1), float(x1)))
            with self.step("new box", item.id):
                item.points, item.point_labels, item.points_edited = points, np.ones(len(points), int), True
                item.scribble, item.scribble_edited = Patch.cut(scribble), True
                for other, mask in masks.items():
                    item.answers[other] = mask
                    item.compose(other)
                item.state = State.DONE
        return item

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
                    self._correct(self.objects[id], plane, edit or None)
        return bool(edits)

    def adopt_masks(self, labels: NDArray) -> None:
        """Take the masks of all objects, as the model's, from label ids of the whole image.

        Objects that have one on their box's plane are not run: that would repaint what the user has painted on it.
        """
        for id, where in enumerate(find_objects(labels), start=1):
            item = self.objects.get(id)
            if item is None or where is None:
                continue
            with self.step("adopt mask", id):
                for plane in item.plane.parallels(where):
                    item.answer(plane, labels[plane.index] == id)
                if item.masks.get(item.plane):
                    item.state = State.DONE

    def forget_hand_edits(self, id: int) -> None:
        """Give the pixels of an object that the user has painted or erased back to the model, on all its slices."""
        item = self.objects[id]
        with self.step("forget hand edits", id):
            for plane in list(item.hand):
                self._correct(item, plane, None)


def _any_inside(positions: NDArray, box: Box) -> bool:
    return bool(((positions >= box[:2]) & (positions <= box[2:])).all(axis=1).any())


def label_masks(labels: Any, shape: tuple[int, ...], label: int, plane: Plane) -> dict[Plane, Patch]:
    """Where labels of the whole image have a label: on a plane and on those parallel to it. Slow work in volumes.

    Parameters
    ----------
    labels : array-like of int
        Read plane by plane.
    shape : tuple of int
        Of the image without its colour axis.
    label : int
        Which of the labels.
    plane : Plane
        Where it has to be.

    Raises
    ------
    ValueError
        If the shape is not the image's, or nothing on the plane has the label.
    """
    theirs = tuple(labels.shape)
    if theirs != shape:
        raise ValueError(f"the labels are {theirs}, but the image is {shape}")
    everywhere = plane.parallels([slice(0, side) for side in shape])
    masks = {other: Patch.cut(np.asarray(labels[other.index]) == label) for other in everywhere} if label else {}
    if not masks.get(plane):
        raise ValueError(f"nothing on this slice has the label {label}")
    return {other: mask for other, mask in masks.items() if mask}
