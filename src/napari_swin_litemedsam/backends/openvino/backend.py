"""Compiling the two halves, and running them."""

import hashlib
import io
import logging
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from threading import Lock

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from ..cache import read_cached, write_cached
from ..processor import threads
from .decoder import mask_decoder, prompt_encoder
from .encoder import SIZE, image_half
from .layers import Layers, Ranges
from .rewriting import rewritten

_log = logging.getLogger(__name__)

_SIZES = (1, 2, 6)
"""Prompts for which there is a mask decoder.

OpenVINO calculates faster where it knows how many there are, but each takes 0.1 GB. Five take no longer in these groups
than in one of their own, and eight no longer than these in one.
"""


class OpenVINOBackend:
    """Runs two compiled models, the second of them in one edition for each of a few numbers of prompts.

    Parameters
    ----------
    tensors : callable
        Gives the weights under our names, float32; not called if what was compiled before is still there.
    digest : str, optional
        Names the weights among what is kept on disk; None keeps nothing.
    half : bool, optional
        Whether to calculate in bf16; by default where the processor has instructions for it.
    ranges : dict, optional
        Layers of the image half named there calculate in 8 bits.
    """

    batch = _SIZES[-1]

    def __init__(
        self,
        tensors: Callable[[], Mapping[str, NDArray]],
        digest: str | None = None,
        half: bool | None = None,
        ranges: Ranges | None = None,
    ):
        core = ov.Core()
        if half is None:
            half = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = "bf16" if half else "f32"
        self.name = "openvino-int8" if ranges else "openvino"
        bits = hashlib.sha256(repr(sorted((ranges or {}).items())).encode()).hexdigest()[:8]

        def prepared(
            name: str, build: Callable[[Layers], ov.Model], precision: str = self.precision
        ) -> ov.InferRequest:
            file = None if digest is None else f"{digest[:16]}-{bits}-{name}-{precision}"
            model = compile_half(core, lambda: rewritten(build(Layers(tensors(), ranges))), precision, file)
            return model.create_infer_request()

        self.image_half = prepared("image", image_half)
        self._prompt_encoder = prepared("prompts", prompt_encoder, "f32")
        self._mask_decoder = cache(lambda count: prepared(f"masks{count}", partial(mask_decoder, count=count)))
        self._mask_decoder(1)
        self._locks = Lock(), Lock()

    @property
    def description(self) -> str:
        """What runs, for people to read."""
        kind = {"bf16": "bfloat16", "f32": "float32"}[self.precision] + " and int8" * self.name.endswith("int8")
        return f"OpenVINO {ov.__version__.partition('-')[0]}, {kind}, cpu, threads: {threads()}"

    def encode(self, pixels: NDArray[np.float32]) -> tuple[NDArray[np.float16], ...]:
        """See `Backend`."""
        with self._locks[0]:
            self.image_half.infer({"image": pixels[None]})
            return tuple(tensor.data.copy() for tensor in self.image_half.output_tensors)

    def decode(
        self,
        features: tuple[NDArray[np.float16], ...],
        points: NDArray[np.float32],
        labels: NDArray[np.int64],
        boxes: NDArray[np.float32],
        scribbles: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See `Backend`."""
        count = len(boxes)
        has_scribble = np.full(count, scribbles is not None, np.float32)
        if scribbles is None:
            scribbles = np.zeros((count, 1, SIZE, SIZE), np.float32)
        logits, iou = np.empty((count, SIZE, SIZE), np.float32), np.empty(count, np.float32)
        with self._locks[1]:
            self._prompt_encoder.infer({"points": points, "labels": labels, "boxes": boxes})
            tokens, mask = (tensor.data for tensor in self._prompt_encoder.output_tensors)
            of_each = {"scribbles": scribbles, "has_scribble": has_scribble, "tokens": tokens, "mask": mask}
            of_all = dict(zip(("embedding", "deep", "shallow"), features, strict=True))
            for group in _groups(count):
                decoder = self._mask_decoder(group.stop - group.start)
                # shared memory would let the runtime write into the cached features
                decoder.infer({**of_all, **{k: v[group] for k, v in of_each.items()}}, share_inputs=False)
                logits[group], iou[group] = (tensor.data for tensor in decoder.output_tensors)
        return logits, iou


def _groups(count: int) -> Iterator[slice]:
    """Cut prompts into groups that there is a decoder for."""
    start = 0
    while start < count:
        size = max(size for size in _SIZES if size <= count - start)
        yield slice(start, start + size)
        start += size


@cache
def _code() -> bytes:
    """The source of what builds the halves, which tells one version of it from another."""
    return b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))


def compile_half(core: ov.Core, build: Callable[[], ov.Model], precision: str, name: str | None) -> ov.CompiledModel:
    """Compile a model for the processor, or take it from disk as it was compiled before.

    Parameters
    ----------
    core : openvino.Core
        The runtime.
    build : callable
        Makes the model.
    precision : str
        ``f32`` or ``bf16``.
    name : str or None
        Of the file, apart from our code, the version of OpenVINO, the processor and the settings; None keeps nothing.
    """
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    settings["INFERENCE_NUM_THREADS"] = str(threads())
    if name is None:
        return core.compile_model(build(), "CPU", settings)
    made_by = [_code(), ov.__version__, core.get_property("CPU", "FULL_DEVICE_NAME"), *sorted(settings.items())]
    file = f"{name}-{hashlib.sha256(repr(made_by).encode()).hexdigest()[:16]}.blob"
    kept = _opened(read_cached(file) or b"")
    if kept is not None:
        try:
            return core.import_model(io.BytesIO(kept), "CPU", settings)
        except RuntimeError as error:
            _log.info("compiling anew what is kept on disk: %s", error)
    compiled = core.compile_model(build(), "CPU", settings)
    write_cached(file, _sealed(compiled.export_model().getvalue()))
    return compiled


def _sealed(content: bytes) -> bytes:
    """Bytes with their checksum: OpenVINO takes damaged weights as they are, and masks come out a little different."""
    return content + zlib.crc32(content).to_bytes(4, "big")


def _opened(sealed: bytes) -> memoryview | None:
    """What was sealed, if it is whole."""
    content = memoryview(sealed)[:-4]
    return content if sealed[-4:] == zlib.crc32(content).to_bytes(4, "big") else None
