"""What ``predict`` has to do: which inputs there are, where their boxes stand, and where the labels go."""

import os
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..geometry import Scan
from ..io import CaseError, Segment, dicom, read_case, read_scan
from ..io.boxes import BOXES_SUFFIX, ScanBox, boxes_of, name_of, read_boxes
from ..io.npz import Case, case_scan
from ..io.scans import IMAGE_SUFFIXES, LABEL_SUFFIXES
from ..io.segments import stem_of, suffix_of

_SCANS = (*IMAGE_SUFFIXES, *dicom.SUFFIXES)
# what labels of a scan are written as, if the user names a folder
_WRITTEN_AS = {".nii": ".nii.gz", ".nrrd": ".seg.nrrd", ".nhdr": ".seg.nrrd", ".mhd": ".mha", ".jpg": ".png"}
_WRITTEN_AS |= {".jpeg": ".png", ".dcm": ".nii.gz", ".dicom": ".nii.gz", "": ".nii.gz"}


@dataclass(frozen=True)
class Job:
    """One input, the file of its boxes (None if it holds them itself), and the file of its labels."""

    path: Path
    boxes: Path | None
    target: Path

    @property
    def name(self) -> str:
        """What the user knows the input by."""
        return name_of(self.path)

    def read(self, series: int | None = None) -> tuple[Scan, list[ScanBox]]:
        """Read the input and its boxes.

        Raises
        ------
        CaseError
            If one of them cannot be read, or has no boxes.
        """
        if self.boxes is None:
            case = read_case(self.path)
            return case_scan(self.path, case), case_boxes(case)
        if not self.path.exists():
            told = f", whose boxes are in {self.boxes}" if self.boxes.is_file() else ""
            raise CaseError(f"{self.path}: no such file or folder{told}")
        if not self.boxes.is_file():
            raise CaseError(f"{self.path}: has no boxes; they are looked for in {self.boxes}")
        scan = read_scan(self.path, series)
        return scan, read_boxes(self.boxes, scan)


def find_jobs(
    inputs: Sequence[Path], output: Path, boxes: Path | None = None, skip_existing: bool = False
) -> list[Job]:
    """List what is to be done, inputs in folders sorted by name.

    Parameters
    ----------
    inputs : sequence of Path
        Files, and folders of them or of DICOM files.
    output : Path
        A folder or, for one input, a file.
    boxes : Path, optional
        The boxes file of one scan, or a folder with one for each.
    skip_existing : bool
        Whether to leave out what has its labels already.

    Raises
    ------
    ValueError
        If there are no inputs, if two results, or one and an input, would share a file, or if one would replace a
        file beside the inputs that was not named.
    """
    inputs = [*_spelt_out(inputs)]
    paths: list[Path] = []
    for path in inputs:
        if not path.exists() and len(inputs) == 1:
            raise CaseError(f"{path}: no such file or folder")
        # one missing file among many is reported when its turn comes
        paths += _inside(path, boxes) if path.is_dir() else [path]
    paths = [*dict.fromkeys(paths)]
    if not any(path.exists() for path in paths):
        raise CaseError(f"no npz files, scans with boxes or DICOM files found in {', '.join(map(str, inputs))}")
    scans = [path for path in paths if suffix_of(path) != ".npz"]
    if boxes is not None and not boxes.exists():
        raise CaseError(f"{boxes}: no such file or folder")
    if boxes is not None and not scans:
        raise ValueError(f"{boxes}: npz files hold their boxes themselves; --boxes is for other scans")
    if boxes is not None and boxes.is_file() and len(scans) > 1:
        raise ValueError(f"{boxes}: one boxes file is for one scan, there are {len(scans)}; name a folder of them")
    to_file = suffix_of(output) in LABEL_SUFFIXES and not output.is_dir()
    if to_file and len(paths) > 1:
        raise ValueError(f"{output}: the output of {len(paths)} inputs must be a folder")
    # the mistyped name of a file would otherwise become a folder
    mistyped = len(inputs) == 1 and inputs[0].is_file() and suffix_of(output)
    if not to_file and not output.is_dir() and (output.exists() or mistyped):
        kind = "this is another file" if output.exists() else "if a folder is meant, make it first"
        raise ValueError(f"{output}: labels are written to files that end in {', '.join(LABEL_SUFFIXES)}; {kind}")
    jobs = []
    for path in paths:
        own = None
        if path in scans:
            own = boxes if boxes is not None and boxes.is_file() else boxes_of(path, boxes)
        jobs.append(Job(path, own, output if to_file else output / _target(path)))
    _check_targets(jobs)
    if skip_existing:
        return [job for job in jobs if not job.target.exists()]
    if not to_file:
        _check_neighbours(jobs)
    return jobs


def _spelt_out(inputs: Sequence[Path]) -> Iterator[Path]:
    """Inputs, with patterns spelt out, as some shells do not; files of boxes, which patterns find too, are none."""
    for path in inputs:
        matches = [] if path.exists() else sorted(map(Path, glob(str(path), recursive=True)))
        yield from (match for match in matches or [path] if not match.name.lower().endswith(BOXES_SUFFIX))


