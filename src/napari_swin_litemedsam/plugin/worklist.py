"""The images of a folder, one after the other, and where the labels of each are kept."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ..io import raster
from ..io.dicom import is_dicom
from ..io.scans import IMAGE_SUFFIXES
from ..io.segments import stem_of, suffix_of
from ..io.series import named_series

_IMAGES, _LABELS = "images", "labels"


class FolderError(ValueError):
    """A folder that cannot be gone through; the message says why."""


class Task(NamedTuple):
    """An image to be segmented, and the file of its labels, which is there once that is done.

    `slices` are the files of a DICOM series, whose folder `image` is then; `title` is what the user tells it by.
    """

    image: Path
    labels: Path
    title: str
    slices: tuple[Path, ...] = ()


def tasks_in(folder: Path) -> list[Task]:
    """The images of a folder, by name; if there is a folder ``images`` in it, that one's.

    Each DICOM series in a folder below is an image, too; of a folder with no other images also those that lie in it.

    Labels lie as training reads them, under the image's name: in the folder ``labels`` beside ``images``, or else in
    the folder. They are NIfTI, and for pictures PNG or, since they may be stacks, TIFF.

    Raises
    ------
    FolderError
        If there is no image, or two would share a file of labels.
    """
    if (folder / _IMAGES).is_dir():
        folder = folder / _IMAGES
    kept = folder.parent / _LABELS if folder.name == _IMAGES else folder / _LABELS
    there = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    images = [path for path in there if path.is_file() and suffix_of(path) in IMAGE_SUFFIXES]
    tasks = [Task(image, kept / f"{stem_of(image)}{_label_suffix(image)}", image.name) for image in images]
    alone = not images and any(path.is_file() and is_dicom(path) for path in there)
    for place in [folder] if alone else [path for path in there if path.is_dir() and path != kept]:
        for name, series in named_series(place, among_images=alone):
            tasks.append(Task(place, kept / f"{name}.nii.gz", f"{name}: {series.title}", series.files))
    if not tasks:
        raise FolderError(f"{folder}: no image that can be read here; known are DICOM, {', '.join(IMAGE_SUFFIXES)}")
    tasks.sort(key=lambda task: task.labels)
    labels, times = Counter(task.labels for task in tasks).most_common(1)[0]
    if times > 1:
        shared = " and ".join(task.title for task in tasks if task.labels == labels)
        raise FolderError(f"{folder}: {shared} would have the same file of labels; give one another name")
    return tasks


def first_open(tasks: list[Task]) -> int:
    """Place of the first image without labels; of the first one, if all have some."""
    return next((place for place, task in enumerate(tasks) if not task.labels.exists()), 0)


def _label_suffix(image: Path) -> str:
    suffix = suffix_of(image)
    return ".nii.gz" if suffix not in raster.SUFFIXES else ".tif" if suffix in raster.TIFF else ".png"
