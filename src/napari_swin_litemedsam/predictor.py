"""Encode an image once, then predict masks for any number of prompts (the two-step API of Segment Anything)."""

import os
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .model import ImageFeatures, PointLabel, SwinLiteMedSAM, load_checkpoint
from .preprocessing import Frame, check_image
from .prompts import inference_points, inference_scribble

CACHED_IMAGES = 64
_LOGIT_LIMIT = 60


class EmptyBoxError(ValueError):
    """A box that covers nothing of the image."""


@dataclass(frozen=True)
class Prediction:
    """A mask with the prompts it was made from, in pixels of the image, (y, x) order.

    mask : ``(H, W)`` bool; probability : ``(H, W)`` float32; iou : predicted IoU;
    points : ``(N, 2)``; point_labels : ``(N,)``, 1 inside, 0 outside the object;
    scribble : ``(H, W)`` bool; box : (y0, x0, y1, x1), clipped to the image.
    """

    mask: NDArray[np.bool_]
    probability: NDArray[np.float32]
    iou: float
    points: NDArray[np.float64]
    point_labels: NDArray[np.int64]
    scribble: NDArray[np.bool_]
    box: NDArray[np.float64]


@dataclass(frozen=True)
class _FramePrompts:
    """One object's prompts in the network's frame; a scribble of None is no scribble."""

    box: NDArray[np.float64]
    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    scribble: NDArray[np.bool_] | None


def bundled_weights() -> Path:
    """Path of the checkpoint that comes with the package."""
    return Path(__file__).parent / "weights" / "swin_litemedsam.safetensors"


def load_model(checkpoint: str | os.PathLike | None = None, device: str = "cpu") -> SwinLiteMedSAM:
    """Load the network, ready to predict.

    Parameters
    ----------
    checkpoint : path, optional
        ``.safetensors``, or ``.pth`` as published; None takes the bundled weights.
    device : str
        As torch names it.

    Raises
    ------
    CheckpointError
        If the file is not a checkpoint of this network.
    """
    return load_checkpoint(bundled_weights() if checkpoint is None else checkpoint).to(device)


def clip_box(box: ArrayLike, height: int, width: int) -> NDArray[np.float64]:
    """Order the corners of a box (y0, x0, y1, x1) and clip it to an image.

    Raises
    ------
    EmptyBoxError
        If nothing of the image is inside.
    ValueError
        If it is not four finite numbers.
    """
    box = np.asarray(box, float)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise ValueError(f"a box is four finite numbers y0, x0, y1, x1, not {box.tolist()}")
    corners = np.sort(box.reshape(2, 2), axis=0)
    # pixels reach half their size beyond their centres
    edges = np.array([height, width]) - 0.5
    low, high = np.clip(corners, -0.5, edges)
    if (high <= low).any():
        raise EmptyBoxError(f"the box {box.round(1).tolist()} covers nothing of the {height}x{width} image")
    return np.concatenate([np.clip(low, 0, None), np.minimum(high, (height - 1, width - 1))])


