"""``swin-litemedsam predict``: scans and their boxes to label files."""

import argparse
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ..geometry import Scan
from ..io import write_labels
from ..io.boxes import ScanBox, segments_of
from ..io.scans import check_target
from ..io.segments import stem_of
from ..io.times import read_times, write_times
from ._jobs import Job, check_overlays, check_writable, find_jobs
from ._model import add_model_options, load_predictor
from ._segment import Window, segment, write_overlay

# of intensities, what a volume that is not in 8 bits is shown to the model in
_PERCENTILES = 0.5, 99.5


def add_parser(subparsers: "argparse._SubParsersAction") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "predict",
        help="segment the boxes of scans: NIfTI, NRRD, MHA, DICOM, pictures, challenge npz files",
        description="Segment what is in the boxes of scans, and write labels on the scans' own grids. Files of labels "
        "appear only when they are complete; an input that fails does not stop the others.",
    )
    parser.add_argument(
        "inputs", nargs="+", type=Path, metavar="IN", help="scans, npz files (imgs, boxes), folders of them or of DICOM"
    )
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="OUT", help="folder or, for one input, file of the labels"
    )
    parser.add_argument(
        "--boxes",
        type=Path,
        metavar="JSON",
        help="boxes of one scan, or folder of NAME.boxes.json; by default NAME.boxes.json beside each scan",
    )
    parser.add_argument("--series", type=int, metavar="N", help="which series of a DICOM folder, counted from 1")
    parser.add_argument(
        "--window",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="intensities that the model sees; by default 8-bit images as they are, others from the "
        "0.5th to the 99.5th percentile",
    )
    parser.add_argument(
        "--range", nargs=2, type=int, metavar=("Z0", "Z1"), help="segment these slices only, both included"
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="K", help="run the model on every K-th slice, interpolate between"
    )
    parser.add_argument(
        "--spacing-aware",
        action="store_true",
        help="let the next slice's box be larger than the mask by the distance between slices, not by pixels",
    )
    parser.add_argument(
        "--all-parts",
        action="store_true",
        help="keep also parts of a mask that do not touch the object on the slice before",
    )
    parser.add_argument(
        "--consistent",
        action="store_true",
        help="carry objects back from their ends, too, and let the surer of both ways count where they differ",
    )
    parser.add_argument("--keep-holes", action="store_true", help="leave holes in masks as they are")
    parser.add_argument(
        "--keep-unlike",
        action="store_true",
        help="keep also pixels of a mask that look rather like what surrounds the object on the slice of its box",
    )
    add_model_options(parser)
    parser.add_argument(
        "--zoom",
        action=argparse.BooleanOptionalAction,
        help="look at small objects again in the part of the image around them; by default on images, not in volumes",
    )
    parser.add_argument("--skip-existing", action="store_true", help="leave out inputs whose labels are in OUT already")
    parser.add_argument("--overlay", type=Path, metavar="DIR", help="also write PNG pictures with contours there")
    parser.add_argument(
        "--times", action="store_true", help="also write the seconds of each case into times.csv beside the labels"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Segment every input; returns 1 if some of them failed, 130 if interrupted."""
    _check(args)
    jobs = find_jobs(args.inputs, args.output, args.boxes, args.skip_existing)
    if not jobs:
        print("nothing to do: all labels are there already")
        return 0
    if args.overlay:
        check_overlays(jobs, args.overlay)
    check_writable({*(job.target.parent for job in jobs), *([args.overlay] if args.overlay else [])})
    if args.times:
        # damaged ones are told before anything is calculated
        for folder in {job.target.parent for job in jobs}:
            read_times(folder)
    predictor = load_predictor(args, args.zoom is not False)
    failed = done = 0
    for job in jobs:
        start = time.perf_counter()
        try:
            with _warnings_of(job.path):
                count, missing = _do(job, args, predictor)
            seconds = time.perf_counter() - start
            if args.times:
                write_times(job.target.parent, {stem_of(job.target): seconds})
        # the last is what torch tells of a graphics card whose memory is full
        except (ValueError, OSError, MemoryError, RuntimeError) as error:
            failed += 1
            told = " ".join(str(error).split()) or type(error).__name__
            own = [path for path in (job.path, job.boxes, job.target) if path]
            named = told.startswith(tuple(f"{path}{end}" for path in own for end in (":", os.sep)))
            print(told if named else f"{job.path}: {told}", file=sys.stderr)
            continue
        except KeyboardInterrupt:
            print(f"interrupted; {done} of {len(jobs)} cases are done", file=sys.stderr)
            return 130
        done += 1
        without = f" (without a pixel: {', '.join(missing)})" if missing else ""
        print(f"{job.name}: {count} object{'s' * (count != 1)}, {seconds:.2f} s{without}", flush=True)
    if failed:
        print(f"{failed} of {len(jobs)} cases failed", file=sys.stderr)
    return 1 if failed else 0


def _check(args: argparse.Namespace) -> None:
    if args.every < 1:
        raise ValueError(f"--every must be at least 1, not {args.every}")
    if args.range and args.range[0] > args.range[1]:
        raise ValueError(f"--range is reversed: {args.range[0]} to {args.range[1]}")
    if args.window and not (all(map(math.isfinite, args.window)) and args.window[0] < args.window[1]):
        raise ValueError(f"--window: the lower end {args.window[0]} must be below the upper end {args.window[1]}")


@contextmanager
def _warnings_of(path: Path) -> Iterator[None]:
    """Tell warnings as errors are told: each once, in a line with the input, and not with one of the program."""
    told = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        line = f"{path}: {' '.join(str(message).split())}"
        if line not in told:
            told.add(line)
            tqdm.write(line, file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _do(job: Job, args: argparse.Namespace, predictor: Any) -> tuple[int, list[str]]:
    """Segment one input and write its labels; return the number of objects, and what of them has no pixel."""
    from ..propagation import Options

    scan, boxes = job.read(args.series)
    # not after minutes of calculation
    check_target(job.target, scan)
    spacing = None
    if args.spacing_aware and scan.is_volume:
        if scan.geometry is None:
            raise ValueError("--spacing-aware: the scan tells no spacing")
        spacing = scan.geometry.spacing
    options = Options(
        every=args.every,
        spacing=spacing,
        one_part=not args.all_parts,
        filled=not args.keep_holes,
        alike=not args.keep_unlike,
        zoom=args.zoom is True,
        consistent=args.consistent,
    )
    # challenge images are windowed already
    window = None if job.boxes is None else _window(scan)
    if args.window:
        window = tuple(args.window)
    with tqdm(desc=job.name, unit="slice", leave=False, disable=None, file=sys.stderr) as bar:
        labels = segment(scan, boxes, predictor, window, options, args.range, _shown_by(bar))
    # the boxes of challenge files have no names
    segments = [] if job.boxes is None else segments_of(boxes)
    write_labels(job.target, labels, scan.geometry, segments, scan.files)
    if args.overlay:
        write_overlay(args.overlay / f"{job.name}.png", scan, labels, window)
    return len(segments_of(boxes)), _missing(boxes, labels, args.range)


def _missing(boxes: list[ScanBox], labels: NDArray[np.integer], span: Sequence[int] | None) -> list[str]:
    """Names of objects that have no pixel, or none on some slices of their 3D boxes, which are counted."""
    # plane by plane, which takes no copy of a whole volume
    there = [set(np.unique(plane).tolist()) for plane in (labels if labels.ndim == 3 else labels[None])]
    first, last = span or (0, len(there) - 1)
    told = []
    for item in segments_of(boxes):
        corners = [box.corners for box in boxes if box.segment.id == item.id and len(box.corners) == 6]
        asked = {z for z0, _, _, z1, _, _ in corners for z in range(max(round(z0), first), min(round(z1), last) + 1)}
        without = sum(item.id not in there[z] for z in asked)
        if not any(item.id in ids for ids in there):
            told.append(item.name)
        elif without:
            told.append(f"{item.name} on {without} of {len(asked)} slices")
    return told


def _shown_by(bar: tqdm) -> Callable[[int, int], None]:
    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return show


def _window(scan: Scan) -> Window:
    """What the model sees of an image: all of it if it is in 8 bits or in colour."""
    if scan.is_colour or scan.array.dtype.kind == "b" or scan.array.dtype == np.uint8:
        return None
    from ..preprocessing import percentile_window

    low, high = percentile_window(scan.array, *_PERCENTILES)
    return (low, high) if low < high else None
