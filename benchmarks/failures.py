"""Picture the worst mask of each modality, so that the model card shows how the weights fail.

    python benchmarks/failures.py DATA/val [--checkpoint FILE] [--every K] [--objects N] -o docs/images/failures.png

Only sources under CC0 or CC BY are shown; DATA has ``sources.json`` beside it. White: the box that was given; green:
truth; red: mask. The lines printed credit the images.
"""

import json
from pathlib import Path

import numpy as np
from _common import cases, parser, score
from PIL import Image, ImageDraw
from skimage.segmentation import find_boundaries

from napari_swin_litemedsam.predictor import Predictor, load_model
from napari_swin_litemedsam.preprocessing import normalise

OPEN = ("CC0", "CC-0", "CC BY 3.0", "CC BY 4.0")
SIDE = 240
COLUMNS = 5


def is_open(facts):
    """Whether a source's licence lets its images be shown."""
    return facts["licence"].startswith(OPEN) and facts["non_commercial"] == "no"


def around(box, shape):
    """A square around a box, twice as wide, inside an image."""
    low, high = np.split(np.asarray(box), 2)
    side = int(min(max(2 * max(high - low), 48), *shape))
    start = np.clip((low + high - side) / 2, 0, np.array(shape) - side).astype(int)
    return tuple(slice(s, s + side) for s in start)


def tile(image, truth, mask, box):
    """The surroundings of an object with its outlines, ``(SIDE, SIDE, 3)``."""
    window = around(box, truth.shape)

    def enlarged(array):
        return np.asarray(Image.fromarray(array[window]).resize((SIDE, SIDE), Image.Resampling.NEAREST))

    grey = (255 * normalise(image)).astype(np.uint8)
    picture = enlarged(grey).copy() if grey.ndim == 3 else np.repeat(enlarged(grey)[..., None], 3, axis=2)
    picture[find_boundaries(enlarged(truth), mode="inner")] = (60, 220, 60)
    picture[find_boundaries(enlarged(mask), mode="inner")] = (255, 70, 70)
    scale = SIDE / (window[0].stop - window[0].start)
    corners = (np.asarray(box).reshape(2, 2) + 0.5 - [side.start for side in window]) * scale
    drawn = Image.fromarray(picture)
    ImageDraw.Draw(drawn).rectangle([*corners[0][::-1], *corners[1][::-1]], outline="white")
    return drawn


def main(argv=None):
    args = parser(__doc__).parse_args(argv)
    if args.output is None:
        raise SystemExit("name the picture with -o")
    sources = json.loads((args.data.parent / "sources.json").read_text())
    predictor = Predictor(load_model(args.checkpoint))
    worst = {}
    for source, image, truths, boxes in cases(args):
        modality, _, name = source.partition("/")
        if not is_open(sources[name]):
            continue
        predictor.set_image(image)
        for truth, box, result in zip(truths, boxes, predictor.predict_many(boxes), strict=True):
            dsc = score(truth, result.mask)[0]
            if modality not in worst or dsc < worst[modality][0]:
                worst[modality] = dsc, name, tile(np.asarray(image), truth, result.mask, box)
    rows = -(-len(worst) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * SIDE, rows * (SIDE + 16)))
    for number, (modality, (dsc, name, picture)) in enumerate(sorted(worst.items())):
        at = (number % COLUMNS * SIDE, number // COLUMNS * (SIDE + 16))
        sheet.paste(picture, (at[0], at[1] + 16))
        ImageDraw.Draw(sheet).text((at[0] + 4, at[1] + 2), f"{modality}, {name}: DSC {dsc:.0f}", fill="white")
        print(f"- {modality}: {name}, {sources[name]['licence']}")
    Path(args.output).parent.mkdir(parents=True, exist_ok=True)
    sheet.save(args.output)


if __name__ == "__main__":
    main()
