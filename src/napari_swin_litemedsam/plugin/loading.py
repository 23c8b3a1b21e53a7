"""Getting the model when it is first needed, and not before."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..predictor import Predictor


def load_predictor() -> "Predictor":
    """Load the bundled weights; takes a second or two."""
    with _without_triton():
        from ..predictor import Predictor, load_model

    return Predictor(load_model())


@contextmanager
def _without_triton() -> Iterator[None]:
    """Keep torch's libraries from importing triton, which brings a compiler that we do not use.

    Its LLVM clashes with the LLVM of Mesa's OpenGL drivers: once napari has opened a window on such a driver,
    importing triton ends the process with a segmentation fault.
    """
    if "triton" in sys.modules:
        yield
        return
    sys.modules["triton"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["triton"]


class LazyPredictor:
    """The predictor, loaded when a worker first needs it.

    Parameters
    ----------
    load : callable
        Returns a predictor.
    """

    def __init__(self, load: Callable[[], "Predictor"]):
        self._load = load
        self._lock = Lock()
        self._predictor: Predictor | None = None

    @property
    def loaded(self) -> bool:
        """Whether the next call is quick."""
        return self._predictor is not None

    def __call__(self) -> "Predictor":
        """Return the predictor, loading it the first time."""
        with self._lock:
            if self._predictor is None:
                self._predictor = self._load()
            return self._predictor
