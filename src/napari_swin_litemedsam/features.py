"""Keeping what was encoded, as far as a budget of memory goes."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")

BUDGET = 1_000_000_000
"""Bytes; about 150 slices."""


class FeatureCache(Generic[T]):
    """Values by key; those used least lately are dropped when all together exceed the budget.

    Threads may share it.

    Parameters
    ----------
    budget : int
        Bytes. A value larger than it is not kept.
    """

    def __init__(self, budget: int = BUDGET):
        self.budget = budget
        self._kept: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        with self._lock:
            return sum(size for _, size in self._kept.values())

    def get(self, key: Hashable) -> T | None:
        """The value of a key, which now counts as used last, or None."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, value: T, nbytes: int) -> None:
        """Keep a value that takes `nbytes`."""
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = value, nbytes
            total = sum(size for _, size in self._kept.values())
            while total > self.budget:
                _, (_, size) = self._kept.popitem(last=False)
                total -= size
