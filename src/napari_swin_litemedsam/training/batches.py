"""Training batches: images with several prompts each, drawn by step number alone so that a run can resume."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..frame_prompts import told_points
from ..model import PointLabel
from ..postprocessing import connected_to
from ..preprocessing import FRAME_SIZE
from ..prompts import bounding_box, inference_points, inference_scribble, jitter_box, training_points, training_scribble
from .augment import random_view
from .data import DataError, Sample
from .objects import BOX_JITTER, MIN_AREA, SEPARATE_AT, objects

POINTS = 6
# views of an image in which no object is large enough before another image is drawn, and how many of these are drawn
LOOKS = 20
OTHERS = 20
# how often a prompt is corrected by 0, 1, 2 or 3 clicks before its mask counts
ROUNDS = (0.4, 0.25, 0.2, 0.15)
# boxes drawn in haste: how many, by how much of the longer side they are too large at most, how many of their sides
# cut the object, and by how much of its own length at most
HASTY = 0.2
EXCESS = 0.3
CUTTING = 1 / 3
CUT = 0.15
# how often an object as round as its box is drawn, against one that hardly fills anything of it, as walls do
ROUND = 0.25
# views of volumes with boxes carried from another slice, and how many of those come from an object's end
CARRIED = 0.4
FROM_END = 0.4
# how far they were carried
SLICES = (1, 1, 2, 3)
# and how much larger than the object on that slice they are, in pixels of the 256 frame
MARGINS = (2, 8)


@dataclass
class Batch:
    """B images with P prompts each, N = B * P prompts ordered by image.

    image : ``(B, 3, S, S)``; truth : ``(N, S, S)``, empty where the slice lies beyond the object's end, and not all in
    the box where that is carried or hasty;
    points : ``(N, 12, 2)`` (x, y), those that a user would place twice; labels : ``(N, 12)``; boxes : ``(N, 4)`` x_min,
    y_min, x_max, y_max; scribbles : ``(N, 1, S, S)``, used for odd prompts only; rounds : ``(2,)``, corrective clicks
    that the even and the odd prompts get first.
    """

    image: Tensor
    truth: Tensor
    points: Tensor
    labels: Tensor
    boxes: Tensor
    scribbles: Tensor
    rounds: Tensor

    def to(self, device: str) -> "Batch":
        """Move all tensors to a device."""
        return Batch(**{name: tensor.to(device) for name, tensor in vars(self).items()})


def source_weights(samples: Sequence[Sample], favoured: Mapping[str, float] | None = None) -> NDArray[np.float64]:
    """Probability of each sample: by the square root of the size, first of modalities, then of sources in them.

    The modality is the first part of the source's path. What is favoured, modalities or sources, is drawn as many times
    as often, compared with the rest.

    Raises
    ------
    ValueError
        If a favoured one has no samples.
    """
    sources = [sample.pair.source for sample in samples]
    modalities = [_modality(source) for source in sources]
    size = Counter(sources)
    # a modality is as large as its sources together, each counted by its square root
    share = dict.fromkeys(modalities, 0.0)
    for source, count in size.items():
        share[_modality(source)] += count**0.5
    weights = np.array([(size[s] * share[m]) ** -0.5 for s, m in zip(sources, modalities, strict=True)])
    for name, times in (favoured or {}).items():
        of_it = np.array([name in names for names in zip(sources, modalities, strict=True)])
        if not of_it.any():
            raise ValueError(f"no image to train on is of {name}; there are images of {', '.join(sorted(size))}")
        weights[of_it] *= times
    return weights / weights.sum()


def _modality(source: str) -> str:
    return source.split("/")[0]


def _drawn_box(mask: NDArray, size: int, rng: np.random.Generator) -> NDArray:
    """A box as a user draws it, sometimes in haste."""
    box = bounding_box(mask)
    most = BOX_JITTER * size / FRAME_SIZE
    if rng.random() >= HASTY:
        return jitter_box(box, rng, size, most)
    sides = box[2:] - box[:2]
    reach = np.where(rng.random(4) < CUTTING, -CUT * np.tile(sides, 2), max(most, EXCESS * max(sides)))
    return _grown(box, rng.random(4) * reach, size)


def _grown(box: NDArray, by: ArrayLike, size: int) -> NDArray:
    """A box with its sides moved outwards, inside the frame."""
    return np.clip(box + by * np.array([-1, -1, 1, 1]), 0, size - 1)


def _carried_box(mask: NDArray, size: int, rng: np.random.Generator) -> NDArray:
    """The box that a mask of another slice gives."""
    return _grown(bounding_box(mask), rng.uniform(*MARGINS) * size / FRAME_SIZE, size)


def _click_points(
    truth: NDArray, image_area: NDArray, box: NDArray, rng: np.random.Generator
) -> tuple[NDArray, NDArray]:
    """Points as they reach the model in use: generated from the box, perhaps corrected, or none."""
    kind = rng.random()
    placed = kind >= 0.85
    if kind < 0.25:
        points = np.zeros((0, 2))
    elif not placed:
        # generated points may miss the object: the model must not trust them blindly
        points = inference_points(image_area, box, int(rng.integers(1 << 30)))
    else:
        points = training_points(truth, box, rng)
    labels = np.ones(len(points), int)
    if rng.random() < 0.3:
        y0, x0, y1, x1 = box.astype(int)
        outside = np.argwhere(~truth[y0 : y1 + 1, x0 : x1 + 1])
        if len(outside):
            extra = outside[rng.integers(len(outside), size=rng.integers(1, POINTS - len(points) + 1))] + (y0, x0)
            points, labels = np.vstack([points, extra]), np.append(labels, np.zeros(len(extra), int))
            # a user who corrects does not leave points on the wrong side
            labels = truth[tuple(points.astype(int).T)].astype(int)
    return told_points(points, labels, (labels == 0) | placed)


def _scribble(truth: NDArray, image_area: NDArray, box: NDArray, rng: np.random.Generator) -> NDArray[np.bool_]:
    kind = rng.random()
    if kind < 0.05:
        return np.zeros_like(truth)
    if kind < 0.7:
        return inference_scribble(image_area, box, int(rng.integers(1 << 30)))
    return training_scribble(truth, box, rng)


def draw_view(sample: Sample, size: int, rng: np.random.Generator) -> tuple[NDArray, list[NDArray[np.bool_]]] | None:
    """An augmented view with the masks of the objects in it, at least one; None if none seems to be large enough."""
    for _ in range(LOOKS):
        z = rng.choice(sample.slices)
        image, labels = random_view(sample.image[z], sample.labels[z], size, rng)
        groups: Sequence[Sequence[int]] = sample.pair.groups
        if not groups:
            ids = np.unique(labels)
            # crowded images hold far more objects than there are prompts
            groups = [[i] for i in rng.permutation(ids[ids > 0])[:12]]
        if groups and (found := _objects(labels, groups, size)):
            return image, found
    return None


def _draw_any_view(
    samples: Sequence[Sample], weights: NDArray, index: int, size: int, rng: np.random.Generator
) -> tuple[NDArray, list[NDArray[np.bool_]]]:
    """A view of a sample or, if its objects are too small to be seen, of another one."""
    for _ in range(OTHERS):
        if view := draw_view(samples[index], size, rng):
            return view
        index = rng.choice(len(samples), p=weights)
    raise DataError(f"{samples[index].pair.image}: no object is large enough in frames of {size} pixels; nor in others")


def draw_carried_view(
    sample: Sample, size: int, rng: np.random.Generator
) -> tuple[NDArray, list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]] | None:
    """A view of a volume's slice for boxes from a slice nearby.

    Returns
    -------
    view, pairs of masks or None
        For each part of an object, what it is on the slice nearby, and what is left of it on this one, often nothing;
        None if there is no slice there.
    """
    shown = sample.labels[rng.choice(sample.slices)]
    id = rng.choice(shown[shown > 0])
    groups = [group for group in sample.pair.groups if id in group] or [(id,)]
    group = groups[rng.integers(len(groups))]

    def mask_on(z: int) -> NDArray[np.bool_]:
        return np.isin(sample.labels[z], group)

    slices = [z for z in sample.slices if mask_on(z).any()]
    upwards = rng.random() < 0.5
    before = slices[-1 if upwards else 0] if rng.random() < FROM_END else rng.choice(slices)
    z = before + (1 if upwards else -1) * rng.choice(SLICES)
    if not 0 <= z < len(sample.labels):
        return None
    # both masks have to be turned and cut as one
    image, both = random_view(sample.image[z], mask_on(before) + 2 * mask_on(z).astype(np.uint8), size, rng)
    parts = _objects(both & 1, [[1]], size)
    return (image, [(part, _continued(both >= 2, part)) for part in parts]) if parts else None


def _continued(mask: NDArray[np.bool_], before: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What of a mask continues a part that it had on another slice."""
    return connected_to(mask, before) if (mask & before).any() else np.zeros_like(mask)


