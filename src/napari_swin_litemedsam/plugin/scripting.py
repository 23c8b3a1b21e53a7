"""The panel driven from a script, a notebook or napari's console."""

import time
from collections.abc import Callable, Iterable, Mapping
from operator import index
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtWidgets import QApplication

from .carrying import Reach, Route
from .objects import BoxObject
from .planes import Plane
from .results import Rule
from .runs import Runs, Work
from .session import Session
from .sessions import Sessions
from .storage import read

if TYPE_CHECKING:
    from ..propagation import Options

_TURN = 0.005  # seconds between two looks at whether all is done


class ScriptError(RuntimeError):
    """The model could not do what a script has asked for; the message says why."""


class ScriptSession:
    """The objects of the image that is chosen in the panel, as `SwinLiteMedSAMWidget.session` gives it.

    What a script does goes the way of the user's own edits: the layers follow, undo takes it back, and the model runs
    in its worker; `wait` returns when it has answered. All of it is for the main thread. Boxes are (y0, x0, y1, x1) in
    pixels of a slice of the view that the canvas shows, label ids count from 1.

    Parameters
    ----------
    chosen : callable
        Returns the work of the chosen image, or None.
    runs : Runs
        Told of what is to be propagated.
    sessions : Sessions
        Saves and opens them.
    busy : callable
        Returns whether something runs or is about to.
    """

    def __init__(self, chosen: Callable[[], Work | None], runs: Runs, sessions: Sessions, busy: Callable[[], bool]):
        self._chosen, self._runs, self._sessions, self._busy = chosen, runs, sessions, busy
        self._failures: list[str] = []
        runs.failed.connect(lambda what, error: self._failures.append(f"{what}: {error}"))

    @property
    def _work(self) -> Work:
        work = self._chosen()
        if work is None:
            raise ScriptError("no image is chosen in the panel")
        # what a script has painted on the layers counts at once
        work.edits.catch_up()
        return work

    # ---- what there is

    @property
    def objects(self) -> Mapping[int, BoxObject]:
        """All objects by their ids: `name`, `box`, `points`, `iou`, `state`, `committed`; to be looked at only."""
        return MappingProxyType(self._work.session.objects)

    @property
    def masks(self) -> NDArray[np.uint16]:
        """Label ids of the preview, of the image's shape without colours; a copy."""
        layer, shape = self._work.layers.masks, self._work.session.shape
        return np.zeros(shape, np.uint16) if layer is None else np.array(layer.data)

    def mask(self, id: int) -> NDArray[np.bool_]:
        """The mask of one object on all its slices, of the image's shape, also where another object lies over it."""
        mask = np.zeros(self._work.session.shape, bool)
        for plane, patch in self._work.session.objects[id].masks.items():
            mask[plane.index] = patch.full()
        return mask

    @property
    def result(self) -> NDArray[np.uint16]:
        """Label ids of what was committed; a copy."""
        session = self._work.session
        return np.zeros(session.shape, np.uint16) if session.result is None else np.array(session.result)

    # ---- what can be done

    def add_box(self, box: ArrayLike, slice: int | None = None, name: str = "") -> int:
        """Make an object of a box, on a slice or on the one in view.

        Returns
        -------
        int
            Its label id.

        Raises
        ------
        ValueError
            If the box has no four finite sides, or the image has no such slice.
        """
        y0, x0, y1, x1 = sides = np.asarray(box, float).reshape(4).tolist()
        if not np.isfinite(sides).all():
            raise ValueError(f"the sides of a box are numbers, got {sides}")
        session, plane = self._work.session, self._plane(slice)
        with session.together():
            item = session.add_box(plane, (min(y0, y1), min(x0, x1), max(y0, y1), max(x0, x1)))
            if name:
                session.rename(item.id, str(name))
        return item.id

    def set_points(self, id: int, points: ArrayLike, labels: ArrayLike | None = None) -> None:
        """Replace an object's points, ``(N, 2)`` as (y, x); labels are 1 inside and 0 outside, 1 by default.

        Raises
        ------
        ValueError
            If these are no such points and labels, or the object is committed.
        """
        points = np.asarray(points, float).reshape(-1, 2)
        labels = np.ones(len(points), int) if labels is None else np.asarray(labels, int).reshape(len(points))
        if not (np.isfinite(points).all() and np.isin(labels, (0, 1)).all()):
            raise ValueError("points are two finite numbers each, and their labels 1 or 0")
        self._editing(id).edit_points(id, points, labels)

    def set_scribble(self, id: int, scribble: ArrayLike) -> None:
        """Replace an object's scribble, bool of the shape of its slice.

        Raises
        ------
        ValueError
            If it has another shape, or the object is committed.
        """
        session = self._editing(id)
        shape = tuple(session.shape[axis] for axis in session.objects[id].plane.spans)
        session.edit_scribble(id, np.asarray(scribble, bool).reshape(shape))

    def propagate(
        self,
        first: int | None = None,
        last: int | None = None,
        reach: Reach | str = Reach.SLICES,
        options: "Options | None" = None,
    ) -> None:
        """Carry the boxes of the view that the canvas shows through the volume, and `wait`.

        Parameters
        ----------
        first, last : int, optional
            Slices, both included; by default all.
        reach : Reach
            How far, of `napari_swin_litemedsam.plugin.carrying` or in the panel's words; `first` and `last` count if it
            is ``Reach.SLICES``.
        options : Options, optional
            Of the propagation.

        Raises
        ------
        ValueError
            If the image is no volume, no object lies on the way, or there is no such reach.
        """
        self.wait()
        work, plane = self._work, self._plane(None)
        if plane.axis is None:
            raise ValueError("only volumes have slices to carry boxes through")
        depth = work.session.shape[plane.axis]
        first, last = 0 if first is None else first, depth - 1 if last is None else last
        if not 0 <= first <= last < depth:
            raise ValueError(f"slices {first} to {last} are not within 0 to {depth - 1}")
        # as a string, too
        route = Route(plane, first, last, Reach(reach), options)
        if not route.objects(work.session.open_objects.values()):
            raise ValueError("no object has a box on the way")
        self._runs.propagate(work, route)
        self.wait()

    def commit(self, ids: Iterable[int] | None = None, rule: Rule = "keep") -> list[int]:
        """Write the masks of objects, by default of all, to the result; return their ids.

        `rule` says who gets pixels that have another label already: "keep" leaves them, "overwrite" takes them.
        Objects that have no mask, wait for one (`wait` first), or are committed already are left out.

        Raises
        ------
        ValueError
            If there is no such rule.
        """
        if rule not in get_args(Rule):
            raise ValueError(f"the rule is one of {', '.join(get_args(Rule))}, not {rule!r}")
        work = self._work
        committed = work.session.commit(list(work.session.open_objects if ids is None else ids), rule)
        if committed:
            work.ensure_layers()
        return committed

    def reopen(self, ids: Iterable[int]) -> list[int]:
        """Bring committed objects back, to edit them again; return the ids of those that were committed."""
        return self._work.session.reopen(ids)

    def remove(self, id: int) -> None:
        """Remove an object."""
        self._work.session.remove(id)

    def undo(self) -> bool:
        """Take back the last step; return whether there was one."""
        return self._work.edits.undo() is not None

    def redo(self) -> bool:
        """Do the step again that was undone last; return whether there was one."""
        return self._work.edits.redo() is not None

    def wait(self, timeout: float = 600) -> None:
        """Let the model answer, and the layers show it.

        Raises
        ------
        ScriptError
            If something has failed since the last time.
        TimeoutError
            If it takes more than `timeout` seconds.
        """
        end = time.monotonic() + timeout
        if (work := self._chosen()) is not None:
            work.session.ask()
        while self._busy():
            if time.monotonic() > end:
                raise TimeoutError(f"the model has not answered within {timeout:g} seconds")
            QApplication.processEvents()
            time.sleep(_TURN)
        failures, self._failures = self._failures, []
        if failures:
            raise ScriptError("; ".join(failures))

    # ---- files

    def save(self, path: str | PathLike) -> None:
        """Save boxes, prompts, masks and result in a file, which is there when this returns.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        self._sessions.take_down(self._work)(Path(path))

    def open(self, path: str | PathLike) -> None:
        """Put a saved session in the place of this one, as a step that can be undone, and `wait`.

        Raises
        ------
        SessionFileError
            If the file is missing, damaged, or of an image of another size.
        """
        self._sessions.take_up(self._work, read(path), Path(path))
        self.wait()

    def _editing(self, id: int) -> Session:
        """The session, if an object of it is one that can be edited."""
        session = self._work.session
        if session.objects[id].committed:
            raise ValueError(f"object {id} is committed; reopen it first")
        return session

    def _plane(self, slice: int | None) -> Plane:
        work = self._work
        plane = work.edits.plane_in_view()
        if slice is None:
            return plane
        if plane.axis is None or not 0 <= slice < work.session.shape[plane.axis]:
            raise ValueError(f"the image has no slice {slice}")
        # one of NumPy would not go into a session's file
        return plane.moved(index(slice))
