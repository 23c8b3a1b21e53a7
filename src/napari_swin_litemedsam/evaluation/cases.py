"""Truth and prediction on disk: which files belong together, and their scores."""

import os
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from ..geometry import Geometry
from ..io.files import CaseError
from ..io.npz import read_case_labels
from ..io.scans import LABEL_SUFFIXES, read_label_scan, read_scan
from .scores import ObjectScore, modality_of, score_case

# in pixels; rounding in headers is far less
_SAME_PLACE = 0.5


@dataclass(frozen=True)
class Labels:
    """Label ids, 0 for background, with the spacing along each axis and the place in the patient, where known."""

    ids: NDArray
    spacing: NDArray | None = None
    geometry: Geometry | None = None


def stem(path: PurePath) -> PurePath:
    """A path without the suffix of a label file; names may hold dots."""
    suffix = next((s for s in LABEL_SUFFIXES if path.name.lower().endswith(s)), "")
    return path.with_name(path.name[: len(path.name) - len(suffix)])


def find_labels(path: Path) -> dict[PurePath, Path]:
    """The label files below a folder, or one file, by their place in it without suffix.

    Raises
    ------
    CaseError
        If there are none.
    """
    if path.is_file():
        return {stem(PurePath(path.name)): path}
    if not path.exists():
        raise CaseError(f"{path}: no such file or folder")
    named = (p for p in path.rglob("*") if p.name.lower().endswith(LABEL_SUFFIXES) and not p.name.startswith("."))
    found = sorted(p for p in named if p.is_file())
    if not found:
        raise CaseError(f"{path}: holds no label files ({', '.join(LABEL_SUFFIXES)})")
    files: dict[PurePath, Path] = {}
    for file in found:
        files.setdefault(stem(file.relative_to(path)), file)
    return files


def counterpart(path: Path, name: PurePath, suffixes: tuple[str, ...] = LABEL_SUFFIXES) -> Path | None:
    """The file of the same case in another folder: at the same place or, by name, at its top; a file is itself."""
    if path.is_file():
        return path
    for place in dict.fromkeys((name, PurePath(name.name))):
        for suffix in suffixes:
            candidate = path / place.parent / f"{place.name}{suffix}"
            if candidate.is_file():
                return candidate
        # where capitals count, an ending in them is another one
        for candidate in sorted((path / place.parent).glob("*")):
            start, ending = candidate.name[: len(place.name)], candidate.name[len(place.name) :]
            if start == place.name and ending.lower() in suffixes and candidate.is_file():
                return candidate
    return None


def read_truth(path: Path) -> Labels:
    """Read the labels to compare with; of an npz file ``gts`` or, as the plugin saves labels, ``segs``."""
    return _read(path, ("gts", "segs"))


def _read(path: Path, keys: tuple[str, ...]) -> Labels:
    """Read labels; of an npz file the first of the named arrays that it holds.

    Raises
    ------
    CaseError
        If the file cannot be read or holds no labels.
    """
    if path.suffix.lower() != ".npz":
        scan = read_label_scan(path)
        return Labels(scan.array, None if scan.geometry is None else np.array(scan.geometry.spacing), scan.geometry)
    ids, spacing = read_case_labels(path, keys)
    return Labels(ids, spacing if spacing is not None and len(spacing) == ids.ndim else None)


def read_prediction(path: Path, truth: Labels) -> NDArray:
    """Read label ids that must have the truth's shape and place.

    Raises
    ------
    CaseError
        If they cannot be read, have another shape or lie elsewhere.
    """
    labels = _read(path, ("segs",))
    if labels.ids.shape != truth.ids.shape:
        raise CaseError(f"{path}: shape {labels.ids.shape} instead of {truth.ids.shape}")
    if labels.geometry is not None and truth.geometry is not None:
        off = _distance(labels.geometry, truth.geometry, truth.ids.shape)
        if off > _SAME_PLACE:
            raise CaseError(f"{path}: lies elsewhere in space than the truth, by up to {off:.1f} pixels; resample it")
    return labels.ids


def _distance(one: Geometry, other: Geometry, shape: tuple[int, ...]) -> float:
    """How far apart two grids of one shape put their corners, in pixels; 0 if one of them tells no place."""
    # an origin of zeros is what programs write that know of no place
    if not any(one.origin) or not any(other.origin):
        return 0.0
    corners = np.array(list(product(*((0, side - 1) for side in shape))), float)
    return float(np.abs(other.to_index(one.to_world(corners)) - corners).max())


def score_files(name: PurePath, truth_path: Path, predictions: os.PathLike, tolerance: float = 2) -> list[ObjectScore]:
    """Score the objects of one case; a prediction that is missing or cannot be used counts as 0 and is noted.

    Raises
    ------
    CaseError
        If the truth cannot be read.
    """
    truth = read_truth(truth_path)
    case, modality = name.as_posix(), modality_of(truth_path)
    path = counterpart(Path(predictions), name)
    if path is None:
        return score_case(case, modality, truth.ids, None, truth.spacing, note=f"{case}: prediction missing")
    try:
        prediction = read_prediction(path, truth)
    except CaseError as error:
        return score_case(case, modality, truth.ids, None, truth.spacing, note=str(error))
    return score_case(case, modality, truth.ids, prediction, truth.spacing, tolerance)


def read_image(name: PurePath, truth_path: Path, images: Path | None, shape: tuple[int, ...]) -> NDArray | None:
    """The image of a case, from a folder of images or from the truth's own file; None if there is none that fits."""
    path = counterpart(images, name, (*LABEL_SUFFIXES, ".jpg", ".jpeg")) if images else truth_path
    if path is None or (images is None and path.suffix.lower() != ".npz"):
        return None
    try:
        image = read_scan(path).array
    except CaseError:
        return None
    return image if image.shape[: len(shape)] == shape else None
