"""Truth and prediction on disk: which files belong together, and their scores."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry import Geometry
from ..io import dicom
from ..io.files import CaseError, folders_in
from ..io.npz import read_case_labels
from ..io.placing import cut, place_on
from ..io.scans import IMAGE_SUFFIXES, LABEL_SUFFIXES, read_label_scan, read_scan
from ..io.segments import FIRST_CHANNEL, by_stem, stem_of, suffix_of
from .scores import ObjectScore, modality_of, score_case

# files that may hold the image of a case
_PICTURED = (*IMAGE_SUFFIXES, ".npz", *dicom.SUFFIXES)


@dataclass(frozen=True)
class Labels:
    """Label ids, 0 for background, with the spacing along each axis and the place in the patient, where known."""

    ids: NDArray
    spacing: NDArray | None = None
    geometry: Geometry | None = None


class Predictions(NamedTuple):
    """What is evaluated: a folder, or one file, and the file of each case in it, if there is one."""

    path: Path
    files: dict[PurePath, Path]


@dataclass(frozen=True)
class CaseScores:
    """Scores of a case's objects, none if its truth is empty, and label ids predicted besides, which do not count."""

    objects: list[ObjectScore]
    besides: tuple[int, ...] = ()


def find_labels(path: Path) -> dict[PurePath, Path]:
    """The label files below a folder, or one file, by their place in it without suffix.

    Raises
    ------
    CaseError
        If there are none, or two of one name.
    """
    if path.is_file():
        return {PurePath(stem_of(path)): path}
    if not path.exists():
        raise CaseError(f"{path}: no such file or folder")
    files = label_files(path)
    if not files:
        raise CaseError(f"{path}: holds no label files ({', '.join(LABEL_SUFFIXES)})")
    return {name: _only(same) for name, same in files.items()}


def label_files(folder: Path) -> dict[PurePath, list[Path]]:
    """The label files below a folder by their place in it without suffix, also where several share one."""
    root = folder.resolve()
    return {
        place.relative_to(folder) / name: same
        for place in folders_in(folder)
        # what a link within the folder leads to is found where it lies
        if (real := place.resolve()) == root / place.relative_to(folder) or not real.is_relative_to(root)
        for name, same in _named(place, LABEL_SUFFIXES).items()
    }


def _named(folder: Path, suffixes: tuple[str, ...]) -> Mapping[str, list[Path]]:
    """The files of a folder with one of the suffixes, by their names without it, in the suffixes' order."""
    files = folder.iterdir() if folder.is_dir() else ()
    wanted = [f for f in files if suffix_of(f) in suffixes and not f.name.startswith(".") and f.is_file()]
    return by_stem(sorted(wanted, key=lambda file: (suffixes.index(suffix_of(file)), file)))


def _only(files: list[Path]) -> Path:
    if len(files) > 1:
        raise CaseError(f"{files[0]} and {files[1].name} have the same name: only one can be the labels of a case")
    return files[0]


def predictions_in(path: Path, names: Iterable[PurePath]) -> Predictions:
    """Find the label files of cases: at the same place in a folder or, by name, at its top; a file is itself.

    Where there is none, one whose name goes on as the images of nnU-Net do, with ``_0000``.

    Raises
    ------
    CaseError
        If there are two of one name.
    """
    files = _files_of(path, names, LABEL_SUFFIXES)
    return Predictions(path, {name: _only(same) for name, same in files.items()})


def _files_of(path: Path, names: Iterable[PurePath], suffixes: tuple[str, ...]) -> dict[PurePath, list[Path]]:
    if path.is_file():
        return {name: [path] for name in names}
    folders: dict[PurePath, Mapping[str, list[Path]]] = {}

    def files_at(place: PurePath) -> list[Path]:
        if place.parent not in folders:
            folders[place.parent] = _named(path / place.parent, suffixes)
        return folders[place.parent].get(place.name, [])

    found = {}
    for name in names:
        places = dict.fromkeys((name, PurePath(name.name)))
        tried = (*places, *(place.with_name(f"{place.name}{FIRST_CHANNEL}") for place in places))
        if files := next(filter(None, map(files_at, tried)), None):
            found[name] = files
    return found


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


def score_files(name: PurePath, truth_path: Path, path: Path | None, tolerance: float = 2) -> CaseScores:
    """Score the objects of one case; a prediction that is missing or cannot be used counts as 0 and is noted.

    Parameters
    ----------
    name : PurePath
        Of the case.
    truth_path, path : Path
        Files of the truth and of the prediction; None if there is none.
    tolerance : float
        Of the NSD.

    Raises
    ------
    CaseError
        If the truth cannot be read, or if it is empty and the prediction cannot be used.
    """
    truth = read_truth(truth_path)
    case, modality = name.as_posix(), modality_of(truth_path)
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


def image_files(names: Iterable[PurePath], images: Path) -> dict[PurePath, Path]:
    """The images of cases, from a folder of them."""
    return {name: files[0] for name, files in _files_of(images, names, _PICTURED).items()}


def read_image(path: Path | None, shape: tuple[int, ...]) -> NDArray | None:
    """The image in a file; None if there is none that fits labels of this shape."""
    try:
        image = None if path is None else read_scan(path).array
    except CaseError:
        return None
    return image if image is not None and image.shape[: len(shape)] == shape else None
