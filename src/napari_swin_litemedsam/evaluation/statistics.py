"""Means per modality, and how sure they and the differences between two predictions are."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import wilcoxon

from .scores import ObjectScore

DRAWS = 2000
MEAN = "mean"
Interval = tuple[float, float]


@dataclass(frozen=True)
class Summary:
    """Means of a modality, over its cases, of the mean over each case's objects, as in the challenge.

    The intervals hold 95 % by resampling cases. The last of several summaries is the mean over modalities; its HD95
    is NaN, since images count in pixels and volumes in millimetres.
    """

    modality: str
    cases: int
    objects: int
    dsc: float
    dsc_interval: Interval
    nsd: float
    nsd_interval: Interval
    hd95: float


@dataclass(frozen=True)
class Comparison:
    """Differences of a modality between two predictions of the same cases: first minus second, over cases.

    The intervals hold 95 %; `p` is Wilcoxon's signed-rank test of the DSC; better and worse count cases by DSC.
    """

    modality: str
    cases: int
    dsc: float
    dsc_interval: Interval
    nsd: float
    nsd_interval: Interval
    better: int
    worse: int
    p: float


def mean_interval(groups: Sequence[ArrayLike], draws: int = DRAWS, seed: int = 0) -> Interval:
    """Bootstrap interval (95 %) of the mean over groups of each group's mean.

    Parameters
    ----------
    groups : sequence of arrays
        Values of independent cases; drawn with replacement within each group.
    draws : int
        Number of resamplings.
    seed : int
        Of the drawing.

    Returns
    -------
    (low, high)
        NaN if a single value is all there is.
    """
    arrays = [np.asarray(group, float) for group in groups]
    if not any(len(array) > 1 for array in arrays):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = np.array([np.mean([a[rng.integers(len(a), size=len(a))].mean() for a in arrays]) for _ in range(draws)])
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def case_means(scores: Iterable[ObjectScore]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Mean DSC, NSD and HD95 over the objects of each case, by modality (sorted) and case."""
    grouped: dict[str, dict[str, list[tuple[float, float, float]]]] = defaultdict(lambda: defaultdict(list))
    for score in scores:
        grouped[score.modality][score.case].append((score.dsc, score.nsd, score.hd95))
    return {m: {case: np.mean(v, axis=0) for case, v in cases.items()} for m, cases in sorted(grouped.items())}


def summarise(scores: Sequence[ObjectScore]) -> list[Summary]:
    """Means per modality, sorted by name, and of several modalities their mean."""
    means = {modality: np.array([*cases.values()]) for modality, cases in case_means(scores).items()}
    objects = Counter(score.modality for score in scores)
    rows = [_summary(m, [group], objects[m], float(group[:, 2].mean())) for m, group in means.items()]
    if len(rows) > 1:
        rows.append(_summary(MEAN, [*means.values()], len(scores), float("nan")))
    return rows


def _summary(name: str, groups: list[NDArray], objects: int, hd95: float) -> Summary:
    dsc, nsd = ([group[:, column] for group in groups] for column in (0, 1))
    return Summary(
        name, sum(map(len, groups)), objects, _mean(dsc), mean_interval(dsc), _mean(nsd), mean_interval(nsd), hd95
    )


def _mean(groups: Sequence[NDArray]) -> float:
    return float(np.mean([group.mean() for group in groups]))


def compare(scores: Iterable[ObjectScore], others: Iterable[ObjectScore]) -> list[Comparison]:
    """Compare two predictions case by case, per modality and, for several, over all of them.

    Raises
    ------
    ValueError
        If the two hold different cases.
    """
    first, second = case_means(scores), case_means(others)
    if {m: c.keys() for m, c in first.items()} != {m: c.keys() for m, c in second.items()}:
        raise ValueError("only predictions of the same cases can be compared")
    differences = {
        modality: np.array([means - second[modality][case] for case, means in cases.items()])
        for modality, cases in first.items()
    }
    rows = [_comparison(modality, [values]) for modality, values in differences.items()]
    if len(rows) > 1:
        rows.append(_comparison(MEAN, list(differences.values())))
    return rows


def _comparison(name: str, groups: list[NDArray]) -> Comparison:
    dsc, nsd = ([group[:, column] for group in groups] for column in (0, 1))
    # of equal means in another order, the last digits differ
    every = np.concatenate(dsc).round(12)
    return Comparison(
        name,
        len(every),
        _mean(dsc),
        mean_interval(dsc),
        _mean(nsd),
        mean_interval(nsd),
        int((every > 0).sum()),
        int((every < 0).sum()),
        float(wilcoxon(every).pvalue) if every.any() else 1.0,
    )
