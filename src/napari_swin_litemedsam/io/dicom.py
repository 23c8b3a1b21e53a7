"""DICOM series: slices sorted by their place, and a clear word on series that are no volume."""

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Geometry, Scan
from .files import CaseError, check_claim
from .multiframe import frames_of, is_enhanced

SUFFIXES = (".dcm", ".dicom")
# of the distance between slices
_UNEVEN = 0.1
# cosines in files have few decimals
_SAME_DIRECTION = 1e-3
# of segments, one bit a pixel or a fraction, and of label ids
_SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_DIRECTORY = "1.2.840.10008.1.3.10"
# identifiers alone do not tell images apart: some programs that remove names give all the same
IMAGE = ("SOPInstanceUID", "ImagePositionPatient", "InstanceNumber")
# how the first element of a file without preamble may begin: its group, and a kind of value or a short length
_BARE = re.compile(rb"[\x02\x08]\0..(?:AE|CS|DA|LO|OB|SH|TM|UI|UL|.\0\0\0)", re.DOTALL)


def is_dicom(path: str | os.PathLike) -> bool:
    """Whether a file says that it is DICOM, or begins as one that lacks the preamble."""
    try:
        with open(path, "rb") as file:
            start = file.read(132)
    except OSError:
        return False
    return start[128:] == b"DICM" or _BARE.match(start) is not None


def open_dicom(path: str | os.PathLike, **options: Any) -> Any:
    """Read a file by `pydicom.dcmread`, also one without a preamble or without a word on how it is encoded."""
    from pydicom import dcmread
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    data = dcmread(path, force=is_dicom(path), **options)
    if "TransferSyntaxUID" not in data.file_meta:
        implicit, little = data.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return data


def read_series(files: Iterable[Path]) -> Scan:
    """Read the images of one series as a volume, sorted by position along their normal.

    Intensities are rescaled. A single image without a position, such as a radiograph, makes a 2D scan. A single file of
    enhanced DICOM holds all images of its series.

    Raises
    ------
    CaseError
        If the images are damaged or a segmentation, or differ in size, direction or pixel spacing, if slices are
        missing, lie at the same place or are shifted sideways, or if the gantry was tilted.
    """
    paths = list(files)
    with telling(paths[0]):
        file_headers = [_header(path) for path in paths]
        headers = _image_headers(file_headers, paths)
        shape = _same_shape(headers, paths)
        is_colour = len(shape) == 3
        order, geometry = _arrange(headers, paths, flat=is_colour)
        _check_claim(paths, file_headers[0], (len(headers), *shape))
    array = _pixels(paths, headers, order, shape)
    if len(paths) > 1:
        paths = [paths[i] for i in order]
    return Scan(array if geometry and geometry.ndim == 3 else array[0], geometry, tuple(paths), is_colour)


def is_segmentation(path: str | os.PathLike) -> bool:
    """Whether a file is DICOM-SEG."""
    header = peek(Path(path))
    return header is not None and holds_labels(header)


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Raise all that goes wrong with a file in the block as a `CaseError`, and keep pydicom's remarks to ourselves."""
    try:
        with warnings.catch_warnings():
            # pydicom remarks on every value that strays from the standard
            warnings.simplefilter("ignore")
            yield
    except CaseError:
        raise
    except Exception as error:  # pydicom raises whatever its depths raise
        told = " ".join(str(error).split()) or type(error).__name__
        raise CaseError(f"{path}: cannot be read ({told})") from error


def peek(path: Path) -> Any:
    """What tells series apart in the header of a file; None if it is no DICOM."""
    tags = [*IMAGE, "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality", "SOPClassUID"]
    tags += ["Rows", "Columns", "NumberOfFrames", "ImageType"]
    try:
        with telling(path):
            return open_dicom(path, stop_before_pixels=True, specific_tags=tags) if is_dicom(path) else None
    except CaseError:
        return None


def _header(path: Path) -> Any:
    with telling(path):
        header = open_dicom(path, stop_before_pixels=True)
        if header.file_meta.get("MediaStorageSOPClassUID") == _DIRECTORY:
            raise CaseError(f"{path}: a list of DICOM files; name the folder that it lies in")
        if "Rows" not in header or "Columns" not in header:
            raise CaseError(f"{path}: holds no image")
        if holds_labels(header):
            raise CaseError(f"{path}: a DICOM segmentation, which holds labels and no image")
    return header


def holds_labels(header: Any) -> bool:
    """Whether a header is that of DICOM-SEG."""
    return header.get("SOPClassUID") in _SEGMENTATIONS


def _image_headers(headers: Sequence[Any], paths: Sequence[Path]) -> list[Any]:
    """A header for each image, where a file may hold several."""
    found = [frames_of(header) if is_enhanced(header) else [header] for header in headers]
    if len(found) > 1 and max(map(len, found)) > 1:
        raise CaseError(f"{paths[0].parent}: the series has several files of several images each; choose one of them")
    return [frame for frames in found for frame in frames]


