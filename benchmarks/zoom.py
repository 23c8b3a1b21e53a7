"""What a second look at small objects changes, by the size of the object.

    python benchmarks/zoom.py DATA/val [--checkpoint FILE] [--every K] [--objects N]

DATA and figures as in ``accuracy.py``; the size of an object is the longer side of its box in pixels of the 256 frame,
and encodings are the second look's, which objects near each other share.
"""

import numpy as np
from _common import cases, finish, parser, score

from napari_swin_litemedsam.predictor import Predictor, load_model
from napari_swin_litemedsam.preprocessing import FRAME_SIZE
from napari_swin_litemedsam.zooming import tile_around

SIZES = (0, 16, 32, 48, FRAME_SIZE + 1)


def main(argv=None):
    args = parser(__doc__).parse_args(argv)
    predictor = Predictor(load_model(args.checkpoint))
    rows = []
    for _, image, truths, boxes in cases(args):
        looks = []
        for zoom in (False, True):
            predictor.set_image(image, zoom=zoom)
            looks.append(predictor.predict_many(boxes))
        tiles = [tile_around(box, image.shape[:2]) for box in boxes]
        for truth, box, tile, once, twice in zip(truths, boxes, tiles, *looks, strict=True):
            side = max(box[2] - box[0], box[3] - box[1]) * FRAME_SIZE / max(image.shape[:2])
            share = 0 if tile is None else 1 / tiles.count(tile)
            rows.append([side, share, *score(truth, once.mask), *score(truth, twice.mask)])
    sides, *values = np.array(rows).T
    which = np.digitize(sides, SIZES)
    lines = [
        "| size | objects | encodings an object | one look DSC / NSD | second look DSC / NSD |",
        "|---|---|---|---|---|",
    ]
    for row in np.unique(which):
        share, *scores = (value[which == row].mean() for value in values)
        cells = "{:.1f} / {:.1f} | {:.1f} / {:.1f}".format(*scores)
        lines.append(
            f"| {SIZES[row - 1]} to {SIZES[row] - 1} | {np.count_nonzero(which == row)} | {share:.2f} | {cells} |"
        )
    finish("\n".join(lines), args.output)


if __name__ == "__main__":
    main()
