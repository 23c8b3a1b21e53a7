"""What the accuracy benchmarks share: the cases and their boxes, and tables of scores per modality."""

import argparse
import subprocess
import sys
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np

from napari_swin_litemedsam.backends import bundled_weights
from napari_swin_litemedsam.evaluation.metrics import dice, surface_dice
from napari_swin_litemedsam.training.data import find_pairs, read_all
from napari_swin_litemedsam.training.validation import boxed_objects, middle_slice

TOLERANCE = 2
# for scripts that run in a process of their own; getrusage would count what the process that started them held
PEAK = """
def peak_bytes():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
"""


def parser(description):
    """A parser with the options that choose weights, cases and objects."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--checkpoint", type=Path, default=bundled_weights())
    parser.add_argument("--every", type=int, default=1, help="take every K-th case of a source")
    parser.add_argument("--objects", type=int, default=30, help="objects an image at most")
    parser.add_argument("--per-source", action="store_true", help="a row for each source, too")
    parser.add_argument("-o", "--output", type=Path, help="write the table there as well")
    return parser


def pairs_by_source(data):
    """The pairs of a folder, grouped by source."""
    groups = defaultdict(list)
    for pair in find_pairs(data):
        groups[pair.source].append(pair)
    return groups


def usable(pairs):
    """The samples of pairs; what cannot be used is told."""
    samples, problems = read_all(pairs)
    for problem in problems:
        print(f"skipped {problem}", file=sys.stderr)
    return samples


def cases(args):
    """Yield source, image, and the masks and boxes of the objects on it, for every chosen case that has any."""
    warnings.simplefilter("ignore")
    for source, pairs in pairs_by_source(args.data).items():
        for sample in usable(pairs[:: args.every]):
            found = list(boxed_objects(sample, args.objects))
            if found:
                masks, boxes = zip(*found, strict=True)
                yield source, middle_slice(sample)[0], masks, boxes


def score(truth, mask):
    """DSC and NSD of an object, in per cent."""
    return 100 * dice(truth, mask), 100 * surface_dice(truth, mask, (1, 1), TOLERANCE)


def table(scores, columns, per_source=False):
    """Markdown table of DSC / NSD.

    Parameters
    ----------
    scores : mapping
        Source to an array (objects, columns, 2). Objects count alike within a modality, modalities in the mean.
    columns : sequence of str
        What each column is.
    per_source : bool
        A row for each source beneath its modality's.
    """
    by_modality = defaultdict(dict)
    for source, values in sorted(scores.items()):
        by_modality[source.partition("/")[0]][source] = np.array(values)
    lines = [
        "| | objects | " + " | ".join(f"{c} DSC / NSD" for c in columns) + " |",
        "|---|---" + "|---" * len(columns) + "|",
    ]
    means = []
    for modality, sources in by_modality.items():
        values = np.concatenate([*sources.values()])
        means.append(values.mean(axis=0))
        lines.append(_row(modality, len(values), means[-1], 1))
        if per_source and len(sources) > 1:
            lines += [_row(f"&emsp;{s.partition('/')[2]}", len(v), v.mean(axis=0), 1) for s, v in sources.items()]
    total = sum(len(v) for v in scores.values())
    lines.append(_row("**mean of modalities**", total, np.mean(means, axis=0), 2))
    return "\n".join(lines)


def _row(name, count, means, digits):
    return f"| {name} | {count} | " + " | ".join(f"{dsc:.{digits}f} / {nsd:.{digits}f}" for dsc, nsd in means) + " |"


def in_new_process(code, *arguments, under=()):
    """The numbers that a script prints last; `under` are the words of a command that runs it."""
    command = [*under, sys.executable, "-c", code, *arguments]
    # what goes wrong in it is seen
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [float(x) for x in done.stdout.split("\n")[-2].split()]


def finish(text, output):
    """Print, and write where it was asked for."""
    print(text)
    if output:
        output.write_text(text + "\n", encoding="utf-8")
