"""Pairs of image and label: finding and reading them."""

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..io import CaseError, dicom, read_case, read_scan
from ..io.files import folders_in, smallest_labels
from ..io.placing import cut, place_on
from ..io.scans import read_label_scan
from ..io.segments import suffix_of
from .folders import images_in, labelled_folders, labels_in

_JPEG = (".jpg", ".jpeg")


class DataError(ValueError):
    """Training data that cannot be used; the message says why."""


@dataclass(frozen=True)
class Pair:
    """One image with its label file, or one challenge npz holding both."""

    source: str
    image: Path
    label: Path
    groups: tuple[tuple[int, ...], ...] = ()
    """Sets of label ids that form one object together; empty: each id is an object."""
    slices: tuple[Path, ...] = ()
    """The files of a DICOM series, whose folder `image` is then; of a single one the file."""

    @property
    def files(self) -> set[Path]:
        """Where the pixels lie, whichever way they are named."""
        return {path.resolve() for path in self.slices or (self.image,)}


class Found(NamedTuple):
    """What there is to train on."""

    pairs: list[Pair]
    bare: list[Path]
    """Images for which there is no label of the same name."""
    problems: list[str]
    """Names that do not tell which label belongs to which image, one line each."""
    manifests: list[Path]
    """The files ``sources.json`` that tell of the sources."""


@dataclass
class Sample:
    """Pixels of a pair, ``(Z, H, W)`` or ``(Z, H, W, 3)``, with labels ``(Z, H, W)`` that hold no ids but objects'."""

    pair: Pair
    image: NDArray
    labels: NDArray
    slices: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.image.shape[:3] != self.labels.shape:
            raise DataError(f"{self.pair.image}: the image is {self.image.shape}, the label {self.labels.shape}")
        if self.pair.groups:
            self.labels = np.where(np.isin(self.labels, [i for ids in self.pair.groups for i in ids]), self.labels, 0)
        self.slices = np.flatnonzero(self.labels.any(axis=(1, 2))).tolist()
        if not self.slices:
            ids = " but ids that form no object" if self.pair.groups else ""
            raise DataError(f"{self.pair.image}: the label is empty{ids}")


def find_pairs(root: Path | str, permissive: bool = False) -> list[Pair]:
    """The pairs of `find_images`, whose parameters and errors it has."""
    return find_images(root, permissive).pairs


def find_images(root: Path | str, permissive: bool = False) -> Found:
    """Find the training pairs below a folder, or in an npz file, and what cannot be one.

    A folder ``images`` beside a folder ``labels``, or ``imagesTr`` beside ``labelsTr``, gives a pair for each stem that
    both hold once; its parent's path below the root names the source, or the root's own name. A DICOM series has the
    name that its labels have in the panel (see `io.series.named_series`), and an image may end in ``_0000`` where its
    label does not, as in nnU-Net. Files ``*.npz`` with ``imgs`` and ``gts`` are pairs too; there the part of the name
    before the first underscore is the source. A manifest ``sources.json`` in the source's folder or in one above it
    may tell, by the name of that folder, which label ids form one object (``nested``) and whether its licence forbids
    commercial use (``non_commercial``: yes, no or unknown).

    Parameters
    ----------
    root : path
        The folder, or one npz file.
    permissive : bool
        Take only folders of which the manifest says that commercial use is allowed.

    Returns
    -------
    Found
        The pairs, and what to tell of the rest.

    Raises
    ------
    DataError
        If there is no such folder or npz file, or nothing in it that may be taken, or a manifest cannot be read.
    """
    root = Path(root)
    is_case = suffix_of(root) == ".npz" and root.is_file()
    if not is_case and not root.is_dir():
        raise DataError(f"{root}: no such folder or npz file")
    found, folders = Found([], [], [], []), folders_in(root)
    for folder, label_folder in labelled_folders(root, folders):
        place = folder.parent
        manifest, groups, allowed = _told_of(place, root)
        if permissive and not allowed:
            continue
        if manifest and manifest not in found.manifests:
            found.manifests.append(manifest)
        labels = labels_in(label_folder)
        source = place.relative_to(root).as_posix() if place != root else Path(os.path.abspath(root)).name
        for name, images in images_in(folder, labels).items():
            marked = labels.get(name, [])
            image, slices = images[0]
            if not marked:
                found.bare.extend(path for path, _ in images)
            elif len(marked) > 1:
                found.problems.append(f"{marked[0]} and {marked[1].name} are both labels of {name}")
            elif len(images) > 1:
                found.problems.append(f"{image} and {images[1][0].name} are both images of {marked[0].name}")
            else:
                found.pairs.append(Pair(source, image, marked[0], groups, slices))
    if not permissive:
        cases = [root] if is_case else sorted(p for folder in folders for p in folder.glob("*.npz"))
        found.pairs.extend(Pair(p.stem.split("_")[0], p, p) for p in cases)
    if found.pairs:
        return found
    if found.problems:
        raise DataError(found.problems[0])
    if found.bare:
        raise DataError(f"{found.bare[0]}: there is no label of the same name; nor for any other image")
    if permissive:
        raise DataError(f"{root}: no source of which a sources.json says that commercial use is allowed")
    raise DataError(f"{root}: found neither folders 'images' and 'labels' with files in both nor npz files")


