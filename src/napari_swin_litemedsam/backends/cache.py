"""Files that make the next start faster; everything works without them."""

import json
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..io.files import replacing

# measuring which backend is fastest compiles five for each of two backends; with less room it would throw out what
# other weights, or another number of threads, begin with
_MODELS = 3 * 10
"""Compiled models that are kept, up to 30 MB each: ten for each of the weights used lately."""
_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where they are: in the user's cache folder, or in that of the variable ``SWIN_LITEMEDSAM_CACHE``."""
    from platformdirs import user_cache_path

    own = os.environ.get("SWIN_LITEMEDSAM_CACHE")
    return Path(own) if own else user_cache_path("napari-swin-litemedsam", appauthor=False)


def read_cached(name: str) -> bytes | None:
    """A file's bytes, or None; it then counts as used last."""
    file = cache_folder() / name
    try:
        content = file.read_bytes()
    except OSError:
        return None
    with suppress(OSError):  # what belongs to another user can be read all the same
        os.utime(file)
    return content


def write_cached(name: str, content: bytes) -> None:
    """Write a file, or leave it if that cannot be done."""
    try:
        with replacing(cache_folder() / name) as unfinished:
            unfinished.write_bytes(content)
        for old in sorted(cache_folder().glob("*.blob"), key=lambda path: path.stat().st_mtime)[:-_MODELS]:
            old.unlink()
    except OSError as error:
        _log.info("nothing was cached: %s", error)


def read_facts(name: str) -> dict[str, Any]:
    """What a JSON file tells, or nothing."""
    try:
        facts = json.loads(read_cached(name) or b"{}")
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
