"""``swin-litemedsam export``: the network as ONNX and OpenVINO models."""

import argparse
from pathlib import Path

# the one that may be missing last, so that the other is written
_FORMATS = ("openvino", "onnx")


def add_parser(subparsers: "argparse._SubParsersAction") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "export",
        help="write the network as ONNX and OpenVINO models",
        description="Write the two halves of the network, image and prompt, as models that run without torch; ONNX "
        "needs the extra `export`. examples/run_exported.py in the repository runs them.",
    )
    parser.add_argument("output", type=Path, metavar="OUT", help="folder for image.* and prompt.*")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="weights; by default the bundled ones")
    parser.add_argument("--format", nargs="+", choices=_FORMATS, default=_FORMATS, help="by default both")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the models and list them."""
    from ..backends.model import without_triton
    from ..predictor import load_model

    model = load_model(args.checkpoint)
    with without_triton():
        from ..backends.export import export_onnx, export_openvino
    writers = {"onnx": export_onnx, "openvino": export_openvino}
    for name in args.format:
        for path in writers[name](model, args.output):
            print(path, flush=True)
    return 0
