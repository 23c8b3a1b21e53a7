"""DICOM-SEG export: labels as segments of the series that they were drawn on."""

import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..geometry import Geometry
from .dicom import is_dicom, open_dicom
from .files import replacing
from .multiframe import frame_count
from .segments import Segment


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
    sources = read_sources(path, files)
    import highdicom
    from pydicom.sr.codedict import codes

    ids = [int(id) for id in np.unique(labels) if id]
    if not ids:
        raise ValueError(f"{path}: a DICOM-SEG file cannot be empty, and there are no labels")
    planes = labels if labels.ndim == 3 else labels[None]
    if planes.shape != (len(sources), int(sources[0].Rows), int(sources[0].Columns)):
        raise ValueError(f"{path}: labels of shape {labels.shape} do not fit the series of {len(sources)} images")
    for source in sources:
        if not source.get("SliceThickness") and geometry is not None:
            # highdicom wants it, headers may lack it
            source.SliceThickness = geometry.spacing[0]
    known = {segment.id: segment for segment in segments}
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name="Swin-LiteMedSAM", version=__version__, family=codes.DCM.ArtificialIntelligence
    )
    descriptions = []
    for number, segment in enumerate((known.get(id, Segment(id)) for id in ids), 1):
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
            result = highdicom.seg.Segmentation(
                source_images=sources,
                pixel_array=np.searchsorted([0, *ids], planes).astype(np.uint16),
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
            )
    except (AttributeError, KeyError) as error:
        raise ValueError(f"{path}: the series lacks what a segmentation takes from it ({error})") from error
    with replacing(path) as unfinished:
        result.save_as(unfinished)


def read_sources(path: str | os.PathLike, files: Iterable[Path]) -> list[Any]:
    """Headers of the series that a DICOM-SEG file is to be written for.

    Raises
    ------
    ValueError
        If the files are no DICOM series that one can be written for, or if the package highdicom is missing.
    """
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise ValueError("DICOM-SEG needs the package highdicom: pip install napari-swin-litemedsam[dicom]") from error
    paths = list(files)
    if not paths or not all(map(is_dicom, paths)):
        raise ValueError(f"{path}: only labels of a DICOM series whose files are there can be saved as DICOM-SEG")
    sources = [open_dicom(file, stop_before_pixels=True) for file in paths]
    if frame_count(sources[0]) > 1:
        raise ValueError(f"{path}: of enhanced DICOM no DICOM-SEG can be written; save the labels as NIfTI or NRRD")
    return sources
