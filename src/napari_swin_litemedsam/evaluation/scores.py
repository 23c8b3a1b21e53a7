"""Scores of the objects of a case."""

import csv
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from ..io.files import replacing
from ..places import around
from .metrics import dice, hausdorff95, surface_dice

# words in the names of files and folders -> the modality's name in the report
_MODALITIES = {
    "ct": "CT",
    "cta": "CT",
    "cbct": "CT",
    "microct": "CT",
    "derm": "DERM",
    "endo": "ENDO",
    "fundus": "FUNDUS",
    "mammo": "MAMMO",
    "micro": "MICRO",
    "mr": "MR",
    "mra": "MR",
    "mri": "MR",
    "oct": "OCT",
    "pet": "PET",
    "us": "US",
    "ultrasound": "US",
    "x-ray": "XRAY",
    "xray": "XRAY",
    "xr": "XRAY",
}
# how longer words begin: dermoscopy, microscope, ...; endocardium and microbleeds are no modality
_BEGINNINGS = {
    "derm": "DERM",
    **dict.fromkeys(("endoscop", "endovis", "endocv", "endotect"), "ENDO"),
    "mammo": "MAMMO",
    **dict.fromkeys(("microscop", "microgr"), "MICRO"),
}
UNKNOWN = "unknown"
_MOST = int(np.iinfo(np.uint16).max)


@dataclass(frozen=True)
class ObjectScore:
    """DSC, NSD and HD95 of one object of so many pixels; `note` says why there was nothing to score."""

    case: str
    modality: str
    object: int
    dsc: float
    nsd: float
    hd95: float
    pixels: int
    note: str = ""


def modality_of(path: str | os.PathLike) -> str:
    """Tell the modality by a file's name (``CT_abdomen_1.npz``, ``2DBox_MR-7.npz``) or else its folders."""
    parts = PurePath(path).parts
    for part in reversed(parts):
        lowered = part.lower()
        words = [lowered, *re.split(r"[_. ]|(?<!x)-", lowered)]
        for word in words:
            if word in _MODALITIES:
                return _MODALITIES[word]
        for word in words:
            for start, modality in _BEGINNINGS.items():
                if word.startswith(start):
                    return modality
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
        Label ids of the same objects; None counts as nothing found. What was not found has DSC and NSD 0 and,
        as HD95, the image's diagonal.
    spacing : sequence of float, optional
        Of a volume; images count in pixels, as in the challenge.
    tolerance : float
        Of the NSD.
    note : str
        Kept with the scores.
    """
    ids, counts = np.unique(truth, return_counts=True)
    objects = [(int(i), int(count)) for i, count in zip(ids, counts, strict=True) if i]
    sides = np.ones(truth.ndim) if spacing is None or truth.ndim == 2 else np.asarray(spacing, float)
    # nothing in the image can be farther apart
    diagonal = float(np.linalg.norm(truth.shape * sides))
    if prediction is None:
        return [ObjectScore(case, modality, i, 0.0, 0.0, diagonal, count, note) for i, count in objects]
    if prediction.shape != truth.shape:
        raise ValueError(f"{case}: the prediction has the shape {prediction.shape}, the truth {truth.shape}")
    # most objects are far smaller than the image; the search takes memory for each id up to the highest
    highest = int(ids.max(initial=0))
    places = [find_objects(labels, highest) if 0 < highest <= _MOST else [] for labels in (truth, prediction)]
    scores = []
    for i, count in objects:
        found = [place for place in (of[i - 1] for of in places if 0 < i <= len(of)) if place is not None]
        part = around(found, 1) if found else ...
        pair = truth[part] == i, prediction[part] == i
        distance = min(hausdorff95(*pair, sides), diagonal)
        nsd = surface_dice(*pair, sides, tolerance)
        scores.append(ObjectScore(case, modality, i, dice(*pair), nsd, distance, count, note))
    return scores


def write_csv(path: str | os.PathLike, scores: Iterable[ObjectScore]) -> None:
    """Write one row per object; the file appears only when complete."""
    with (
        replacing(path) as unfinished,
        # names of files may be no text
        open(unfinished, "w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.DictWriter(file, [field.name for field in fields(ObjectScore)])
        writer.writeheader()
        writer.writerows(asdict(score) for score in scores)
