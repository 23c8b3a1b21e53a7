"""The images of a folder, one after the other, and where the labels of each are kept."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ..io import raster
from ..io.scans import IMAGE_SUFFIXES
from ..io.segments import stem_of, suffix_of

_IMAGES, _LABELS = "images", "labels"


class FolderError(ValueError):
    """A folder that cannot be gone through; the message says why."""


class Task(NamedTuple):
    """An image to be segmented, and the file of its labels, which is there once that is done."""

    image: Path
    labels: Path


def tasks_in(folder: Path) -> list[Task]:
    """The images of a folder, by name; if there is a folder ``images`` in it, that one's.

    Labels lie as training reads them, under the image's name: in the folder ``labels`` beside ``images``, or else in
    the folder. They are NIfTI, and for pictures PNG or, since they may be stacks, TIFF.

    Raises
    ------
    FolderError
        If there is no image, or two would share a file of labels.
    """
    if (folder / _IMAGES).is_dir():
        folder = folder / _IMAGES
    images = sorted(
        path for path in folder.iterdir() if suffix_of(path) in IMAGE_SUFFIXES and not path.name.startswith(".")
    )
    if not images:
        raise FolderError(f"{folder}: no image that can be read here; known are {', '.join(IMAGE_SUFFIXES)}")
    tasks = [Task(image, _labels_of(image)) for image in images]
    labels, times = Counter(task.labels for task in tasks).most_common(1)[0]
    if times > 1:
        shared = " and ".join(task.image.name for task in tasks if task.labels == labels)
        raise FolderError(f"{folder}: {shared} would have the same file of labels; give one another name")
    return tasks


def first_open(tasks: list[Task]) -> int:
    """Place of the first image without labels; of the first one, if all have some."""
    return next((place for place, task in enumerate(tasks) if not task.labels.exists()), 0)


def _labels_of(image: Path) -> Path:
    folder = image.parent.parent if image.parent.name == _IMAGES else image.parent
    suffix = suffix_of(image)
    kept = ".nii.gz" if suffix not in raster.SUFFIXES else ".tif" if suffix in raster.TIFF else ".png"
    return folder / _LABELS / f"{stem_of(image)}{kept}"
