"""What a run needs to go on where it was cut off, and its log."""

import csv
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..io.files import replacing
from . import BEST, LAST
from .data import DataError

STATE_FILE = "state.pt"


def save_state(folder: Path, **parts: Any) -> None:
    """Write the parts of a run (state dicts and numbers) in one piece.

    Raises
    ------
    OSError
        If they cannot be written, as on a full disk; what was there before is whole then.
    """
    with replacing(folder / STATE_FILE) as unfinished:
        try:
            torch.save(parts, unfinished)
        except RuntimeError as error:  # how torch tells of a full disk
            raise OSError(f"{folder / STATE_FILE}: cannot be written; is the disk full?") from error


def has_state(folder: Path) -> bool:
    """Whether there is a run to go on with.

    Raises
    ------
    DataError
        If there are weights without it, which a run that begins anew would replace.
    """
    if (folder / STATE_FILE).is_file():
        return True
    if weights := [name for name in (BEST, LAST) if (folder / name).exists()]:
        raise DataError(
            f"{folder / weights[0]}: weights without a {STATE_FILE} to go on with; choose another folder, where --init "
            "may name them"
        )
    return False


def load_state(folder: Path) -> dict[str, Any] | None:
    """Read what `save_state` wrote, or None if there is nothing.

    Raises
    ------
    DataError
        If the file is damaged, or `has_state` raises it.
    """
    if not has_state(folder):
        return None
    path = folder / STATE_FILE
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # the unpickler runs on damaged instructions
        raise DataError(f"{path}: is damaged; choose another folder") from error


class Ema:
    """Exponential moving average of a network's weights and its statistics of batches; counters follow at once."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after a step; the average is short at first."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                self.state[name].lerp_(tensor, 1 - decay)
            else:
                self.state[name].copy_(tensor)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a saved average."""
        for name, tensor in state.items():
            self.state[name].copy_(tensor)


class CsvLog:
    """Rows of named numbers, appended to a file whose header is written once."""

    def __init__(self, path: Path, columns: list[str]):
        self.path, self.columns = path, columns
        self._rows: list[list[Any]] = []
        if path.exists():
            # a run of an earlier version goes on with the columns that it has
            with path.open(newline="") as file:
                self.columns = next(csv.reader(file), columns)
        else:
            self._rows.append(columns)
        self._append()

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row, at once or with a later one; a missing column stays empty."""
        self._rows.append([row.get(column, "") for column in self.columns])
        # on Windows nobody may write to what a spreadsheet shows; that is no reason to end a training
        with suppress(PermissionError):
            self._append()

    def _append(self) -> None:
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerows(self._rows)
        self._rows.clear()
