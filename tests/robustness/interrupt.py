"""Kill ``swin-litemedsam predict`` at random moments and look at what is left.

    python tests/robustness/interrupt.py [--times 50] [--seed 0]

The network is replaced by one that fills boxes, since not the masks but their files are the subject. After each kill
every file in the output folder must be whole and right; at the end one run to completion must find its way through
what was left.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CASES = 12
CHILD = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from conftest import BoxFiller
from napari_swin_litemedsam import predictor
predictor.load_model = lambda checkpoint=None, device="cpu": None
predictor.Predictor = lambda *a, **k: BoxFiller()
from napari_swin_litemedsam.cli import main
sys.exit(main(sys.argv[1:]))
"""


def make_cases(folder, count=CASES, side=500, boxes=100):
    """Write cases with many boxes, so that writing their labels takes a while."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        low = rng.integers(0, side - 60, (boxes, 2))
        image = rng.integers(0, 256, (side, side)).astype(np.uint8)
        np.savez(
            folder / f"CT_{number:02}.npz", imgs=image, boxes=np.hstack([low, low + rng.integers(2, 60, (boxes, 2))])
        )


def start(cases, output):
    """Start a prediction."""
    stub = Path(__file__).parents[1] / "cli"
    command = [sys.executable, "-c", CHILD, str(stub), "predict", str(cases), "-o", str(output)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    """Wait for a prediction that should go well; seconds from its first case to its end."""
    first = process.stdout.readline()
    begun = time.perf_counter()
    _, errors = process.communicate()
    assert process.returncode == 0, first + errors
    return time.perf_counter() - begun


def labels_in(folder):
    """The labels of every file that is there under its own name; a file that is not whole raises."""
    found = {}
    for path in folder.glob("*.npz"):
        if not path.name.startswith("."):
            with np.load(path) as file:
                found[path.name] = file["segs"]
    return found


def interrupt(cases, output, expected, seconds, rng):
    """Kill one prediction up to so many seconds after its first case; return how many results there are."""
    process = start(cases, output)
    assert process.stdout.readline(), process.stderr.read()
    time.sleep(rng.uniform(0, seconds))
    process.kill()
    process.communicate()
    found = labels_in(output)
    for name, labels in found.items():
        np.testing.assert_array_equal(labels, expected[name])
    return len(found)


def run(folder, times, seed=0, **options):
    """Kill as many predictions and finish one; the numbers of results that each kill left."""
    rng = np.random.default_rng(seed)
    cases = folder / "cases"
    make_cases(cases, **options)
    seconds = finish(start(cases, folder / "whole"))
    expected = labels_in(folder / "whole")
    assert len(expected) == len(list(cases.iterdir()))
    left = []
    for number in range(times):
        # half of them on what others have left
        output = folder / ("again" if number % 2 else f"new {number}")
        left.append(interrupt(cases, output, expected, seconds, rng))
    finish(start(cases, folder / "again"))
    assert labels_in(folder / "again").keys() == expected.keys()
    return left


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        left = run(Path(folder), args.times, args.seed)
    print(f"{len(left)} kills; results left by them: {left}; none was damaged")


if __name__ == "__main__":
    main()
