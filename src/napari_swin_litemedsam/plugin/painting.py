"""What the user paints and erases on the layer of masks."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from scipy.ndimage import find_objects

from .patches import Patch
from .planes import Plane
from .strokes import Strokes, told_of_committed


class Painting(Strokes):
    """Reads the layer of masks; parameters as in `Strokes`."""

    _dragging = False
    _partly_read = False
    _answers: Mapping[Plane, Mapping[int, Patch]] = {}  # by object, where there are strokes

    def drag(self, layer: Any, event: Any) -> Iterator[None]:
        """Take note of how long the mouse is down, as one of napari's callbacks."""
        self._dragging = True
        yield
        while event.type == "mouse_move":
            yield
        self._dragging = False

    def read_all(self) -> None:
        """Bring the session up to date with all planes."""
        masks = self.layers.masks
        assert masks is not None
        planes = {plane for item in self.session.open_objects.values() for plane in item.masks}
        for where in find_objects((np.asarray(masks.data) != 0).view(np.uint8)):
            planes |= self._touched([(where,)])
        self._read(planes)

    def redrawn(self) -> None:
        """Let napari forget its strokes where the model's answers have changed since.

        What napari would bring back is the picture of the old answers, which could not be told from the user's paint.
        """
        if self._amid_stroke:
            return
        answers = {plane: self._answers_on(plane) for plane in self._drawn}
        stale = any(self._answers.get(plane, now) != now for plane, now in answers.items())
        self._answers = answers
        masks = self.layers.masks
        if stale and masks is not None and masks.editable:
            self._drawn.clear()
            mode = masks.mode
            with self.layers.changing():
                # napari forgets the strokes of a layer that cannot be painted on
                masks.editable = False
                masks.editable = True
                masks.mode = mode

    def _answers_on(self, plane: Plane) -> dict[int, Patch]:
        items = self.session.open_objects.values()
        return {item.id: item.answers[plane] for item in items if plane in item.answers}

    @property
    def _amid_stroke(self) -> bool:
        return self._dragging or bool(self._strokes)

    def _read(self, planes: Collection[Plane], reverted: bool = False) -> bool:
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
        label, here = 0 if self.layers.masks is None else int(self.layers.masks.selected_label), self._in_view()
        item = self.session.objects.get(label)
        if item is not None and item.committed:
            self._warn(told_of_committed(label))
        elif item is not None and not (item.plane == here or item.plane.joins(here)):
            self._warn(f"What you painted does not count: object {label} lies elsewhere, on slice {item.plane.place}.")
        elif item is None and label:
            self._warn(f"No object has the label {label}, so what you painted belongs to none.")
