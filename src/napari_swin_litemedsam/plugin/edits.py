"""What the user does to the layers, told to the session."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .images import GEOMETRY, UnsupportedImageError, pixels_of, spatial_shape
from .layers import SessionLayers
from .objects import Box, Index

_ANNOUNCED = {"adding", "changing", "removing"}  # by napari, of what is about to happen


class Edits:
    """Listens to the layers of one session.

    Parameters
    ----------
    layers : SessionLayers
        Whose changes by the user are meant; its own changes are left out.
    on_edit : callable
        Called after the session was changed, or painted on; `Edits.catch_up` is to follow.
    warn : callable
        Gets messages for the user.
    """

    def __init__(self, layers: SessionLayers, on_edit: Callable[[], None], warn: Callable[[str], None]):
        self.layers, self.session = layers, layers.session
        self._on_edit, self._warn = on_edit, warn
        self._connected: list[tuple[Any, Callable]] = []
        self._listening_to: set[Any] = set()
        self._strokes: set[Index] = set()
        self._connect(layers.boxes.events.data, self._boxes_changed)
        self._connect(layers.boxes.selected_data.events.items_changed, self._box_selected)
        for name in GEOMETRY:
            self._connect(getattr(layers.image.events, name), self._image_moved)
        self._connect(layers.image.events.data, self._image_changed)
        self.listen()
        if len(layers.boxes.data):
            self._take_over()

    def _connect(self, event: Any, slot: Callable) -> None:
        event.connect(slot)
        self._connected.append((event, slot))

    def listen(self) -> None:
        """Listen to the points and the scribble too, once they exist."""
        points, scribble = self.layers.points, self.layers.scribble
        if points is not None and points not in self._listening_to:
            self._connect(points.events.data, self._points_changed)
            self._listening_to.add(points)
        if scribble is not None and scribble not in self._listening_to:
            self._connect(scribble.events.paint, self._painted)
            # undo and redo announce themselves in no other way
            self._connect(scribble.events.set_data, self._undone)
            self._connect(scribble.events.selected_label, self._label_chosen)
            self._listening_to.add(scribble)

    def _take_over(self) -> None:
        """Make objects of boxes from before; their points and scribbles count as the user's."""
        self.read_boxes()
        for item in list(self.session.objects.values()):
            self.read_prompts(item.index)

    def stop(self) -> None:
        """Leave the layers to the user as ordinary ones."""
        for event, slot in self._connected:
            event.disconnect(slot)
        self._connected.clear()

    # ---- the image

    def _image_moved(self, event: Any) -> None:
        for layer in self.layers.own():
            setattr(layer, event.type, getattr(self.layers.image, event.type))

    def _image_changed(self, event: Any = None) -> None:
        image = self.layers.image
        try:
            shape = spatial_shape(image)
        except UnsupportedImageError:
            shape = ()
        if shape == self.session.shape:
            self.session.image_changed(pixels_of(image))
        else:
            self._warn(f"The size of '{image.name}' has changed; its boxes and masks are those of the old image.")

    def current_slice(self) -> int:
        """The slice of the image that the viewer shows; 0 in 2D."""
        if not self.session.is_volume:
            return 0
        position = self.layers.image.world_to_data(self.layers.viewer.dims.point)
        return int(np.clip(np.rint(position[0]), 0, self.session.shape[0] - 1))

    def _in_image(self, layer: Any, positions: NDArray) -> NDArray[np.float64]:
        """Carry positions in one of our layers to the image's pixels through the world."""
        image = self.layers.image
        carried = [image.world_to_data(layer.data_to_world(position)) for position in positions]
        return np.array(carried, float).reshape(-1, len(self.session.shape))

    # ---- boxes

    def _boxes_changed(self, event: Any) -> None:
        if not self.layers.quiet and str(event.action) not in _ANNOUNCED:
            self.read_boxes()

    def read_boxes(self) -> None:
        """Bring the session up to date with the layer of boxes."""
        session, boxes = self.session, self.layers.boxes
        owners = boxes.features["object"].to_numpy(int)
        kept: list[int] = []
        changed = False
        for vertices, id in zip(boxes.data, owners, strict=True):
            index, box = self._bounds(np.asarray(vertices))
            # napari copies the features of the selected shape to a new one
            if id not in session.objects or id in kept:
                kept.append(session.add_box(index, box, 0 if id in kept else int(id)).id)
                changed = True
            else:
                kept.append(int(id))
                changed |= session.move_box(int(id), index, box)
        self.layers.set_owners(kept)
        for id in session.objects.keys() - set(kept):
            self.layers.show(session.remove(id))
            changed = True
        if changed:
            self.layers.show_current()
            self._on_edit()

    def _bounds(self, vertices: NDArray) -> tuple[Index, Box]:
        """Slice and bounding box of a shape."""
        corners = self._in_image(self.layers.boxes, vertices)
        low, high = corners.min(axis=0), corners.max(axis=0)
        y0, x0, y1, x1 = (float(side) for side in (*low[-2:], *high[-2:]))
        if not self.session.is_volume:
            return (), (y0, x0, y1, x1)
        if high[0] - low[0] > 0.5:
            self._warn("Boxes lie on slices of the volume's first axis; this one crosses several of them.")
        z = int(np.clip(np.rint((low[0] + high[0]) / 2), 0, self.session.shape[0] - 1))
        return (z,), (y0, x0, y1, x1)

    def _box_selected(self, event: Any = None) -> None:
        boxes = self.layers.boxes
        rows = list(boxes.selected_data)
        if not self.layers.quiet and len(rows) == 1 and rows[0] < len(boxes.features):
            self.select(int(boxes.features["object"].iloc[rows[0]]))

    # ---- points

    def _points_changed(self, event: Any) -> None:
        if not self.layers.quiet and str(event.action) not in _ANNOUNCED:
            self.read_points()

    def read_points(self) -> None:
        """Bring the session up to date with the layer of points."""
        points = self.layers.points
        if points is None:
            return
        positions = self._in_image(points, points.data)
        owners = points.features["object"].to_numpy(int)
        labels = (points.features["kind"] != "negative").to_numpy(int)
        edited = False
        for item in self.session.objects.values():
            mine = owners == item.id
            if item.index:
                here = np.rint(positions[:, 0]) == item.index[0]
                if (mine & ~here).any():
                    self._warn(f"Points of object {item.id} count only on its box's slice, {item.index[0]}.")
                mine &= here
            edited |= self.session.edit_points(item.id, positions[mine][:, -2:], labels[mine])
        if edited:
            self._on_edit()

    # ---- scribble

    def _painted(self, event: Any = None) -> None:
        if not self.layers.quiet:
            # napari tells of some strokes before they are in the data
            self._strokes.add(self._index_in_view())
            self._on_edit()

    def _undone(self, event: Any = None) -> None:
        if not self.layers.quiet and self._read_scribble(self._index_in_view()):
            self._on_edit()

    def _index_in_view(self) -> Index:
        return (self.current_slice(),) if self.session.is_volume else ()

    def catch_up(self) -> None:
        """Bring the session up to date with the strokes since the last time."""
        strokes, self._strokes = self._strokes, set()
        edited = [self._read_scribble(index) for index in strokes]
        if edited and not any(edited):
            self._warn_of_lost_stroke()

    def _read_scribble(self, index: Index) -> bool:
        scribble = self.layers.scribble
        return scribble is not None and self.session.read_scribbles(np.asarray(scribble.data[index]), index)

    def _warn_of_lost_stroke(self) -> None:
        scribble = self.layers.scribble
        label = 0 if scribble is None else int(scribble.selected_label)
        item = self.session.objects.get(label)
        if item is not None and item.index and item.index[0] != self.current_slice():
            self._warn(f"A scribble counts on its box's slice; that of object {label} is {item.index[0]}.")
        elif item is None and label:
            self._warn(f"No box has the label {label}, so this stroke belongs to none. Choose an object in the table.")

    def _label_chosen(self, event: Any = None) -> None:
        if not self.layers.quiet and self.layers.scribble is not None:
            self.select(int(self.layers.scribble.selected_label))

    def read_prompts(self, index: Index) -> None:
        """Bring the session up to date with the prompts on a slice, also amid a stroke or a drag."""
        self.read_points()
        if self._read_scribble(index):
            self._on_edit()

    # ---- the current object

    def select(self, id: int) -> None:
        """Let new points and strokes belong to an object."""
        if id in self.session.objects and id != self.session.current:
            self.session.current = id
            self.layers.show_current()
            self._on_edit()