def _same_shape(headers: Sequence[Any], paths: Sequence[Path]) -> tuple[int, ...]:
    all_sizes = [(int(h.Rows), int(h.Columns), int(h.get("SamplesPerPixel", 1))) for h in headers]
    sizes = Counter(all_sizes)
    if len(sizes) > 1:
        listed = ", ".join(f"{n} of {rows} x {columns}" for (rows, columns, _), n in sizes.most_common())
        odd = paths[all_sizes.index(sizes.most_common()[-1][0])].name
        raise CaseError(f"{paths[0].parent}: the images of the series differ in size: {listed}, such as {odd}")
    ((rows, columns, channels),) = sizes
    if _is_indexed(headers[0]):
        channels = 3
    if channels not in (1, 3) or (channels == 3 and len(headers) > 1):
        raise CaseError(f"{paths[0]}: a volume of {channels} values per pixel; only one channel can be read")
    return (rows, columns) if channels == 1 else (rows, columns, channels)


def _is_indexed(header: Any) -> bool:
    """Whether the pixels are indices of colours."""
    return header.get("PhotometricInterpretation") == "PALETTE COLOR"


def _arrange(headers: Sequence[Any], paths: Sequence[Path], flat: bool) -> tuple[list[int], Geometry | None]:
    """Order of the images along their normal, and the geometry of the volume, or of a flat image."""
    path = paths[0]
    placed = [
        h.get("ImagePositionPatient") is not None and h.get("ImageOrientationPatient") is not None for h in headers
    ]
    spacing = _pixel_spacing(headers, path)
    if len(headers) == 1 and (flat or not placed[0]):
        return [0], None if spacing is None else Geometry.make(spacing)
    if not all(placed):
        raise CaseError(f"{path.parent}: {placed.count(False)} images of the series tell no position")
    if spacing is None:
        raise CaseError(f"{path.parent}: the images of the series tell no pixel spacing")
    directions = np.array([[float(v) for v in h.ImageOrientationPatient] for h in headers])
    turned = np.abs(directions - np.median(directions, axis=0)).max(axis=1)
    if turned.max() > _SAME_DIRECTION:
        # of an enhanced file all images are in one
        odd = f", such as {paths[int(turned.argmax())].name}" if len(paths) > 1 else ""
        raise CaseError(f"{path.parent}: the images of the series lie in different directions{odd}")
    along_row, along_column = _unit(directions[0].reshape(2, 3))
    # at a right angle to the rows, too, unless decimals are missing
    (normal,) = _unit(np.cross(along_row, along_column)[None])
    positions = np.array([[float(v) for v in h.ImagePositionPatient] for h in headers])
    heights = positions @ normal
    order = np.argsort(heights, kind="stable")
    positions, heights = positions[order], heights[order]
    between = _slice_distance(heights, headers[0], path)
    drift = np.linalg.norm(positions - positions[0] - np.outer(heights - heights[0], normal), axis=1)
    if drift[-1] > 0.5 * min(spacing):
        angle = np.degrees(np.arctan2(drift[-1], heights[-1] - heights[0]))
        raise CaseError(f"{path.parent}: the gantry was tilted by {angle:.1f} degrees; resample the series first")
    if drift.max() > 0.5 * min(spacing):
        raise CaseError(f"{path.parent}: images of the series are shifted sideways by up to {drift.max():.1f} mm")
    # columns are the array's axes z, y, x; rows the world's
    direction = np.stack([normal, along_column, along_row], axis=1)[::-1]
    return order.tolist(), Geometry.make((between, *spacing), positions[0][::-1], direction)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors, ``(N, 3)``, made one long; those without a length stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def _pixel_spacing(headers: Sequence[Any], path: Path) -> tuple[float, float] | None:
    """Distance of rows and of columns."""
    known = [h.get("PixelSpacing") or h.get("ImagerPixelSpacing") for h in headers]
    if any(value is None for value in known):
        return None
    values = np.array([[float(v) for v in value] for value in known])
    if not np.allclose(values, values[0], rtol=1e-3):
        raise CaseError(f"{path.parent}: the images of the series differ in pixel spacing")
    return float(values[0, 0]), float(values[0, 1])


def _slice_distance(heights: NDArray[np.float64], header: Any, path: Path) -> float:
    if len(heights) == 1:
        # some scanners count it downwards
        return abs(float(header.get("SpacingBetweenSlices") or header.get("SliceThickness") or 1))
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    # the usual gap itself is none if most places are taken twice
    if gaps.min() < max(1e-3, 0.01 * usual):
        raise CaseError(
            f"{path.parent}: several images of the series lie at the same place; are they of several echoes or times?"
        )
    wrong = np.flatnonzero(np.abs(gaps - usual) > _UNEVEN * usual)
    if len(wrong):
        missing = np.rint(gaps[wrong] / usual) - 1
        even = missing.min() > 0 and (np.abs(gaps[wrong] - (missing + 1) * usual) <= _UNEVEN * usual).all()
        where = f"between {heights[wrong[0]]:.1f} and {heights[wrong[0] + 1]:.1f} mm"
        told = f"{int(missing.sum())} slices are missing, the first {where}" if even else f"slices are uneven, {where}"
        raise CaseError(f"{path.parent}: {told}; usually they are {usual:.2f} mm apart")
    return float((heights[-1] - heights[0]) / (len(heights) - 1))


