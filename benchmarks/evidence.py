"""How much of a mask comes from the image, and how much from the box alone.

    python benchmarks/evidence.py DATA/val [--checkpoint FILE] [--every K] [-o docs/evidence.md]

First table: mean DSC per modality, then over modalities, with boxes 0, 2.5 and 5 pixels of the 256 frame larger than
the object on each side; beside ours LiteMedSAM, if it is installed, and an ellipse that fills the box less 2.5 pixels.
A network that sees the object gives much the same mask for all three, and is far better than the ellipse.

Second table: how many directions the features of an image vary in, by the entropy of the variances along their
principal axes, and the first one's share; means over the images. Few directions tell little of the image.
"""

from collections import defaultdict

import numpy as np
import torch
from _common import cases, finish, parser
from accuracy import model

from napari_swin_litemedsam.backends.model import has_lite_medsam
from napari_swin_litemedsam.evaluation.metrics import dice
from napari_swin_litemedsam.predictor import load_model
from napari_swin_litemedsam.preprocessing import FRAME_SIZE, Frame
from napari_swin_litemedsam.prompts import bounding_box
from napari_swin_litemedsam.training.objects import with_area

GROWN = (0, 2.5, 5)
MEAN_GROWTH = 2.5  # of boxes in training


def ellipses(image, boxes):
    """Masks of a model that sees nothing."""
    place = np.moveaxis(np.indices(image.shape[:2]), 0, -1)
    margin = MEAN_GROWTH * max(image.shape[:2]) / FRAME_SIZE
    masks = []
    for low, high in (np.split(np.asarray(box), 2) for box in boxes):
        radii = np.maximum((high - low) / 2 + 0.5 - margin, 0.5)
        masks.append((((place - (low + high) / 2) / radii) ** 2).sum(axis=-1) <= 1)
    return masks


def grown(truth, pixels):
    """The box of an object, so many pixels of the frame too large, inside the image."""
    larger = bounding_box(truth) + pixels * max(truth.shape) / FRAME_SIZE * np.array([-1, -1, 1, 1])
    return with_area(np.clip(larger, 0, np.tile(truth.shape, 2) - 1.0))


@torch.no_grad()
def maps(network, image):
    """Feature maps by name, ``(C, h, w)``."""
    embedding, skips = network.image_encoder(torch.from_numpy(Frame(*image.shape[:2]).input(image))[None])
    return {f"stage {i}": x[0] for i, x in enumerate(skips, 1)} | {"embedding": embedding[0]}


@torch.no_grad()
def teacher_maps(network, image):
    """The same of LiteMedSAM, of its embedding alone."""
    image = torch.from_numpy(Frame(*image.shape[:2]).input(image))[None]
    return {"embedding of LiteMedSAM": network.encode_image(image).embedding[0]}


def directions(features):
    """Effective number of directions, and the share of the first."""
    flat = features.flatten(1).double()
    variances = torch.linalg.eigvalsh(torch.cov(flat)).clamp(min=0)
    shares = variances / variances.sum()
    return float(torch.exp(torch.special.entr(shares).sum())), float(shares.max())


def main(argv=None):
    args = parser(__doc__).parse_args(argv)
    models = {"ellipse": ellipses, "ours": model(args.checkpoint)}
    seen = [(maps, load_model(args.checkpoint).network)]
    if has_lite_medsam():
        models["LiteMedSAM"] = model("litemedsam", zoom=False)  # as published
        seen.append((teacher_maps, load_model("litemedsam").network))
    scores, spread = defaultdict(list), defaultdict(list)
    for source, image, truths, _ in cases(args):
        boxes = [grown(truth, pixels) for truth in truths for pixels in GROWN]
        for name, predict in models.items():
            masks = iter(predict(image, boxes))
            for truth in truths:
                scores[name, source.partition("/")[0]].append([100 * dice(truth, next(masks)) for _ in GROWN])
        for function, network in seen:
            for name, features in function(network, image).items():
                spread[name].append(directions(features))
    lines = ["| pixels too large | " + " | ".join(f"{x:g}" for x in GROWN) + " |", "|---" * (1 + len(GROWN)) + "|"]
    for name in models:
        means = np.mean([np.mean(values, axis=0) for (who, _), values in scores.items() if who == name], axis=0)
        lines.append(f"| {name} | " + " | ".join(f"{x:.1f}" for x in means) + " |")
    lines += ["", "| features | directions | share of the first |", "|---|---|---|"]
    for name, values in spread.items():
        count, first = np.mean(values, axis=0)
        lines.append(f"| {name} | {count:.1f} | {100 * first:.0f} % |")
    finish("\n".join(lines), args.output)


if __name__ == "__main__":
    main()
