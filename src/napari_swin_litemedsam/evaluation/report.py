"""One HTML file that shows how good predictions are: tables, charts, and the worst cases as pictures."""

import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path, PurePath

from ..io.files import replacing
from .cases import CaseError, Predictions, image_files, read_image, read_prediction, read_truth
from .charts import box_plots, scatter
from .pictures import PREDICTIONS, TRUTH, picture
from .remarks import Remark
from .scores import ObjectScore
from .statistics import case_means
from .tables import comparison_table, score_table, time_table

WORST = 12
_STYLE = """
body { font: 15px/1.5 sans-serif; color: #222; max-width: 800px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25em .7em; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left } thead th { border-bottom: 2px solid #888 }
tbody tr.mean { font-weight: bold } small, .interval { color: #777; font-size: .82em }
.interval { display: block; white-space: nowrap }
.worst { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1em }
figure { margin: 0 } figure svg { width: 100%; height: auto; background: #606060 }
figcaption { font-size: .8em; overflow-wrap: anywhere } svg { max-width: 100%; height: auto }
"""


def write_report(
    path: str | os.PathLike,
    truths: Mapping[PurePath, Path],
    predictions: Sequence[Predictions],
    scores: Sequence[Sequence[ObjectScore]],
    images: Path | None = None,
    tolerance: float = 2,
    uncounted: Sequence[Remark] = (),
) -> None:
    """Write the report; the file appears only when complete and needs no other.

    Parameters
    ----------
    path : path-like
        Of the HTML file.
    truths : mapping
        Files by case, as from `find_labels`.
    predictions : sequence of Predictions
        The prediction and, for a comparison, another one.
    scores : sequence of sequences of ObjectScore
        Of each prediction.
    images : Path, optional
        Folder of the images that the pictures show; by default those in the truth's files.
    tolerance : float
        Of the NSD, as it was scored.
    uncounted : sequence of Remark
        What does not count.
    """
    paths = [one.path for one in predictions]
    names = _names(paths)
    parts = [
        "<h1>Evaluation</h1>",
        _introduction(paths, scores[0], tolerance),
        "<h2>Scores per modality</h2>",
        score_table(scores, names),
    ]
    if len(scores) > 1:
        parts += [f"<h2>Difference: {escape(names[0])} minus {escape(names[1])}</h2>", comparison_table(scores)]
    for name, group in zip(names, scores, strict=True):
        if failed := {s.case: s.note for s in group if s.note}:
            of = f" of {escape(name)}" if len(names) > 1 else ""
            parts += [f"<h2>Cases without a usable prediction{of}</h2>", "<ul>"]
            parts += [f"<li>{escape(case)}: {escape(note)}</li>" for case, note in failed.items()] + ["</ul>"]
    if uncounted:
        parts += ["<h2>What does not count</h2>", "<ul>"]
        parts += [f"<li>{escape(remark.told())}</li>" for remark in uncounted] + ["</ul>"]
    try:
        times = time_table(truths, predictions, scores[0], names)
    except CaseError as error:
        # scores that took long are not lost for it
        times = f"<p>{escape(str(error))}</p>"
    if times:
        parts += ["<h2>Running time in seconds</h2>", times]
    parts += [
        "<h2>DSC of the objects per modality</h2>",
        _boxes(scores, names),
        "<h2>DSC against object size</h2>",
        _sizes(scores[0]),
        "<h2>The worst cases</h2>",
        f'<p><span style="color:{TRUTH}">&#9632;</span> truth'
        + "".join(
            f' &ensp;<span style="color:{colour}">&#9632;</span> {escape(name)}, dashed'
            for name, colour in zip(names, PREDICTIONS, strict=False)
        )
        + "; volumes at the slice with the most errors.</p>",
        '<div class="worst">',
        *_worst(truths, predictions, scores[0], images),
        "</div>",
    ]
    body = "\n".join(parts)
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Evaluation</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )
    with replacing(path) as unfinished:
        # names of files may be no text
        unfinished.write_text(page, encoding="utf-8", errors="backslashreplace")


def _introduction(predictions: Sequence[Path], scores: Sequence[ObjectScore], tolerance: float) -> str:
    names = " against ".join(f"<b>{escape(str(path))}</b>" for path in predictions)
    return (
        f"<p>{len(scores)} objects in {len({s.case for s in scores})} cases; prediction {names}.</p>"
        f"<p><small>DSC and NSD (tolerance {tolerance:g}) in per cent; HD95 in pixels or, with spacing, millimetres. "
        "Means are over cases, of means over their objects; brackets hold 95 % by resampling cases. What was not found "
        "or not readable counts as 0 and, in HD95, as the image's diagonal.</small></p>"
    )


def _names(predictions: Sequence[Path]) -> list[str]:
    names = [path.name or str(path) for path in predictions]
    return names if len(set(names)) == len(names) else [str(path) for path in predictions]


def _boxes(scores: Sequence[Sequence[ObjectScore]], names: Sequence[str]) -> str:
    rows = {
        modality: [[s.dsc for s in group if s.modality == modality] for group in scores]
        for modality in sorted({s.modality for s in scores[0]})
    }
    return box_plots(rows, names, "DSC")


def _sizes(scores: Sequence[ObjectScore]) -> str:
    groups = {}
    for modality in sorted({s.modality for s in scores}):
        same = [s for s in scores if s.modality == modality]
        told = [f"{s.case}, object {s.object}: {s.dsc:.3f}" for s in same]
        groups[modality] = [s.pixels for s in same], [s.dsc for s in same], told
    return scatter(groups, "size of the object in pixels", "DSC")


def _worst(
    truths: Mapping[PurePath, Path],
    predictions: Sequence[Predictions],
    scores: Sequence[ObjectScore],
    images: Path | None,
) -> Iterable[str]:
    """A figure for each of the cases with the lowest DSC."""
    means = {case: (modality, *m) for modality, cases in case_means(scores).items() for case, m in cases.items()}
    worst = sorted(means, key=lambda case: means[case][1])[:WORST]
    shown: Mapping[PurePath, Path] = (
        image_files(map(PurePath, worst), images)
        if images
        else {name: path for name, path in truths.items() if path.suffix.lower() == ".npz"}
    )
    for case in worst:
        modality, dsc, nsd, _ = means[case]
        name = PurePath(case)
        truth = read_truth(truths[name])
        drawn = []
        for one in predictions:
            path = one.files.get(name)
            try:
                drawn.append(None if path is None else read_prediction(path, truth))
            except CaseError:
                drawn.append(None)
        image = read_image(shown.get(name), truth.ids.shape)
        caption = f"{case} ({modality}): DSC {100 * dsc:.1f}, NSD {100 * nsd:.1f}"
        yield f"<figure>{picture(image, truth.ids, drawn, caption)}<figcaption>{escape(caption)}</figcaption></figure>"
