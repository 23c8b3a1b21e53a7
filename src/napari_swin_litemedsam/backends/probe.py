"""One picture with one box, by which backends are compared and timed."""

import timeit
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from . import Backend

SIZE = 256
PADDING = -2
"""Label of a point that fills up a batch and that the network does not see."""
EACH_GROUP = 9
"""So many prompts that a backend which decodes 6, 2 or 1 at once does all of these."""
TOLERANCE = 0.1
"""Largest `difference` of a backend that is right; lower precision costs a tenth of it, a fault costs all."""

Times = dict[str, float]
"""Milliseconds of ``encode`` (an image) and ``decode`` (a prompt)."""


def picture() -> NDArray[np.float32]:
    """A bright disc with an edge and some noise, ``(3, 256, 256)`` in 0..1."""
    y, x = np.mgrid[:SIZE, :SIZE]
    disc = 1 / (1 + np.exp((np.hypot(y - 120, x - 140) - 50) / 3))
    noise = np.random.default_rng(0).normal(0, 0.05, (SIZE, SIZE))
    return np.repeat(np.clip(0.2 + 0.5 * disc + noise, 0, 1).astype(np.float32)[None], 3, axis=0)


def prompts(count: int = 1) -> tuple[NDArray, ...]:
    """Points, labels, boxes and scribbles for the disc, as `Backend.decode` takes them."""
    points = np.array([[[120, 100], [160, 100], [160, 140], [120, 140]]], np.float32)
    scribble = np.zeros((1, 1, SIZE, SIZE), np.float32)
    scribble[..., 118:122, 110:170] = 1
    one = points, np.ones((1, 4), np.int64), np.array([[88, 68, 192, 172]], np.float32), scribble
    return tuple(np.repeat(x, count, axis=0) for x in one)


def probe(backend: "Backend", count: int = 1) -> NDArray[np.float32]:
    """The backend's logits, ``(count, 256, 256)``, all for the same prompt."""
    return backend.decode(backend.encode(picture()), *prompts(count))[0]


def difference(logits: NDArray[np.float32], exact: NDArray[np.float32]) -> float:
    """Root mean square of the error, relative to the spread of the exact logits; infinite if not numbers."""
    error = float(np.sqrt(np.mean((logits - exact) ** 2)) / exact.std())
    return error if np.isfinite(error) else np.inf


def time_halves(backend: "Backend", repeats: int = 2) -> Times:
    """The shortest of a few runs of each half, after they have run before."""
    features = backend.encode(picture())
    halves: dict[str, Callable[[], object]] = {
        "encode": lambda: backend.encode(picture()),
        "decode": lambda: backend.decode(features, *prompts()),
    }
    return {name: round(1000 * min(timeit.repeat(run, number=1, repeat=repeats)), 1) for name, run in halves.items()}
