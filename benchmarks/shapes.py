"""How the shape of an object matters: of what fills its convex hull, and of walls around something else.

    python benchmarks/shapes.py DATA/val [--checkpoint FILE] [--every K] [--objects N] [--clicks 3]

A box tells compact objects from their surroundings, but not a wall, such as the heart's, from what it encloses. Objects
are grouped by the share of their convex hull that they fill; clicks are those of ``edits.py``. Objects count alike.
"""

import numpy as np
from _common import cases, finish, score
from edits import columns, corrected_masks, with_clicks
from skimage.morphology import convex_hull_image

from napari_swin_litemedsam.predictor import Predictor, load_model

SHARES = (0, 0.65, 0.85, 1)


def main(argv=None):
    args = with_clicks(__doc__, argv)
    predictor = Predictor(load_model(args.checkpoint))
    shares, scores = [], []
    for _, image, truths, boxes in cases(args):
        predictor.set_image(image)
        for truth, box in zip(truths, boxes, strict=True):
            shares.append(truth.sum() / convex_hull_image(truth).sum())
            scores.append([score(truth, mask) for mask in corrected_masks(predictor, box, truth, args.clicks)])
    which = np.digitize(shares, SHARES[1:-1])
    names = columns(args.clicks)
    lines = [
        "| share of the hull | objects | " + " | ".join(f"{name} DSC / NSD" for name in names) + " |",
        "|---|---" + "|---" * len(names) + "|",
    ]
    for row in np.unique(which):
        cells = " | ".join("{:.1f} / {:.1f}".format(*pair) for pair in np.mean(np.array(scores)[which == row], axis=0))
        span = f"{SHARES[row]:g} to {SHARES[row + 1]:g}"
        lines.append(f"| {span} | {np.count_nonzero(which == row)} | {cells} |")
    finish("\n".join(lines), args.output)


if __name__ == "__main__":
    main()
