"""Measure this package against the plain way (`plain.py`) on this machine, and write docs/benchmarks.md.

    OMP_NUM_THREADS=2 python benchmarks/speed.py DATA/val --train DATA/train

Both ways use the same weights and threads and run in turns in one process, the shortest of several runs counts. Long
jobs of the plain way are a number of equal steps, of which one is run each turn and its time multiplied. With one
thread on a machine that others use too, `--clock cpu` counts the processor's time instead of the wall's. `--train` adds
the throughput of training (`training.py`). About ten minutes on two cores.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np
import openvino as ov
import plain
import torch
from _common import PEAK, in_new_process
from opening import opening
from speed_report import write_report

import training
from napari_swin_litemedsam.backends import bundled_weights, make_backend
from napari_swin_litemedsam.backends.openvino import Layers, image_half
from napari_swin_litemedsam.backends.openvino.decoder import mask_decoder, prompt_encoder
from napari_swin_litemedsam.backends.openvino.rewriting import rewritten
from napari_swin_litemedsam.backends.probe import picture, prompts
from napari_swin_litemedsam.backends.processor import threads
from napari_swin_litemedsam.backends.torch_backend import TorchBackend
from napari_swin_litemedsam.evaluation.metrics import dice
from napari_swin_litemedsam.predictor import Predictor, load_model
from napari_swin_litemedsam.propagation import segment_volume
from napari_swin_litemedsam.training.data import find_pairs, read_all
from napari_swin_litemedsam.training.validation import boxed_objects, middle_slice

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
COLD_START = """
import time
start = time.perf_counter()
import numpy as np
from napari_swin_litemedsam import Predictor, load_model
predictor = Predictor(load_model(), {backend!r})
predictor.set_image(np.random.default_rng(0).random((512, 512)))
predictor.predict((100, 100, 300, 300))
print(time.perf_counter() - start, time.process_time())
"""
IMPORT = """
import time
start = time.perf_counter()
import napari_swin_litemedsam
print(time.perf_counter() - start, time.process_time())
"""
VOLUME = """
import sys
import numpy as np
from napari_swin_litemedsam.cli import main
case, out, backend = sys.argv[1:]
np.savez(case, imgs=np.random.default_rng(0).integers(0, 255, (300, 256, 256), np.uint8),
         boxes=np.array([[60, 60, 5, 200, 200, {last}]]))
