"""What all formats share: errors, checks of claimed sizes, and files that are either whole or not there."""

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import ArrayLike, DTypeLike, NDArray

MAX_BYTES = 2**33
# deflate cannot do better than 1032:1, so a larger claim is a lie
MAX_RATIO = 1100
# beyond, float64 leaves whole numbers out
_MAX_WHOLE = 2**53
# what a file's scale, in float32, makes of whole numbers: SPM stores masks of 0 and 1 as 0 and 255
_ROUNDING = 1e-6


class CaseError(ValueError):
    """A file that is no usable case; the message says why."""


def folders_in(root: Path) -> list[Path]:
    """A folder and all below it, also those that links lead to, unless they lead back; hidden ones are left out."""
    found = {root: [root.resolve()]}  # with all that lies above them, as it really is
    for name, below, _ in os.walk(root, followlinks=True):
        above = found[Path(name)]
        there = {Path(name, each): Path(name, each).resolve() for each in below if not each.startswith(".")}
        found |= {place: [*above, real] for place, real in there.items() if real not in above}
        below[:] = [place.name for place in there if place in found]
    return sorted(found)


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block succeeds.

    Whatever goes wrong, the old file stays as it was and no temporary file is left.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # the whole name stays at the end, since image writers choose the format by it; ITK takes .MHA for .mhd
    unfinished = path.with_name(f".{os.getpid()}.part.{path.name.lower()}")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def telling(path: str | os.PathLike, *errors: type[Exception]) -> Iterator[None]:
    """Turn what a format's library raises into a `CaseError` of one line that names the file."""
    known: tuple[type[Exception], ...] = (OSError, EOFError, ValueError, MemoryError, *errors)
    try:
        yield
    except CaseError:
        raise
    except known as error:
        # the last line: libraries in C++ put their own source file before it
        told = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
        raise CaseError(f"{path}: cannot be read ({told})") from error


def require_file(path: str | os.PathLike) -> Path:
    """The path, if there is such a file.

    Raises
    ------
    CaseError
        If there is none.
    """
    path = Path(path)
    if not path.is_file():
        raise CaseError(f"{path}: no such file")
    return path


def npy_header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type that an open ``.npy`` file claims; what is left to read in it is its content."""
    version = npy_format.read_magic(member)
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, _, dtype = read(member)
    return shape, dtype


def check_claim(
    path: Path, shape: Iterable[int], dtype: DTypeLike, available: int, compressed: bool, limit: int | None = None
) -> int:
    """Number of bytes that an array takes, if the bytes in the file can hold it; to be called before allocating.

    Parameters
    ----------
    path : Path
        The file, for the message.
    shape, dtype
        What its header claims.
    available : int
        Bytes after the header.
    compressed : bool
        Whether they may stand for more.
    limit : int, optional
        `MAX_BYTES` by default.

    Raises
    ------
    CaseError
        If the claim is false, or the array larger than the limit.
    """
    # Python's numbers do not overflow as NumPy's would
    shape = tuple(int(side) for side in shape)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= 0 or min(shape) <= 0:
        raise CaseError(f"{path}: holds no pixels; its shape is {shape}")
    if size > available * (MAX_RATIO if compressed else 1):
        what = "cannot hold" if compressed else f"has only {max(available, 0)} of; it is cut off or damaged"
        raise CaseError(f"{path}: claims {size} bytes for shape {shape}, which the file {what}")
    limit = MAX_BYTES if limit is None else limit
    if size > limit:
        raise CaseError(f"{path}: its shape {shape} takes {size / 2**30:.1f} GiB; the limit is {limit >> 30} GiB")
    return size


def native(array: NDArray) -> NDArray:
    """The array in this machine's byte order."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def whole_numbers(path: str | os.PathLike, array: NDArray) -> NDArray[np.integer]:
    """Label ids that a file may hold as floats.

    Raises
    ------
    CaseError
        If they are no whole numbers.
    """
    if array.dtype.kind in "bui":
        return array
    whole = np.rint(array) if array.dtype.kind == "f" and np.isfinite(array).all() else None
    if whole is None or (np.abs(array - whole) > _ROUNDING * np.abs(whole)).any():
        raise CaseError(f"{path}: labels are whole numbers; this holds others")
    highest = np.abs(whole).max(initial=0)
    if highest > _MAX_WHOLE:
        raise CaseError(f"{path}: labels are whole numbers; {highest:g} is too large to be one")
    return whole.astype(np.int32 if highest <= np.iinfo(np.int32).max else np.int64)


def smallest_labels(labels: ArrayLike) -> NDArray[np.unsignedinteger]:
    """Label ids as uint8 or, above 255, as uint16.

    Raises
    ------
    ValueError
        If an id does not fit.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "bui":
        raise ValueError(f"label ids are whole numbers, not {labels.dtype}")
    highest = int(labels.max(initial=0))
    if highest > np.iinfo(np.uint16).max or labels.min(initial=0) < 0:
        raise ValueError(f"label ids must lie in 0..65535; the highest is {highest}")
    return labels.astype(np.uint8 if highest <= 255 else np.uint16, copy=False)
