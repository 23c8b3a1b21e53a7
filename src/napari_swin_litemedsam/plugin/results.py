"""The result, an array of label ids that only a commit, its undo and the user's own paint change."""

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from .carrying import carry_again
from .history import Changes
from .ledger import Ledger
from .objects import BoxObject, Window
from .patches import HandEdit, Mask, Patch
from .planes import Box, Plane, blank_labels

Rule = Literal["keep", "overwrite"]
Ask = Callable[[Collection[int]], Rule | None]
MOST_IDS = int(np.iinfo(np.uint16).max)
_scanner = ThreadPoolExecutor(1, "label ids")


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


@dataclass(frozen=True, eq=False)
class Whole:
    """All label ids of an image, of which only the planes that were committed to take room."""

    labels: NDArray
    planes: int

    @property
    def nbytes(self) -> int:
        """Memory of these planes."""
        height, width = self.labels.shape[-2:]
        return self.planes * height * width * self.labels.itemsize


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
        self.writes = 0  # how often we have written to the result
        self.painted = False  # whether the user has painted on it
        self._others: set[int] = set()  # labels that are of no object
        self._scans: list[Future[set[int]]] = []  # for more of them

    repainted = Signal()  # the result, by the user
    windowed = Signal(object, object)  # undone or done again: the intensities that the image showed, and is to show

    def adopt_result(self, labels: NDArray) -> None:
        """Commit to these labels, ``shape``, from now on; new objects get ids that are not among them."""
        self.result = labels
        self._others, self._scans = set(), []
        self._find_others(labels)

    def _find_others(self, labels: NDArray) -> None:
        # in a thread, since it takes long in volumes, and nobody waits for it before the next box
        self._scans.append(_scanner.submit(_ids_in, labels))

    def paint_result(self, label: int = 0) -> None:
        """Take note that the user has painted on the result, with a label that no new object is to get."""
        self._others.add(label)
        self.painted = True
        self.repainted.emit()

    def known_labels(self) -> set[int]:
        """Ids of objects, and those in the result as far as they were found yet."""
        for scan in [scan for scan in self._scans if scan.done()]:
            self._scans.remove(scan)
            self._others |= scan.result()
        return self._others | self.objects.keys()

    def free_id(self) -> int:
        """An id that neither an object nor any other label has: above all of them, or else the lowest."""
        while self._scans:
            self._others |= self._scans.pop().result()
        taken = {0, *self._others, *self.objects}
        following = max(id for id in taken if id <= MOST_IDS) + 1
        return following if following <= MOST_IDS else min(set(range(MOST_IDS + 1)) - taken)

    @property
    def open_objects(self) -> dict[int, BoxObject]:
        """The objects that are not committed: those with a box, prompts and a mask on the canvas."""
        return {id: item for id, item in self.objects.items() if not item.committed}

    @property
    def open_boxes(self) -> dict[tuple[int, Plane], Box]:
        """All boxes of these, by object and plane."""
        return {(item.id, plane): box for item in self.open_objects.values() for plane, box in item.boxes.items()}

    def overlapping(self, ids: Iterable[int]) -> set[int]:
        """Labels in the result that masks of these objects lie on."""
        if self.result is None:
            return set()
        found: set[int] = set()
        for item in (self.objects[id] for id in ids):
            for plane, patch in item.masks.items():
                found.update(np.unique(self.result[plane.index][patch.part][patch.pixels]).tolist())
        return found - {0, *ids}

    def ready(self, ids: Iterable[int]) -> list[int]:
        """Those of some objects that can be committed: that are not yet, have a mask and wait for none."""
        # to write a committed one again would bring back what the user has erased from the result since
        items = [self.objects[id] for id in ids]
        return [item.id for item in items if item.masks and item.settled and not item.committed]

    def commit(self, ids: Iterable[int], rule: Rule | Ask = "keep") -> list[int]:
        """Write all masks of objects, on all their slices, to the result, under the objects' ids; one step.

        Their boxes, prompts and masks leave the canvas, and no object is the current one any more.

        Parameters
        ----------
        ids : iterable of int
            Those without a mask, or waiting for one, are left out, as are those that are committed.
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
        """Bring boxes, prompts and masks of committed objects back, with the user's paint on the result; one step.

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
                    self._take_paint(self.objects[id])
                    self.objects[id].committed = False
                    self.current = id
        return committed

    def _take_paint(self, item: BoxObject) -> None:
        """Take over what the user has painted on an object in the result, or erased from it."""
        assert self.result is not None
        for plane in (item.result_planes & item.masks.keys()) | self._painted_beside(item):
            labels, mask = self.result[plane.index], item.masks.get(plane)
            added, removed = labels == item.id, np.zeros(labels.shape, bool)
            if mask is not None:
                removed[mask.part] = mask.pixels & (labels[mask.part] == 0)
                added[mask.part] &= ~mask.pixels
            if added.any() or removed.any():
                hand = item.hand.get(plane)
                if hand is not None:
                    added |= hand.added.full() & ~removed
                    removed |= hand.removed.full() & ~added
                self._correct(item, plane, HandEdit(Patch.cut(added), Patch.cut(removed)))

    def _painted_beside(self, item: BoxObject) -> set[Plane]:
        """Planes that the result has an object on by the user's paint alone."""
        if self.result is None or not self.painted:
            return set()
        others = set(item.plane.parallels([slice(0, side) for side in self.shape])) - item.result_planes
        return {plane for plane in others if (self.result[plane.index] == item.id).any()}

    def _correct(self, item: BoxObject, plane: Plane, edit: HandEdit | None) -> None:
        """Set the user's pixels on a plane; from there to the next box or correction, carrying is to be done again."""
        carry_again(item, plane)
        item.recall("hand", plane, edit)

    def erase_result(self, id: int) -> None:
        """Take an object out of the result, as a part of an open step."""
        for plane in self.objects[id].result_planes:
            self._put(id, plane, None, "keep")

    def _write(self, item: BoxObject, rule: Rule) -> None:
        for plane in (*item.result_planes - item.masks.keys(), *item.masks):
            self._put(item.id, plane, item.masks.get(plane), rule)
        item.result_planes = frozenset(item.masks)

    def _put(self, id: int, plane: Plane, mask: Patch | None, rule: Rule) -> None:
        """Put a mask in the place of what an object has in a plane of the result."""
        assert self.result is not None
        labels = self.result[plane.index]
        # what has the label but did not come from a commit is somebody else's
        own = Patch.cut(labels == id) if plane in self.objects[id].result_planes else None
        parts = [patch for patch in (own, mask) if patch]
        if not parts:
            return
        top, left = min(patch.top for patch in parts), min(patch.left for patch in parts)
        bottom = max(patch.top + patch.height for patch in parts)
        right = max(patch.left + patch.width for patch in parts)
        before = labels[top:bottom, left:right].copy()
        after = before.copy()
        if own:
            after[after == id] = 0
        if mask:
            inside = after[mask.top - top :, mask.left - left :][: mask.height, : mask.width]
            inside[mask.pixels & (inside == 0) if rule == "keep" else mask.pixels] = id
        if own and (freed := (before == id) & (after == 0)).any():
            self._uncover(after, freed, plane, (top, left), id)
        if (after != before).any():
            self.add({(id, "result", plane): (Crop(top, left, before), Crop(top, left, after))})
            labels[top:bottom, left:right] = after
            self.writes += 1

    def _uncover(self, labels: NDArray, freed: Mask, plane: Plane, corner: tuple[int, int], id: int) -> None:
        """Give pixels of a part of a plane that an object has left to the committed objects whose masks hold them."""
        part = tuple(slice(start, start + side) for start, side in zip(corner, freed.shape, strict=True))
        for other in self.objects.values():
            if other.id != id and other.committed and plane in other.result_planes & other.masks.keys():
                labels[freed & (labels == 0) & other.masks[plane].full()[part]] = other.id

    def take_channel(self, axis: int | None) -> None:
        """Take another axis for that of channels, or none; a step, or a part of the open one."""
        if axis != self.channel:
            with self.together():
                assert self._open is not None
                self._open.name = self._open.name or "choose channels"
                self.add({(0, "channel", None): (self.channel, axis)})
                self.channel = axis

    def replace_all(
        self,
        items: Iterable[BoxObject],
        result: NDArray | None,
        channel: int | None,
        windows: tuple[Window, Window] = (None, None),
    ) -> None:
        """Put other objects, another result and axis of channels in the place of all that is there; one step.

        Parameters
        ----------
        items : iterable of BoxObject
            The objects.
        result : array of int, optional
            Their result, not copied; without one the present one is emptied.
        channel : int, optional
            The axis.
        windows : tuple
            The intensities that the image shows, and showed before.
        """
        new = {item.id: item for item in items}
        with self.together():
            assert self._open is not None
            self._open.name = "open session"
            self.take_channel(channel)
            if windows[0] != windows[1]:
                self.add({(0, "window", None): (windows[1], windows[0])})
            if result is not None or self.result is not None:
                self._exchange_result(blank_labels(self.shape) if result is None else result, new.values())
            for id in sorted(self.objects.keys() | new.keys()):
                with self.step("open session", id):
                    self.objects.pop(id, None)
                    if id in new:
                        self.objects[id] = new[id]
            self.current = max(self.open_objects, default=None)

    def _exchange_result(self, labels: NDArray, items: Iterable[BoxObject]) -> None:
        # the arrays as they are, since to compare or to copy volumes takes long
        before = blank_labels(self.shape) if self.result is None else self.result
        self.add({(0, "labels", None): (_whole(before, self.objects.values()), _whole(labels, items))})
        self.result = labels
        self._find_others(labels)

    def restore_others(self, changes: Changes) -> None:
        """Bring the axis of channels and the result back; pixels that the user has painted on since stay."""
        for (_, name, plane), (was, becomes) in changes.items():
            if name == "channel":
                self.channel = becomes
            if name == "window":
                self.windowed.emit(was, becomes)
            # a layer may have got other labels meanwhile
            if name == "labels" and self.result is was.labels:
                self.result = becomes.labels
            if name == "result" and self.result is not None:
                labels = was.of(self.result[plane.index])
                ours = (was.pixels != becomes.pixels) & (labels == was.pixels)
                labels[ours] = becomes.pixels[ours]
                self.writes += 1


def _whole(labels: NDArray, items: Iterable[BoxObject]) -> Whole:
    return Whole(labels, len({plane for item in items for plane in item.result_planes}))


def _ids_in(labels: NDArray) -> set[int]:
    """Which of the ids that objects may have occur among labels."""
    found = np.zeros(MOST_IDS + 1, bool)
    for place in np.ndindex(*labels.shape[:-2]):
        plane = labels[place]
        found[plane[(plane > 0) & (plane <= MOST_IDS)]] = True
    return set(np.flatnonzero(found).tolist())
