"""What the user draws on a layer of labels with napari's own tools, told to the session."""

from collections.abc import Callable, Collection
from typing import Any

from .layers import SessionLayers
from .planes import Plane


def told_of_committed(id: int) -> str:
    """What the user is told who draws on an object that is no longer on the canvas."""
    return f"Object {id} is committed, so this does not count. Press Edit again first, or paint on the result."


def told_of_another_slice(told: str, plane: Plane, to: str) -> str:
    """What the user is told who draws beside the slice of an object's box, with what to do `to` draw here."""
    return told if plane.axis is None else f"{told} To {to} on this one, press Box here, too, first."


class Strokes:
    """Follows the strokes on one of our layers; what they mean there is for those who derive from it to say.

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
        self._drawn: set[Plane] = set()  # also before the last time
        self._seen: Plane | None = None  # in view when the layer was last looked at

    def painted(self, event: Any) -> None:
        """Take note of a stroke."""
        if not self.layers.quiet:
            # napari tells of some strokes before they are in the data
            planes = self._touched(event.value)
            self._strokes |= planes
            self._drawn |= planes
            self._on_stroke()

    def undone(self, event: Any = None) -> None:
        """Look whether napari's own undo or redo has changed the layer, which it tells in no other way."""
        here, before = self._in_view(), self._seen
        self._seen = here
        if self.layers.quiet or self._amid_stroke:
            return
        # unless the view has moved, it may be a stroke on any slice that was taken back
        self._read({here} if here != before else {here, *self._drawn}, reverted=True)

    def catch_up(self) -> None:
        """Bring the session up to date with the strokes since the last time."""
        strokes, self._strokes = self._strokes, set()
        if strokes and not self._read(strokes):
            self._warn_of_lost_stroke()

    def read(self, plane: Plane) -> None:
        """Bring the session up to date with a plane, also amid a stroke."""
        self._read({plane})

    @property
    def _amid_stroke(self) -> bool:
        """Whether the layer is to be left alone until a stroke is ended."""
        return False

    def _touched(self, strokes: Any) -> set[Plane]:
        """The planes that strokes, as napari tells of them, have met."""
        raise NotImplementedError

    def _read(self, planes: Collection[Plane], reverted: bool = False) -> bool:
        """Bring the session up to date with planes, where strokes may be taken back; return whether any differs."""
        raise NotImplementedError

    def _warn_of_lost_stroke(self) -> None:
        """Say why a stroke has changed nothing."""
        raise NotImplementedError