assert main(["predict", case, "-o", out, "--backend", backend]) == 0
print(peak_bytes() / 2**20)
"""


class Clock:
    """Times jobs."""

    def __init__(self, name):
        self.now = CLOCKS[name]

    def seconds(self, job, repeats=1):
        """The shortest of several runs."""
        return min(self._once(job) for _ in range(repeats))

    def _once(self, job):
        start = self.now()
        job()
        return self.now() - start


def halves(clock, backend, network, repeats):
    """Seconds of each half, (plain, ours), in turns."""
    image, one = picture(), prompts()
    features, plain_features = backend.encode(image), plain.encode(network, image)
    backend.decode(features, *one)
    pairs = {
        "encode": (lambda: plain.encode(network, image), lambda: backend.encode(image)),
        "decode": (lambda: plain.decode(network, plain_features, *one), lambda: backend.decode(features, *one)),
    }
    best = {name: [np.inf, np.inf] for name in pairs}
    for _ in range(repeats):
        for name, pair in pairs.items():
            best[name] = [min(b, clock.seconds(job)) for b, job in zip(best[name], pair, strict=True)]
    return best


def jobs(clock, backend, network, repeats):
    """Seconds of whole jobs, (plain, ours); the plain way takes the same step for every object on every slice."""

    def step():
        plain.decode(network, plain.encode(network, picture()), *prompts())

    predictor = Predictor(None, backend)
    volume = np.stack([np.uint8(255 * picture()[0])] * 40)
    boxes = [(0, 60 + 3 * i, 60 + 3 * i, 39, 180, 200) for i in range(6)]
    grid = [(y, x, y + 60, x + 60) for y in range(0, 250, 25) for x in range(0, 250, 50)]

    small = [(y, x, y + 24, x + 24) for y in range(0, 230, 25) for x in range(0, 250, 50)]

    def on_slice(boxes, image=volume[0]):
        predictor.set_image(image)
        predictor.predict_many(boxes)

    ours = {
        "8 prompts on one slice": (8, lambda: on_slice(grid[:8])),
        "40 slices x 6 objects": (240, lambda: segment_volume(volume, boxes, predictor)),
        "a 2D image with 50 boxes": (50, lambda: on_slice(grid)),
        "the same, 50 small boxes looked at twice here": (50, lambda: on_slice(small)),
    }
    one, best = np.inf, dict.fromkeys(ours, np.inf)
    # in turns: the machine may be slower for minutes, and then is for both ways
    for _ in range(repeats):
        for name, (_, job) in ours.items():
            one = min(one, clock.seconds(step))
            best[name] = min(best[name], clock.seconds(job))
    return {name: [steps * one, best[name]] for name, (steps, _) in ours.items()}


def by_hand(clock, backend, repeats):
    """Seconds that a user waits on a 512 x 512 slice: box to mask when fresh, and after an edit.

    As the plugin has it, which shows the mask of the first look at a small object before that of both.
    """
    predictor = Predictor(None, backend)
    image = np.random.default_rng(0).integers(0, 255, (512, 512), np.uint8)
    large, small = (100, 100, 300, 300), (100, 100, 150, 160)

    def fresh(box, looks=1):
        predictor.set_image(image, key=object())
        for _ in islice(predictor.predict_soon(box), looks):
            pass

    jobs = {
        "box to mask on a fresh slice": lambda: fresh(large),
        "mask after an edit": lambda: predictor.predict(large, [(140, 150)], [1]),
        "box to the first mask of a small object on a fresh slice": lambda: fresh(small),
        "box to the last mask of a small object on a fresh slice": lambda: fresh(small, looks=2),
        "mask after an edit of a small object": lambda: predictor.predict(small, [(140, 150)], [1]),
    }
    return {name: clock.seconds(job, repeats) for name, job in jobs.items()}


def curves(clock, backend):
    """Seconds against the number of slices, of objects, and the side of the image."""
    predictor = Predictor(None, backend)
    image = np.uint8(255 * picture()[0])

    def run(slices, objects, side):
        boxes = [(0, 50 + 5 * i, 50 + 5 * i, slices - 1, 180, 190) for i in range(objects)]
        scaled = np.array(boxes) * ([1, side / 256, side / 256] * 2)
        volume = np.repeat(
            np.kron(
                image[:: max(1, 256 // side), :: max(1, 256 // side)], np.ones((max(1, side // 256),) * 2, np.uint8)
            )[None],
            slices,
            axis=0,
        )
        return clock.seconds(lambda: segment_volume(volume, scaled, predictor))

    return {
        "slices (2 objects)": {n: run(n, 2, 256) for n in (1, 2, 4, 8)},
        "objects (1 slice)": {n: run(1, n, 256) for n in (1, 2, 4, 8, 16)},
        "side of the image in pixels (1 object)": {n: run(1, 1, n) for n in (128, 256, 512, 1024, 2048)},
    }


def agreement(backend, exact, data, count):
    """DSC of the backend's masks with those of torch in float32, and of both with the truth, by object."""
    warnings.simplefilter("ignore")
    pairs = find_pairs(data)
    ours, reference = Predictor(None, backend), Predictor(None, exact)
    rows = []
    for i in np.random.default_rng(0).permutation(len(pairs)):
        samples, _ = read_all([pairs[i]])
        for sample in samples:
            image = middle_slice(sample)[0]
            found = list(boxed_objects(sample, 2))
            if not found:
                continue
            masks = []
            for predictor in (ours, reference):
                predictor.set_image(image)
                masks.append([r.mask for r in predictor.predict_many([box for _, box in found])])
            rows += [
                (dice(a, b), dice(truth, a), dice(truth, b)) for (truth, _), a, b in zip(found, *masks, strict=True)
            ]
        if len(rows) >= count:
            break
    return np.array(rows[:count])