def _check_claim(paths: Sequence[Path], header: Any, shape: tuple[int, ...]) -> None:
    dtype = np.dtype(f"u{max(1, int(header.get('BitsAllocated', 16)) // 8)}")
    syntax = header.file_meta.TransferSyntaxUID
    compressed = bool(syntax.is_compressed or syntax.is_deflated)
    # what is looked up in a table is not in the file
    shape = shape[:3] if _is_indexed(header) else shape
    if header.get("PhotometricInterpretation") == "YBR_FULL_422":
        # two pixels share their colour
        shape = (*shape[:3], 2)
    check_claim(paths[0], shape, dtype, sum(path.stat().st_size for path in paths), compressed)


def _stored(paths: Sequence[Path], order: Sequence[int]) -> Iterator[tuple[Path, Any, NDArray]]:
    """File, data set and stored pixels of each image, in their order in space."""
    if len(paths) < len(order):
        with telling(paths[0]):
            data = open_dicom(paths[0])
            images = data.pixel_array
        yield from ((paths[0], data, images[i]) for i in order)
        return
    for path in (paths[i] for i in order):
        with telling(path):
            data = open_dicom(path)
            stored = data.pixel_array
        yield path, data, stored


def _pixels(paths: Sequence[Path], headers: Sequence[Any], order: Sequence[int], shape: tuple[int, ...]) -> NDArray:
    """Rescaled intensities, ``(Z, Y, X)`` or ``(1, Y, X, 3)``; whole numbers stay whole, padding is the least other."""
    with telling(paths[0]):
        scales = [
            (float(h.get("RescaleSlope", 1) or 1), float(h.get("RescaleIntercept", 0) or 0))
            for h in (headers[i] for i in order)
        ]
        # without a sign to tell of, numbers are floats
        whole = all("PixelRepresentation" in h for h in headers)
        wide = any(int(h.get("BitsAllocated", 16)) > 16 for h in headers)
    whole = whole and all(slope == 1 and intercept.is_integer() for slope, intercept in scales)
    kind = np.int64 if wide else np.int32
    volume: NDArray = np.empty((len(order), *shape), kind if whole else np.float32)
    paddings: list[NDArray[np.bool_] | None] = []
    for image, (path, data, stored), (slope, intercept) in zip(volume, _stored(paths, order), scales, strict=True):
        with telling(path):
            paddings.append(_padding(stored, data) if len(shape) == 2 else None)
            stored = _looked_up(stored, data)
        if stored.shape != shape:
            raise CaseError(f"{path}: holds {stored.shape} pixels instead of {shape}")
        with telling(path):
            if data.get("PhotometricInterpretation") == "MONOCHROME1":
                # the lowest value is white: turned over, to look as it should
                low, high = (-(2 ** (data.BitsStored - 1)), 2 ** (data.BitsStored - 1) - 1)
                stored = (low + high if data.PixelRepresentation else 2**data.BitsStored - 1) - stored.astype(kind)
            image[...] = stored * slope + intercept if not whole else stored.astype(kind) + int(intercept)
    _fill(volume, paddings)
    return _narrowed(volume) if whole else volume


def _padding(stored: NDArray, data: Any) -> NDArray[np.bool_] | None:
    """Which stored pixels stand for none; None if all are pixels."""
    ends = [data.get("PixelPaddingValue"), data.get("PixelPaddingRangeLimit", data.get("PixelPaddingValue"))]
    if stored.dtype.kind not in "iu" or not all(isinstance(end, int) for end in ends):
        return None
    # files may tell -2000 as 63536, and the other way round
    low, high = sorted(np.array(ends).astype(np.uint16).astype(f"{stored.dtype.kind}2").tolist())
    padding = (stored >= low) & (stored <= high)
    return padding if padding.any() else None


def _fill(volume: NDArray, paddings: Sequence[NDArray[np.bool_] | None]) -> None:
    """Give padding the least other value of a volume, as which NaN counts when the model looks."""
    if not any(padding is not None for padding in paddings):
        return
    images = [*zip(volume, paddings, strict=True)]
    others = (image if padding is None else image[~padding] for image, padding in images)
    least = min((other.min() for other in others if other.size), default=None)
    for image, padding in images:
        if padding is not None and least is not None:
            # zeros above which all else lies count as no part of the image anyway
            image[padding & (image != 0) if least > 0 else padding] = least


def _looked_up(stored: NDArray, data: Any) -> NDArray:
    """Colours or intensities, where pixels are places in a table of them."""
    if _is_indexed(data):
        from pydicom.pixels import apply_color_lut

        return apply_color_lut(stored, data)
    if data.get("ModalityLUTSequence"):
        from pydicom.pixels import apply_modality_lut

        return apply_modality_lut(stored, data)
    return stored


def _narrowed(volume: NDArray) -> NDArray:
    low, high = int(volume.min()), int(volume.max())
    for dtype in (np.uint8, np.int16, np.uint16, np.int32, np.uint32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return volume.astype(dtype)
    return volume
