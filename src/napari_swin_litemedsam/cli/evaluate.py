"""``swin-litemedsam evaluate``: predicted labels against the truth."""

import argparse
import math
import sys
from pathlib import Path

from numpy.typing import NDArray

from ..evaluation.report import ObjectScore, modality_of, score_case, summarise, write_csv
from ..io.npz import CaseError, read_labels

_SUFFIXES = (".npz", ".png")


def add_parser(subparsers: "argparse._SubParsersAction") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("evaluate", help="score predicted labels: DSC and NSD per object and modality")
    parser.add_argument("prediction", type=Path, metavar="PRED", help="folder of npz (segs) or label PNG, or one file")
    parser.add_argument("truth", type=Path, metavar="TRUTH", help="folder of npz (gts) or label PNG, or one file")
    parser.add_argument("-o", "--output", type=Path, metavar="CSV", help="write every object's scores there")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=2,
        metavar="T",
        help="of the NSD, in mm or, without spacing, pixels (default: 2)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score and print; returns 1 if a file was missing or broken."""
    if not (math.isfinite(args.tolerance) and args.tolerance >= 0):
        raise ValueError(f"the tolerance must be a number of 0 or more, not {args.tolerance}")
    for path in (args.prediction, args.truth):
        if not path.exists():
            raise CaseError(f"{path}: no such file or folder")
    single = args.truth.is_file()
    truths = [args.truth] if single else sorted(p for s in _SUFFIXES for p in args.truth.rglob(f"*{s}"))
    if not truths:
        raise CaseError(f"{args.truth}: holds no npz or PNG files")
    scores: list[ObjectScore] = []
    failures = 0
    for truth in truths:
        name = truth.relative_to(truth.parent if single else args.truth)
        prediction = args.prediction if single and args.prediction.is_file() else _counterpart(args.prediction, name)
        try:
            case = _score(name, truth, prediction, args.tolerance)
        except CaseError as error:
            # without the truth there is nothing to count
            failures += 1
            print(error, file=sys.stderr)
            continue
        scores += case
        if problem := next((score.note for score in case if score.note), ""):
            failures += 1
            print(problem, file=sys.stderr)
    if not scores:
        raise CaseError(f"{args.truth}: holds no labelled object that can be read")
    if args.output:
        write_csv(args.output, scores)
    print(f"{'modality':<10}{'cases':>7}{'objects':>9}{'DSC':>8}{'NSD':>8}")
    summaries = summarise(scores)
    for row in summaries:
        print(f"{row.modality:<10}{row.cases:>7}{row.objects:>9}{row.dsc:>8.4f}{row.nsd:>8.4f}")
    if len(summaries) > 1:
        means = [sum(getattr(row, key) for row in summaries) / len(summaries) for key in ("dsc", "nsd")]
        totals = [sum(getattr(row, key) for row in summaries) for key in ("cases", "objects")]
        print(f"{'mean':<10}{totals[0]:>7}{totals[1]:>9}{means[0]:>8.4f}{means[1]:>8.4f}")
    return 1 if failures else 0


def _counterpart(folder: Path, name: Path) -> Path | None:
    """The prediction for a truth file: at the same place under its folder, or by name at its top."""
    for stem in dict.fromkeys((name.with_suffix(""), Path(name.stem))):
        for suffix in _SUFFIXES:
            # not with_suffix: names may hold dots
            path = folder / stem.parent / f"{stem.name}{suffix}"
            if path.is_file():
                return path
    return None


def _score(name: Path, truth_path: Path, path: Path | None, tolerance: float) -> list[ObjectScore]:
    case, modality = name.with_suffix("").as_posix(), modality_of(truth_path)
    truth, spacing = _read(truth_path, "gts")
    if spacing is not None and len(spacing) != truth.ndim:
        spacing = None
    if path is None:
        return score_case(case, modality, truth, None, note=f"{case}: prediction missing, counted as 0")
    try:
        prediction, _ = _read(path, "segs")
        if prediction.shape != truth.shape:
            raise CaseError(f"{path}: shape {prediction.shape} instead of {truth.shape}")
    except CaseError as error:
        return score_case(case, modality, truth, None, note=f"{error}, counted as 0")
    return score_case(case, modality, truth, prediction, spacing, tolerance)


def _read(path: Path, key: str) -> tuple[NDArray, NDArray | None]:
    if path.suffix == ".npz":
        return read_labels(path, key)
    from skimage.io import imread

    try:
        labels = imread(path)
    except Exception as error:  # the image libraries behind imread raise whatever they like
        raise CaseError(f"{path}: not a readable image ({type(error).__name__})") from error
    if labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise CaseError(f"{path}: a label image has one channel of whole numbers, not shape {labels.shape}")
    return labels, None
