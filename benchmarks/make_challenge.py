"""Turn a folder of image/label pairs into challenge npz files for ``swin-litemedsam predict`` and ``evaluate``.

    python benchmarks/make_challenge.py DATA/val OUT [--every K] [--volumes N]
    swin-litemedsam predict OUT -o PREDICTIONS
    swin-litemedsam evaluate PREDICTIONS OUT

2D cases give one file each, with a box per object (grown by 0..5 pixels of the 256 frame on each side). Of the
3D cases the first N of each source are written whole, with one 3D box per label id. Objects that overlap another
one (a cup in a disc) are left out, since a label map cannot hold both.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
from _common import pairs_by_source, usable

from napari_swin_litemedsam.io.segments import stem_of
from napari_swin_litemedsam.preprocessing import FRAME_SIZE
from napari_swin_litemedsam.training.data import read_all
from napari_swin_litemedsam.training.objects import BOX_JITTER
from napari_swin_litemedsam.training.validation import boxed_objects, middle_slice


def planar_case(sample, most):
    """Arrays of a 2D challenge file."""
    image, labels = middle_slice(sample)
    truth = np.zeros(labels.shape, np.uint16)
    boxes = []
    for mask, (y0, x0, y1, x1) in boxed_objects(sample, most):
        if not truth[mask].any():
            boxes.append((x0, y0, x1, y1))
            truth[mask] = len(boxes)
    return {"imgs": image, "gts": truth, "boxes": np.array(boxes)}


def volume_case(sample):
    """Arrays of a 3D challenge file; z_max is the slice after the last."""
    truth = np.zeros(sample.labels.shape, np.uint16)
    margin = BOX_JITTER / 2 * max(truth.shape[1:]) / FRAME_SIZE
    boxes = []
    for value in np.unique(sample.labels[sample.labels > 0]):
        z, y, x = np.nonzero(sample.labels == value)
        low = np.maximum([x.min() - margin, y.min() - margin], 0)
        high = np.minimum([x.max() + margin, y.max() + margin], np.array(truth.shape[:0:-1]) - 1)
        boxes.append((*low, z.min(), *high, z.max() + 1))
        truth[z, y, x] = len(boxes)
    return {"imgs": sample.image, "gts": truth, "boxes": np.array(boxes)}


def case_name(pair):
    """Of the file of a case: modality first, as the challenge has it."""
    return "_".join([*pair.source.split("/"), stem_of(pair.label)]) + ".npz"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every K-th case of a source")
    parser.add_argument("--volumes", type=int, default=0, help="3D cases of each source")
    parser.add_argument("--objects", type=int, default=30, help="objects an image at most")
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    args.output.mkdir(parents=True, exist_ok=True)

    for source, pairs in pairs_by_source(args.data).items():
        # by the first one that can be used
        solid = next((len(found[0].image) > 1 for pair in pairs if (found := read_all([pair])[0])), False)
        if solid and not args.volumes:
            print(f"{source}: volumes are left out; --volumes N takes N of them", file=sys.stderr)
        for sample in usable(pairs[: args.volumes] if solid else pairs[:: args.every]):
            case = volume_case(sample) if solid else planar_case(sample, args.objects)
            if len(case["boxes"]):
                np.savez_compressed(args.output / case_name(sample.pair), **case)


if __name__ == "__main__":
    main()
