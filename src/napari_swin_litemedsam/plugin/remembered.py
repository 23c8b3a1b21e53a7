"""The model that the user chose last, for the next time that napari is opened."""

import json
import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from ..backends import NAMES
from ..backends.model import LITE_MEDSAM, has_lite_medsam
from ..io.files import replacing
from .folders import user_data
from .loading import ModelChoice

DEFAULT = ModelChoice()


def remember(choice: ModelChoice) -> None:
    """Write a choice down; where nothing can be written it is forgotten."""
    plain = {**asdict(choice), "checkpoint": str(choice.checkpoint or "")}
    with suppress(OSError), replacing(_path()) as unfinished:
        unfinished.write_text(json.dumps(plain), encoding="utf-8")


def recall(devices: Collection[str]) -> tuple[ModelChoice, str]:
    """The choice of the last time as far as it can be made again on these devices, and what is missing of it."""
    try:
        plain = json.loads(_path().read_text(encoding="utf-8"))
        checkpoint = Path(plain["checkpoint"]) if plain["checkpoint"] else None
        backend, device = str(plain["backend"]), str(plain["device"])
        mirror, zoom = bool(plain["mirror"]), bool(plain.get("zoom", DEFAULT.zoom))
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT, ""
    missing = ""
    if checkpoint is not None and not _is_there(checkpoint):
        missing = f"The checkpoint that you used last is gone: {checkpoint}. The bundled weights take its place."
        checkpoint = None
    return (
        ModelChoice(
            checkpoint,
            backend if backend in NAMES else DEFAULT.backend,
            device if device in devices else DEFAULT.device,
            mirror,
            zoom,
        ),
        missing,
    )


def _is_there(checkpoint: Path) -> bool:
    # unlike Path's, this also answers where a network drive is gone, and so the panel opens
    return has_lite_medsam() if checkpoint == Path(LITE_MEDSAM) else os.path.isfile(checkpoint)


def _path() -> Path:
    return user_data() / "model.json"