def _inside(folder: Path, boxes: Path | None) -> list[Path]:
    """The npz files of a folder and its scans that have boxes; without any, the folder itself if it holds DICOM.

    Boxes beside a folder's scans that belong to none of them have a misspelt name: the scan that they name comes, too.
    """
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    scans = [path for path in entries if (path.is_dir() or suffix_of(path) in _SCANS) and _has_boxes(path, boxes)]
    found = sorted([*scans, *(path for path in entries if suffix_of(path) == ".npz" and path.is_file())])
    if not found and any(dicom.is_dicom(path) for path in folder.rglob("*") if path.is_file()):
        return [folder]
    used = {boxes_of(path, None) for path in found}
    named = [path for path in entries if path.name.lower().endswith(BOXES_SUFFIX) and boxes is None]
    spare = [path for path in named if Path(os.path.abspath(path)) not in used]
    return [*found, *(path.with_name(path.name[: -len(BOXES_SUFFIX)]) for path in spare)]


def _has_boxes(path: Path, boxes: Path | None) -> bool:
    return boxes_of(path, boxes if boxes is not None and boxes.is_dir() else None).is_file()


def _target(path: Path) -> str:
    if path.is_dir():
        return f"{name_of(path)}.nii.gz"
    suffix = suffix_of(path)
    if suffix == ".npz":
        return path.name
    written_as = _WRITTEN_AS.get(suffix, suffix)
    # DICOM files are often named by numbers with dots
    return f"{stem_of(path)}{written_as}" if written_as in LABEL_SUFFIXES else f"{path.name}.nii.gz"


def _check_targets(jobs: Sequence[Job]) -> None:
    targets: dict[Path, Path] = {}
    for job in jobs:
        # a link would be replaced, not what it leads to
        other = targets.setdefault(job.target.parent.resolve() / job.target.name, job.path)
        if other is not job.path:
            raise ValueError(f"{other} and {job.path} would be written to the same file")
    taken = {_identity(target) for target in targets}
    for job in jobs:
        if _identity(job.path) in taken:
            raise ValueError(f"{job.path}: the result would replace its input; choose another output folder")


def _identity(path: Path) -> Hashable:
    """What is the same for all the names of a file, also those that differ in capitals where these do not count."""
    try:
        status = os.stat(path)
    except OSError:
        return path.resolve()
    return status.st_dev, status.st_ino


def _check_neighbours(jobs: Sequence[Job]) -> None:
    """Check that results replace nothing that lies beside the inputs, where other files than results are."""
    folders = _folders_of_inputs(jobs)
    for job in jobs:
        if job.target.exists() and _folders_of(job.target) & folders:
            raise ValueError(
                f"{job.target}: is there already, beside the inputs; choose another output folder, or name it by -o"
            )


def _folders_of_inputs(jobs: Sequence[Job]) -> set[Path]:
    return set().union(*(_folders_of(job.path) for job in jobs))


def _folders_of(path: Path) -> set[Path]:
    """The folder that a file lies in and, of a link, that of what it leads to."""
    own = Path(os.path.abspath(path))
    return {own.parent.resolve(), own.resolve().parent}


def check_writable(folders: Iterable[Path]) -> None:
    """Check that files can be made in folders, which need not be there yet; not after hours of calculation.

    Raises
    ------
    ValueError
        If one is a file, lies below one or is read-only.
    """
    for folder in folders:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not (there.is_dir() and os.access(there, os.W_OK)):
            raise ValueError(f"{folder}: nothing can be written there")


def check_overlays(jobs: Sequence[Job], folder: Path) -> None:
    """Check that the pictures of the jobs, ``NAME.png`` in a folder, replace nothing else.

    Raises
    ------
    ValueError
        If one would replace an input, a result or what lies beside the inputs, or if two would share a file.
    """
    folders = _folders_of_inputs(jobs)
    taken = {path.resolve() for job in jobs for path in (job.path, job.target)}
    for job in jobs:
        picture = folder / f"{job.name}.png"
        if picture.resolve() in taken or (picture.exists() and _folders_of(picture) & folders):
            raise ValueError(f"{picture}: an overlay would replace another file; choose another folder for --overlay")
        taken.add(picture.resolve())


def case_boxes(case: Case) -> list[ScanBox]:
    """Boxes of a challenge file: in its order, the first with label 1.

    Raises
    ------
    CaseError
        If it has none, or a box covers no slice of the volume.
    """
    if case.boxes is None:
        raise CaseError("holds no array 'boxes'")
    # x_min, y_min, x_max, y_max -> y0, x0, y1, x1
    corners = volume_boxes(case) if case.is_volume else case.boxes[:, [1, 0, 3, 2]]
    return [ScanBox(Segment(number), box) for number, box in enumerate(corners, 1)]


def volume_boxes(case: Case) -> NDArray[np.float64]:
    """Boxes (z0, y0, x0, z1, y1, x1) with both ends included.

    Raises
    ------
    CaseError
        If a box covers no slice of the volume.
    """
    assert case.boxes is not None
    corners = case.boxes.reshape(-1, 2, 3)
    low, high = corners.min(axis=1)[:, ::-1], corners.max(axis=1)[:, ::-1].copy()
    # the file's z_max is the slice after the last
    high[:, 0] = np.minimum(np.ceil(high[:, 0]), len(case.image)) - 1
    low[:, 0] = np.maximum(np.floor(low[:, 0]), 0)
    empty = np.flatnonzero(low[:, 0] > high[:, 0])
    if len(empty):
        raise CaseError(f"box {empty[0] + 1} covers no slice of the volume: {case.boxes[empty[0]].tolist()}")
    return np.hstack([low, high])
