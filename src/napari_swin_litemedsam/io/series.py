"""Which DICOM series a folder holds."""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..geometry import Scan
from .dicom import IMAGE, holds_labels, peek, read_series
from .files import CaseError
from .multiframe import frame_count
from .segments import stem_of

# of slices; other images without a position are pictures, such as radiographs and those of ultrasound
_SLICED = ("CT", "MR", "PT")


@dataclass(frozen=True)
class Series:
    """Images that belong together, or a picture.

    Parameters
    ----------
    uid : str
        Its SeriesInstanceUID.
    title : str
        What a user tells series by: description, modality, number and size of the images.
    files : tuple of Path
        In no particular order.
    """

    uid: str
    title: str
    files: tuple[Path, ...]


def find_series(folder: str | os.PathLike) -> list[Series]:
    """List the series of images in a folder and below it, in the order of their numbers.

    Pictures often share a series, but make no volume: each counts as one of its own.

    Raises
    ------
    CaseError
        If there is no DICOM image.
    """
    members: dict[tuple[str, bool, str], list[tuple[Path, Any]]] = defaultdict(list)
    known, segmentations = set(), []
    for path in sorted(Path(folder).rglob("*")):
        # files that are no DICOM, reports and segmentations are passed over
        if path.is_file() and (header := peek(path)) is not None and "Rows" in header:
            if holds_labels(header):
                segmentations.append(path)
                continue
            image = tuple(str(header.get(tag, "")) for tag in IMAGE)
            # a file that was copied within the folder is one image; without an identifier all differ
            if image[0] and image in known:
                continue
            known.add(image)
            # the picture that a scan was planned on may share its series, but lies across it
            across = "LOCALIZER" in (header.get("ImageType") or ())
            alone = header.get("ImagePositionPatient") is None and header.get("Modality") not in _SLICED
            key = str(header.get("SeriesInstanceUID", "")), across, str(path) if alone else ""
            members[key].append((path, header))
    if not members:
        but = f" but segmentations; open the file itself, such as {segmentations[0].name}" if segmentations else ""
        raise CaseError(f"{folder}: holds no DICOM images{but}")
    found = sorted(members.items(), key=_order)
    shared = Counter(uid for uid, *_ in members)
    return [
        Series(uid, _title([h for _, h in images], shared[uid] > 1 and bool(alone)), tuple(p for p, _ in images))
        for (uid, _, alone), images in found
    ]


def named_series(folder: str | os.PathLike, among_images: bool = False) -> list[tuple[str, Series]]:
    """The series of a folder, each with the name that its labels have: the folder's, numbered if there are several.

    Where the files lie `among_images`, rather than in a folder of their own, a series of one file has that file's name,
    unless others have it, too.
    """
    try:
        found = find_series(folder)
    except CaseError:
        return []
    name = Path(folder).name
    names = [f"{name}-{number}" for number in range(1, len(found) + 1)] if len(found) > 1 else [name]
    if among_images:
        # on discs files of several folders are called alike
        stems = [stem_of(series.files[0]) if len(series.files) == 1 else "" for series in found]
        names = [stem if stem and stems.count(stem) == 1 else name for name, stem in zip(names, stems, strict=True)]
    return list(zip(names, found, strict=True))


def read_dicom(path: str | os.PathLike, series: int | None = None) -> Scan:
    """Read a file, or a series of a folder.

    Parameters
    ----------
    path : path
        A file or a folder.
    series : int, optional
        Which of several series, counted from 1 in the order of `find_series`.

    Raises
    ------
    CaseError
        As `read_series` does, and if a folder holds several series and none is chosen.
    """
    path = Path(path)
    if not path.is_dir():
        return read_series((path,))
    found = find_series(path)
    if series is None and len(found) > 1:
        listed = "; ".join(f"{number}: {item.title}" for number, item in enumerate(found, 1))
        raise CaseError(f"{path}: holds {len(found)} series, choose one: {listed}")
    if series is not None and not 1 <= series <= len(found):
        raise CaseError(f"{path}: there is no series {series}; it holds {len(found)}")
    return read_series(found[(series or 1) - 1].files)


def _order(member: tuple[tuple[str, bool, str], list[tuple[Path, Any]]]) -> tuple:
    """By the number of the series and, of pictures that share it, their own."""
    (uid, across, alone), ((_, first), *_) = member
    return _number(first.get("SeriesNumber")), uid, across, _number(first.get("InstanceNumber")) if alone else 0, alone


def _title(headers: Sequence[Any], numbered: bool) -> str:
    first = headers[0]
    name = " ".join(str(first.get("SeriesDescription", "")).split()) or "without description"
    if numbered and (number := first.get("InstanceNumber")) is not None:
        name = f"{name} {number}"
    count = sum(map(frame_count, headers))
    images = "1 image" if count == 1 else f"{count} images"
    return f"{name}, {first.get('Modality', 'unknown modality')}, {images} of {first.Rows} x {first.Columns}"


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.inf
