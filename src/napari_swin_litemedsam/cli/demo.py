"""``swin-litemedsam demo``: the plugin in napari with a sample image and a box."""

import argparse


def add_parser(subparsers: "argparse._SubParsersAction") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("demo", help="open napari with a sample, a box and its mask")
    parser.add_argument("--screenshot", metavar="FILE", help="save a picture of the window there and close it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Open the demo."""
    from ..plugin.demo import run_demo

    run_demo(screenshot=args.screenshot)
    return 0
