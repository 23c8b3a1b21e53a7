"""What carrying several objects through a volume together saves.

    python benchmarks/together.py [--slices N] [--objects N] [-o table.md]

Processor time, the shortest of several runs. The published loop encodes every slice for every object; it counts once
with its own network (`plain.py`) and once with our backend, so that what the loop saves and what the network saves can
be told apart. Its time is that of some steps, multiplied.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import plain
from _common import finish

from napari_swin_litemedsam.backends import NAMES, make_backend
from napari_swin_litemedsam.backends.probe import picture, prompts
from napari_swin_litemedsam.predictor import Predictor, load_model
from napari_swin_litemedsam.propagation import segment_volume

TARGET = 5


def seconds(job, repeats):
    """The shortest of several runs."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        job()
        taken.append(time.process_time() - start)
    return min(taken)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=6)
    parser.add_argument("--objects", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--backend", default="auto", choices=NAMES)
    parser.add_argument("-o", "--output", type=Path, help="write the table there as well")
    args = parser.parse_args()
    model = load_model()
    backend = make_backend(model, args.backend)
    network = plain.plain_network(model.network)
    volume = np.stack([np.uint8(255 * picture()[0])] * args.slices)
    boxes = [(0, 80 + 3 * i, 60 + 3 * i, args.slices - 1, 170, 200) for i in range(args.objects)]
    steps = args.slices * args.objects

    def carry(boxes):
        return seconds(lambda: segment_volume(volume, boxes, Predictor(None, backend)), args.repeats)

    segment_volume(volume[:1], [(0, 80, 60, 0, 170, 200)], Predictor(None, backend))  # to warm up
    times = {
        "published loop, published network": steps
        * seconds(lambda: plain.decode(network, plain.encode(network, picture()), *prompts()), 2),
        "published loop, our backend": steps
        * seconds(lambda: backend.decode(backend.encode(picture()), *prompts()), args.repeats),
        "one object after the other": sum(carry([box]) for box in boxes),
        "all together": carry(boxes),
    }
    lines = [
        f"{args.objects} objects through {args.slices} slices, {backend.description}",
        "",
        "| | processor s | of all together |",
        "|---|---|---|",
    ]
    together = times["all together"]
    lines += [f"| {name} | {taken:.2f} | {taken / together:.2f} |" for name, taken in times.items()]
    ratio = times["published loop, published network"] / together
    told = "met" if ratio >= TARGET else "**missed**"
    lines += ["", f"Target, {TARGET} times the speed of the published loop and network: {told}."]
    finish("\n".join(lines), args.output)


if __name__ == "__main__":
    main()
