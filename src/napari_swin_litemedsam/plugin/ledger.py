"""The objects of one image, with undo and redo over all that is done to them."""

from collections.abc import Iterator
from contextlib import contextmanager

from psygnal import Signal

from .history import Changes, History, Step, differences
from .objects import REMEMBERED, BoxObject, Change, State


class Ledger:
    """Objects by their ids; whoever changes one does so within a `step` or as a `consequence` of one.

    Whoever shows them listens to `changed`.
    """

    changed = Signal(Change)

    def __init__(self) -> None:
        self.objects: dict[int, BoxObject] = {}
        self.current: int | None = None
        self.history = History()
        self.live = True  # whether edits are answered at once, or when the user says so
        self._open: Step | None = None
        self._unanswered = True

    def undo(self) -> bool:
        """Take back the last step with all that followed from it; return whether there was one.

        Nothing is run but what waited for an answer then, and has none.
        """
        return self._restore(self.history.undo())

    def redo(self) -> bool:
        """Do the step again that was undone last, as `undo` takes it back; return whether there was one."""
        return self._restore(self.history.redo())

    def _restore(self, changes: Changes) -> bool:
        if not changes:
            return False
        for (id, name, _), (_, value) in changes.items():
            if name == "box" and value is None:
                del self.objects[id]
            elif name == "box" and id not in self.objects:
                self.objects[id] = BoxObject(id, changes[id, "plane", None][1], value)
        for (id, name, plane), (_, value) in changes.items():
            if id in self.objects:
                self.current = id
                if name in REMEMBERED:
                    self.objects[id].recall(name, plane, value)
        self.restore_others(changes)
        touched = {key[0] for key in changes}
        for item in self.objects.values():
            # what is still to come of a propagation would mix with what was before it
            if item.id in touched or item.state not in (State.WAITING, State.RUNNING):
                item.outdate()
            if item.id in touched and item.state is State.RUNNING:
                item.state = State.WAITING
        if self.current not in self.objects:
            self.current = max(self.objects, default=None)
        self._sort()
        self.tell(changes)
        return True

    def restore_others(self, changes: Changes) -> None:
        """Bring back what is not a part of an object."""

    def add(self, changes: Changes) -> None:
        """Add changes of other things than objects to the open step."""
        assert self._open is not None
        self._open.add(changes)

    def _sort(self) -> None:
        ordered = sorted(self.objects.items())
        self.objects.clear()
        self.objects.update(ordered)

    @contextmanager
    def together(self, goes_on: bool = False) -> Iterator[None]:
        """Make one step of all edits in the block, and tell of them at its end.

        Parameters
        ----------
        goes_on : bool
            Whether it is the rest of the last step, if that has the same name.
        """
        if self._open is not None:
            yield
            return
        self._open, self._unanswered = Step(""), True
        try:
            yield
        finally:
            step, self._open = self._open, None
            if step.changes:
                self._record(step, goes_on)
                self.tell(step.changes)

    def _record(self, step: Step, goes_on: bool) -> None:
        last = self.history.last
        if last is None or last.name != step.name or self.history.redo_name is not None:
            goes_on = False
        elif self.live and self._unanswered and last.ids == step.ids:
            # one drag of the mouse may come as many edits
            goes_on = True
        if goes_on:
            self.history.extend(last, step.changes)
        else:
            self.history.record(step.name, step.changes)

    @contextmanager
    def step(self, name: str, id: int) -> Iterator[None]:
        """Record what the block does to an object, as a step or as a part of the open one."""
        before, version = self._remembered(id), self._version(id)
        waited = before.get((id, "state", None)) is State.WAITING
        with self.together():
            yield
            assert self._open is not None
            self._open.name = self._open.name or name
            self._open.add(differences(before, self._remembered(id)))
            self._unanswered &= waited and version != self._version(id)

    @contextmanager
    def consequence(self, step: Step | None, *ids: int, goes_on: bool = False) -> Iterator[None]:
        """Record what the block does to objects, as a part of a step, and tell of it at its end."""
        before = self._remembered(*ids)
        yield
        changes = differences(before, self._remembered(*ids))
        self.history.extend(step, changes)
        self.tell(changes, goes_on=goes_on)

    def _version(self, id: int) -> int | None:
        return self.objects[id].version if id in self.objects else None

    def _remembered(self, *ids: int) -> dict:
        present = [self.objects[id] for id in ids if id in self.objects]
        return {key: value for item in present for key, value in item.remembered().items()}

    def tell(self, changes: Changes, goes_on: bool = False) -> None:
        """Let all who listen to `changed` know."""
        ids = {key[0] for key in changes}
        present = [self.objects[id] for id in ids if id in self.objects]
        planes = {item.plane for item in present}
        planes |= {plane for _, name, plane in changes if name in ("answers", "hand", "result")}
        for id, name, _ in changes:
            if name == "committed" and id in self.objects:
                planes.update(self.objects[id].masks)
        for (_, name, _), values in changes.items():
            if name == "plane":
                planes.update(plane for plane in values if plane is not None)
        waits = any(item.state is State.WAITING for item in present)
        self.changed.emit(Change(frozenset(ids), frozenset(planes), waits, goes_on))
