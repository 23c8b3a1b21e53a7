"""Getting the model when it is first needed, and not before."""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..predictor import Predictor


def load_predictor() -> "Predictor":
    """Load the bundled weights and get them ready; takes a second or two."""
    from ..predictor import Predictor, load_model

    predictor = Predictor(load_model())
    _ = predictor.backend
    return predictor


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
