"""Sessions in files: a zip of what the user made, as JSON, and of its pixels, as arrays. Nothing in it is pickled."""

import io
import json
import math
import os
import platform
import zipfile
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from ..backends.choice import version_of
from ..backends.model import digest_of
from ..io.files import npy_header, replacing
from .objects import REMEMBERED, BoxObject, State, Window
from .patches import HandEdit, Patch
from .planes import Plane, blank_labels
from .session import Session

SUFFIX = ".swin-litemedsam.zip"
FORMAT = 1
_PACKAGES = ("napari-swin-litemedsam", "napari", "torch", "numpy")
_LATER: dict[str, Any] = {"drawn_points": [], "drawn_scribble": None}
_MOST_TEXT = 256 * 2**20  # bytes of JSON, far above what thousands of objects take


class SessionFileError(ValueError):
    """A file that is no session, or one of another image; the message says which."""


@dataclass(frozen=True)
class Origin:
    """What a session is of, and what its masks were made with."""

    image: str = ""
    path: str = ""
    window: Window = None
    weights: str = ""  # name, and hash of the file


@dataclass
class Saved:
    """A session between a file and the screen.

    Parameters
    ----------
    shape : tuple of int
        Of the image without its colour axis.
    origin : Origin
        Where it comes from.
    objects : list of dict
        By object, the fields that undo remembers too: values that are never changed.
    result : array, optional
        ``shape``, what was committed.
    """

    shape: tuple[int, ...]
    origin: Origin
    objects: list[dict[str, Any]] = field(default_factory=list)
    result: NDArray | None = None


def snapshot(session: Session, origin: Origin) -> Saved:
    """Take down all of a session; quick, so that it can be written in a worker while the session goes on."""
    objects = []
    for item in session.objects.values():
        fields: dict[str, Any] = {"id": item.id}
        for name in REMEMBERED:
            value = getattr(item, name)
            fields[name] = dict(value) if isinstance(value, dict) else value
        objects.append(fields)
    return Saved(session.shape, origin, objects, session.result)


def restore(session: Session, saved: Saved, windows: tuple[Window, Window] = (None, None)) -> None:
    """Put a saved session in the place of the present one, as a step that can be undone.

    Parameters
    ----------
    session : Session
        The present one.
    saved : Saved
        The other; its result is not copied.
    windows : tuple
        The intensities that the image shows, and showed before.

    Raises
    ------
    SessionFileError
        If it is of an image of another shape; the present session stays as it was.
    """
    if saved.shape != session.shape:
        raise SessionFileError(
            f"the session is of an image of {_sides(saved.shape)} pixels, but this one has {_sides(session.shape)}"
        )
    items = [BoxObject(**fields) for fields in saved.objects]
    for item in items:
        if item.state is State.RUNNING:
            item.state = State.WAITING
        for plane in {*item.answers, *item.hand}:
            item.compose(plane)
    session.replace_all(items, saved.result, _channel_of(items, session), windows)


def _channel_of(items: list[BoxObject], session: Session) -> int | None:
    """The axis that held channels when objects were drawn, as far as they tell."""
    planes = {plane for item in items for plane in item.boxes}
    for channel in (session.channel, None, *range(len(session.shape))):
        if all(Plane.of(session.shape, p.spans, [place or 0 for place in p.at], channel) == p for p in planes):
            return channel
    return session.channel


def write(path: str | os.PathLike, saved: Saved) -> None:
    """Write a session; the file is whole or not there."""
    bits: list[NDArray[np.uint8]] = []
    objects = [_plain(fields, bits) for fields in saved.objects]
    arrays = {"bits": np.concatenate([np.zeros(0, np.uint8), *bits])}
    corner = None
    if saved.result is not None:
        corner, arrays["result"] = _cropped(saved.result)
    text = {
        "format": FORMAT,
        "saved": datetime.now().isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()} | {name: version_of(name) for name in _PACKAGES},
        "shape": saved.shape,
        "origin": asdict(saved.origin),
        "objects": objects,
        "result": corner,
    }
    with replacing(path) as unfinished, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("session.json", json.dumps(text, indent=1))
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def read(path: str | os.PathLike) -> Saved:
    """Read a session.

    Raises
    ------
    SessionFileError
        If the file is missing, damaged, or not a session.
    """
    name = Path(path).name
    try:
        with zipfile.ZipFile(path) as file:
            if file.getinfo("session.json").file_size > _MOST_TEXT:
                raise ValueError("its description is too large")
            text = json.loads(file.read("session.json"))
            if text["format"] != FORMAT:
                raise SessionFileError(f"'{name}' was written by another version of this plugin")
            shape = tuple(int(side) for side in text["shape"])
            bits = _array(file, "bits.npy", np.uint8)
            result = None
            if text["result"] is not None:
                result = _uncropped(text["result"], _array(file, "result.npy", np.integer, shape), shape)
        origin = text["origin"]
        window = None if origin["window"] is None else tuple(float(limit) for limit in origin["window"])
        source = _Bits(bits)
        objects = [_fields(plain, source, shape) for plain in text["objects"]]
        return Saved(shape, Origin(**{**origin, "window": window}), objects, result)
    except SessionFileError:
        raise
    except OSError as error:
        raise SessionFileError(f"'{name}' cannot be read: {error.strerror or error}") from error
    except Exception as error:
        raise SessionFileError(f"'{name}' is damaged or is not a session of this plugin: {error}") from error


@lru_cache(maxsize=8)
def weights_of(checkpoint: Path) -> str:
    """Name and hash of a file of weights."""
    return f"{checkpoint.name} sha256:{digest_of(checkpoint)}"


