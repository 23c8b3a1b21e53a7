"""Pairs of image and label: finding them, reading them, and the objects that they show."""

import json
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from skimage.measure import label as connected_components

from ..io import CaseError, dicom, read_case, read_scan
from ..io.files import smallest_labels
from ..io.placing import cut, place_on
from ..io.scans import FILE_SUFFIXES, read_label_scan
from ..io.segments import stem_of, suffix_of
from ..io.series import named_series

# a BMP is told rather than passed over
IMAGE_SUFFIXES = (*FILE_SUFFIXES, *dicom.SUFFIXES, ".bmp")
_JPEG = (".jpg", ".jpeg")
# parts of one class nearer than this, in pixels of the 256 frame, are what a user puts in one box
SEPARATE_AT = 6
# boxes are drawn up to this many pixels of the 256 frame too large (paper, section 4.2)
BOX_JITTER = 5
# objects of fewer pixels in the frame are no fair question
MIN_AREA = 10


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
    """The files of a DICOM series, whose folder `image` is then."""


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


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if suffix_of(p) in IMAGE_SUFFIXES and not p.name.startswith("."))


def _folders(root: Path) -> list[Path]:
    """A folder and all below it, also those that links lead to."""
    return sorted(Path(place) for place, _, _ in os.walk(root, followlinks=True))


def _matched(root: Path) -> Iterator[tuple[Path, tuple[Path, ...], Path | None]]:
    """Images in folders ``images`` beside ``labels``, with the files of a series, each with its label file if any."""
    for images in _folders(root):
        if images == root or images.name != "images" or not (images.parent / "labels").is_dir():
            continue
        labels = {stem_of(p): p for p in _files(images.parent / "labels")}
        for image in _files(images):
            yield image, (), labels.get(stem_of(image))
        for folder in sorted(path for path in images.iterdir() if path.is_dir() and not path.name.startswith(".")):
            for name, series in named_series(folder):
                yield folder, series.files, labels.get(name)


def find_pairs(root: Path | str, permissive: bool = False) -> list[Pair]:
    """The pairs of `find_images`, whose parameters and errors it has."""
    return find_images(root, permissive)[0]


def find_images(root: Path | str, permissive: bool = False) -> tuple[list[Pair], list[Path]]:
    """Find the training pairs below a folder, or in an npz file, and images that have no label.

    A folder ``images`` beside a folder ``labels`` gives a pair for each stem that both hold; its parent's
    path names the source. A DICOM series in a folder below ``images`` has the name of that folder (see
    `io.series.named_series`). Files ``*.npz`` with ``imgs`` and ``gts`` are pairs too; there the part of the
    name before the first underscore is the source. A manifest ``sources.json`` in the folder or its parent
    may tell of a source, by the name of its folder, which label ids form one object (``nested``) and whether
    its licence forbids commercial use (``non_commercial``: yes, no or unknown).

    Parameters
    ----------
    root : path
        The folder, or one npz file.
    permissive : bool
        Take only folders of which the manifest says that commercial use is allowed.

    Returns
    -------
    pairs, bare : list of Pair, list of Path
        `bare` are the images for which there is no label of the same name.

    Raises
    ------
    DataError
        If there is no such folder or npz file, or nothing in it that may be taken.
    """
    root = Path(root)
    is_case = suffix_of(root) == ".npz" and root.is_file()
    if not is_case and not root.is_dir():
        raise DataError(f"{root}: no such folder or npz file")
    manifest = _manifest(root)
    pairs, bare = [], []
    for image, slices, label in _matched(root):
        if label is None:
            bare.append(image)
            continue
        place = image.parent.parent
        groups, allowed = manifest.get(place.name, ((), False))
        if allowed or not permissive:
            pairs.append(Pair(place.relative_to(root).as_posix(), image, label, groups, slices))
    if not permissive:
        cases = [root] if is_case else sorted(p for folder in _folders(root) for p in folder.glob("*.npz"))
        pairs += [Pair(p.stem.split("_")[0], p, p) for p in cases]
    if not pairs and permissive:
        raise DataError(f"{root}: no source of which a sources.json says that commercial use is allowed")
    if not pairs:
        raise DataError(
            f"{root}: found neither folders 'images' and 'labels' with files of the same name nor npz files"
        )
    return pairs, bare


def _manifest(root: Path) -> dict[str, tuple[tuple[tuple[int, ...], ...], bool]]:
    """Of each source that a manifest tells of, the ids that form an object each, and whether its licence is free."""
    for file in (root / "sources.json", root.parent / "sources.json"):
        if file.is_file():
            try:
                return {
                    name: (
                        tuple(tuple(int(i) for i in ids) for ids in facts.get("nested", {}).values()),
                        facts.get("non_commercial") == "no",
                    )
                    for name, facts in json.loads(file.read_text(encoding="utf-8")).items()
                }
            except (ValueError, TypeError, AttributeError) as error:
                raise DataError(f"{file}: not a readable manifest: {error}") from error
    return {}


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


def objects(labels: NDArray, groups: Sequence[Sequence[int]] = (), apart: float = SEPARATE_AT) -> Iterator[NDArray]:
    """Yield a mask for each object of a label slice, parts far from each other being separate objects.

    Parameters
    ----------
    labels : array
        ``(H, W)`` ids, 0 for background.
    groups : sequence of sequences of int
        Ids that form one object together; empty: each id is an object.
    apart : float
        Parts with a gap wider than this, in pixels, are separate.
    """
    for ids in groups or [[i] for i in np.unique(labels) if i]:
        whole = np.isin(labels, ids)
        if whole.any():
            yield from split(whole, apart)


def split(mask: NDArray[np.bool_], apart: float) -> Iterator[NDArray[np.bool_]]:
    """Yield the parts of a mask that are farther than `apart` pixels from each other."""
    reach = round(apart / 2)
    joined = binary_dilation(mask, iterations=reach) if reach else mask
    parts = connected_components(joined, connectivity=2) * mask
    for part in range(1, parts.max() + 1):
        yield parts == part
