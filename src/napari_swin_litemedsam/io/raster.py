"""PNG, JPEG and TIFF: pixels without a place in the patient."""

import os
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..geometry import Scan
from .files import CaseError, check_claim, native, replacing, require_file, telling

TIFF = (".tif", ".tiff")
SUFFIXES = (".png", ".jpg", ".jpeg", *TIFF)


def read_picture(path: str | os.PathLike, as_labels: bool = False) -> Scan:
    """Read a grey or colour picture, or a TIFF stack of grey ones.

    Parameters
    ----------
    path : path
        The file.
    as_labels : bool
        Whether numbers stay as they are: the indices of colours, 1 instead of white where there is one bit, and the
        greys of a TIFF in which 0 is white.

    Raises
    ------
    CaseError
        If the file is none, is cut off, or holds several pictures that are not grey ones of one kind.
    """
    path = require_file(path)
    array, is_colour = _read_tiff(path, as_labels) if path.suffix.lower() in TIFF else _read_pillow(path, as_labels)
    return Scan(native(array), None, (path,), is_colour)


def write_picture(path: str | os.PathLike, labels: NDArray[np.unsignedinteger]) -> None:
    """Write label ids as PNG or, also of a volume, as TIFF; the file appears only when complete.

    Raises
    ------
    ValueError
        If the format cannot hold them.
    """
    path = Path(path)
    if path.suffix.lower() in TIFF:
        from tifffile import imwrite

        with replacing(path) as unfinished:
            imwrite(unfinished, labels, photometric="minisblack", compression="zlib")
        return
    check_picture(path, labels.ndim)
    from PIL import Image

    with replacing(path) as unfinished:
        Image.fromarray(labels).save(unfinished, format="png")


def check_picture(path: Path, ndim: int) -> None:
    """Check that a file of this ending holds labels of so many axes.

    Raises
    ------
    ValueError
        If it does not.
    """
    if path.suffix.lower() not in TIFF and ndim != 2:
        raise ValueError(f"{path}: a PNG holds no volume; choose .nii.gz, .nrrd, .mha or .tif")


def _read_pillow(path: Path, as_labels: bool) -> tuple[NDArray, bool]:
    from PIL import Image

    with telling(path, SyntaxError, Image.DecompressionBombError), warnings.catch_warnings():
        # the limit is ours, below
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path, formats=("PNG", "JPEG")) as picture:
            mode, bands = picture.mode, len(picture.getbands())
            check_claim(path, (*picture.size[::-1], bands), np.uint8, path.stat().st_size, compressed=True)
            if mode == "P":
                array = np.array(picture if as_labels else picture.convert("RGB"))
            elif mode == "1" and as_labels:
                array = np.array(picture)
            elif mode in ("1", "LA", "La"):
                array = np.array(picture.convert("L"))
            else:
                array = np.array(picture.convert("RGB") if mode == "CMYK" else picture)
    if array.dtype == np.int32:
        # how Pillow keeps 16-bit greys in some files
        array = array.astype(np.uint16) if array.min() >= 0 and array.max() <= 65535 else array
    return array, array.ndim == 3


def _read_tiff(path: Path, as_labels: bool) -> tuple[NDArray, bool]:
    from tifffile import PHOTOMETRIC, TiffFile

    # tifffile and its decoders raise whatever their depths raise
    with telling(path, Exception), TiffFile(path) as file:
        # counting the pages finds a chain of them that bites its tail; walking along it would not end
        len(file.pages)
        # beside a picture there may be smaller ones of the same, and where it is transparent
        pages = [s for s in file.series if not (s.keyframe.is_reduced or s.keyframe.is_mask)] or file.series
        series = pages[0]
        axes, shape = series.axes, series.shape
        if series.dtype is None or series.dtype.kind not in "buif":
            raise CaseError(f"{path}: holds {series.dtype} numbers, which are no intensities")
        # values of a pixel, which may lie side by side or in planes: colours, or grey and how opaque it is
        several = "S" in axes
        samples = shape[axes.index("S")] if several else 1
        if samples > 4:
            raise CaseError(f"{path}: holds {samples} values per pixel; images of one channel or in colour can be read")
        if len(shape) - several not in (2, 3):
            raise CaseError(f"{path}: has axes {axes} {shape}; only images and volumes can be read, so split it")
        if several and len(shape) == 4:
            raise CaseError(f"{path}: a volume of colours {shape}; only volumes of one channel can be read")
        if len(pages) > 1:
            kinds = {(s.axes, s.shape, s.dtype, s.keyframe.photometric) for s in pages}
            if len(kinds) > 1 or len(shape) > 2:
                raise CaseError(f"{path}: holds several images, of different kinds, in colour or volumes; split it")
            shape = (len(pages), *shape)
        check_claim(path, shape, series.dtype, path.stat().st_size, compressed=True)
        if len(pages) > 1:
            array = np.empty(shape, series.dtype)
            for plane, page in zip(array, pages, strict=True):
                plane[...] = page.asarray()
        else:
            array = series.asarray()
        meaning, colours = series.keyframe.photometric, series.keyframe.colormap
        if not as_labels and meaning == PHOTOMETRIC.PALETTE and colours is not None and array.ndim == 2:
            # they have 16 bits
            return np.moveaxis(colours[:, array] >> 8, 0, -1).astype(np.uint8), True
        if not as_labels and meaning == PHOTOMETRIC.MINISWHITE:
            array = -array if array.dtype.kind == "f" else ~array
        if not several:
            return array, False
        array = np.moveaxis(array, axes.index("S"), -1)
        return (np.ascontiguousarray(array), True) if samples > 2 else (array[..., 0].copy(), False)
