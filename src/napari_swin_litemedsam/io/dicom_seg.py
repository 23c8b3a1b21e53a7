"""DICOM-SEG: labels as segments of the series that they were drawn on."""

import os
import warnings
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..geometry import Geometry, Scan
from .dicom import is_dicom, open_dicom, telling
from .files import CaseError, check_claim, replacing
from .multiframe import frame_count
from .segments import Segment

# of the distance between slices, that one may lie beside its place
_UNEVEN = 0.25
# what may be empty, but not missing, and what programs that remove names leave out nonetheless
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime"),
)


def write_dicom_seg(
    path: str | os.PathLike,
    labels: NDArray[np.unsignedinteger],
    files: Iterable[Path],
    geometry: Geometry | None = None,
    segments: Sequence[Segment] = (),
) -> None:
    """Write label ids as binary segments; the file appears only when complete.

    DICOM numbers segments from 1 without a gap, so that ids become numbers in their order; names and colours travel.

    Parameters
    ----------
    path : path
        The file.
    labels : array of int
        ``(Z, Y, X)``, or ``(Y, X)`` of a single image.
    files : paths
        Of the series, in the order of the slices.
    geometry : Geometry, optional
        Of the series, whose headers may lack the thickness of slices.
    segments : sequence of Segment
        Names and colours of ids.

    Raises
    ------
    ValueError
        If there are no labels, if the files are no DICOM series of this size or lack what a segmentation takes from
        them, or if the package highdicom is missing.
    """
    sources = _read_sources(path, files)
    ids = [int(id) for id in np.unique(labels) if id]
    if not ids:
        raise ValueError(f"{path}: a DICOM-SEG file cannot be empty, and there are no labels")
    planes = labels if labels.ndim == 3 else labels[None]
    if planes.shape != (len(sources), int(sources[0].Rows), int(sources[0].Columns)):
        raise ValueError(f"{path}: labels of shape {labels.shape} do not fit the series of {len(sources)} images")
    known = {segment.id: segment for segment in segments}
    numbers = np.searchsorted([0, *ids], planes).astype(np.uint16)
    result = _segmentation(path, sources, numbers, [known.get(id, Segment(id)) for id in ids], geometry)
    with replacing(path) as unfinished:
        result.save_as(unfinished)


def check_series(path: str | os.PathLike, files: Iterable[Path], geometry: Geometry | None = None) -> None:
    """Check that labels of a series can be written as DICOM-SEG, by those of one pixel of its first image.

    Raises
    ------
    ValueError
        As `write_dicom_seg` does.
    """
    source, *_ = _read_sources(path, files)
    numbers = np.zeros((1, int(source.Rows), int(source.Columns)), np.uint16)
    numbers[0, 0, 0] = 1
    _segmentation(path, [source], numbers, [Segment(1)], geometry)


