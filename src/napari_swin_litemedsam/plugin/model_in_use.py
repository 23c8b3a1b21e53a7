"""Which model is in use: that of the last time, until the user chooses another one that loads."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from .loading import LazyPredictor, ModelChoice, load_predictor
from .messages import Messages
from .model_section import ModelSection, devices
from .remembered import recall, remember
from .runs import Runs

if TYPE_CHECKING:
    from ..predictor import Predictor


class ModelInUse(QObject):
    """Loads what is chosen in the panel, and stays with what it has if that fails.

    Parameters
    ----------
    section : ModelSection
        Where the user chooses.
    runs : Runs
        Loads one model at a time, after what runs.
    messages : Messages
        For the user.
    load : callable, optional
        Returns the first predictor, in a worker; None loads what was chosen the last time.
    """

    _fell_back = Signal(str)  # from a worker: why the checkpoint of the last time is not taken

    def __init__(
        self,
        section: ModelSection,
        runs: Runs,
        messages: Messages,
        load: "Callable[[], Predictor] | None" = None,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._section, self._runs, self._messages = section, runs, messages
        # who brings a predictor of their own has chosen already
        self._choice, self._missing = recall(devices()) if load is None else (ModelChoice(), "")
        self._tried = remembered = self._choice  # the last one that was to be loaded
        self.predictor = LazyPredictor(load or (lambda: self._load_remembered(remembered)))
        self._fell_back.connect(self._take_bundled)
        section.chosen.connect(self._exchange)
        runs.exchanged.connect(self._exchanged)

    @property
    def checkpoint(self) -> Path | None:
        """As in `ModelChoice`."""
        return self._choice.checkpoint

    def show(self) -> None:
        """Let the panel say what is in use, and tell what is missing of the last time."""
        self._section.show_choice(self._choice)
        if self._missing:
            self._messages.warn(self._missing)

    def _load_remembered(self, choice: ModelChoice) -> "Predictor":
        """Load the model of the last time, or else the bundled weights: the user has not asked for it today."""
        try:
            return load_predictor(choice)
        except Exception as error:
            if choice.checkpoint is None:
                raise
            predictor = load_predictor(replace(choice, checkpoint=None))
            self._fell_back.emit(str(error))
            return predictor

    def _take_bundled(self, why: str) -> None:
        checkpoint, self._choice = self._choice.checkpoint, replace(self._choice, checkpoint=None)
        self._section.withdraw(checkpoint, why)
        self._section.show_choice(self._choice)
        self._messages.warn(f"The checkpoint that you used last does not load: {why}. The bundled weights are taken.")

    def _exchange(self, choice: ModelChoice) -> None:
        def load() -> "Predictor":
            # the user may choose yet another one meanwhile
            self._tried = choice
            predictor = load_predictor(choice)
            remember(choice)
            return predictor

        self._runs.exchange(self.predictor, load)

    def _exchanged(self, error: Exception | None) -> None:
        if error is None:
            self._choice = self._tried
        elif self._tried.checkpoint != self._choice.checkpoint:
            self._section.withdraw(self._tried.checkpoint, str(error))
        self._section.show_choice(self._choice)
