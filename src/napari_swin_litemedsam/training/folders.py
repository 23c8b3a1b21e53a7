"""Images and labels in folders, by the names that bring them together."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from ..io import dicom
from ..io.scans import FILE_SUFFIXES, IMAGE_SUFFIXES
from ..io.segments import FIRST_CHANNEL, by_stem, stem_of, suffix_of
from ..io.series import named_series

# a BMP is told rather than passed over
_SUFFIXES = (*FILE_SUFFIXES, *dicom.SUFFIXES, ".bmp")
# as the panel names them, and as the Medical Segmentation Decathlon and nnU-Net do
_LABELS_OF = {"images": "labels", "imagesTr": "labelsTr"}

Image = tuple[Path, tuple[Path, ...]]
"""A file, or a folder and the files of a series in it."""


def labelled_folders(root: Path, folders: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Those of the folders in a root that are called ``images`` and lie beside ``labels``, with these; or the like."""
    for folder in folders:
        if folder != root and folder.name in _LABELS_OF:
            labels = folder.with_name(_LABELS_OF[folder.name])
            if labels.is_dir():
                yield folder, labels


def labels_in(folder: Path) -> dict[str, list[Path]]:
    """The label files of a folder by name: one each, unless there are several of one stem."""
    return by_stem(_files(folder))


def images_in(folder: Path, labelled: Container[str]) -> dict[str, list[Image]]:
    """The images of a folder by the names that their labels have: one each, unless there are several of one name.

    DICOM files that lie in it alone are images by themselves, but where a label has the name of their series.

    Parameters
    ----------
    folder : Path
        Its folders hold series.
    labelled : container of str
        The names that there are labels of.
    """
    there = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    among = []
    # as the panel goes through them
    if not any(suffix_of(path) in IMAGE_SUFFIXES for path in there) and any(map(dicom.is_dicom, there)):
        among = [(name, s.files) for name, s in named_series(folder, among_images=True) if name in labelled]
    taken = {path for _, slices in among for path in slices}
    found: dict[str, list[Image]] = defaultdict(list)
    for path in _files(folder):
        if path not in taken:
            name = stem_of(path)
            found[name if name in labelled else name.removesuffix(FIRST_CHANNEL)].append((path, ()))
    for name, slices in among:
        found[name].append((folder if len(slices) > 1 else slices[0], slices))
    for place in there:
        for name, series in named_series(place) if place.is_dir() else ():
            if taken.isdisjoint(series.files):
                found[name].append((place, series.files))
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if suffix_of(p) in _SUFFIXES and not p.name.startswith("."))