def _segmentation(
    path: str | os.PathLike,
    sources: Sequence[Any],
    numbers: NDArray[np.uint16],
    segments: Sequence[Segment],
    geometry: Geometry | None,
) -> Any:
    """The data set of a file; segments are numbered from 1, in their order."""
    import highdicom
    from pydicom.sr.codedict import codes

    for source in sources:
        for name in _MAY_BE_EMPTY:
            source.setdefault(name, "")
        if not source.get("SliceThickness") and geometry is not None:
            # highdicom wants it, headers may lack it
            source.SliceThickness = geometry.spacing[0]
        if geometry is not None and geometry.ndim == 3:
            # as measured: headers may tell another, and readers cannot measure it where slices are left out
            source.SpacingBetweenSlices = geometry.spacing[0]
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name="Swin-LiteMedSAM", version=__version__, family=codes.DCM.ArtificialIntelligence
    )
    descriptions = []
    for number, segment in enumerate(segments, 1):
        colour = [round(255 * part) for part in segment.rgb]
        descriptions.append(
            highdicom.seg.SegmentDescription(
                segment_number=number,
                # the longest text that the field takes; a backslash would make it two
                segment_label=segment.name.replace("\\", "/")[:64],
                segmented_property_category=codes.SCT.Tissue,
                segmented_property_type=codes.SCT.Tissue,
                algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
                algorithm_identification=algorithm,
                display_color=highdicom.color.CIELabColor.from_rgb(*colour),
            )
        )
    try:
        # highdicom remarks on names of patients, which belong into no log
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return highdicom.seg.Segmentation(
                source_images=sources,
                pixel_array=numbers,
                segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
                segment_descriptions=descriptions,
                series_instance_uid=highdicom.UID(),
                series_number=int(sources[0].get("SeriesNumber") or 0) + 1000,
                sop_instance_uid=highdicom.UID(),
                instance_number=1,
                manufacturer="napari-swin-litemedsam",
                manufacturer_model_name="Swin-LiteMedSAM",
                software_versions=__version__,
                device_serial_number="0",
                # UTF-8: names of objects may need other letters than the series has
                specific_character_set="ISO_IR 192",
            )
    except (AttributeError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: the series lacks what a segmentation takes from it ({error})") from error


def read_dicom_seg(path: str | os.PathLike) -> Scan:
    """Read segments as label ids, the numbers of the segments; where they overlap the later one counts.

    Slices beyond those with labels are often not in the file, and then not in the array either.

    Raises
    ------
    CaseError
        If the file is damaged, if its segments are no masks, or its slices not evenly apart, or if the package
        highdicom is missing.
    """
    path = Path(path)
    _require_highdicom(path)
    from highdicom.seg import Segmentation

    combined: dict[str, Any] = {"combine_segments": True, "skip_overlap_checks": True, "dtype": np.uint16}
    with telling(path):
        data, size = open_dicom(path), path.stat().st_size
        if data.get("SegmentationType") == "FRACTIONAL":
            raise CaseError(f"{path}: its segments are probabilities, and no masks")
        bits = frame_count(data) * int(data.Rows) * int(data.Columns) * int(data.BitsAllocated)
        check_claim(path, (bits // 8 or 1,), np.uint8, size, data.file_meta.TransferSyntaxUID.is_compressed)
        file = Segmentation.from_dataset(data, copy=False)
        space = file.get_volume_geometry(rtol=_UNEVEN)
        if space is None:
            images = [uid for *_, uid in file.get_source_image_uids()]
            if len(images) != 1:
                raise CaseError(f"{path}: its slices do not lie evenly apart in one direction")
            return Scan(file.get_pixels_by_source_instance(images, **combined)[0], None, (path,))
        # slices without labels are not in the file, and pixels are bits there
        check_claim(path, space.spatial_shape, np.uint8, size, compressed=True)
        volume = file.get_volume(rtol=_UNEVEN, **combined)
    along_slices, along_column, along_row = volume.affine[:3, :3].T
    if np.cross(along_row, along_column) @ along_slices < 0:
        # as slices of a series are in order
        volume = volume.flip_spatial(0)
    # of DICOM, (x, y, z); ours are (z, y, x)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = volume.affine[:3, :3][::-1], volume.affine[:3, 3][::-1]
    return Scan(volume.array, Geometry.from_affine(affine), (path,))


def read_dicom_segments(path: str | os.PathLike) -> list[Segment]:
    """Read the names and colours of segments.

    Raises
    ------
    CaseError
        As `read_dicom_seg` does.
    """
    path = Path(path)
    _require_highdicom(path)
    from highdicom.color import CIELabColor

    with telling(path):
        segments = []
        for item in open_dicom(path, stop_before_pixels=True).SegmentSequence:
            number, name = int(item.SegmentNumber), str(item.get("SegmentLabel", ""))
            if number == 0:
                # label maps may describe the background, too
                continue
            if values := item.get("RecommendedDisplayCIELabValue"):
                rgb = CIELabColor.from_dicom_value(values).to_rgb(clip=True)
                segments.append(Segment.of_rgb(number, name, (part / 255 for part in rgb)))
            else:
                segments.append(Segment(number, name))
        return segments


def _read_sources(path: str | os.PathLike, files: Iterable[Path]) -> list[Any]:
    """Headers of the series that a DICOM-SEG file is to be written for."""
    _require_highdicom(path)
    paths = list(files)
    if not paths or not all(map(is_dicom, paths)):
        raise ValueError(f"{path}: only labels of a DICOM series whose files are there can be saved as DICOM-SEG")
    sources = [open_dicom(file, stop_before_pixels=True) for file in paths]
    if frame_count(sources[0]) > 1:
        raise ValueError(f"{path}: of enhanced DICOM no DICOM-SEG can be written; save the labels as NIfTI or NRRD")
    return sources


def _require_highdicom(path: str | os.PathLike) -> None:
    if find_spec("highdicom") is None:
        raise CaseError(f"{path}: DICOM-SEG needs the package highdicom: pip install napari-swin-litemedsam[dicom]")
