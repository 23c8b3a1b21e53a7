"""The result, an array of label ids that only a commit, its undo and the user's own paint change."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from .history import Changes
from .ledger import Ledger
from .objects import BoxObject
from .planes import Plane, blank_labels

Rule = Literal["keep", "overwrite"]
Ask = Callable[[Collection[int]], Rule | None]


@dataclass(frozen=True, eq=False)
class Crop:
    """A part of a plane of label ids."""

    top: int
    left: int
    pixels: NDArray

    @property
    def nbytes(self) -> int:
        """Memory of the pixels."""
        return self.pixels.nbytes

    def of(self, labels: NDArray) -> NDArray:
        """The same part of another plane, as a view."""
        height, width = self.pixels.shape
        return labels[self.top : self.top + height, self.left : self.left + width]


class Results(Ledger):
    """Objects and the result that they are committed to.

    Parameters
    ----------
    shape : tuple of int
        Of the image without its colour axis.
    """

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.shape = tuple(shape)
        self.channel: int | None = None  # the axis that holds channels, along which nothing is carried
        self.result: NDArray | None = None
        self.highest_id = 0  # of labels that are of no object

    repainted = Signal()  # the result, by the user

    def adopt_result(self, labels: NDArray) -> None:
        """Commit to these labels, ``shape``, from now on; new objects get ids above them."""
        self.result = labels
        self.highest_id = int(labels.max(initial=0))

    @property
    def open_objects(self) -> dict[int, BoxObject]:
        """The objects that are not committed: those with a box, prompts and a mask on the canvas."""
        return {id: item for id, item in self.objects.items() if not item.committed}

    def overlapping(self, ids: Iterable[int]) -> set[int]:
        """Labels in the result that masks of these objects lie on."""
        if self.result is None:
            return set()
        found: set[int] = set()
        for item in (self.objects[id] for id in ids):
            for plane, patch in item.masks.items():
                found.update(np.unique(self.result[plane.index][patch.full()]).tolist())
        return found - {0, *ids}

    def ready(self, ids: Iterable[int]) -> list[int]:
        """Those of some objects that can be committed: that have a mask and wait for none."""
        return [id for id in ids if self.objects[id].masks and self.objects[id].settled]

    def commit(self, ids: Iterable[int], rule: Rule | Ask = "keep") -> list[int]:
        """Write all masks of objects, on all their slices, to the result, under the objects' ids; one step.

        Their boxes, prompts and masks leave the canvas, and no object is the current one any more.

        Parameters
        ----------
        ids : iterable of int
            Those without a mask, or waiting for one, are left out.
        rule : {"keep", "overwrite"} or callable
            Who gets pixels that have a label in the result already: "keep" leaves them, "overwrite" takes them. A
            callable is asked only if there are such pixels; it gets their labels and returns one of the two, or
            None to commit nothing.

        Returns
        -------
        list of int
            The ids that were committed.
        """
        ready = self.ready(ids)
        if callable(rule):
            others = self.overlapping(ready)
            chosen = rule(others) if others else "keep"
        else:
            chosen = rule
        if not ready or chosen is None:
            return []
        if self.result is None:
            self.result = blank_labels(self.shape)
        with self.together():
            for id in ready:
                with self.step("commit", id):
                    self._write(self.objects[id], chosen)
                    self.objects[id].committed = True
                    # slices that a propagation has still to bring would come too late
                    self.objects[id].outdate()
            self.current = None
        return ready

    def reopen(self, ids: Iterable[int]) -> list[int]:
        """Bring boxes, prompts and masks of committed objects back; one step.

        Their labels stay in the result until they are committed again.

        Parameters
        ----------
        ids : iterable of int
            Those that are not committed are left out.

        Returns
        -------
        list of int
            The ids of those that are back; the last of them is the current object.
        """
        committed = [id for id in ids if self.objects[id].committed]
        with self.together():
            for id in committed:
                with self.step("edit again", id):
                    self.objects[id].committed = False
                    self.current = id
        return committed

    def erase_result(self, id: int) -> None:
        """Take an object out of the result, as a part of an open step."""
        for plane in self.objects[id].result_planes:
            self._put(id, plane, np.zeros(tuple(self.shape[axis] for axis in plane.spans), bool), "keep")

    def _write(self, item: BoxObject, rule: Rule) -> None:
        stale = item.result_planes - item.masks.keys()
        for plane, patch in item.masks.items():
            self._put(item.id, plane, patch.full(), rule)
        for plane in stale:
            self._put(item.id, plane, np.zeros(tuple(self.shape[axis] for axis in plane.spans), bool), rule)
        item.result_planes = frozenset(item.masks)

    def _put(self, id: int, plane: Plane, mask: NDArray[np.bool_], rule: Rule) -> None:
        assert self.result is not None
        labels = self.result[plane.index]
        # what has the label but did not come from a commit is somebody else's
        own = labels == id if plane in self.objects[id].result_planes else np.zeros(labels.shape, bool)
        after = np.where(own, 0, labels)
        after[mask & (after == 0) if rule == "keep" else mask] = id
        self._replace(id, plane, after)

    def _replace(self, id: int, plane: Plane, after: NDArray) -> None:
        assert self.result is not None
        labels = self.result[plane.index]
        changed = after != labels
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if not len(rows):
            return
        top, left = int(rows[0]), int(columns[0])
        part = np.s_[top : rows[-1] + 1, left : columns[-1] + 1]
        self.add({(id, "result", plane): (Crop(top, left, labels[part].copy()), Crop(top, left, after[part].copy()))})
        labels[part] = after[part]

    def take_channel(self, axis: int | None, name: str = "choose channels") -> None:
        """Take another axis for that of channels, or none; a step, or a part of the open one."""
        if axis != self.channel:
            with self.together():
                assert self._open is not None
                self._open.name = self._open.name or name
                self.add({(0, "channel", None): (self.channel, axis)})
                self.channel = axis

    def replace_all(self, items: Iterable[BoxObject], result: NDArray | None, channel: int | None) -> None:
        """Put other objects, another result and axis of channels in the place of all that is there; one step."""
        new = {item.id: item for item in items}
        if result is not None:
            self.result = blank_labels(self.shape) if self.result is None else self.result
            self.highest_id = max(self.highest_id, int(result.max(initial=0)))
        with self.together():
            self.take_channel(channel, "open session")
            for id in sorted(self.objects.keys() | new.keys()):
                with self.step("open session", id):
                    self.objects.pop(id, None)
                    if id in new:
                        self.objects[id] = new[id]
            if self.result is not None:
                for place in np.ndindex(*self.shape[:-2]):
                    after = np.zeros_like(self.result[place]) if result is None else result[place]
                    if after.any() or self.result[place].any():
                        self._replace(0, Plane((*place, None, None)), after)
            self.current = max(self.open_objects, default=None)

    def restore_others(self, changes: Changes) -> None:
        """Bring the axis of channels and the result back; pixels that the user has painted on since stay."""
        for (_, name, plane), (was, becomes) in changes.items():
            if name == "channel":
                self.channel = becomes
            if name == "result" and self.result is not None:
                labels = was.of(self.result[plane.index])
                ours = (was.pixels != becomes.pixels) & (labels == was.pixels)
                labels[ours] = becomes.pixels[ours]
