"""Choosing the fastest backend that is right on this machine, once."""

import hashlib
import json
import os
import platform
import warnings
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .cache import read_facts, write_cached
from .model import Model, without_triton
from .probe import EACH_GROUP, TOLERANCE, Times, difference, probe, time_halves

if TYPE_CHECKING:
    from . import Backend

_FILE = "backends.json"
_PACKAGES = ("napari-swin-litemedsam", "numpy", "openvino", "torch")


def build(model: Model, name: str) -> "Backend":
    """Prepare one backend.

    Raises
    ------
    ValueError
        If it is not installed, cannot be loaded, or does not run on the model's device.
    """
    if name == "torch":
        with without_triton():
            from .torch_backend import TorchBackend

        # LiteMedSAM was not trained in half precision, and its masks of small objects suffer
        return TorchBackend(model.network, half=None if model.ours else False)
    if model.device != "cpu":
        raise ValueError(f"OpenVINO runs on the processor here, not on {model.device!r}")
    if not model.ours:
        raise ValueError("OpenVINO runs Swin-LiteMedSAM, not LiteMedSAM; take torch")
    if not find_spec("openvino"):
        raise ValueError("OpenVINO is not installed (pip install openvino)")
    ranges = model.ranges if name == "openvino-int8" else {}
    if name == "openvino-int8" and not ranges:
        raise ValueError(f"{model.path.name} has no ranges for 8 bits beside it (see scripts/calibrate.py)")
    try:
        from .openvino import OpenVINOBackend
    except (ImportError, OSError) as error:
        raise ValueError(f"OpenVINO is installed, but cannot be loaded: {error}") from error
    return OpenVINOBackend(lambda: model.tensors, model.digest, ranges=ranges)


def choose(model: Model) -> "Backend":
    """The fastest backend that agrees with torch in float32; measured at first use, then remembered on disk."""
    times = remembered(model)
    if times:
        try:
            return build(model, _fastest(times))
        except Exception as error:  # it has worked once, and another may still do
            warnings.warn(f"what was fastest here does not work any more: {error}", stacklevel=2)
    times = measure(model)
    write_cached(_FILE, json.dumps({**read_facts(_FILE), _key(model): times}, indent=1).encode())
    return build(model, _fastest(times))


def _fastest(times: dict[str, Times]) -> str:
    return min(times, key=lambda name: sum(times[name].values()))


def remembered(model: Model) -> dict[str, Times]:
    """What `choose` has measured here with this model and these versions; empty if nothing."""
    return read_facts(_FILE).get(_key(model), {})


def measure(model: Model) -> dict[str, Times]:
    """Time of each backend that is installed and right."""
    exact = _exact(model)
    times: dict[str, Times] = {}
    names = ["torch"]
    if model.ours and model.device == "cpu" and find_spec("openvino"):
        names += ["openvino", "openvino-int8"] if model.ranges else ["openvino"]
    for name in names:
        try:
            backend = build(model, name)
            logits = probe(backend, EACH_GROUP)
        except Exception as error:  # a broken runtime must not keep the other from working
            warnings.warn(f"{name} does not work here: {error}", stacklevel=2)
            continue
        if exact is None:
            exact = logits
        if difference(logits, exact) > TOLERANCE:
            warnings.warn(f"{name} gives wrong results here and is not used", stacklevel=2)
            continue
        times[name] = time_halves(backend)
    if not times:
        raise RuntimeError("the network cannot be run on this machine: neither torch nor OpenVINO gives right results")
    return times


def _exact(model: Model) -> NDArray[np.float32] | None:
    """What torch in float32 answers; None where torch does not work."""
    try:
        with without_triton():
            from .torch_backend import TorchBackend
        return probe(TorchBackend(model.network, half=False))
    except Exception:  # whoever measures it tells why
        return None


def _key(model: Model) -> str:
    """Names the weights, versions, machine and threads, any of which may change what is fastest."""
    facts = [
        model.digest,
        str(bool(model.ranges)),
        model.device,
        platform.processor(),
        platform.machine(),
        platform.node(),
    ]
    facts += [str(os.cpu_count()), os.environ.get("OMP_NUM_THREADS", ""), *map(version_of, _PACKAGES)]
    return hashlib.sha256("|".join(facts).encode()).hexdigest()[:16]


def version_of(package: str) -> str:
    """Version of a package; empty if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
