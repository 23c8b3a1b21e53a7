"""Feed damaged files to the readers and the checkpoint loader.

    python tests/fuzz/fuzz.py [--inputs 10000] [--seed 0] [--format .npz ...]

Each input must be read, or refused with the reader's own error in one line: no other exception, no crash, no more than
2 s, and no more memory than ten times the file and what a library needs to start with. Inputs run in a child process,
so that one that kills it is told like any other.
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from damage import damage, damage_inside, whole_files

LIMIT_SECONDS = 2
LIMIT_TIMES = 10
ALLOWANCE = 48 * 2**20


class Fault(AssertionError):
    """What a reader did and must not do."""


def reader_of(suffix):
    """What reads files of a format, and the error by which it may refuse them."""
    from napari_swin_litemedsam.io import CaseError, read_case, read_labels, read_scan, read_segments
    from napari_swin_litemedsam.io.series import read_dicom

    if suffix in (".pth", ".safetensors"):
        from napari_swin_litemedsam.model.checkpoint import CheckpointError, read_tensors

        return [read_tensors], CheckpointError
    readers = {
        ".npz": [read_case, read_labels],
        ".dcm": [read_dicom],
        ".seg.dcm": [read_labels, read_segments],
    }
    return readers.get(suffix, [read_scan, read_labels]), CaseError


def check(path, suffix):
    """Read a file; returns whether it was read, and raises `Fault` if a reader misbehaves."""
    readers, refusal = reader_of(suffix)
    accepted = 0
    for read in readers:
        before, start = _peak(), time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read(path)
            accepted += 1
        except refusal as error:
            if not str(error) or "\n" in str(error):
                raise Fault(f"{read.__name__}: a message of no or several lines: {error!r}") from error
        except Exception as error:
            raise Fault(f"{read.__name__}: {type(error).__name__}: {error}") from error
        seconds, memory = time.process_time() - start, _peak() - before
        if seconds > LIMIT_SECONDS:
            raise Fault(f"{read.__name__}: took {seconds:.1f} s")
        if memory > LIMIT_TIMES * path.stat().st_size + ALLOWANCE:
            raise Fault(f"{read.__name__}: took {memory >> 20} MB for {path.stat().st_size} bytes")
    return accepted > 0


def make(suffix, number, seed):
    """The damaged file of a number; the same for the same arguments."""
    rng = np.random.default_rng([seed, number, *suffix.encode()])
    originals = whole_files()[suffix]
    original = originals[rng.integers(len(originals))]
    is_packed = original[:2] in (b"\x1f\x8b", b"PK")
    return damage_inside(original, rng) if is_packed and rng.random() < 0.6 else damage(original, rng)


def _peak():
    """Most memory that the process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def run_child(suffix, first, last, seed):
    """Check a range of inputs, telling each result on a line."""
    for original in whole_files()[suffix]:
        # what the libraries need to start with is not the input's fault
        _write(suffix, original)
        check(_write(suffix, original), suffix) if b"sprung" not in original else None
    for number in range(first, last):
        path = _write(suffix, make(suffix, number, seed))
        print(f"begin {number}", flush=True)
        # ends the process, whatever library it is stuck in
        signal.setitimer(signal.ITIMER_PROF, 3 * LIMIT_SECONDS)
        try:
            print("read" if check(path, suffix) else "refused", flush=True)
        except Fault as fault:
            print(f"fault {' '.join(str(fault).split())[:300]}", flush=True)
        if Path("sprung").exists():
            print("fault code of the file was run", flush=True)
            Path("sprung").unlink()


def _write(suffix, data):
    path = Path(f"input{suffix}").absolute()
    path.write_bytes(data)
    return path


def run(suffix, inputs, seed, folder):
    """Check all inputs of a format in child processes; counts of the results, and the faults."""
    counts, faults, first, pending = Counter(), [], 0, False
    while first < inputs:
        arguments = [sys.executable, os.path.abspath(__file__), "--child", suffix, str(first), str(inputs), str(seed)]
        child = subprocess.run(arguments, cwd=folder, capture_output=True, text=True)
        number = first - 1
        for line in child.stdout.splitlines():
            word, _, rest = line.partition(" ")
            if word == "begin":
                number, pending = int(rest), True
                continue
            counts[word] += 1
            pending = False
            if word == "fault":
                faults.append(f"{suffix} {number}: {rest}")
        if child.returncode == 0:
            break
        if number < first:
            raise RuntimeError(f"the child cannot start: {child.stderr[-500:]}")
        if pending:
            counts["crash"] += 1
            hung = child.returncode == -signal.SIGPROF
            how = "it hung" if hung else f"the process died with {child.returncode}: {child.stderr[-200:]}"
            faults.append(f"{suffix} {number}: {how}")
        first = number + 1
    return counts, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000, help="in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", nargs="+", choices=tuple(whole_files()), default=tuple(whole_files()))
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        suffix, *numbers = args.child
        run_child(suffix, *map(int, numbers))
        return 0
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix in args.format:
            start = time.perf_counter()
            counts, found = run(suffix, -(-args.inputs // len(args.format)), args.seed, folder)
            faults += found
            print(
                f"{suffix:<13}{dict(counts)} in {time.perf_counter() - start:.0f} s", *found, sep="\n    ", flush=True
            )
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
