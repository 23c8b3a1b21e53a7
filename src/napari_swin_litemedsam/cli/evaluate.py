"""``swin-litemedsam evaluate``: predicted labels against the truth."""

import argparse
import math
import sys
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from tqdm import tqdm

from ..io.scans import LABEL_SUFFIXES
from ._jobs import check_writable

if TYPE_CHECKING:
    from ..evaluation import Comparison, Summary
    from ..evaluation.cases import CaseScores, Predictions

# cases of one remark; the report has all
_NAMED = 10


def add_parser(subparsers: "argparse._SubParsersAction") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score predicted labels: DSC, NSD and HD95 per object and modality",
        description="Compare predicted labels with the truth, object by object. What is missing or unreadable counts "
        "as not found.",
    )
    parser.add_argument(
        "prediction", type=Path, metavar="PRED", help="folder of npz (segs) or label files, or one file"
    )
    parser.add_argument("truth", type=Path, metavar="TRUTH", help="folder of npz (gts) or label files, or one file")
    parser.add_argument("-o", "--output", type=Path, metavar="CSV", help="write every object's scores there")
    parser.add_argument(
        "--html", type=Path, metavar="HTML", help="write a report with charts and the worst cases there"
    )
    parser.add_argument(
        "--against", type=Path, metavar="OTHER", help="another prediction to compare with, case by case"
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="images for the pictures of the report; by default those (imgs) in TRUTH",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=2,
        metavar="T",
        help="distance that the NSD tolerates: mm in volumes with a spacing, otherwise pixels (default: 2)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score and print; returns 1 if a file was missing or broken."""
    if not (math.isfinite(args.tolerance) and args.tolerance >= 0):
        raise ValueError(f"the tolerance must be a number of 0 or more, not {args.tolerance}")
    for option, path in (("-o", args.output), ("--html", args.html)):
        if path and (path.is_dir() or path.name.lower().endswith(LABEL_SUFFIXES)):
            raise ValueError(f"{option} {path}: a report is neither a folder nor a file of labels")
    check_writable({path.parent for path in (args.output, args.html) if path})
    if args.images and not args.images.exists():
        raise ValueError(f"--images {args.images}: no such file or folder")
    if args.output and args.html and args.output.resolve() == args.html.resolve():
        raise ValueError(f"{args.html}: named for both -o and --html")
    from ..evaluation import compare, summarise, write_csv
    from ..evaluation.cases import CaseError, find_labels, predictions_in
    from ..evaluation.remarks import remarks

    paths = [path for path in (args.prediction, args.against) if path]
    for path in paths:
        if not path.exists():
            raise CaseError(f"{path}: no such file or folder")
    truths = find_labels(args.truth)
    predictions = [predictions_in(path, truths) for path in paths]
    for one in predictions:
        _check_pairs(one, args.truth, next(iter(truths)))
    failures: list[str] = []
    results = [_score(truths, one, args.tolerance, failures, len(predictions) > 1) for one in predictions]
    scores = [[score for case in result.values() for score in case.objects] for result in results]
    if not scores[0] and failures:
        raise CaseError(failures[0])
    if not scores[0]:
        raise CaseError(f"{args.truth}: holds no labelled object that can be read")
    for failure in dict.fromkeys(failures):
        print(failure, file=sys.stderr)
    uncounted = remarks(predictions, results)
    for remark in uncounted:
        print(remark.told(_NAMED), file=sys.stderr)
    _print_summaries(summarise(scores[0]))
    if args.against:
        print(f"\ndifference to {args.against} (first minus second, with 95 % intervals)")
        _print_comparisons(compare(*scores))
    if args.output:
        write_csv(args.output, scores[0])
    if args.html:
        from ..evaluation.report import write_report

        write_report(args.html, truths, predictions, scores, args.images, args.tolerance, uncounted)
    return 1 if failures else 0


def _check_pairs(predictions: "Predictions", truth: Path, example: PurePath) -> None:
    """Check that names tell which prediction belongs to which truth."""
    from ..evaluation.cases import CaseError

    owners: dict[Path, PurePath] = {}
    for name, found in predictions.files.items():
        if (other := owners.setdefault(found, name)) != name:
            told = f"{other.as_posix()} and {name.as_posix()}"
            raise CaseError(f"{found}: cannot be the prediction of two cases, {told}")
    if not owners:
        raise CaseError(
            f"{predictions.path}: holds no file named as one of {truth} apart from the ending, such as {example}"
        )


def _score(
    truths: dict[PurePath, Path],
    predictions: "Predictions",
    tolerance: float,
    failures: list[str],
    one_of_several: bool,
) -> "dict[PurePath, CaseScores]":
    """Score all cases; what went wrong is added to `failures`."""
    from ..evaluation.cases import CaseError, score_files

    results: dict[PurePath, CaseScores] = {}
    cases = tqdm(truths.items(), desc="evaluate", unit="case", leave=False, disable=None, file=sys.stderr)
    for name, path in cases:
        try:
            results[name] = score_files(name, path, predictions.files.get(name), tolerance)
        except CaseError as error:
            # without objects of the truth there is nothing to count
            failures.append(str(error))
            continue
        notes = dict.fromkeys(score.note for score in results[name].objects if score.note)
        for note in notes:
            # what cannot be read names itself
            named = note.startswith(str(predictions.path)) or not one_of_several
            failures.append(f"{'' if named else f'{predictions.path}: '}{note}, counted as 0")
    return results


def _print_summaries(rows: "list[Summary]") -> None:
    print(f"{'modality':<10}{'cases':>7}{'objects':>9}{'DSC':>8}{'NSD':>8}{'HD95':>9}")
    for row in rows:
        distance = f"{row.hd95:>9.2f}" if math.isfinite(row.hd95) else ""
        print(f"{row.modality:<10}{row.cases:>7}{row.objects:>9}{row.dsc:>8.4f}{row.nsd:>8.4f}{distance}")


def _print_comparisons(rows: "list[Comparison]") -> None:
    print(f"{'modality':<10}{'cases':>7}{'DSC':>9}{'':19}{'NSD':>9}{'':19}{'better':>7}{'worse':>7}{'p':>8}")
    for row in rows:
        cells = [
            f"{value:>+9.4f}{'' if math.isnan(low) else f'  [{low:+.4f},{high:+.4f}]':<19}"
            for value, (low, high) in ((row.dsc, row.dsc_interval), (row.nsd, row.nsd_interval))
        ]
        print(f"{row.modality:<10}{row.cases:>7}{cells[0]}{cells[1]}{row.better:>7}{row.worse:>7}{row.p:>8.3f}")
