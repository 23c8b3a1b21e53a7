"""NIfTI files. nibabel reads them: ITK fills the missing part of a cut-off file with zeros and straightens shears."""

import gzip
import os
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Geometry, Scan
from .files import CaseError, check_claim, native, replacing, require_file, telling

SUFFIXES = (".nii", ".nii.gz")
_LONGEST = 2**15 - 1  # side of what is written, NIfTI-1
_LABELS = "label"  # the intent by which a file tells that its numbers are ids
_IN_MM = {"meter": 1000.0, "micron": 0.001}
# RAS, as NIfTI has it, to LPS and back
_TURN = np.diag([-1.0, -1.0, 1.0, 1.0])
_REVERSE = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], float)


def read_nifti(path: str | os.PathLike) -> Scan:
    """Read an image or a volume of one channel.

    Raises
    ------
    CaseError
        If the file is none, is cut off, or holds colours or more than three axes.
    """
    path = require_file(path)
    image = _open(path)
    with telling(path, zlib.error, TypeError, _header_error()):
        array = native(np.asanyarray(image.dataobj))
        # the axes after the third are known to be one long
        array = array.reshape(array.shape[:3], order="F")
        return Scan(array.T, _geometry(image.header, array.ndim), (path,))


def write_nifti(
    path: str | os.PathLike, labels: NDArray[np.unsignedinteger], geometry: Geometry, source: Iterable[Path] = ()
) -> None:
    """Write label ids in the smallest type; the file appears only when complete.

    Where `source` is the NIfTI file that the geometry came from, both its transforms are kept bit for bit.

    Raises
    ------
    ValueError
        If a side is too long.
    """
    import nibabel

    check_sides(path, labels.shape)
    header = _header_of(source, labels.shape, geometry)
    if header is None:
        affine = _to_nifti(geometry)
        image = nibabel.Nifti1Image(labels.T, affine)
        image.set_sform(affine, code=1)
        image.set_qform(affine, code=1)
        image.header.set_xyzt_units("mm")
    else:
        image = nibabel.Nifti1Image(labels.T, None, header)
        image.header.set_data_dtype(labels.dtype)
        image.header.set_slope_inter(1, 0)
        image.header["cal_min"] = image.header["cal_max"] = 0
        image.header.extensions.clear()
    image.header.set_intent(_LABELS)
    with replacing(path) as unfinished:
        nibabel.save(image, unfinished)


def check_sides(path: str | os.PathLike, shape: Sequence[int]) -> None:
    """Check that a file can hold labels of this shape.

    Raises
    ------
    ValueError
        If it cannot.
    """
    if max(shape) > _LONGEST:
        raise ValueError(f"{path}: a side of {max(shape)} pixels is too long for NIfTI; choose .nrrd, .mha or .tif")


def tells_labels(path: str | os.PathLike) -> bool:
    """Whether the header says that the file holds label ids; errors as `read_nifti`."""
    return _open(require_file(path)).header.get_intent()[0] == _LABELS


def _header_error() -> type[Exception]:
    from nibabel.spatialimages import HeaderDataError

    return HeaderDataError


def _open(path: Path) -> Any:
    """The image with its header read, its pixels not yet but known to be there."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.wrapstruct import WrapStructError

    known = (zlib.error, TypeError, KeyError, OverflowError, ImageFileError, _header_error(), WrapStructError)
    with telling(path, *known):
        image: Any = None
        for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
            if kind.path_maybe_image(path)[0]:
                image = kind.from_filename(path, mmap=False)
                break
        if image is None:
            raise CaseError(f"{path}: not a NIfTI file")
        header = image.header
        dtype, shape = header.get_data_dtype(), tuple(int(side) for side in header.get_data_shape())
        if dtype.fields is not None:
            raise CaseError(f"{path}: holds colours; only volumes of one channel can be read")
        if dtype.kind not in "uif":
            raise CaseError(f"{path}: holds {dtype} numbers, which are no intensities")
        if len(shape) < 2 or any(side != 1 for side in shape[3:]):
            raise CaseError(f"{path}: has {len(shape)} axes {shape}; only images and volumes can be read, so split it")
        # that of the header is for files to be written
        offset = image.dataobj.offset
        if offset < header.single_vox_offset:
            raise CaseError(f"{path}: its pixels would begin within the header, at byte {offset}")
        with open(path, "rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
        size = check_claim(path, shape, dtype, path.stat().st_size - (0 if compressed else offset), compressed)
        if compressed and _unpacked(path, offset + size) < offset + size:
            raise CaseError(f"{path}: claims {size} bytes for shape {shape}, but is cut off before them")
        return image


def _unpacked(path: Path, wanted: int) -> int:
    """How many bytes a gzip file holds, counting to `wanted` at most, without keeping them."""
    with open(path, "rb") as raw:
        raw.seek(-4, os.SEEK_END)
        if int.from_bytes(raw.read(4), "little") == wanted % 2**32:
            return wanted
    count = 0
    with gzip.open(path) as file:
        while count < wanted and (block := file.read(2**20)):
            count += len(block)
    return count


def _geometry(header: Any, ndim: int) -> Geometry:
    in_mm = 1.0
    # the units' upper bits tell of time
    with suppress(KeyError):
        in_mm = _IN_MM.get(header.get_xyzt_units()[0], 1.0)
    if header["sform_code"] > 0 or header["qform_code"] > 0:
        affine = header.get_best_affine()
        affine[:3] *= in_mm
        affine = _REVERSE @ _TURN @ affine @ _REVERSE
    else:
        # no place is known: as ITK has it
        zooms = [*map(float, header.get_zooms()[:3]), 1.0][:3]
        affine = np.diag([*(in_mm * zoom for zoom in zooms[::-1]), 1.0])
    keep = [0, 1, 2, 3][3 - ndim :]
    return Geometry.from_affine(affine[np.ix_(keep, keep)])


def _to_nifti(geometry: Geometry) -> NDArray[np.float64]:
    affine = np.eye(4)
    keep = [0, 1, 2, 3][3 - geometry.ndim :]
    affine[np.ix_(keep, keep)] = geometry.affine
    return _TURN @ _REVERSE @ affine @ _REVERSE


def _header_of(source: Iterable[Path], shape: tuple[int, ...], geometry: Geometry) -> Any:
    """A copy of the source's header, if it still describes the same pixels."""
    import nibabel

    paths = list(source)
    if len(paths) != 1 or not str(paths[0]).lower().endswith(SUFFIXES):
        return None
    try:
        image = _open(paths[0])
    except CaseError:
        return None
    alike = tuple(image.shape[:3])[::-1] == shape and _geometry(image.header, len(shape)) == geometry
    return image.header.copy() if alike and isinstance(image, nibabel.Nifti1Image) else None