def _shares(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """How often each object of a view is drawn: those that a box says least of most often."""
    sides = np.array([np.ptp(bounding_box(mask).reshape(2, 2), axis=0) + 1 for mask in masks])
    filled = np.array([mask.sum() for mask in masks]) / sides.prod(axis=1)
    shares = ROUND + (1 - ROUND) * np.clip(1 - filled / (np.pi / 4), 0, 1)
    return shares / shares.sum()


def _objects(labels: NDArray, groups: Sequence[Sequence[int]], size: int) -> list[NDArray[np.bool_]]:
    return [m for m in objects(labels, groups, SEPARATE_AT * size / FRAME_SIZE) if m.sum() >= MIN_AREA]


def draw_images(samples: Sequence[Sample], weights: NDArray, count: int, size: int, seed: Sequence[int]) -> Tensor:
    """Draw views without their masks, ``(count, 3, size, size)``; the same `seed` gives the same views."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(samples), size=count, p=weights)
    return torch.from_numpy(np.stack([_draw_any_view(samples, weights, i, size, rng)[0] for i in chosen]))


def draw_batch(
    samples: Sequence[Sample], weights: NDArray, images: int, prompts: int, size: int, seed: Sequence[int]
) -> Batch:
    """Draw a batch; the same `seed` gives the same batch."""
    rng = np.random.default_rng(seed)
    views, truths, points, labels, boxes, scribbles = [], [], [], [], [], []
    for index in rng.choice(len(samples), size=images, p=weights):
        sample = samples[index]
        carried = draw_carried_view(sample, size, rng) if len(sample.image) > 1 and rng.random() < CARRIED else None
        if carried:
            image, pairs = carried
        else:
            image, found = _draw_any_view(samples, weights, index, size, rng)
            pairs = [(mask, mask) for mask in found]
        views.append(image)
        image_area = image.max(axis=0) > 0
        for number in rng.choice(len(pairs), size=prompts, p=_shares([before for before, _ in pairs])):
            before, truth = pairs[number]
            box = _carried_box(before, size, rng) if carried else _drawn_box(before, size, rng)
            # where the object has ended, the prompts are as if it had not
            mask = truth if truth.any() else before
            some, some_labels = _click_points(mask, image_area, box, rng)
            padded = np.zeros((2 * POINTS, 2))
            padded[: len(some)] = some[:, ::-1]
            truths.append(truth)
            points.append(padded)
            labels.append(np.append(some_labels, np.full(2 * POINTS - len(some), int(PointLabel.PADDING))))
            boxes.append(box[[1, 0, 3, 2]])
            scribbles.append(_scribble(mask, image_area, box, rng)[None])
    return Batch(
        torch.from_numpy(np.stack(views)),
        torch.from_numpy(np.stack(truths)).float(),
        torch.from_numpy(np.stack(points)).float(),
        torch.from_numpy(np.stack(labels)).long(),
        torch.from_numpy(np.stack(boxes)).float(),
        torch.from_numpy(np.stack(scribbles)).float(),
        torch.from_numpy(rng.choice(len(ROUNDS), size=2, p=ROUNDS)),
    )
