"""The console script ``swin-litemedsam``: one module per subcommand."""

import argparse
import io
import sys
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from . import demo, distill, evaluate, export, info, predict, train

# each module has add_parser(subparsers) and run(args) -> exit code; heavy imports wait until run
_COMMANDS = [predict, evaluate, distill, train, export, info, demo]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def build_parser() -> argparse.ArgumentParser:
    """Parser of all subcommands."""
    parser = _Parser(prog="swin-litemedsam", description="Segment medical images by boxes. Not a medical device.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        0 if all went well, 1 if some inputs failed, 2 if nothing could be done.
    """
    # a name that the terminal, or Windows' code page of a file, cannot write is no reason to stop
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        args = build_parser().parse_args(argv)
        return args.run(args)
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    except (ValueError, OSError, MemoryError) as error:
        told = " ".join(str(error).split()) or type(error).__name__
        print(f"swin-litemedsam: error: {told}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("swin-litemedsam: interrupted", file=sys.stderr)
        return 130
