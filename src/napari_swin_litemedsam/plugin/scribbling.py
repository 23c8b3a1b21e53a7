"""What the user draws on the layer of scribbles."""

from collections.abc import Collection
from typing import Any

import numpy as np

from .planes import Plane
from .strokes import Strokes, told_of_another_slice, told_of_committed


class Scribbling(Strokes):
    """Reads the layer of scribbles; parameters as in `Strokes`."""

    def read_all(self) -> None:
        """Bring the session up to date with the scribbles of all boxes."""
        with self.session.together():
            self._read([item.plane for item in self.session.open_objects.values()])

    def _touched(self, strokes: Any) -> set[Plane]:
        return {self._in_view()}

    def _read(self, planes: Collection[Plane], reverted: bool = False) -> bool:
        scribble = self.layers.scribble
        if scribble is None or not self.layers.fits(scribble):
            return False
        edited = [self.session.read_scribbles(np.asarray(scribble.data[p.index]), p) for p in planes]
        return any(edited)

    def _warn_of_lost_stroke(self) -> None:
        scribble = self.layers.scribble
        label = 0 if scribble is None else int(scribble.selected_label)
        item = self.session.objects.get(label)
        if item is not None and item.committed:
            self._warn(told_of_committed(label))
        elif item is not None and item.plane != self._in_view():
            told = f"A scribble counts on its box's slice; that of object {label} is {item.plane.place}."
            self._warn(told_of_another_slice(told, item.plane, "paint"))
        elif item is None and label:
            self._warn(f"No box has the label {label}, so this stroke belongs to none. Choose an object in the table.")
