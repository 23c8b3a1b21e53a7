"""Saving a labels layer with exactly the geometry of the scan that it was drawn on."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import io
from ..io.scans import LABEL_SUFFIXES, is_one_of, tells_labels
from ..io.segments import suffix_of
from .grid import restore
from .palette import OWN_COLOURS

_DEFAULT = ".nii.gz"


def write_labels(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a labels layer in the format that the file's ending tells.

    Parameters
    ----------
    path : str
        The file, ``.nii.gz``, ``.nii``, ``.seg.nrrd``, ``.nrrd``, ``.mha``, ``.npz`` or, of a DICOM series, ``.dcm``;
        ``.nii.gz`` is added if it has no such ending.
    data : array
        Label ids in 0..65535.
    meta : dict
        The layer's attributes: its place, its colours, and in ``features`` the names of ids.

    Returns
    -------
    list of str
        The files that were written.

    Raises
    ------
    RuntimeError
        If the format cannot hold these labels, or the file is the scan's own.
    OSError
        If the file cannot be written; the old one is whole then.
    """
    path = str(path)
    if suffix_of(path) not in LABEL_SUFFIXES:
        path += _DEFAULT
    try:
        labels, geometry, files = restore(np.asarray(data), meta)
        _keep_scan(Path(path), files)
        written = io.write_labels(path, labels, geometry, segments_of(labels, meta), files)
    except ValueError as error:
        # napari takes a ValueError for a writer that does not exist, and keeps its words to itself
        raise RuntimeError(str(error)) from error
    return [str(file) for file in written]


def _keep_scan(path: Path, files: Iterable[Path]) -> None:
    """Refuse to replace the scan that labels lie on; what was opened as labels may be saved again."""
    if is_one_of(path, files) and not (io.read_segments(path) or tells_labels(path)):
        raise ValueError(f"{path}: the labels would replace the scan that they lie on; choose another name")


def segments_of(labels: NDArray, meta: dict[str, Any]) -> list[io.Segment]:
    """Names and colours of the ids that a labels layer holds; none if the user has named none of them."""
    features = meta.get("features", {})
    if "index" not in features or "name" not in features:
        return []
    names = {int(id): str(name) for id, name in zip(features["index"], features["name"], strict=True) if name}
    ids = [int(id) for id in np.unique(labels) if id > 0]
    if not any(id in names for id in ids):
        return []
    colours = meta.get("metadata", {}).get(OWN_COLOURS, meta["colormap"]).map(np.array(ids))
    return [
        # what is hidden is transparent and has no colour to save
        io.Segment.of_rgb(id, names.get(id, ""), colour[:3]) if colour[3] else io.Segment(id, names.get(id, ""))
        for id, colour in zip(ids, colours, strict=True)
    ]
