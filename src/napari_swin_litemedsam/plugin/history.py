"""Undo and redo: what was where before a step, and what after it."""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

MEMORY = 256 * 2**20
"""Bytes that the steps of one image may take; the oldest are forgotten first."""
_OVERHEAD = 200  # bytes of a change beside its two values

Key = tuple[int, str, Any]  # object, field, plane
Changes = dict[Key, tuple[Any, Any]]  # before and after; None is what does not exist


@dataclass(eq=False)
class Step:
    """One action of the user with all that followed from it.

    Parameters
    ----------
    name : str
        For the user: "move box".
    changes : dict
        Values are replaced, never changed, so that many steps may share them.
    """

    name: str
    changes: Changes = field(default_factory=dict)
    ids: set[int] = field(default_factory=set)
    nbytes: int = 0

    def add(self, changes: Changes) -> None:
        """Take up what has followed."""
        for key, (before, after) in changes.items():
            if key in self.changes:
                first, replaced = self.changes[key]
                self.changes[key] = first, after
                self.nbytes += _size(after) - _size(replaced)
            else:
                self.changes[key] = before, after
                self.nbytes += _OVERHEAD + _size(before) + _size(after)
            self.ids.add(key[0])


class History:
    """The steps that were done, and those that were undone.

    Parameters
    ----------
    memory : int
        Bytes that all of them may take together.
    """

    def __init__(self, memory: int = MEMORY):
        self.memory = memory
        self._done: list[Step] = []
        self._undone: list[Step] = []

    @property
    def undo_name(self) -> str | None:
        """What `undo` would take back, or None."""
        return self._done[-1].name if self._done else None

    @property
    def redo_name(self) -> str | None:
        """What `redo` would do again, or None."""
        return self._undone[-1].name if self._undone else None

    @property
    def nbytes(self) -> int:
        """Memory of all steps, each value counted as if no other step shared it."""
        return sum(step.nbytes for step in (*self._done, *self._undone))

    @property
    def last(self) -> Step | None:
        """The newest step that is not undone."""
        return self._done[-1] if self._done else None

    def newest_of(self, id: int, besides: Collection[str] = ()) -> Step | None:
        """The newest step that is not undone and concerns more of an object than the fields `besides`."""
        for step in reversed(self._done):
            if any(key[0] == id and key[1] not in besides for key in step.changes):
                return step
        return None

    def record(self, name: str, changes: Changes) -> Step:
        """Add a step; what was undone before cannot be redone any more."""
        self._undone.clear()
        step = Step(name)
        self._done.append(step)
        self.extend(step, changes)
        return step

    def extend(self, step: Step | None, changes: Changes) -> None:
        """Add to a step what has followed from it; nothing if it was undone or forgotten."""
        if step not in self._done:
            return
        step.add(changes)
        while self._done and self.nbytes > self.memory:
            del self._done[0]

    def undo(self) -> Changes:
        """Take the newest step back: what changes -> (what it is, what it becomes)."""
        if not self._done:
            return {}
        step = self._done.pop()
        self._undone.append(step)
        return {key: (after, before) for key, (before, after) in reversed(step.changes.items())}

    def redo(self) -> Changes:
        """Do the step again that was undone last; answers as `undo`."""
        if not self._undone:
            return {}
        step = self._undone.pop()
        self._done.append(step)
        return dict(step.changes)

    def clear(self) -> None:
        """Forget all steps."""
        self._done.clear()
        self._undone.clear()


def differences(before: Mapping[Key, Any], after: Mapping[Key, Any]) -> Changes:
    """What differs between two states."""
    pairs = ((key, before.get(key), after.get(key)) for key in {**before, **after})
    return {key: (old, new) for key, old, new in pairs if not _same(old, new)}


def _same(old: Any, new: Any) -> bool:
    # arrays and patches are replaced and never changed, so it is enough to compare whether they are the same ones
    return old is new or (type(old) is type(new) and isinstance(old, Hashable) and old == new)


def _size(value: Any) -> int:
    return getattr(value, "nbytes", 0)
