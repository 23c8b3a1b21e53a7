"""``swin-litemedsam info``: what is installed and how fast it is here."""

import argparse
import time
from collections.abc import Callable

from .. import __version__
from ._model import add_model_options, load_predictor


def add_parser(subparsers: "argparse._SubParsersAction") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("info", help="show versions, weights and the time per image on this machine")
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print one fact per line."""
    import numpy as np
    import torch

    from ..model.checkpoint import read_tensors
    from ..predictor import bundled_weights

    path = args.checkpoint or bundled_weights()
    predictor = load_predictor(args)
    _, metadata = read_tensors(path)
    facts: dict[str, object] = {
        "version": __version__,
        "weights": path,
        **{f"  {key}": value for key, value in sorted(metadata.items())},
        "parameters": f"{sum(p.numel() for p in predictor.model.parameters()) / 1e6:.2f} M",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": args.device,
    }
    for name, value in facts.items():
        print(f"{name:<12} {value}")
    image = np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8)
    encode = _milliseconds(lambda: predictor.set_image(image))
    decode = _milliseconds(lambda: predictor.predict((64, 64, 192, 192)))
    print(f"{'encode':<12} {encode:.0f} ms per image")
    print(f"{'decode':<12} {decode:.0f} ms per box")
    return 0


def _milliseconds(action: Callable[[], object], repeats: int = 3) -> float:
    """Shortest of a few runs after one that warms up."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)
