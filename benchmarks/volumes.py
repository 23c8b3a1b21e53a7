"""What each way of carrying boxes through volumes gains in accuracy and costs in time.

    python benchmarks/volumes.py DATA/val [--checkpoint FILE] [--volumes N] [--objects N] [-o table.md]

Of each source in DATA the first N volumes count; an object is a connected part of a label that spans at least three
slices, its 3D box is as tight in z as the label and up to 5 pixels of the 256 frame too large in the plane. 3D DSC in
per cent: mean over the objects of a source, then over sources, of all and of each modality; the gain is the mean over
objects of how much better each is than by the published rule, with its 95 % interval; the 2D DSC is that of the lowest
and the highest slice. A slice is encoded once for all rows; the time of a row is processor time without
encoding, and the measured time of an encoding for each that the row asks for, as a share of the published rule's.
"""

import argparse
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from _common import finish, pairs_by_source
from scipy.ndimage import find_objects, label

from napari_swin_litemedsam.backends import NAMES, bundled_weights, make_backend
from napari_swin_litemedsam.evaluation.metrics import dice
from napari_swin_litemedsam.evaluation.statistics import mean_interval
from napari_swin_litemedsam.predictor import Predictor, load_model
from napari_swin_litemedsam.preprocessing import FRAME_SIZE, Frame
from napari_swin_litemedsam.prompts import bounding_box
from napari_swin_litemedsam.propagation import Options, StopRules, Track, follow
from napari_swin_litemedsam.training.data import read_sample
from napari_swin_litemedsam.training.objects import BOX_JITTER

RAW = Options(one_part=False, filled=False, alike=False, taper=0)


class CachedBackend:
    """A backend that keeps all encodings of a volume, and counts how many are asked for."""

    def __init__(self, backend):
        self._backend = backend
        self.name, self.batch, self.description = backend.name, backend.batch, backend.description
        self.decode = backend.decode
        self.kept = {}
        self.encodings, self.waited = 0, 0.0

    def encode(self, pixels):
        start = time.process_time()
        self.encodings += 1
        key = pixels.tobytes()
        if key not in self.kept:
            self.kept[key] = self._backend.encode(pixels)
        self.waited += time.process_time() - start
        return self.kept[key]

    def seconds_an_encoding(self):
        """Processor time; the least of three, after one to warm up."""
        taken = []
        for _ in range(4):
            start = time.process_time()
            self._backend.encode(np.random.default_rng(0).random((3, FRAME_SIZE, FRAME_SIZE), np.float32))
            taken.append(time.process_time() - start)
        return min(taken[1:])


def objects_of(sample, most):
    """Masks and 3D boxes (z0, y0, x0, z1, y1, x1) of a volume's objects."""
    rng = np.random.default_rng([*sample.pair.image.name.encode()])
    groups = sample.pair.groups or [[i] for i in np.unique(sample.labels) if i]
    unit = max(sample.labels.shape[1:]) / FRAME_SIZE
    height, width = sample.labels.shape[1:]
    found = []
    for ids in groups:
        parts, _ = label(np.isin(sample.labels, ids), np.ones((3, 3, 3)))
        for part, place in enumerate(find_objects(parts), 1):
            low, high = ([getattr(side, end) for side in place] for end in ("start", "stop"))
            mask = parts == part
            grow = rng.integers(0, BOX_JITTER + 1, 4) * unit
            if high[0] - low[0] < 3 or mask.sum() < 100:
                continue
            y0, x0 = np.maximum([low[1] - grow[0], low[2] - grow[1]], 0)
            y1, x1 = np.minimum([high[1] - 1 + grow[2], high[2] - 1 + grow[3]], [height - 1, width - 1])
            found.append((mask, np.array([low[0], y0, x0, high[0] - 1, y1, x1])))
    found.sort(key=lambda one: -int(one[0].sum()))
    return found[:most]


def published(volume, objects, predictor, _):
    """The published loop: an object after the other, the lowest slice left out, the next box from the mask at 256."""
    frame = Frame(*volume.shape[1:3])
    for number, (_, (z0, y0, x0, z1, y1, x1)) in enumerate(objects):
        first, last, flat = int(z0), int(z1), np.array([y0, x0, y1, x1])
        middle = (first + last) // 2
        start = flat
        for direction in (range(middle, last + 1), range(middle - 1, first, -1)):
            box = start
            for z in direction:
                predictor.set_image(volume[z], zoom=False)
                mask = predictor.predict(box).mask
                yield number, z, mask
                small = frame.mask_to_frame(mask)
                box = flat
                if small.any():
                    larger = bounding_box(small) + np.array([-3, -3, 3, 3])
                    box = frame.box_to_image(np.clip(larger, 0, FRAME_SIZE - 1))
                if z == middle:
                    start = box


def ours(options, track=lambda track, mask: track, spaced=False):
    """Our loop with these options; `track` changes what is known of an object, given its true mask."""

    def run(volume, objects, predictor, spacing):
        tracks = [track(Track.of_box(box), mask) for mask, box in objects]
        chosen = replace(options, spacing=spacing) if spaced else options
        for step in follow(volume, tracks, predictor, options=chosen):
            yield step.object, step.z, step.prediction.mask

    return run


def unbounded(track, _):
    return replace(track, bounds=None)


def told(track, mask):
    """The true box on every slice."""
    return on_slices(track, mask, range(track.first, track.last + 1))


def thrice(track, mask):
    """The true boxes of the first, the middle and the last slice."""
    return on_slices(track, mask, {track.first, *track.boxes, track.last})