def _told_of(place: Path, root: Path) -> tuple[Path | None, tuple[tuple[int, ...], ...], bool]:
    """The nearest manifest that names a source; the ids that form an object each, and whether its licence is free."""
    # of "." there is neither a name nor what lies above
    place, own = Path(os.path.abspath(place)), Path(os.path.abspath(root)).parent
    for file in (folder / "sources.json" for folder in (place, *place.parents)):
        if not file.is_file():
            continue
        try:
            sources = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(sources, dict):
                raise TypeError("it holds no names of sources")
            # one far above may be about other things
            if place.name in sources:
                facts = sources[place.name]
                groups = tuple(tuple(int(i) for i in ids) for ids in facts.get("nested", {}).values())
                return file, groups, facts.get("non_commercial") == "no"
        except (ValueError, TypeError, AttributeError) as error:
            if not file.is_relative_to(own):
                continue
            raise DataError(f"{file}: not a readable manifest: {error}") from error
    return None, (), False


def _read_case(path: Path) -> tuple[NDArray, NDArray]:
    """Pixels as in a `Sample`, and labels of two or three axes."""
    case = read_case(path)
    if case.truth is None:
        raise DataError(f"{path}: holds no array 'gts'")
    return (case.image if case.is_volume else case.image[None]), case.truth


def _read_files(pair: Pair) -> tuple[NDArray, NDArray]:
    """As `_read_case`."""
    if suffix_of(pair.label) in _JPEG:
        raise DataError(f"{pair.label}: JPEG blurs the ids of labels; save it as PNG")
    image = dicom.read_series(pair.slices) if pair.slices else read_scan(pair.image)
    label = read_label_scan(pair.label)
    pixels = image.array[..., :3] if image.is_colour else image.array
    ids, shape = label.array, pixels.shape[:-1] if image.is_colour else pixels.shape
    if ids.ndim == len(shape):
        low = -place_on(pair.label, ids.shape, label.geometry, shape, image.geometry, "its image")
        ids = cut(ids, low, low + shape)
    return (pixels if image.is_volume else pixels[None]), ids


def read_sample(pair: Pair) -> Sample:
    """Read the pixels of a pair.

    Raises
    ------
    DataError
        If the files cannot be read, do not match, or show no object; the message names the file.
    """
    try:
        image, labels = _read_case(pair.image) if pair.image == pair.label else _read_files(pair)
    except CaseError as error:
        raise DataError(str(error)) from error
    try:
        labels = smallest_labels(labels)
    except ValueError as error:
        raise DataError(f"{pair.label}: {error}") from error
    return Sample(pair, image, labels if labels.ndim == 3 else labels[None])


def read_all(pairs: Sequence[Pair]) -> tuple[list[Sample], list[str]]:
    """Read pairs into memory; what cannot be used is skipped and told, one line each."""
    samples, problems = [], []
    for pair in pairs:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                samples.append(read_sample(pair))
        except DataError as error:
            problems.append(str(error))
    return samples, problems
