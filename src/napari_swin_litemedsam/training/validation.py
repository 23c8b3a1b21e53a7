"""Validation on the objects of label images: one box per object, prompts generated from it."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..evaluation.metrics import dice
from ..model import SwinLiteMedSAM
from ..predictor import Predictor
from ..preprocessing import FRAME_SIZE
from ..prompts import bounding_box
from .data import Sample
from .objects import BOX_JITTER, MIN_AREA, SEPARATE_AT, Part, parts, whole, with_area


def middle_slice(sample: Sample) -> tuple[NDArray, NDArray]:
    """Image and labels of the middle one of the slices that show an object."""
    z = sample.slices[len(sample.slices) // 2]
    return sample.image[z], sample.labels[z]


def _unit(labels: NDArray) -> float:
    """How many pixels are one of the 256 frame."""
    return max(labels.shape) / FRAME_SIZE


def _fair(sample: Sample) -> Iterator[Part]:
    """The objects on a sample's middle slice that are large enough to be asked for."""
    _, labels = middle_slice(sample)
    unit = _unit(labels)
    for place, mask in parts(labels, sample.pair.groups, SEPARATE_AT * unit):
        if mask.sum() >= MIN_AREA * unit**2:
            yield place, mask


def shows_object(sample: Sample) -> bool:
    """Whether `boxed_objects` yields any; at the first one that is found."""
    return any(True for _ in _fair(sample))


def boxed_objects(sample: Sample, most: int | None = None) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
    """Yield mask and box (y0, x0, y1, x1) of the objects on a sample's middle slice.

    The box is the mask's bounding box grown by 0..5 pixels of the 256 frame on each side; the numbers
    depend on the case and the object alone.

    Parameters
    ----------
    sample : Sample
        Image and labels.
    most : int, optional
        At most this many objects, spread evenly.
    """
    _, labels = middle_slice(sample)
    found = list(_fair(sample))
    rng = np.random.default_rng([len(found), *sample.pair.image.name.encode()])
    if most is not None and len(found) > most:
        found = [found[i] for i in np.linspace(0, len(found) - 1, most).astype(int)]
    height, width = labels.shape
    for part in found:
        mask = whole(part, labels.shape)
        y0, x0, y1, x1 = bounding_box(mask)
        grow = rng.integers(0, BOX_JITTER + 1, 4) * _unit(labels)
        low = np.maximum([y0 - grow[0], x0 - grow[1]], 0)
        high = np.minimum([y1 + grow[2], x1 + grow[3]], [height - 1, width - 1])
        yield mask, with_area(np.concatenate([low, high]))


def digest(samples: Sequence[Sample]) -> str:
    """What tells these validation images from others, wherever they lie; empty if there are none."""
    seen = hashlib.sha256()
    for sample in samples:
        image, labels = middle_slice(sample)
        seen.update(f"{sample.pair.source} {sample.pair.groups} {image.shape} {image.dtype}".encode())
        seen.update(image.tobytes() + labels.tobytes())
    return seen.hexdigest() if samples else ""


def mean_dice(model: SwinLiteMedSAM, samples: Sequence[Sample], most: int = 8) -> float:
    """Mean DSC in per cent: over the objects of each source, then over sources."""
    # how good the weights are shows in one look as well
    predictor = Predictor(model, zoom=False)
    scores: dict[str, list[float]] = {}
    for sample in samples:
        found = list(boxed_objects(sample, most))
        if not found:
            continue
        predictor.set_image(middle_slice(sample)[0])
        results = predictor.predict_many([box for _, box in found])
        scores.setdefault(sample.pair.source, []).extend(
            dice(mask, result.mask) for (mask, _), result in zip(found, results, strict=True)
        )
    if not scores:
        raise ValueError("no object to validate on")
    return 100 * float(np.mean([np.mean(values) for values in scores.values()]))
