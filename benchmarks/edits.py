"""What correcting clicks, and a stroke of the scribble, add to the prompts that a box generates.

    python benchmarks/edits.py DATA/val [--checkpoint FILE] [--every K] [--clicks 3] [-o docs/edits.md]

Each click goes where an annotator would click who sees the mask: into the middle of the widest error, positive
where the object was missed, negative where the mask goes too far. It is added to the four points; box and scribble
stay. Or a stroke is added to the scribble, along the middle of the largest part that the mask misses. Two tables: all
objects, and those whose first mask has a DSC below 80 per cent. DATA and figures as in ``accuracy.py``.
"""

from collections import defaultdict

import numpy as np
from _common import cases, finish, parser, score, table
from scipy.ndimage import binary_dilation
from skimage.morphology import skeletonize

from napari_swin_litemedsam.postprocessing import connected_to
from napari_swin_litemedsam.predictor import Predictor, load_model
from napari_swin_litemedsam.training.clicks import corrective_click

POOR = 80


def corrected_masks(predictor, box, truth, clicks):
    """Yield the mask of the box alone and after each click; without an error left it stays."""
    result = predictor.predict(box)
    points, labels = result.points, result.point_labels
    yield result.mask
    for _ in range(clicks):
        if click := corrective_click(result.mask, truth):
            points, labels = np.vstack([points, (click.y, click.x)]), np.append(labels, int(click.label))
            result = predictor.predict(box, points, labels)
        yield result.mask


def corrective_stroke(mask, truth):
    """A stroke of three pixels along the middle of the largest part that a mask misses; empty if it misses nothing."""
    missed = connected_to(truth & ~mask, None)
    return binary_dilation(skeletonize(missed), np.ones((3, 3))) & missed


def with_stroke(predictor, box, truth):
    """The mask of the box with a stroke on what its first mask misses."""
    result = predictor.predict(box)
    stroke = corrective_stroke(result.mask, truth)
    return predictor.predict(box, scribble=result.scribble | stroke).mask if stroke.any() else result.mask


def with_clicks(description, argv):
    """Arguments of a script that clicks."""
    options = parser(description)
    options.add_argument("--clicks", type=int, default=3, help="at most (default: %(default)s)")
    return options.parse_args(argv)


def columns(clicks):
    """What the masks of `corrected_masks` are."""
    return ["no click", "1 click", *(f"{n} clicks" for n in range(2, clicks + 1))][: clicks + 1]


def main(argv=None):
    args = with_clicks(__doc__, argv)
    predictor = Predictor(load_model(args.checkpoint))
    scores = defaultdict(list)
    for source, image, truths, boxes in cases(args):
        predictor.set_image(image)
        for truth, box in zip(truths, boxes, strict=True):
            masks = [*corrected_masks(predictor, box, truth, args.clicks), with_stroke(predictor, box, truth)]
            scores[source].append([score(truth, mask) for mask in masks])
    poor = {source: [v for v in values if v[0][0] < POOR] for source, values in scores.items()}
    names = [*columns(args.clicks), "1 stroke"]
    parts = ["All objects:", table(scores, names, args.per_source)]
    if any(poor.values()):
        chosen = {source: values for source, values in poor.items() if values}
        parts += [f"Objects whose first mask has a DSC below {POOR}:", table(chosen, names, args.per_source)]
    finish("\n\n".join(parts), args.output)


if __name__ == "__main__":
    main()