def on_slices(track, mask, slices):
    return replace(track, boxes={z: drawn_box(mask[z]) for z in slices if mask[z].any()}, bounds=None)


def opened(track, mask):
    """A box on one slice, and no range."""
    boxes = {z: drawn_box(mask[z]) if mask[z].any() else box for z, box in track.boxes.items()}
    return replace(track, boxes=boxes, first=None, last=None, bounds=None, extent=None)


def drawn_box(mask):
    """A box 2.5 pixels of the frame too large, as those of objects are on average."""
    grow = BOX_JITTER / 2 * max(mask.shape) / FRAME_SIZE
    return bounding_box(mask) + grow * np.array([-1, -1, 1, 1])


def ends_dice(mask, result, box):
    """Mean 2D DSC of the lowest and the highest slice of an object."""
    return np.mean([dice(mask[int(z)], result[int(z)]) for z in (box[0], box[3])])


def gain(by_source, reference):
    """Mean difference between the objects of two rows, and its interval."""
    differences = np.concatenate([np.subtract(values, reference[source]) for source, values in by_source.items()])
    if not differences.any():
        return ""
    low, high = mean_interval([differences])
    return f"{differences.mean():+.1f} ({low:+.1f} to {high:+.1f})"


def rows():
    """Name and function of each row of the table."""
    yield "published rule", published
    yield "each slice encoded once, both ends, box from the full mask", ours(RAW, unbounded)
    yield "  and boxes kept inside the 3D box", ours(RAW)
    yield "  and one part only", ours(replace(RAW, one_part=True))
    yield "  and holes filled", ours(replace(RAW, one_part=True, filled=True))
    yield "  and boxes smaller towards the ends", ours(Options(alike=False))
    yield "  and what looks like the surroundings left out (default)", ours(Options())
    for margin in (3, 8):
        yield f"default, margin {margin} instead of {Options.margin}", ours(Options(margin=margin))
    yield "default, margin as wide as slices are apart", ours(Options(), spaced=True)
    for every in (2, 3):
        yield f"default, every {every} slices", ours(Options(every=every))
    yield "default, small objects looked at twice", ours(Options(zoom=True))
    yield "default, and back from the ends", ours(Options(consistent=True))
    yield "default, a 2D box on one slice and open ranges", ours(Options(), opened)
    yield "  and nothing ends by its looks", ours(Options(stops=StopRules(alike=0)), opened)
    yield "default, the true boxes on the middle and both end slices", ours(Options(), thrice)
    yield "default, the true box on every slice", ours(Options(), told)


def spacing_of(path):
    import nibabel

    return tuple(float(side) for side in nibabel.load(path).header.get_zooms()[2::-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--checkpoint", type=Path, default=bundled_weights())
    parser.add_argument("--backend", default="auto", choices=NAMES)
    parser.add_argument("--volumes", type=int, default=1, help="of a source, at most")
    parser.add_argument("--objects", type=int, default=4, help="of a volume, at most, the largest first")
    parser.add_argument("-o", "--output", type=Path, help="write the table there as well")
    args = parser.parse_args()
    backend = CachedBackend(make_backend(load_model(args.checkpoint), args.backend))
    encoding = backend.seconds_an_encoding()
    scores, ends = (defaultdict(lambda: defaultdict(list)) for _ in range(2))
    seconds, encodings = defaultdict(float), defaultdict(int)
    volumes = objects = 0
    for source, pairs in pairs_by_source(args.data).items():
        for pair in [p for p in pairs if ".nii" in p.image.name][: args.volumes]:
            sample = read_sample(pair)
            found = objects_of(sample, args.objects)
            if not found:
                continue
            volumes, objects = volumes + 1, objects + len(found)
            spacing = spacing_of(pair.image)
            backend.kept.clear()
            for name, run in rows():
                results = [np.zeros(sample.labels.shape, bool) for _ in found]
                backend.encodings, backend.waited, start = 0, 0.0, time.process_time()
                for number, z, mask in run(sample.image, found, Predictor(None, backend), spacing):
                    results[number][z] = mask
                seconds[name] += time.process_time() - start - backend.waited + encoding * backend.encodings
                encodings[name] += backend.encodings
                for (truth, box), result in zip(found, results, strict=True):
                    scores[name][source].append(100 * dice(truth, result))
                    ends[name][source].append(100 * ends_dice(truth, result, box))
            print(pair.image.name, len(found), "objects", flush=True)
    if not volumes:
        raise SystemExit(f"{args.data}: holds no volumes in NIfTI with objects")
    modalities = sorted({source.partition("/")[0] for source in next(iter(scores.values()))})
    lines = [
        f"{volumes} volumes, {objects} objects, {1000 * encoding:.0f} ms an encoding, {backend.description}",
        "",
        "| | 3D DSC | gain | " + " | ".join(modalities) + " | 2D DSC at the ends | time | encodings |",
        "|---" * (6 + len(modalities)) + "|",
    ]
    whole = next(iter(seconds.values()))
    for name, by_source in scores.items():
        means = {source: np.mean(values) for source, values in by_source.items()}
        cells = [f"{np.mean([*means.values()]):.1f}", gain(by_source, scores["published rule"])]
        cells += [f"{np.mean([m for s, m in means.items() if s.partition('/')[0] == one]):.1f}" for one in modalities]
        cells.append(f"{np.mean([np.mean(values) for values in ends[name].values()]):.1f}")
        lines.append(f"| {name} | {' | '.join(cells)} | {seconds[name] / whole:.2f} | {encodings[name]} |")
    finish("\n".join(lines), args.output)


if __name__ == "__main__":
    main()
