"""Getting the model when it is first needed, and not before."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ..backends.model import LITE_MEDSAM
from ..training import BEST, LAST, LOG

if TYPE_CHECKING:
    from ..predictor import Predictor


@dataclass(frozen=True)
class ModelChoice:
    """Which weights, and what runs them.

    Parameters
    ----------
    checkpoint : Path, optional
        None takes the bundled weights; ``litemedsam`` is LiteMedSAM.
    backend : str
        One of `backends.NAMES`.
    device : str
        As torch names it.
    mirror : bool
        Whether the mean with the mirror image is taken.
    zoom : bool
        Whether small objects are looked at again, in the part of the image around them.
    """

    checkpoint: Path | None = None
    backend: str = "auto"
    device: str = "cpu"
    mirror: bool = False
    zoom: bool = True

    @property
    def name(self) -> str:
        """For people; of a training its folder."""
        if self.checkpoint is None:
            return "bundled weights"
        if self.checkpoint == Path(LITE_MEDSAM):
            return "LiteMedSAM (boxes alone)"
        return self.checkpoint.parent.name if self.checkpoint.name in (BEST, LAST) else self.checkpoint.name


def load_predictor(choice: ModelChoice = ModelChoice()) -> "Predictor":
    """Load weights and get them ready; takes a second or two."""
    from ..backends.processor import threads
    from ..predictor import Predictor, load_model

    model = load_model(choice.checkpoint, choice.device)
    predictor = Predictor(model, choice.backend, mirror=choice.mirror, zoom=choice.zoom)
    if predictor.backend.name == "torch":
        import torch

        # by itself torch takes every core, the window's, too
        torch.set_num_threads(threads())
    return predictor


def finished_trainings(folder: Path) -> list[Path]:
    """The best weights of all trainings in a folder and in the folders in it, the newest first.

    A training that ended without validation has none that are the best, and gives its last.
    """
    runs = {path.parent for name in (BEST, LAST) for depth in ("", "*/", "*/*/") for path in folder.glob(depth + name)}
    return sorted(map(_weights_of, runs), key=lambda path: path.stat().st_mtime, reverse=True)


def _weights_of(run: Path) -> Path:
    log = run / LOG
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    # the last column is the score, of checkpoints alone
    scores = [score for line in lines if (score := line.rpartition(",")[2])]
    went_on = scores[-1:] == ["nan"] and (run / LAST).exists()
    return run / LAST if went_on or not (run / BEST).exists() else run / BEST


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

    def exchange(self, load: Callable[[], "Predictor"]) -> None:
        """Load another predictor and use it from now on; if that fails, the old one stays."""
        predictor = load()
        with self._lock:
            self._load, self._predictor = load, predictor

    @property
    def facts(self) -> str:
        """What runs and how many milliseconds it has taken; empty until the model is loaded."""
        predictor = self._predictor
        if predictor is None:
            return ""
        # a copy, since the worker may add to it meanwhile
        times = [f"{half} {round(least)} ms" for half, least in dict(predictor.milliseconds).items()]
        return ", ".join([predictor.backend.description, *times])

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