def profile(model, backend):
    """Share of the time by kind of operation, of each part for one prompt."""
    layers = Layers(model.tensors, model.ranges if backend.name == "openvino-int8" else {})
    settings = {"INFERENCE_PRECISION_HINT": backend.precision, "INFERENCE_NUM_THREADS": threads(), "PERF_COUNT": True}
    one = dict(zip(("points", "labels", "boxes", "scribbles"), prompts(), strict=True))
    inputs = {"image": picture()[None], **one, "has_scribble": np.ones(1, np.float32)}
    parts = {
        "image half": rewritten(image_half(layers)),
        "prompt encoder": prompt_encoder(layers),
        "mask decoder": rewritten(mask_decoder(layers, 1)),
    }
    shares = {}
    for name, part in parts.items():
        request = ov.Core().compile_model(part, "CPU", settings).create_infer_request()
        names = [x.any_name for x in part.inputs]
        for _ in range(2):
            inputs |= {k.any_name: v.copy() for k, v in request.infer({n: inputs[n] for n in names}).items()}
        kinds = {}
        for node in request.profiling_info:
            kinds[node.node_type] = kinds.get(node.node_type, 0) + node.real_time.total_seconds()
        most = sorted(kinds.items(), key=lambda kind: -kind[1])[:6]
        shares[name] = {kind: seconds / sum(kinds.values()) for kind, seconds in most}
    return shares


def matrix_rate(clock, size=1024):
    """Float32 GFLOP a second of this machine's matrix product."""
    a = torch.rand(size, size)
    return 2 * size**3 / clock.seconds(lambda: a @ a, 8) / 1e9


def instructions():
    """Those of the processor that matter here, where Linux tells them: with AMX, bfloat16 may be faster than 8 bits."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return "unknown"
    return ", ".join(name for name in ("avx2", "avx512f", "avx512_vnni", "amx_bf16", "amx_int8") if name in flags)


def machine():
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="validation images")
    parser.add_argument("--train", type=Path, help="training images, to measure training, too")
    parser.add_argument("--train-pairs", type=int, default=3, help="steps of each way (default: %(default)s)")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--objects", type=int, default=200)
    parser.add_argument("--memory-slices", type=int, default=300, help="of the 300 slices, how many the box covers")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/benchmarks.md"))
    args = parser.parse_args()

    start = time.perf_counter()
    torch.set_num_threads(threads())
    clock = Clock(args.clock)
    model = load_model()
    backend = make_backend(model, args.backend)
    network = plain.plain_network(model.network)
    names = {str(args.data): "DATA/val", str(args.train): "DATA/train"}
    program = f"OMP_NUM_THREADS={threads()} python benchmarks/speed.py"
    command = " ".join([program, *(names.get(x, x) for x in sys.argv[1:])])
    facts = {"command": command, "machine": machine(), "instructions": instructions(), "cores": os.cpu_count()}
    facts |= {"threads": threads(), "clock": args.clock, "backend": backend.description}
    facts |= {name: version(name) for name in ("torch", "openvino", "numpy")} | {"python": platform.python_version()}
    facts |= {"weights": bundled_weights().name}
    result = {"facts": facts}
    exact = TorchBackend(model.network, half=False)

    def measure(name, job):
        result[name] = job()
        print(name, json.dumps(result[name], default=np.ndarray.tolist)[:300], file=sys.stderr, flush=True)

    measure("halves", lambda: halves(clock, backend, network, args.repeats))
    measure("jobs", lambda: jobs(clock, backend, network, args.repeats))
    measure("by hand", lambda: by_hand(clock, backend, args.repeats))
    which = 0 if args.clock == "wall" else 1
    cold = COLD_START.format(backend=args.backend)
    measure("cold start", lambda: in_new_process(cold)[which])
    measure("import", lambda: min(in_new_process(IMPORT)[0] for _ in range(3)))
    measure("opening", opening)
    measure("rate", lambda: matrix_rate(clock))
    measure("curves", lambda: curves(clock, backend))
    volume = PEAK + VOLUME.format(last=args.memory_slices)
    with tempfile.TemporaryDirectory() as folder:
        measure("memory", lambda: in_new_process(volume, f"{folder}/case.npz", f"{folder}/out", args.backend)[0])
    if backend.name != "torch":
        measure("profile", lambda: profile(model, backend))
    if args.train:
        measure("training", lambda: training.throughput(args.train, args.train_pairs))
    measure("agreement", lambda: agreement(backend, exact, args.data, args.objects))
    write_report(result, args.output)
    print(args.output, f"{time.perf_counter() - start:.0f} s", sep=", ")


if __name__ == "__main__":
    main()
