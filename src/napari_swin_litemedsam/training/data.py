"""Pairs of image and label: finding them, reading them, and the objects that they show."""

import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from skimage.io import imread
from skimage.measure import label as connected_components

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
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


@dataclass
class Sample:
    """Pixels of a pair, ``(Z, H, W)`` or ``(Z, H, W, 3)``, with labels ``(Z, H, W)``."""

    pair: Pair
    image: NDArray
    labels: NDArray
    slices: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.image.shape[:3] != self.labels.shape:
            raise DataError(f"the image is {self.image.shape}, the label {self.labels.shape}")
        self.slices = np.flatnonzero(self.labels.any(axis=(1, 2))).tolist()
        if not self.slices:
            raise DataError("the label is empty")


def _stem(path: Path) -> str:
    name = path.name.lower()
    suffix = next((s for s in IMAGE_SUFFIXES if name.endswith(s)), path.suffix)
    return path.name[: len(path.name) - len(suffix)]


def _is_image(path: Path) -> bool:
    return path.name.lower().endswith(IMAGE_SUFFIXES)


def find_pairs(root: Path | str, permissive: bool = False) -> list[Pair]:
    """Find the training pairs below a folder.

    A folder ``images`` beside a folder ``labels`` gives a pair for each stem that both hold; its parent's
    path names the source. Files ``*.npz`` with ``imgs`` and ``gts`` are pairs too; there the part of the
    name before the first underscore is the source. A manifest ``sources.json`` in the folder or its parent
    may tell of a source, by the name of its folder, which label ids form one object (``nested``) and whether
    its licence forbids commercial use (``non_commercial``: yes, no or unknown).

    Parameters
    ----------
    root : path
        The folder.
    permissive : bool
        Take only folders of which the manifest says that commercial use is allowed.

    Raises
    ------
    DataError
        If there is no such folder, or nothing in it that may be taken.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    manifest = _manifest(root)
    pairs = []
    for images in sorted(p for p in root.rglob("images") if p.is_dir() and (p.parent / "labels").is_dir()):
        source = images.parent.relative_to(root).as_posix()
        facts = manifest.get(images.parent.name, {})
        if permissive and facts.get("non_commercial") != "no":
            continue
        groups = tuple(tuple(ids) for ids in facts.get("nested", {}).values())
        labels = {_stem(p): p for p in (images.parent / "labels").iterdir() if _is_image(p)}
        for image in sorted(p for p in images.iterdir() if _is_image(p)):
            if _stem(image) in labels:
                pairs.append(Pair(source, image, labels[_stem(image)], groups))
    if not permissive:
        pairs += [Pair(p.name.split("_")[0], p, p) for p in sorted(root.rglob("*.npz"))]
    if not pairs and permissive:
        raise DataError(f"{root}: no source of which a sources.json says that commercial use is allowed")
    if not pairs:
        raise DataError(
            f"{root}: found neither folders 'images' and 'labels' with files of the same name nor npz files"
        )
    return pairs


def _manifest(root: Path) -> dict[str, dict[str, Any]]:
    for file in (root / "sources.json", root.parent / "sources.json"):
        if file.is_file():
            try:
                return json.loads(file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise DataError(f"{file}: not a readable manifest: {error}") from error
    return {}


def _read(path: Path) -> NDArray:
    if path.name.lower().endswith((".nii", ".nii.gz")):
        import nibabel

        file: Any = nibabel.load(path)
        return np.ascontiguousarray(np.asanyarray(file.dataobj).T)
    return imread(path)


def read_sample(pair: Pair) -> Sample:
    """Read the pixels of a pair.

    Raises
    ------
    DataError
        If the files cannot be read, do not match, or show no object.
    """
    try:
        if pair.image.suffix == ".npz":
            with np.load(pair.image, allow_pickle=False) as file:
                image, labels = file["imgs"], file["gts"]
        else:
            image, labels = _read(pair.image), _read(pair.label)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"cannot be read: {error}") from error
    if labels.ndim == 3 and labels.shape[2] in (3, 4) and image.ndim <= 3 and pair.label.suffix != ".npz":
        labels = labels[..., 0]
    if labels.ndim == 2:
        image, labels = image[None], labels[None]
    if image.ndim == 4:
        image = image[..., :3]
    labels = labels.astype(np.uint8 if labels.max(initial=0) < 256 else np.uint16)
    return Sample(pair, image, labels)


def read_all(pairs: Sequence[Pair]) -> tuple[list[Sample], list[str]]:
    """Read pairs into memory; what cannot be used is skipped and told, one line each."""
    samples, problems = [], []
    for pair in pairs:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                samples.append(read_sample(pair))
        except DataError as error:
            problems.append(f"{pair.image}: {error}")
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