def _cropped(labels: NDArray) -> tuple[tuple[int, ...], NDArray]:
    """The part of an array that holds something, and where it begins."""
    part = (find_objects((labels != 0).view(np.uint8)) or [(slice(0, 0),) * labels.ndim])[0]
    return tuple(side.start for side in part), labels[part].copy()


def _uncropped(corner: list[int], part: NDArray, shape: tuple[int, ...]) -> NDArray:
    """The array that a part was taken from; where there is nothing, it takes no memory."""
    ends = [start + side for start, side in zip(corner, part.shape, strict=True)]
    if min(corner) < 0 or any(end > side for end, side in zip(ends, shape, strict=True)):
        raise ValueError("the result does not fit")
    # the user's own labels may have ids that no object can have
    wide = np.promote_types(part.dtype, np.uint16)
    labels = blank_labels(shape) if wide == np.uint16 else np.zeros(shape, wide)
    labels[tuple(slice(start, end) for start, end in zip(corner, ends, strict=True))] = part
    return labels


def _array(file: zipfile.ZipFile, name: str, kind: Any, most: tuple[int, ...] | None = None) -> NDArray:
    """An array of a zip, its claims checked before memory is taken for it."""
    with file.open(name) as member:
        sides, dtype = npy_header(member)
    claimed = math.prod(sides) * dtype.itemsize
    if dtype.hasobject or not np.issubdtype(dtype, kind) or claimed > file.getinfo(name).file_size:
        raise ValueError(f"{name} is not what it should be")
    if most is not None and (len(sides) != len(most) or any(np.greater(sides, most))):
        raise ValueError(f"{name} is larger than the image")
    return np.lib.format.read_array(io.BytesIO(file.read(name)), allow_pickle=False)


def _plain(value: Any, bits: list[NDArray[np.uint8]]) -> Any:
    """A value as JSON has it; pixels go to `bits`."""
    if isinstance(value, dict) and all(isinstance(key, Plane) for key in value):
        return [[_plain(plane, bits), _plain(part, bits)] for plane, part in value.items()]
    if isinstance(value, dict):
        return {key: _plain(part, bits) for key, part in value.items()}
    if isinstance(value, Plane):
        return [value.at, value.axis]
    if isinstance(value, Patch):
        bits.append(value.bits)
        return [value.shape, value.top, value.left, value.height, value.width]
    if isinstance(value, HandEdit):
        return [_plain(value.added, bits), _plain(value.removed, bits)]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, frozenset | tuple):
        return [_plain(part, bits) for part in value]
    return value


class _Bits:
    """Takes the pixels of one patch after the other, in the order in which they were written."""

    def __init__(self, bits: NDArray[np.uint8]):
        self._bits, self._next = bits, 0

    def patch(self, plain: Any, plane: Plane, shape: tuple[int, ...]) -> Patch:
        (rows, columns), top, left, height, width = plain
        size = (height * width + 7) // 8
        sides = tuple(shape[axis] for axis in plane.spans)
        inside = 0 <= top <= top + height <= rows and 0 <= left <= left + width <= columns
        if (rows, columns) != sides or not inside or self._next + size > len(self._bits):
            raise ValueError("a mask does not fit")
        start, self._next = self._next, self._next + size
        return Patch((rows, columns), top, left, height, width, self._bits[start : self._next].copy())


def _fields(plain: dict[str, Any], bits: _Bits, shape: tuple[int, ...]) -> dict[str, Any]:
    """An object's fields as they were before `_plain`."""
    own = _plane(plain["plane"], shape)
    # files of before these were known have none
    plain = plain | {name: value for name, value in _LATER.items() if name not in plain}
    if plain.keys() != {"id", *REMEMBERED}:
        raise ValueError("an object has other fields than expected")
    fields: dict[str, Any] = {}
    for name, value in plain.items():
        if name == "plane":
            value = own
        elif name == "box":
            y0, x0, y1, x1 = (float(side) for side in value)
            value = y0, x0, y1, x1
        elif name in ("points", "drawn_points"):
            value = np.array(value, float).reshape(-1, 2)
        elif name == "point_labels":
            value = np.array(value, int).reshape(len(plain["points"]))
        elif name in ("scribble", "drawn_scribble"):
            value = None if value is None else bits.patch(value, own, shape)
        elif name == "state":
            value = State(value)
        elif name == "result_planes":
            value = frozenset(_plane(plane, shape) for plane in value)
        elif name in ("answers", "hand", "carried", "anchors", "ious", "ends"):
            parts = ((_plane(plane, shape), part) for plane, part in value)
            value = {plane: _part(name, part, plane, bits, shape) for plane, part in parts}
        fields[name] = value
    return fields


def _part(name: str, part: Any, plane: Plane, bits: _Bits, shape: tuple[int, ...]) -> Any:
    if name == "answers":
        return bits.patch(part, plane, shape)
    if name == "hand":
        added, removed = part
        return HandEdit(bits.patch(added, plane, shape), bits.patch(removed, plane, shape))
    if name == "ends":
        return str(part)
    if name == "ious":
        return float(part)
    y0, x0, y1, x1 = (float(side) for side in part)
    return y0, x0, y1, x1


def _plane(plain: Any, shape: tuple[int, ...]) -> Plane:
    at, axis = plain
    plane = Plane(tuple(at), axis)
    places = [place for place in at if place is not None]
    inside = all(place is None or 0 <= place < side for place, side in zip(at, shape, strict=True))
    if not inside or len(shape) - len(places) != 2 or (axis is not None and at[axis] is None):
        raise ValueError("a slice lies outside the image")
    return plane


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
