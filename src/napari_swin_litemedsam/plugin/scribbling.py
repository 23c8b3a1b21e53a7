"""What the user draws on the scribbles with napari's own tools, told to the session."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .layers import SessionLayers
from .painting import told_of_committed
from .planes import Plane


class Scribbling:
    """Reads the layer of scribbles.

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
        self._scribbled: set[Plane] = set()  # also before the last time
        self._seen: Plane | None = None  # in view when scribbles were last looked at

    def painted(self, event: Any = None) -> None:
        """Take note of a stroke."""
        if not self.layers.quiet:
            # napari tells of some strokes before they are in the data
            self._strokes.add(self._in_view())
            self._scribbled |= self._strokes
            self._on_stroke()

    def undone(self, event: Any = None) -> None:
        """Look whether napari's own undo or redo has changed the scribbles, which it tells in no other way."""
        here, before = self._in_view(), self._seen
        self._seen = here
        if self.layers.quiet:
            return
        # unless the view has moved, it may be a stroke on any slice that was taken back
        for plane in {here} if here != before else {here, *self._scribbled}:
            self.read(plane)

    def catch_up(self) -> None:
        """Bring the session up to date with the strokes since the last time."""
        strokes, self._strokes = self._strokes, set()
        edited = [self.read(plane) for plane in strokes]
        if edited and not any(edited):
            self._warn_of_lost_stroke()

    def read(self, plane: Plane) -> bool:
        """Bring the session up to date with a plane; return whether any scribble differs."""
        scribble = self.layers.scribble
        if scribble is None or not self.layers.fits(scribble):
            return False
        return self.session.read_scribbles(np.asarray(scribble.data[plane.index]), plane)

    def read_all(self) -> None:
        """Bring the session up to date with the scribbles of all boxes."""
        with self.session.together():
            for item in list(self.session.open_objects.values()):
                self.read(item.plane)

    def _warn_of_lost_stroke(self) -> None:
        scribble = self.layers.scribble
        label = 0 if scribble is None else int(scribble.selected_label)
        item = self.session.objects.get(label)
        if item is not None and item.committed:
            self._warn(told_of_committed(label))
        elif item is not None and item.plane != self._in_view():
            self._warn(f"A scribble counts on its box's slice; that of object {label} is {item.plane.position}.")
        elif item is None and label:
            self._warn(f"No box has the label {label}, so this stroke belongs to none. Choose an object in the table.")
