"""Truth and prediction on disk: which files belong together, and their scores."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from ..geometry import Geometry
from ..io.files import CaseError
from ..io.npz import read_case_labels
from ..io.placing import cut, place_on
from ..io.scans import LABEL_SUFFIXES, read_label_scan, read_scan
from .scores import ObjectScore, modality_of, score_case

# what nnU-Net adds to the name of an image, and so `predict` to that of its labels
_FIRST_CHANNEL = "_0000"


@dataclass(frozen=True)
class Labels:
    """Label ids, 0 for background, with the spacing along each axis and the place in the patient, where known."""

    ids: NDArray
    spacing: NDArray | None = None
    geometry: Geometry | None = None


@dataclass(frozen=True)
class CaseScores:
    """Scores of a case's objects, none if its truth is empty, and label ids predicted besides, which do not count."""

    objects: list[ObjectScore]
    besides: tuple[int, ...] = ()


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
    """The file of the same case in another folder: at the same place or, by name, at its top; a file is itself.

    Where there is none, one whose name goes on as the images of nnU-Net do, with ``_0000``.
    """
    if path.is_file():
        return path
    places = dict.fromkeys((name, PurePath(name.name)))
    for place in (*places, *(place.with_name(f"{place.name}{_FIRST_CHANNEL}") for place in places)):
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
    """Read label ids onto the truth's grid.

    Raises
    ------
    CaseError
        If they cannot be read, or lie neither on the truth's grid nor on a part of it.
    """
    labels = _read(path, ("segs",))
    low = -_place(labels, truth, path)
    return cut(labels.ids, low, low + truth.ids.shape)


def _place(labels: Labels, truth: Labels, path: Path) -> NDArray[np.integer]:
    return place_on(path, labels.ids.shape, labels.geometry, truth.ids.shape, truth.geometry, "the truth")


def _on_one_grid(labels: Labels, truth: Labels, path: Path) -> tuple[NDArray, NDArray]:
    """Ids of the truth and of a prediction on the smallest grid that holds both.

    Raises
    ------
    CaseError
        If there is none.
    """
    shift = _place(labels, truth, path)
    low, high = np.minimum(0, shift), np.maximum(truth.ids.shape, shift + labels.ids.shape)
    return cut(truth.ids, low, high), cut(labels.ids, low - shift, high - shift)


def score_files(name: PurePath, truth_path: Path, predictions: os.PathLike, tolerance: float = 2) -> CaseScores:
    """Score the objects of one case; a prediction that is missing or cannot be used counts as 0 and is noted.

    Raises
    ------
    CaseError
        If the truth cannot be read, or if it is empty and the prediction cannot be used.
    """
    truth = read_truth(truth_path)
    case, modality = name.as_posix(), modality_of(truth_path)
    path = counterpart(Path(predictions), name)
    note = f"{case}: prediction missing"
    if path is not None:
        try:
            ids, prediction = _on_one_grid(_read(path, ("segs",)), truth, path)
        except CaseError as error:
            if not truth.ids.any():
                # there is no object to note it with
                raise
            note = str(error)
        else:
            scores = score_case(case, modality, ids, prediction, truth.spacing, tolerance)
            besides = np.setdiff1d(prediction[prediction != 0], [score.object for score in scores])
            return CaseScores(scores, tuple(besides.tolist()))
    return CaseScores(score_case(case, modality, truth.ids, None, truth.spacing, note=note))


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
