"""The most memory that carrying objects through large volumes takes, above the volume itself.

    python benchmarks/memory.py [--slices N] [-o table.md]

Each job runs in a process of its own; what Python and the network take counts as well. Features of slices are kept by
name, as in the panel. ``--slices`` shortens the first two jobs: the cache is full after some 150 slices. The volume of
50 GB is a dask array made by a function, and notes which slices are asked for. Needs Linux.
"""

import argparse
from pathlib import Path

from _common import PEAK, finish, in_new_process

from napari_swin_litemedsam.backends import NAMES

START = """
import sys
import numpy as np
from napari_swin_litemedsam.predictor import Predictor, load_model
from napari_swin_litemedsam.propagation import Track, follow

def run(volume, tracks):
    labels = np.zeros(volume.shape[:3], np.uint8) if volume.nbytes < 2**30 else None
    for step in follow(volume, tracks, Predictor(load_model(), {backend!r}), key="volume"):
        if labels is not None:
            labels[step.z][step.prediction.mask] = step.object + 1

def report(taken, slices):
    print(peak_bytes() - taken, slices)
"""
IN_MEMORY = """
volume = np.random.default_rng(0).integers(0, 4000, ({slices}, 512, 512), np.uint16)
boxes = [(100 + 10 * i, 100 + 20 * i, 250 + 10 * i, 250 + 20 * i) for i in range({objects})]
run(volume, [Track({{{slices} // 2: box}}, 0, {slices} - 1, bounds=box) for box in boxes])
report(volume.nbytes, {slices})
"""
ON_DISK = """
import dask.array as da
read = set()
def plane(block_info=None):
    z = block_info[None]["array-location"][0][0]
    read.add(z)
    return np.random.default_rng(z).integers(0, 4000, (1, 1024, 1024), np.uint16)
volume = da.map_blocks(plane, chunks=((1,) * 25_000, 1024, 1024), dtype=np.uint16, meta=np.zeros((0, 0, 0), np.uint16))
assert volume.nbytes > 50e9
box = (200, 200, 500, 500)
run(volume, [Track({12_000: box}, 11_980, 12_019, bounds=box)])
assert read == set(range(11_980, 12_020)), read
report(0, len(read))
"""
TARGET = 2.5e9


def jobs(slices):
    """Name and code of each job."""
    for most, objects in ((1000, 1), (300, 8)):
        code = IN_MEMORY.format(slices=min(slices, most), objects=objects)
        yield f"{min(slices, most)} x 512 x 512 uint16, objects: {objects}", code
    yield "52 GB in dask, made slice by slice, 40 slices of 1024 x 1024, objects: 1", ON_DISK


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=1000, help="at most, of a volume in memory")
    parser.add_argument("--backend", default="auto", choices=NAMES)
    parser.add_argument("-o", "--output", type=Path, help="write the table there as well")
    args = parser.parse_args()
    lines = ["| | slices read | peak above the volume, GB | target 2.5 GB |", "|---|---|---|---|"]
    for name, code in jobs(args.slices):
        above, slices = in_new_process(PEAK + START.format(backend=args.backend) + code)
        lines.append(f"| {name} | {slices:.0f} | {above / 1e9:.2f} | {'met' if above < TARGET else '**missed**'} |")
    finish("\n".join(lines), args.output)


if __name__ == "__main__":
    main()
