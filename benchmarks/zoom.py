"""What a zoomed second pass would change, by the size of the object.

    python benchmarks/zoom.py DATA/val [--checkpoint FILE] [--every K] [--factors 1.5 2.5 4] [-o docs/zoom.md]

Around each box a square crop of so many times the box's longer side is encoded on its own, and the box decoded in
it. A crop nearly as large as the image changes nothing and keeps the first mask. DATA and figures as in
``accuracy.py``; the size of an object is the longer side of its box in pixels of the 256 frame.
"""

import numpy as np
from _common import cases, finish, parser, score, square_around

from napari_swin_litemedsam.predictor import Predictor, load_model
from napari_swin_litemedsam.preprocessing import FRAME_SIZE

SIZES = (0, 16, 32, 64, 96, 128, FRAME_SIZE + 1)
_LEAST = 32  # pixels of a crop
_NEARLY_ALL = 0.9


def crop_around(box, factor, shape):
    """Slices of a square around a box inside an image, or None if it is nearly the whole."""
    low, high = np.split(np.asarray(box, float), 2)
    side = max(factor * max(high - low), _LEAST)
    return None if side >= _NEARLY_ALL * max(shape) else square_around(box, side, shape)


def zoomed_mask(predictor, image, box, factor):
    """The mask of a crop's own encoding in the image, or None where there is nothing to crop."""
    window = crop_around(box, factor, image.shape[:2])
    if window is None:
        return None
    origin = [side.start for side in window]
    predictor.set_image(image[window])
    mask = np.zeros(image.shape[:2], bool)
    mask[window] = predictor.predict(np.asarray(box) - np.tile(origin, 2)).mask
    return mask


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--factors", nargs="+", type=float, default=[1.5, 2.5, 4.0], help="crop in boxes")
    args = options.parse_args(argv)
    predictor = Predictor(load_model(args.checkpoint))
    sides, scores = [], []
    for _, image, truths, boxes in cases(args):
        predictor.set_image(image)
        for truth, box, whole in zip(truths, boxes, predictor.predict_many(boxes), strict=True):
            zoomed = (zoomed_mask(predictor, image, box, factor) for factor in args.factors)
            masks = [whole.mask, *(whole.mask if mask is None else mask for mask in zoomed)]
            sides.append(max(box[2] - box[0], box[3] - box[1]) * FRAME_SIZE / max(image.shape[:2]))
            scores.append([score(truth, mask) for mask in masks])
    columns = ["whole image", *(f"{factor:g} boxes" for factor in args.factors)]
    lines = [
        "| size | objects | " + " | ".join(f"{c} DSC / NSD" for c in columns) + " |",
        "|---" * (len(columns) + 2) + "|",
    ]
    which, values = np.digitize(sides, SIZES), np.array(scores)
    for row in np.unique(which):
        means = values[which == row].mean(axis=0)
        cells = " | ".join(f"{dsc:.1f} / {nsd:.1f}" for dsc, nsd in means)
        lines.append(f"| {SIZES[row - 1]} to {SIZES[row] - 1} | {np.count_nonzero(which == row)} | {cells} |")
    finish("\n".join(lines), args.output)


if __name__ == "__main__":
    main()
