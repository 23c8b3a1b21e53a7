"""What the documentation takes from the code: MkDocs calls `on_page_markdown` for every page.

A line ``<!-- generated: commands -->`` becomes the reference of the command line, ``<!-- generated: keys -->`` the
table of keys, from the parsers and from the plugin's manifest.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

SOURCE = Path(__file__).parents[1] / "src"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marked lines."""
    for name, generate in {"commands": commands, "keys": keys}.items():
        line = f"<!-- generated: {name} -->"
        if line in markdown:
            markdown = markdown.replace(line, generate())
    return markdown


def commands() -> str:
    """Usage, arguments and options of each subcommand, as Markdown."""
    # the source tree may not be installed where the documentation is built
    sys.path.insert(0, str(SOURCE))
    try:
        from napari_swin_litemedsam.cli import build_parser
    finally:
        sys.path.remove(str(SOURCE))
    parser = build_parser()
    (choice,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    told = {action.dest: action.help or "" for action in choice._choices_actions}
    parts = []
    for name, command in choice.choices.items():
        usage = command.format_usage().removeprefix("usage: ")
        rows = "\n".join(_rows(command))
        summary = command.description or f"{told[name][:1].upper()}{told[name][1:]}."
        parts.append(f"## {name}\n\n{summary}\n\n```text\n{usage}```\n\n| | |\n|---|---|\n{rows}\n")
    return "\n".join(parts)


def _rows(command: argparse.ArgumentParser) -> Iterator[str]:
    for action in command._actions:
        if action.dest == "help":
            continue
        names = action.option_strings or [str(action.metavar or action.dest)]
        value = ""
        if action.option_strings and action.nargs != 0 and not isinstance(action, argparse.BooleanOptionalAction):
            value = " " + (command._get_formatter()._format_args(action, (action.dest or "").upper()))
        meaning = (action.help or "") % {**vars(action), "prog": command.prog}
        yield f"| {', '.join(f'`{name}{value}`' for name in names)} | {meaning.replace('|', chr(92) + '|')} |"


def keys() -> str:
    """Table of the keys that the plugin binds unless the user sets others."""
    manifest = yaml.safe_load((SOURCE / "napari_swin_litemedsam" / "napari.yaml").read_text(encoding="utf-8"))
    groups = manifest["contributions"].get("configurations", {})
    properties = groups["shortcuts"]["properties"] if "shortcuts" in groups else {}
    rows = [f"| `{p['default']}` | {p['title']} | {p['description']} |" for p in properties.values() if p["default"]]
    return "\n".join(["| key | action | what it does |", "|---|---|---|", *rows])
