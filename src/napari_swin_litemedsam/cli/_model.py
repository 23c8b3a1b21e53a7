"""What the subcommands that run the network share."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..backends import NAMES

if TYPE_CHECKING:
    from ..predictor import Predictor


CACHE_BYTES = 300_000_000
"""For features: about 45 slices, so that a volume of any depth takes less than 1.5 GB in all."""


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose weights and device."""
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="weights; by default the bundled ones; 'litemedsam' for LiteMedSAM",
    )
    parser.add_argument(
        "--backend",
        default="auto",
        choices=NAMES,
        help="what runs the network; by default the fastest that is right on this machine",
    )
    parser.add_argument(
        "--mirror",
        action="store_true",
        help="see every image in a mirror, too: sometimes better, for twice the time",
    )
    parser.add_argument("--device", default="cpu", help="cpu or, for torch, cuda or mps (default: cpu)")


def load_predictor(args: argparse.Namespace, zoom: bool = True) -> "Predictor":
    """Load the weights onto the device.

    Raises
    ------
    ValueError
        If the file is no checkpoint of ours, or the device does not exist here.
    """
    from ..predictor import Predictor, load_model

    with telling_device(args.device):
        model = load_model(args.checkpoint, device=args.device)
        predictor = Predictor(model, args.backend, CACHE_BYTES, args.mirror, zoom)
        _ = predictor.backend
        return predictor


@contextmanager
def telling_device(device: str) -> Iterator[None]:
    """Tell in one line that a device cannot be used.

    Raises
    ------
    ValueError
        If torch finds no such device.
    """
    try:
        yield
    except (RuntimeError, AssertionError) as error:
        # torch tells an absent device by either
        raise ValueError(f"the device {device!r} cannot be used: {str(error).partition(chr(10))[0]}") from error
