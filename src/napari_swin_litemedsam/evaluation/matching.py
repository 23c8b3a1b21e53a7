"""Objects beside a reference whose label ids need not be the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from ..places import around
from .metrics import dice, hausdorff95, surface_dice


@dataclass(frozen=True)
class Match:
    """DSC, NSD and HD95 of an object, and the label of the reference that it was compared with; 0 if none meets it."""

    object: int
    reference: int
    dsc: float
    nsd: float
    hd95: float


def match_objects(
    labels: NDArray, reference: NDArray, spacing: Sequence[float] | NDArray | None = None, tolerance: float = 2
) -> Iterator[Match]:
    """Compare every object with the label of a reference that covers most of it.

    Parameters
    ----------
    labels, reference : array of int
        Label ids of one shape, 2D or 3D, 0 for background.
    spacing : sequence of float, optional
        Of the pixels along each axis; 1 by default.
    tolerance : float
        Of the NSD, in the units of `spacing`.

    Yields
    ------
    Match
        In the order of the ids.

    Raises
    ------
    ValueError
        If the shapes differ, or are neither 2D nor 3D.
    """
    if labels.shape != reference.shape or labels.ndim not in (2, 3):
        raise ValueError(f"labels of shape {labels.shape} cannot be compared with a reference of {reference.shape}")
    places = find_objects(labels)
    reference_places = find_objects(reference)
    for id, place in enumerate(places, start=1):
        if place is None:
            continue
        met = np.bincount(reference[place][labels[place] == id])
        met[0] = 0
        match = int(met.argmax()) if met.any() else 0
        if not match:
            yield Match(id, 0, 0.0, 0.0, float("inf"))
            continue
        both = around([place, reference_places[match - 1]], 1)
        pair = reference[both] == match, labels[both] == id
        yield Match(id, match, dice(*pair), surface_dice(*pair, spacing, tolerance), hausdorff95(*pair, spacing))
