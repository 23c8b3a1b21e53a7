"""What the user paints and erases on the masks with napari's own tools, told to the session."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from scipy.ndimage import find_objects

from .layers import SessionLayers
from .planes import Plane


def told_of_committed(id: int) -> str:
    """What the user is told who draws on an object that is no longer on the canvas."""
    return f"Object {id} is committed, so this does not count. Press Edit again first, or paint on the result."


class Painting:
    """Reads the layer of masks.

    Parameters
    ----------
    layers : SessionLayers
        Its own changes are left out.
    in_view : callable
        Returns the plane that the canvas shows.
    on_stroke : callable
        Called after a stroke; `catch_up` is to follow.
    warn : callable
        Gets messages for the user.
    """

    def __init__(
        self,
        layers: SessionLayers,
        in_view: Callable[[], Plane],
        on_stroke: Callable[[], None],
        warn: Callable[[str], None],
    ):
        self.layers, self.session = layers, layers.session
        self._in_view, self._on_stroke, self._warn = in_view, on_stroke, warn
        self._strokes: set[Plane] = set()
        self._painted: set[Plane] = set()  # also before the last time
        self._seen: Plane | None = None  # in view when the masks were last looked at
        self._dragging = False
        self._partly_read = False

    def drag(self, layer: Any, event: Any) -> Iterator[None]:
        """Take note of how long the mouse is down, as one of napari's callbacks."""
        self._dragging = True
        yield
        while event.type == "mouse_move":
            yield
        self._dragging = False

    def painted(self, event: Any) -> None:
        """Take note of a stroke."""
        if self.layers.quiet:
            return
        # napari tells of some strokes before they are in the data
        planes = self._touched(event.value)
        self._strokes |= planes
        self._painted |= planes
        self._on_stroke()

    def undone(self, event: Any = None) -> None:
        """Look whether napari's own undo or redo has changed the masks, which it tells in no other way."""
        here, before = self._in_view(), self._seen
        self._seen = here
        if self.layers.quiet or self._dragging or self._strokes:
            return
        # unless the view has moved, it may be a stroke on any slice that was taken back
        self._read({here} if here != before else {here, *self._painted}, reverted=True)

    def catch_up(self) -> None:
        """Bring the session up to date with the strokes since the last time."""
        strokes, self._strokes = self._strokes, set()
        if strokes and not self._read(strokes):
            self._warn_of_lost_stroke()

    def read(self, plane: Plane) -> None:
        """Bring the session up to date with a plane, also amid a stroke."""
        self._read({plane})

    def read_all(self) -> None:
        """Bring the session up to date with all planes."""
        masks = self.layers.masks
        assert masks is not None
        planes = {plane for item in self.session.open_objects.values() for plane in item.masks}
        for where in find_objects((np.asarray(masks.data) != 0).view(np.uint8)):
            planes |= self._touched([(where,)])
        self._read(planes)

    def _read(self, planes: Iterable[Plane], reverted: bool = False) -> bool:
        masks = self.layers.masks
        if masks is None or not self.layers.fits(masks):
            return False
        with self.session.together(goes_on=self._partly_read):
            edited = [self.session.read_masks(np.asarray(masks.data[p.index]), p, reverted) for p in planes]
        if any(edited):
            # the rest of the stroke belongs to the same step
            self._partly_read = self._dragging
        return any(edited)

    def _touched(self, strokes: Iterable[Any]) -> set[Plane]:
        """The planes, as the objects' masks lie on them, that strokes have met."""
        own = {item.plane for item in self.session.open_objects.values()} or {self._in_view()}
        return {plane for where, *_ in strokes for item in own for plane in item.parallels(where)}

    def _warn_of_lost_stroke(self) -> None:
        label = 0 if self.layers.masks is None else int(self.layers.masks.selected_label)
        if label in self.session.objects and self.session.objects[label].committed:
            self._warn(told_of_committed(label))
        elif label and label not in self.session.objects:
            self._warn(f"No object has the label {label}, so what you painted belongs to none.")
