"""Which DICOM series a folder holds."""

import os
from collections import defaultdict
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


@dataclass(frozen=True)
class Series:
    """Images that belong together.

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

    Raises
    ------
    CaseError
        If there is no DICOM image.
    """
    members: dict[tuple[str, bool], list[tuple[Path, Any]]] = defaultdict(list)
    known = set()
    for path in sorted(Path(folder).rglob("*")):
        # files that are no DICOM, reports and segmentations are passed over
        if path.is_file() and (header := peek(path)) is not None and "Rows" in header and not holds_labels(header):
            image = tuple(str(header.get(tag, "")) for tag in IMAGE)
            # a file that was copied within the folder is one image; without an identifier all differ
            if image[0] and image in known:
                continue
            known.add(image)
            # the picture that a scan was planned on may share its series, but lies across it
            across = "LOCALIZER" in (header.get("ImageType") or ())
            members[str(header.get("SeriesInstanceUID", "")), across].append((path, header))
    if not members:
        raise CaseError(f"{folder}: holds no DICOM images")
    found = sorted(members.items(), key=lambda item: (_number(item[1][0][1].get("SeriesNumber")), item[0]))
    return [Series(uid, _title([h for _, h in images]), tuple(p for p, _ in images)) for (uid, _), images in found]


def named_series(folder: str | os.PathLike, among_images: bool = False) -> list[tuple[str, Series]]:
    """The series of a folder, each with the name that its labels have: the folder's, numbered if there are several.

    Where the files lie `among_images`, rather than in a folder of their own, a series of one file has that file's name.
    """
    try:
        found = find_series(folder)
    except CaseError:
        return []
    name = Path(folder).name
    names = [f"{name}-{number}" for number in range(1, len(found) + 1)] if len(found) > 1 else [name]
    if among_images:
        names = [stem_of(s.files[0]) if len(s.files) == 1 else name for name, s in zip(names, found, strict=True)]
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


def _title(headers: Sequence[Any]) -> str:
    first = headers[0]
    name = " ".join(str(first.get("SeriesDescription", "")).split()) or "without description"
    count = sum(map(frame_count, headers))
    images = "1 image" if count == 1 else f"{count} images"
    return f"{name}, {first.get('Modality', 'unknown modality')}, {images} of {first.Rows} x {first.Columns}"


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.inf
