"""One way in and one way out for all formats: scans with their geometry, labels with names and colours."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..geometry import Geometry, Scan
from . import dicom, itk, nifti, raster
from .dicom_seg import check_series, read_dicom_seg, read_dicom_segments, write_dicom_seg
from .files import CaseError, require_file, smallest_labels, whole_numbers
from .npz import case_scan, read_case, read_case_labels, write_segmentation
from .segments import Segment, read_sidecar, sidecar_of, stem_of, suffix_of, write_sidecar
from .series import read_dicom

NPZ = (".npz",)
# of files that hold one scan each; DICOM files hold slices, and often have no ending
FILE_SUFFIXES = (*nifti.SUFFIXES, *itk.SUFFIXES, *raster.SUFFIXES)
# .seg.nrrd is a segmentation beside its scan
IMAGE_SUFFIXES = tuple(suffix for suffix in FILE_SUFFIXES if suffix != ".seg.nrrd")
# the last word of a file's name, as other programs have it
_LABEL_NAMES = ("label", "labels", "labelmap", "mask", "masks", "seg", "segmentation")
LABEL_SUFFIXES = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".mha", ".npz", ".png", ".tif", ".tiff", ".dcm")


def read_scan(path: str | os.PathLike, series: int | None = None) -> Scan:
    """Read an image or volume of any format, by the ending of its name; DICOM also from a folder.

    Parameters
    ----------
    path : path
        A file, or a folder with DICOM files.
    series : int, optional
        Which of several series in a folder, counted from 1.

    Raises
    ------
    CaseError
        If the file is none, is cut off, claims more than it holds, or has four axes or colours in a volume.
    """
    return _read(path, series)


def _read(path: str | os.PathLike, series: int | None = None, as_labels: bool = False) -> Scan:
    if Path(path).is_dir():
        return read_dicom(path, series)
    suffix = suffix_of(require_file(path))
    if suffix in NPZ:
        return case_scan(path, read_case(path))
    if suffix in nifti.SUFFIXES:
        scan = nifti.read_nifti(path)
    elif suffix in itk.SUFFIXES:
        scan = itk.read_itk(path)
    elif suffix in raster.SUFFIXES:
        scan = raster.read_picture(path, as_labels)
    # DICOM files often have no ending
    elif suffix in dicom.SUFFIXES or dicom.is_dicom(path):
        return read_dicom_seg(path) if as_labels and dicom.is_segmentation(path) else read_dicom(path)
    else:
        raise CaseError(f"{path}: a file of unknown kind; known are {_known()}")
    if scan.array.dtype.kind == "f" and not as_labels:
        # enough for intensities, but it cannot tell large label ids apart
        return replace(scan, array=scan.array.astype(np.float32, copy=False))
    return scan


def read_labels(path: str | os.PathLike) -> tuple[NDArray[np.integer], NDArray[np.float64] | None]:
    """Read label ids of any format.

    Returns
    -------
    labels : array of int
        ``(Z, Y, X)`` or ``(Y, X)``; of npz files ``segs`` or, without it, ``gts``.
    spacing : array or None
        In mm, in the order of the labels' axes; of npz files as it stands there.

    Raises
    ------
    CaseError
        As `read_scan` does, and if the file holds no whole numbers.
    """
    if suffix_of(path) in NPZ:
        return read_case_labels(path)
    scan = read_label_scan(path)
    return scan.array, None if scan.geometry is None else np.array(scan.geometry.spacing)


def read_label_scan(path: str | os.PathLike) -> Scan:
    """Read label ids of any format but npz, with their place in the patient.

    Raises
    ------
    CaseError
        As `read_labels` does.
    """
    scan = _read(path, as_labels=True)
    if scan.is_colour:
        scan = _grey(path, scan)
    return replace(scan, array=whole_numbers(path, scan.array))


def _grey(path: str | os.PathLike, scan: Scan) -> Scan:
    """One channel of a colour picture whose channels are alike, as paint programs save masks."""
    ids = scan.array[..., 0]
    if (scan.array[..., :3] != ids[..., None]).any():
        raise CaseError(f"{path}: a label image has one channel of whole numbers; this one is in colour")
    return replace(scan, array=ids, is_colour=False)


def read_segments(path: str | os.PathLike) -> list[Segment]:
    """Read the names and colours of a label file: from its header, or from the JSON file beside it.

    Raises
    ------
    CaseError
        If they are damaged.
    """
    if dicom.is_segmentation(path):
        return read_dicom_segments(path)
    if suffix_of(path) in itk.SUFFIXES and (segments := itk.read_slicer_segments(path)):
        return segments
    return read_sidecar(path)


def tells_labels(path: str | os.PathLike) -> bool:
    """Whether a file of a scan's format tells that it holds labels: by its name, its folder's, or a header of NIfTI.

    Raises
    ------
    CaseError
        If the header is damaged.
    """
    suffix = suffix_of(path)
    if suffix not in (*nifti.SUFFIXES, *itk.SUFFIXES):
        return False
    *_, last = re.split("[^a-z]+", stem_of(path).lower().rstrip("0123456789-_. "))
    in_labels = Path(path).absolute().parent.name.lower().startswith("labels")
    named = suffix == ".seg.nrrd" or last in _LABEL_NAMES
    return named or in_labels or (suffix in nifti.SUFFIXES and nifti.tells_labels(path))


def is_one_of(path: Path, files: Iterable[Path]) -> bool:
    """Whether a path leads to one of these files, in whatever way."""
    return path.resolve() in {file.resolve() for file in files}


def check_target(path: Path, scan: Scan) -> None:
    """Check that labels of a scan can be written to a file, before any are made.

    Raises
    ------
    ValueError
        If the format cannot hold them, or the file is one of the scan's own.
    """
    suffix = suffix_of(path)
    if is_one_of(path, scan.files):
        raise ValueError(f"{path}: the labels would replace a file of the scan; choose another name")
    shape = scan.array.shape[:-1] if scan.is_colour else scan.array.shape
    if suffix in dicom.SUFFIXES:
        check_series(path, scan.files, scan.geometry)
    elif suffix in nifti.SUFFIXES:
        nifti.check_sides(path, shape)
    elif suffix in itk.SUFFIXES:
        itk.check_name(path)
    elif suffix in raster.SUFFIXES:
        raster.check_picture(path, len(shape))


def write_labels(
    path: str | os.PathLike,
    labels: ArrayLike,
    geometry: Geometry | None = None,
    segments: Sequence[Segment] = (),
    source: Iterable[Path] = (),
) -> list[Path]:
    """Write label ids, as uint8 or, above 255, as uint16; a file appears only when it is complete.

    Parameters
    ----------
    path : path
        Its ending chooses the format: ``.nii.gz``, ``.nii``, ``.seg.nrrd``, ``.nrrd``, ``.mha``, ``.npz``, ``.png``,
        ``.tif``, ``.tiff``; the last four keep no geometry. ``.dcm`` is DICOM-SEG, for labels of a DICOM series
        (`source`) only.
    labels : array of int
        ``(Z, Y, X)`` or ``(Y, X)``, ids in 0..65535.
    geometry : Geometry, optional
        Of the scan; by default pixels of 1 mm.
    segments : sequence of Segment
        Names and colours: in the header of NRRD, in the segments of DICOM-SEG, otherwise in a JSON file beside the
        labels.
    source : paths
        The files of the scan, whose header NIfTI and DICOM-SEG take over.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    ValueError
        If the format cannot hold these labels.
    OSError
        If the file cannot be written; the old one is whole then.
    """
    path, suffix = Path(path), suffix_of(path)
    labels = smallest_labels(labels)
    if suffix not in LABEL_SUFFIXES:
        raise ValueError(f"{path}: labels are written as {', '.join(LABEL_SUFFIXES)}, not as '{suffix}'")
    if labels.ndim not in (2, 3):
        raise ValueError(f"labels of shape {labels.shape} are neither an image nor a volume")
    if geometry is not None and geometry.ndim != labels.ndim:
        raise ValueError(f"labels of shape {labels.shape} do not fit a scan of {geometry.ndim} axes")
    place = geometry or Geometry.make((1.0,) * labels.ndim)
    if suffix in NPZ:
        write_segmentation(path, labels)
    elif suffix in dicom.SUFFIXES:
        write_dicom_seg(path, labels, source, geometry, segments)
        return [path]
    elif suffix in nifti.SUFFIXES:
        nifti.write_nifti(path, labels, place, source)
    elif suffix in itk.SUFFIXES:
        itk.write_itk(path, labels, place, segments)
        if suffix != ".mha":
            return [path]
    else:
        raster.write_picture(path, labels)
    if segments:
        return [path, write_sidecar(path, segments)]
    # names of the labels that were there before
    sidecar_of(path).unlink(missing_ok=True)
    return [path]


def _known() -> str:
    return ", ".join((*FILE_SUFFIXES, *NPZ, *dicom.SUFFIXES))
