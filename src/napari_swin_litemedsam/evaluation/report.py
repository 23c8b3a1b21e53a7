"""Scores of whole folders: objects, cases, modalities."""

import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from ..io.files import replacing
from .metrics import dice, surface_dice

# how file and folder names begin -> the modality's name in the report
_MODALITIES = {
    "ct": "CT",
    "derm": "DERM",
    "endo": "ENDO",
    "fundus": "FUNDUS",
    "mammo": "MAMMO",
    "micro": "MICRO",
    "mr": "MR",
    "oct": "OCT",
    "pet": "PET",
    "us": "US",
    "ultrasound": "US",
    "x-ray": "XRAY",
    "xray": "XRAY",
    "xr": "XRAY",
}
# words that go on after the short name: Dermoscopy, Microscope, ...; the others must stand alone
_OPEN_ENDED = ("derm", "endo", "mammo", "micro")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class ObjectScore:
    """DSC and NSD of one object; `note` says why there was nothing to score."""

    case: str
    modality: str
    object: int
    dsc: float
    nsd: float
    note: str = ""


@dataclass(frozen=True)
class Summary:
    """Means of a modality: over its cases, of the mean over each case's objects, as in the challenge."""

    modality: str
    cases: int
    objects: int
    dsc: float
    nsd: float


def modality_of(path: str | os.PathLike) -> str:
    """Tell the modality by a file's name (``CT_abdomen_1.npz``, ``2DBox_MR-7.npz``) or else its folders."""
    parts = PurePath(path).parts
    for part in reversed(parts):
        lowered = part.lower()
        words = [lowered, *re.split(r"[_. ]|(?<!x)-", lowered)]
        for word in words:
            if word in _MODALITIES:
                return _MODALITIES[word]
            for start in _OPEN_ENDED:
                if word.startswith(start):
                    return _MODALITIES[start]
    return UNKNOWN


def score_case(
    case: str,
    modality: str,
    truth: NDArray,
    prediction: NDArray | None,
    spacing: Sequence[float] | NDArray | None = None,
    tolerance: float = 2,
    note: str = "",
) -> list[ObjectScore]:
    """Score every object of a case.

    Parameters
    ----------
    case, modality : str
        As they shall appear in the report.
    truth : array
        Label ids, 0 for background.
    prediction : array or None
        Label ids of the same objects; None counts as nothing found.
    spacing : sequence of float, optional
        Of a volume; images count in pixels, as in the challenge.
    tolerance : float
        Of the NSD.
    note : str
        Kept with the scores.
    """
    ids = np.unique(truth)
    ids = ids[ids != 0].tolist()
    if prediction is None:
        return [ObjectScore(case, modality, i, 0.0, 0.0, note) for i in ids]
    sides = spacing if truth.ndim == 3 else None
    scores = []
    for i in ids:
        pair = truth == i, prediction == i
        scores.append(ObjectScore(case, modality, i, dice(*pair), surface_dice(*pair, sides, tolerance), note))
    return scores


def summarise(scores: Iterable[ObjectScore]) -> list[Summary]:
    """Means per modality, sorted by name."""
    cases: dict[str, dict[str, list[ObjectScore]]] = defaultdict(lambda: defaultdict(list))
    for score in scores:
        cases[score.modality][score.case].append(score)
    return [
        Summary(
            modality,
            len(by_case),
            sum(map(len, by_case.values())),
            float(np.mean([np.mean([s.dsc for s in case]) for case in by_case.values()])),
            float(np.mean([np.mean([s.nsd for s in case]) for case in by_case.values()])),
        )
        for modality, by_case in sorted(cases.items())
    ]


def write_csv(path: str | os.PathLike, scores: Iterable[ObjectScore]) -> None:
    """Write one row per object; the file appears only when complete."""
    with replacing(path) as unfinished, open(unfinished, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(ObjectScore)])
        writer.writeheader()
        writer.writerows(asdict(score) for score in scores)