class Predictor:
    """Predict masks from boxes, points and scribbles on one image at a time.

    Parameters
    ----------
    model : SwinLiteMedSAM
        From `load_model`.

    Examples
    --------
    >>> predictor = Predictor(load_model())  # doctest: +SKIP
    >>> predictor.set_image(image)  # doctest: +SKIP
    >>> result = predictor.predict((40, 30, 120, 150))  # doctest: +SKIP
    """

    def __init__(self, model: SwinLiteMedSAM):
        self.model = model.eval()
        self.device = next(model.parameters()).device
        self._cache: OrderedDict[Hashable, tuple[Frame, ImageFeatures, NDArray[np.bool_]]] = OrderedDict()
        self._current: tuple[Frame, ImageFeatures, NDArray[np.bool_]] | None = None

    def set_image(
        self, image: ArrayLike, window: tuple[float, float] | None = None, key: Hashable | None = None
    ) -> None:
        """Encode an image; the predictions that follow are for it.

        Parameters
        ----------
        image : array
            ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` of any integer or floating point type.
        window : (low, high), optional
            Intensities outside are cut off; None takes the whole range.
        key : hashable, optional
            Names the image: for a key (and window) seen lately the features are taken from the cache.
        """
        name = None if key is None else (key, window)
        if name is not None and name in self._cache:
            self._cache.move_to_end(name)
            self._current = self._cache[name]
            return
        image = check_image(image)
        frame = Frame(*image.shape[:2])
        pixels = frame.input(image, window)
        with torch.inference_mode():
            features = self.model.encode_image(torch.from_numpy(pixels)[None].to(self.device))
        self._current = frame, features, pixels.max(axis=0) > 0
        if name is not None:
            self._cache[name] = self._current
            while len(self._cache) > CACHED_IMAGES:
                self._cache.popitem(last=False)

    def predict(
        self,
        box: ArrayLike,
        points: ArrayLike | None = None,
        point_labels: ArrayLike | None = None,
        scribble: ArrayLike | bool | None = None,
        seed: int = 0,
    ) -> Prediction:
        """Predict one object's mask.

        Parameters
        ----------
        box : array
            (y0, x0, y1, x1) in image pixels, in any corner order; clipped to the image.
        points : array, optional
            ``(N, 2)`` (y, x) in image pixels. None draws them from the box; ``[]`` means no points.
        point_labels : array, optional
            ``(N,)``: 1 inside, 0 outside the object; by default all 1.
        scribble : array, optional
            ``(H, W)``, non-zero on the object. None draws it from the box; False means no scribble.
        seed : int
            Other seeds draw other points and scribbles.

        Raises
        ------
        EmptyBoxError
            If the box covers nothing of the image.
        RuntimeError
            If no image was set.
        """
        return self._decode([self._prompts(box, points, point_labels, scribble, seed)])[0]

    def predict_many(self, boxes: Sequence[ArrayLike], seeds: Sequence[int] | None = None) -> list[Prediction]:
        """Predict a mask for each box, with generated prompts, in one batch; `boxes` as in `predict`."""
        seeds = [0] * len(boxes) if seeds is None else seeds
        return self._decode([self._prompts(b, None, None, None, s) for b, s in zip(boxes, seeds, strict=True)])

    @property
    def _image(self) -> tuple[Frame, ImageFeatures, NDArray[np.bool_]]:
        if self._current is None:
            raise RuntimeError("no image to predict on: call set_image first")
        return self._current

    def _prompts(
        self,
        box: ArrayLike,
        points: ArrayLike | None,
        point_labels: ArrayLike | None,
        scribble: ArrayLike | bool | None,
        seed: int,
    ) -> _FramePrompts:
        frame, _, area = self._image
        box = frame.box_to_frame(clip_box(box, frame.height, frame.width))
        if points is None:
            points = inference_points(area, box, seed)
            labels = np.ones(len(points), np.int64)
        else:
            points = frame.to_frame(np.asarray(points, float).reshape(-1, 2))
            labels = np.array([1] * len(points) if point_labels is None else point_labels, np.int64).reshape(-1)
            if len(labels) != len(points):
                raise ValueError(f"{len(points)} points have {len(labels)} labels")
        drawn: NDArray[np.bool_] | None
        if scribble is None:
            drawn = inference_scribble(area, box, seed)
        elif scribble is False:
            drawn = None
        else:
            scribble = np.asarray(scribble)
            if scribble.shape != (frame.height, frame.width):
                raise ValueError(
                    f"the scribble is {scribble.shape}, but the image is {frame.height}x{frame.width} pixels"
                )
            drawn = frame.mask_to_frame(scribble)
        return _FramePrompts(box, points, labels, drawn)

    def _decode(self, prompts: list[_FramePrompts]) -> list[Prediction]:
        frame, features, _ = self._image
        results: list[Prediction | None] = [None] * len(prompts)
        # an absent scribble is not an empty one, so the two kinds cannot share a batch
        for with_scribble in (False, True):
            chosen = [i for i, p in enumerate(prompts) if (p.scribble is not None) == with_scribble]
            if not chosen:
                continue
            group = [prompts[i] for i in chosen]
            logits, iou = self._run(features, group)
            for index, prompt, plane, score in zip(chosen, group, frame.logits_to_image(logits), iou, strict=True):
                probability = 1 / (1 + np.exp(-np.clip(plane, -_LOGIT_LIMIT, _LOGIT_LIMIT)))
                scribble = (
                    np.zeros_like(plane, bool) if prompt.scribble is None else frame.mask_to_image(prompt.scribble)
                )
                results[index] = Prediction(
                    plane > 0,
                    probability.astype(np.float32),
                    float(score),
                    frame.to_image(prompt.points),
                    prompt.labels,
                    scribble,
                    frame.to_image(prompt.box.reshape(2, 2)).reshape(4),
                )
        return [r for r in results if r is not None]

    def _run(
        self, features: ImageFeatures, group: list[_FramePrompts]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        most = max(len(p.points) for p in group)
        points = np.zeros((len(group), most, 2), np.float32)
        labels = np.full((len(group), most), int(PointLabel.PADDING))
        for row, prompt in enumerate(group):
            points[row, : len(prompt.points)] = prompt.points[:, ::-1]
            labels[row, : len(prompt.labels)] = prompt.labels
        boxes = np.stack([p.box[[1, 0, 3, 2]] for p in group]).astype(np.float32)
        drawn = [p.scribble for p in group if p.scribble is not None]
        scribbles = np.stack(drawn)[:, None].astype(np.float32) if drawn else None

        def tensor(array: NDArray | None) -> torch.Tensor | None:
            return None if array is None else torch.from_numpy(array).to(self.device)

        with torch.inference_mode():
            logits, iou = self.model.decode(
                features,
                tensor(points) if most else None,
                tensor(labels) if most else None,
                tensor(boxes),
                tensor(scribbles),
            )
        return logits.float().cpu().numpy(), iou.float().cpu().numpy()
