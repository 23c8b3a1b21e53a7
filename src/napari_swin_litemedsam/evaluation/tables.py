"""The tables of the report, as HTML."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path, PurePath

from ..io.segments import stem_of
from ..io.times import read_times
from .cases import Predictions, read_truth
from .scores import ObjectScore
from .statistics import Interval, compare, summarise


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of HTML cells; the mean's row is set off."""
    lines = [
        f"<tr{' class=mean' if row[0] == 'mean' else ''}>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>"
        for row in rows
    ]
    return (
        "<table><thead><tr>"
        + "".join(f"<th>{c}</th>" for c in head)
        + "</tr></thead><tbody>\n"
        + "\n".join(lines)
        + "</tbody></table>"
    )


def _headed(names: Sequence[str], measures: Sequence[str]) -> list[str]:
    """A head for each measure of each prediction, which a single one need not name."""
    prefixes = [f"{escape(name)}<br>" if len(names) > 1 else "" for name in names]
    return [prefix + measure for prefix in prefixes for measure in measures]


def _per_cent(value: float, interval: Interval, sign: str = "") -> str:
    low, high = (format(100 * end, f"{sign}.1f") for end in interval)
    bracket = f'<span class="interval">[{low}, {high}]</span>' if math.isfinite(interval[0]) else ""
    return format(100 * value, f"{sign}.2f") + bracket


def score_table(scores: Sequence[Sequence[ObjectScore]], names: Sequence[str]) -> str:
    """DSC, NSD and HD95 of each prediction per modality, and their mean."""
    rows = []
    for same in zip(*(summarise(group) for group in scores), strict=True):
        row = [same[0].modality, str(same[0].cases), str(same[0].objects)]
        for s in same:
            distance = f"{s.hd95:.2f}" if math.isfinite(s.hd95) else ""
            row += [_per_cent(s.dsc, s.dsc_interval), _per_cent(s.nsd, s.nsd_interval), distance]
        rows.append(row)
    return _table(["Modality", "cases", "objects", *_headed(names, ["DSC", "NSD", "HD95"])], rows)


def comparison_table(scores: Sequence[Sequence[ObjectScore]]) -> str:
    """What the first prediction is better by than the second, per modality."""
    head = ["Modality", "cases", "DSC", "NSD", "better", "worse", "p"]
    note = "Paired by case; better and worse count cases by DSC; p: Wilcoxon's signed-rank test of DSC."
    rows = [
        [
            c.modality,
            str(c.cases),
            _per_cent(c.dsc, c.dsc_interval, "+"),
            _per_cent(c.nsd, c.nsd_interval, "+"),
            str(c.better),
            str(c.worse),
            f"{c.p:.3f}" if c.p >= 0.001 else "&lt; 0.001",
        ]
        for c in compare(scores[0], scores[1])
    ]
    return _table(head, rows) + f"<p><small>{note}</small></p>"


def time_table(
    truths: Mapping[PurePath, Path],
    predictions: Sequence[Predictions],
    scores: Sequence[ObjectScore],
    names: Sequence[str],
) -> str:
    """Seconds of each prediction: per modality the mean, and the case that took the first one longest.

    Empty if the time of no case is known. Means are over the cases whose times all predictions tell, apart from those
    that tell none.

    Raises
    ------
    CaseError
        If a file of times is damaged.
    """
    objects: dict[str, dict[str, int]] = {}
    for score in scores:
        same = objects.setdefault(score.modality, {})
        same[score.case] = same.get(score.case, 0) + 1
    times = [_seconds(one) for one in predictions]
    told = [of for of in times if of]
    rows = []
    for modality, cases in sorted(objects.items()):
        timed = [case for case in cases if told and all(case in of for of in told)]
        if not timed:
            continue
        slowest = max(timed, key=lambda case: told[0][case])
        size = " &times; ".join(map(str, read_truth(truths[PurePath(slowest)]).ids.shape))
        row = [
            modality,
            str(len(timed)),
            *(f"{sum(of[c] for c in timed) / len(timed):.2f}" if of else "" for of in times),
        ]
        row += [escape(slowest), size, str(cases[slowest]), *(f"{of[slowest]:.2f}" if of else "" for of in times)]
        rows.append(row)
    if not rows:
        return ""
    head = ["Modality", "cases", *_headed(names, ["mean"])]
    return _table([*head, "slowest case", "size", "objects", *_headed(names, ["seconds"])], rows)


def _seconds(predictions: Predictions) -> dict[str, float]:
    """Seconds by case, from the files of times that lie beside the predicted labels."""
    known: dict[Path, dict[str, float]] = {}
    seconds = {}
    for case, path in predictions.files.items():
        if path.parent not in known:
            known[path.parent] = read_times(path.parent)
        # which may be called otherwise than the case
        name = stem_of(path)
        if name in known[path.parent]:
            seconds[case.as_posix()] = known[path.parent][name]
    return seconds
