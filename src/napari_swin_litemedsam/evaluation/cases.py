"""Truth and prediction on disk: which files belong together, and their scores."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePath

from numpy.typing import NDArray

from ..io.files import CaseError
from ..io.npz import read_case_labels
from ..io.scans import LABEL_SUFFIXES, read_labels, read_scan
from .scores import ObjectScore, modality_of, score_case


@dataclass(frozen=True)
class Labels:
    """Label ids, 0 for background, and of a volume the spacing along each axis."""

    ids: NDArray
    spacing: NDArray | None = None


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
    found = sorted(p for p in path.rglob("*") if p.name.lower().endswith(LABEL_SUFFIXES) and not p.name.startswith("."))
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
    ids, spacing = read_case_labels(path, keys) if path.suffix.lower() == ".npz" else read_labels(path)
    return Labels(ids, spacing if spacing is not None and len(spacing) == ids.ndim else None)


def read_prediction(path: Path, truth: Labels) -> NDArray:
    """Read label ids that must have the truth's shape.

    Raises
    ------
    CaseError
        If they cannot be read or have another shape.
    """
    ids = _read(path, ("segs",)).ids
    if ids.shape != truth.ids.shape:
        raise CaseError(f"{path}: shape {ids.shape} instead of {truth.ids.shape}")
    return ids


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
