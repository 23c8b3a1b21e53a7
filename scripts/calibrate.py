"""Measure what 8 bits must hold for a checkpoint, and write it beside the checkpoint.

    python scripts/calibrate.py src/napari_swin_litemedsam/weights/swin_litemedsam.safetensors DATA/train

To be run after every change of the weights: ranges of other weights are ignored, and the backend `openvino-int8`
is then absent.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from napari_swin_litemedsam.backends.model import RANGES, Model
from napari_swin_litemedsam.backends.openvino.calibration import RangeRecorder
from napari_swin_litemedsam.predictor import Predictor
from napari_swin_litemedsam.training.data import find_pairs, read_all
from napari_swin_litemedsam.training.validation import boxed_objects, middle_slice


def examples(folder, images):
    """A few images from each source, `images` in all or a few more, each with the boxes of one or two objects."""
    by_source = defaultdict(list)
    for pair in find_pairs(folder):
        by_source[pair.source].append(pair)
    each = -(-images // len(by_source))
    for _, pairs in sorted(by_source.items()):
        for i in np.linspace(0, len(pairs) - 1, min(each, len(pairs))).astype(int):
            # what training skips
            for sample in read_all([pairs[i]])[0]:
                if boxes := [box for _, box in boxed_objects(sample, 2)]:
                    yield middle_slice(sample)[0], boxes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path, help="training images, as `swin-litemedsam train` reads them")
    parser.add_argument("--images", type=int, default=64)
    args = parser.parse_args()
    model = Model(args.checkpoint)
    recorder = RangeRecorder(model.tensors)
    predictor = Predictor(None, recorder)
    for image, boxes in examples(args.data, args.images):
        predictor.set_image(image)
        predictor.predict_many(boxes)
    ranges = recorder.ranges
    path = args.checkpoint.with_suffix(RANGES)
    path.write_text(json.dumps({"weights": model.digest, "ranges": ranges}, indent=1) + "\n")
    print(f"{len(ranges)} ranges, largest {max(ranges.values())}: {path}")


if __name__ == "__main__":
    main()
