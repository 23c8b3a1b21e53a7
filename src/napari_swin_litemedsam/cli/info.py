"""``swin-litemedsam info``: what is installed and how fast it is here."""

import argparse
import platform
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from .. import __version__
from ..backends import Model
from ..backends.choice import remembered
from ._model import add_model_options, load_predictor

# what a report of a fault should tell the versions of
_BESIDE = "napari", "numpy", "torch", "openvino"


def add_parser(subparsers: "argparse._SubParsersAction") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("info", help="show versions, weights and the time per image on this machine")
    add_model_options(parser)
    parser.set_defaults(run=run)


def _installed() -> Iterator[str]:
    for name in _BESIDE:
        with suppress(PackageNotFoundError):
            yield f"{name} {version(name)}"


def run(args: argparse.Namespace) -> int:
    """Print one fact per line."""
    import numpy as np

    predictor = load_predictor(args)
    model = predictor.model
    assert isinstance(model, Model)
    facts: dict[str, object] = {
        "version": __version__,
        "beside": ", ".join([f"Python {platform.python_version()}", *_installed()]),
        "weights": model.path,
        **{f"  {key}": value for key, value in sorted(model.metadata.items())},
        "parameters": f"{model.parameters / 1e6:.2f} M",
        "device": args.device,
        "backend": predictor.backend.description,
    }
    if args.backend == "auto":
        measured = remembered(model).items()
        facts["measured"] = "; ".join(f"{name} {t['encode']:.0f} + {t['decode']:.0f} ms" for name, t in measured)
    for name, value in facts.items():
        print(f"{name:<12} {value}")
    image = np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8)
    for _ in range(3):
        predictor.set_image(image)
        predictor.predict((64, 64, 192, 192))
    print(f"{'encode':<12} {predictor.milliseconds['encode']:.0f} ms per image")
    print(f"{'decode':<12} {predictor.milliseconds['decode']:.0f} ms per box")
    return 0
