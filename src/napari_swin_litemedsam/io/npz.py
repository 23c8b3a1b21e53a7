"""Cases of the CVPR 2024 challenge "Segment Anything in Medical Images on Laptop": npz in, npz out."""

import math
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..geometry import Geometry, Scan
from .files import MAX_BYTES, MAX_RATIO, CaseError, npy_header, replacing, smallest_labels


@dataclass(frozen=True)
class Case:
    """One image and its boxes, as stored.

    Parameters
    ----------
    image : array
        ``(H, W)`` or ``(H, W, 3)``, or for a volume ``(Z, H, W)``.
    boxes : array or None
        ``(N, 4)`` x_min, y_min, x_max, y_max; for a volume ``(N, 6)`` x_min, y_min, z_min, x_max, y_max, z_max
        with z_max exclusive.
    spacing : array or None
        Of the volume's pixels, in the order of the file.
    truth : array or None
        Label ids, of the image's height, width (and depth).
    is_volume : bool
        Whether the image is a volume.
    """

    image: NDArray
    boxes: NDArray[np.float64] | None
    spacing: NDArray[np.float64] | None
    truth: NDArray | None
    is_volume: bool


def read_case(path: str | os.PathLike) -> Case:
    """Read ``imgs`` and, where present, ``boxes``, ``spacing`` and ``gts``.

    Raises
    ------
    CaseError
        If the file cannot be read or its arrays do not fit each other.
    """
    arrays = read_arrays(path, ("imgs", "boxes", "spacing", "gts"))
    image, boxes = arrays.get("imgs"), arrays.get("boxes")
    if image is None:
        raise CaseError(f"{path}: holds no array 'imgs'")
    if image.dtype.kind not in "buif" or image.ndim not in (2, 3) or image.size == 0:
        raise CaseError(f"{path}: 'imgs' is no image; its shape is {image.shape} and its type {image.dtype}")
    if boxes is not None:
        boxes = _check_boxes(path, boxes)
    six_columns = boxes is not None and boxes.shape[1] == 6
    # only the boxes tell a colour image from a volume that is three or four pixels wide
    is_volume = image.ndim == 3 and (six_columns or (boxes is None and image.shape[2] not in (3, 4)))
    if boxes is not None and is_volume != six_columns:
        raise CaseError(f"{path}: boxes of {boxes.shape[1]} numbers do not fit an image of shape {image.shape}")
    if image.ndim == 3 and not is_volume and image.shape[2] not in (3, 4):
        raise CaseError(f"{path}: boxes of 4 numbers do not fit a volume of shape {image.shape}")
    truth = arrays.get("gts")
    if truth is not None:
        truth = _check_labels(path, "gts", truth)
        size = image.shape if is_volume else image.shape[:2]
        if truth.shape != size:
            raise CaseError(f"{path}: 'gts' has shape {truth.shape}, the image {size}")
    return Case(image, boxes, _check_spacing(path, arrays.get("spacing")), truth, is_volume)


def case_scan(path: str | os.PathLike, case: Case) -> Scan:
    """The case's image, with the spacing that its file tells in the order of SimpleITK: x, y, z."""
    ndim = 3 if case.is_volume else 2
    known = case.spacing is not None and len(case.spacing) >= ndim
    geometry = Geometry.make(case.spacing[:ndim][::-1]) if known and case.spacing is not None else None
    return Scan(case.image, geometry, (Path(path),), is_colour=case.image.ndim > ndim)


def read_case_labels(
    path: str | os.PathLike, keys: tuple[str, ...] = ("segs", "gts")
) -> tuple[NDArray, NDArray[np.float64] | None]:
    """Read the first of the named label arrays and, where present, the spacing in the order of the file.

    Raises
    ------
    CaseError
        If the file cannot be read or holds no such labels.
    """
    arrays = read_arrays(path, (*keys, "spacing"))
    key = next((key for key in keys if key in arrays), None)
    if key is None:
        raise CaseError(f"{path}: holds no array {' or '.join(map(repr, keys))}")
    return _check_labels(path, key, arrays[key]), _check_spacing(path, arrays.get("spacing"))


def write_segmentation(path: str | os.PathLike, labels: ArrayLike) -> None:
    """Write ``segs``, as uint8 or, above 255 objects, as uint16; the file appears only when complete."""
    labels = smallest_labels(labels)
    with replacing(path) as unfinished, open(unfinished, "wb") as file:
        np.savez_compressed(file, segs=labels)


def read_arrays(path: str | os.PathLike, keys: tuple[str, ...]) -> dict[str, NDArray]:
    """Read those of the named arrays that an npz file holds, never unpickling anything.

    Raises
    ------
    CaseError
        If the file is missing, broken, or claims sizes that it cannot hold.
    """
    path = Path(path)
    if not path.is_file():
        raise CaseError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
            for key in keys:
                if info := members.get(f"{key}.npy"):
                    _check_size(path, archive, info)
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in keys if f"{key}.npy" in members}
    except CaseError:
        raise
    except zipfile.BadZipFile as error:
        raise CaseError(f"{path}: not a whole npz file ({error})") from error
    except Exception as error:  # zip, zlib and NumPy's parser of headers raise whatever their depths raise
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise CaseError(f"{path}: cannot be read ({told})") from error


def _check_size(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Refuse an array whose claimed size does not fit the bytes that are there, before allocating it."""
    with archive.open(info) as member:
        shape, dtype = npy_header(member)
        header = member.tell()
    if dtype.hasobject:
        raise CaseError(f"{path}: '{info.filename}' holds Python objects, which are not unpickled")
    # Python's numbers do not overflow as NumPy's would
    size = math.prod(shape) * dtype.itemsize
    if header + size != info.file_size or info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise CaseError(
            f"{path}: '{info.filename}' claims {size} bytes for shape {shape}, which the file does not hold"
        )
    if size > MAX_BYTES:
        raise CaseError(f"{path}: '{info.filename}' of shape {shape} is larger than {MAX_BYTES >> 30} GiB")


def _check_boxes(path: str | os.PathLike, boxes: NDArray) -> NDArray[np.float64]:
    if boxes.ndim == 1 and boxes.size in (4, 6):
        boxes = boxes[None]
    if boxes.ndim != 2 or boxes.shape[1] not in (4, 6) or boxes.dtype.kind not in "uif":
        raise CaseError(f"{path}: 'boxes' must be (N, 4) or (N, 6) numbers, not {boxes.shape} {boxes.dtype}")
    boxes = boxes.astype(np.float64)
    if not np.isfinite(boxes).all():
        raise CaseError(f"{path}: 'boxes' holds NaN or infinite numbers")
    return boxes


def _check_spacing(path: str | os.PathLike, spacing: NDArray | None) -> NDArray[np.float64] | None:
    if spacing is None:
        return None
    if spacing.dtype.kind not in "uif" or spacing.ndim != 1 or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise CaseError(f"{path}: 'spacing' must be positive numbers, not {spacing}")
    return spacing.astype(np.float64)


def _check_labels(path: str | os.PathLike, key: str, labels: NDArray) -> NDArray:
    if labels.dtype.kind not in "bui" or labels.ndim not in (2, 3):
        raise CaseError(f"{path}: '{key}' must be 2D or 3D whole numbers, not {labels.shape} {labels.dtype}")
    return labels
