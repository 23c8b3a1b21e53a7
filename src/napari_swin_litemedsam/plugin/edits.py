"""What the user does to the layers, told to the session."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from .images import GEOMETRY, pixels_of, plane_in_view, shown_axes
from .layers import SessionLayers
from .objects import Change
from .painting import Painting
from .planes import Box, Plane
from .scribbling import Scribbling
from .shading import show_whole_result
from .showing import set_owners, show, show_boxes, show_rest
from .strokes import told_of_another_slice, told_of_committed

_ANNOUNCED = {"adding", "changing", "removing"}  # by napari, of what is about to happen
_DRAGGED = {"add_rectangle", "add_ellipse", "add_line"}  # modes, by one drag of the mouse
_LEAST_DRAG = 3  # pixels of the screen, which a hand that only clicks may move


class Edits:
    """Listens to the layers of one session.

    Parameters
    ----------
    layers : SessionLayers
        Whose changes by the user are meant; its own changes are left out.
    on_edit : callable
        Called when an object waits for a run, the result needs its layer, or a layer was painted on; `Edits.catch_up`
        is to follow.
    warn : callable
        Gets messages for the user.
    """

    def __init__(self, layers: SessionLayers, on_edit: Callable[[], None], warn: Callable[[str], None]):
        self.layers, self.session = layers, layers.session
        self._on_edit, self._warn = on_edit, warn
        self._connected: dict[Any, list[tuple[Any, Callable]]] = {}  # by whose events they are
        self._result_seen: Plane | None = None  # in view when the result was last looked at
        self._unwanted = False  # whether what was just drawn on the layer of boxes is none: a click, or off the slices
        self._painting = Painting(layers, self.plane_in_view, on_edit, warn)
        self._scribbling = Scribbling(layers, self.plane_in_view, on_edit, warn)
        session, image = self.session, layers.image
        self._connect(session, (session.changed, self._session_changed), (session.windowed, self._show_window))
        moved = [(getattr(image.events, name), self._image_moved) for name in GEOMETRY]
        self._image_name = image.name
        self._connect(image, *moved, (image.events.data, self._image_changed), (image.events.name, self._image_renamed))
        self.listen()
        if layers.resumed:
            self._resume()
        elif layers.boxes is not None and len(layers.boxes.data):
            self._take_over()
        self._warn_of_unused_result()

    def _warn_of_unused_result(self) -> None:
        name = f"{self.layers.image.name} result"
        if self.layers.result is None and any(
            layer.name == name and isinstance(layer, Labels) for layer in self.layers.viewer.layers
        ):
            self._warn(
                f"'{name}' is left alone, and what you commit goes to a layer of its own: that one has not the image's "
                "size and place, or is not held in memory as one array."
            )

    def _connect(self, sender: Any, *slots: tuple[Any, Callable]) -> None:
        if sender is None or sender in self._connected:
            return
        self._connected[sender] = list(slots)
        for event, slot in slots:
            event.connect(slot)

    def _disconnect(self, sender: Any) -> None:
        for event, slot in self._connected.pop(sender, ()):
            event.disconnect(slot)
        callbacks = getattr(sender, "mouse_drag_callbacks", [])
        for drag in (self._painting.drag, self._drag):
            if drag in callbacks:
                callbacks.remove(drag)

    def _session_changed(self, change: Change) -> None:
        self.layers.show_result()
        show(self.layers, change)
        self._painting.redrawn()
        if change.waits or (self.session.result is not None and self.layers.result is None):
            self._on_edit()

    def undo(self) -> str | None:
        """Take back the last step, whatever the mouse is at; return its name, if there was one."""
        self.catch_up()
        return self._go(self.session.history.undo_name, self.session.undo)

    def redo(self) -> str | None:
        """Do the step again that was undone last; return its name, if there was one."""
        self.catch_up()
        return self._go(self.session.history.redo_name, self.session.redo)

    def _go(self, name: str | None, there: Callable[[], bool]) -> str | None:
        if not there():
            return None
        # what comes back needs its layers, also if the user has removed them
        self._on_edit()
        return name

    def listen(self) -> None:
        """Listen to all of our layers that exist."""
        layers = self.layers
        boxes, points, scribble, masks = layers.boxes, layers.points, layers.scribble, layers.masks
        if boxes is not None and boxes not in self._connected:
            # before napari's own, which draws and moves
            boxes.mouse_drag_callbacks.insert(0, self._drag)
            self._connect(
                boxes,
                (boxes.events.data, self._boxes_changed),
                (boxes.events.features, self._boxes_pasted),
                (boxes.selected_data.events.items_changed, self._box_selected),
            )
        if points is not None:
            self._connect(
                points,
                (points.events.data, self._points_changed),
                (points.selected_data.events.items_changed, self._points_pasted),
            )
        if scribble is not None:
            self._connect(
                scribble,
                (scribble.events.data, self._labels_replaced),
                (scribble.events.paint, self._scribbling.painted),
                # undo and redo announce themselves in no other way
                (scribble.events.set_data, self._scribbling.undone),
                (scribble.events.selected_label, self._label_chosen),
            )
        if (result := layers.result) is not None:
            self._connect(
                result,
                (result.events.data, self._labels_replaced),
                (result.events.paint, self._result_painted),
                (result.events.set_data, self._result_refreshed),
            )
        if masks is not None and masks not in self._connected:
            # before napari's own, which draws
            masks.mouse_drag_callbacks.insert(0, self._painting.drag)
            self._connect(
                masks,
                (masks.events.data, self._labels_replaced),
                (masks.events.paint, self._painting.painted),
                (masks.events.set_data, self._painting.undone),
                (masks.events.selected_label, self._label_chosen),
            )

    def _drag(self, layer: Any, event: Any) -> Iterator[None]:
        """Leave boxes as they are while the mouse is down, as one of napari's callbacks."""
        self.layers.dragging = True
        start = np.array(event.pos)
        yield
        while event.type == "mouse_move":
            yield
        self.layers.dragging = False
        self._unwanted = bool(np.abs(np.array(event.pos) - start).max() < _LEAST_DRAG)
        # once napari has told of what was drawn or moved
        QTimer.singleShot(0, self._show_boxes)

    def _show_boxes(self) -> None:
        self._unwanted = False
        if self.session in self._connected:
            show_boxes(self.layers)

    def forget(self, layer: Any) -> str:
        """Leave one of our layers to the user; the session keeps what it showed. Returns what is to be said of it."""
        if layer is self.layers.result:
            show_whole_result(self.layers)
        if layer is self.layers.boxes:
            self.layers.dragging = self.layers.drawing = False
        if not self.layers.forget(layer):
            return ""
        self._disconnect(layer)
        if not self.session.objects:
            return ""
        return f"'{layer.name}' is no longer in use. Nothing is lost: a new one comes with the next edit."

    def _labels_replaced(self, event: Any) -> None:
        layers, replaced = self.layers, event.source
        if layers.quiet:
            return
        if not layers.take(replaced):
            if message := self.forget(replaced):
                self._warn(message)
        elif replaced is layers.masks:
            self._painting.read_all()
        elif replaced is layers.scribble:
            self._scribbling.read_all()
        elif replaced is layers.result:
            self.session.adopt_result(event.source.data)
            self.session.paint_result()

    def _result_painted(self, event: Any) -> None:
        # it is in the session's own array already
        self.session.paint_result(int(event.source.selected_label))
        self._result_seen = self.plane_in_view()

    def _result_refreshed(self, event: Any = None) -> None:
        """Count what may be napari's own undo or redo on the result, which it tells in no other way, as paint."""
        here, before = self.plane_in_view(), self._result_seen
        self._result_seen = here
        if self.session.painted and here == before and not self.layers.quiet:
            self.session.paint_result()

    def _resume(self) -> None:
        """Take what was done to the layers of a session while nobody listened for edits."""
        with self.session.together():
            # first, since those of a box that was moved are dropped
            self.read_points(tidy=False)
            self._scribbling.read_all()
            self.read_boxes()
            if self.layers.masks is not None:
                self._painting.read_all()
        everything = self.session.objects
        self.session.changed.emit(Change(frozenset(everything), frozenset(), True))

    def _take_over(self) -> None:
        """Make objects of boxes from before; their points and scribbles count as the user's."""
        masks = self.layers.masks
        with self.session.together():
            self.read_boxes()
            self.read_points()
            self._scribbling.read_all()
            if masks is not None:
                # last, since it is what has come of the prompts, and perhaps of the user's paint
                self.session.adopt_masks(np.asarray(masks.data))
        self.session.history.clear()

    def stop(self) -> None:
        """Leave the layers to the user as ordinary ones."""
        self.layers.dragging = self.layers.drawing = False
        show_rest(self.layers)
        for sender in list(self._connected):
            self._disconnect(sender)

    # ---- the image

    def _image_moved(self, event: Any) -> None:
        for layer in self.layers.own():
            setattr(layer, event.type, getattr(self.layers.image, event.type))

    def _image_renamed(self, event: Any = None) -> None:
        before, self._image_name = self._image_name, self.layers.image.name
        self.layers.rename(before)

    def _show_window(self, was: tuple[float, float], wanted: tuple[float, float]) -> None:
        image, current = self.layers.image, self.session.current
        if not np.allclose(image.contrast_limits, was):
            return
        # no object is to be run again: those that come back were run with this window
        self.session.current = None
        image.contrast_limits = wanted
        self.session.current = current

    def _image_changed(self, event: Any = None) -> None:
        if not self.layers.outdated:
            self.session.image_changed(pixels_of(self.layers.image))

    def plane_in_view(self) -> Plane:
        """The plane of the image that the viewer shows."""
        return plane_in_view(self.layers.image, self.layers.viewer.dims, self.session.channel)

    # ---- boxes

    def _boxes_changed(self, event: Any) -> None:
        if self.layers.quiet:
            return
        if str(event.action) == "adding":
            # a polygon is drawn by several clicks, and is in the user's hand until napari tells of it
            self.layers.drawing = True
        elif str(event.action) not in _ANNOUNCED:
            drawn, self.layers.drawing = self.layers.drawing, False
            if drawn and self._unwanted and event.source.mode in _DRAGGED:
                # it stands for no object, and so is taken away
                self._warn("Drag from one corner of the box to the other; a click makes none.")
            # what a script adds counts on the nearest slice
            elif drawn and event.source.mode.startswith("add") and not self._is_on_slice():
                self._unwanted = True
                self._warn(f"'{self.layers.image.name}' has no slice here, and so no box. Go to one of its slices.")
            else:
                self.read_boxes()
            if drawn:
                # what was done to other boxes meanwhile
                QTimer.singleShot(0, self._show_boxes)

    def _is_on_slice(self) -> bool:
        """Whether the box that was drawn last lies where the image has pixels, along the axes that are not shown."""
        assert self.layers.boxes is not None
        corners = self.layers.shapes_in_image(self.layers.boxes)[-1]
        shown = shown_axes(self.layers.image, self.layers.viewer.dims)
        hidden = [axis for axis in range(corners.shape[1]) if axis not in shown]
        middle, last = corners.mean(axis=0)[hidden], np.array(self.session.shape)[hidden] - 1
        return bool(((middle > -0.51) & (middle < last + 0.51)).all())

    def _boxes_pasted(self, event: Any = None) -> None:
        """Read boxes that were pasted, which napari tells in no other way."""
        layers = self.layers
        if layers.boxes is None or layers.quiet or layers.drawing or self._unwanted:
            return
        if layers.boxes.nshapes > sum(len(item.boxes) for item in self.session.open_objects.values()):
            self.read_boxes()

    def read_boxes(self) -> None:
        """Bring the session up to date with the layer of boxes."""
        session, boxes = self.session, self.layers.boxes
        if boxes is None:
            return
        owners = boxes.features["object"].to_numpy(int).tolist()
        corners = self.layers.shapes_in_image(boxes)
        shapes = [(id, *self._bounds(vertices)) for id, vertices in zip(owners, corners, strict=True)]
        present = {(id, plane) for id, plane, _ in shapes}
        shown = self.layers.shown_boxes
        kept: list[tuple[int, Plane]] = []
        with session.together():
            for id, plane, box in shapes:
                item = session.open_objects.get(id)
                if (id, plane) not in kept and (id, plane) in shown and np.allclose(shown[id, plane], box):
                    # what was done to the object while the layer could not follow counts
                    pass
                # napari copies the features of the selected shape to a new one
                elif item is None or (id, plane) in kept:
                    id = session.add_box(plane, box, id if item is None else 0).id
                elif plane in item.anchors:
                    if not np.allclose(item.anchors[plane], box):
                        session.place_box(id, plane, box)
                elif plane == item.plane or (id, item.plane) not in present:
                    session.move_box(id, plane, box)
                else:
                    id = session.add_box(plane, box).id
                kept.append((id, plane))
            for id, item in list(session.open_objects.items()):
                gone = {plane for plane in item.boxes if (id, plane) in shown and (id, plane) not in kept}
                if len(gone) == len(item.boxes):
                    session.remove(id)
                else:
                    for plane in gone:
                        session.remove_box(id, plane)
            set_owners(self.layers, [id for id, _ in kept])
            self.layers.shown_boxes = {key: box for key, (_, _, box) in zip(kept, shapes, strict=True)}

    def _bounds(self, corners: NDArray) -> tuple[Plane, Box]:
        """Plane and bounding box of a shape."""
        low, high = corners.min(axis=0), corners.max(axis=0)
        wide = np.flatnonzero(high - low > 0.5).tolist()
        # what is too thin or too thick to tell lies as the viewer shows it
        spans = wide if len(wide) == 2 else list(shown_axes(self.layers.image, self.layers.viewer.dims))
        if not set(wide) <= set(spans):
            self._warn("A box lies on one slice of the image; this one crosses several of them.")
        y0, x0, y1, x1 = (float(side) for side in (*low[spans], *high[spans]))
        session = self.session
        return Plane.of(session.shape, spans, (low + high) / 2, session.channel), (y0, x0, y1, x1)

    def _box_selected(self, event: Any = None) -> None:
        boxes = self.layers.boxes
        rows = [] if boxes is None else list(boxes.selected_data)
        if boxes is not None and not self.layers.quiet and len(rows) == 1 and rows[0] < len(boxes.features):
            self.select(int(boxes.features["object"].iloc[rows[0]]))

    # ---- points

    def _points_changed(self, event: Any) -> None:
        if not self.layers.quiet and str(event.action) not in _ANNOUNCED:
            self.read_points()

    def _points_pasted(self, event: Any = None) -> None:
        """Read points that were pasted, which napari tells in no other way than that it has selected them."""
        points = self.layers.points
        if points is None or self.layers.quiet:
            return
        if len(points.data) > sum(len(item.points) for item in self.session.open_objects.values()):
            self.read_points()

    def read_points(self, tidy: bool = True) -> None:
        """Bring the session up to date with the layer of points, and that rid of points that count for nothing."""
        points = self.layers.points
        if points is None:
            return
        positions = self.layers.in_image(points, points.data)
        owners = points.features["object"].to_numpy(int)
        labels = (points.features["kind"] != "negative").to_numpy(int)
        astray = set()
        with self.session.together():
            for item in self.session.objects.values():
                mine, here = owners == item.id, item.plane.holds(positions)
                if item.committed:
                    why, lost = told_of_committed(item.id), mine
                else:
                    told = f"Points of object {item.id} count only on its box's slice, {item.plane.place}."
                    why, lost = told_of_another_slice(told, item.plane, "set some"), mine & ~here
                    self.session.edit_points(item.id, item.plane.drop(positions[mine & here]), labels[mine & here])
                if lost.any():
                    astray.add(item.id)
                    self._warn(why)
        if astray and tidy:
            # they go, or each later look would find and tell of them again
            self.session.changed.emit(Change(frozenset(astray), frozenset(), False))

    # ---- scribbles and masks

    def catch_up(self) -> None:
        """Bring the session up to date with the strokes since the last time."""
        self._painting.catch_up()
        self._scribbling.catch_up()

    def _label_chosen(self, event: Any = None) -> None:
        if not self.layers.quiet:
            self.select(int(event.source.selected_label))

    def read_prompts(self, plane: Plane) -> None:
        """Bring the session up to date with the prompts and masks on a plane, also amid a stroke or a drag."""
        self.catch_up()
        self.read_points()
        self._scribbling.read(plane)
        self._painting.read(plane)

    # ---- the current object

    def select(self, id: int) -> None:
        """Let new points and strokes belong to an object."""
        if id in self.session.objects and id != self.session.current:
            self.session.select(id)
