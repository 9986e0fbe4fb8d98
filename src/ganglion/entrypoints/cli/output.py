"""Values to stdout in the form that was asked for, notes to stderr: `ganglion … | jq` always works."""

import os
import re
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from ganglion.entrypoints.cli import cells, yaml_text

_CONTROLS = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""DEL, the second set of control characters, and those that turn the direction of what is read."""


class OutputFormat(StrEnum):
    """How values are printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"


Output = Annotated[OutputFormat, typer.Option("-o", "--output", help="How to print the answer.")]


def emit(
    value: object,
    fmt: OutputFormat = OutputFormat.TABLE,
    *,
    columns: Sequence[str] | None = None,
    empty: str = "",
) -> None:
    """Print a dataclass or Struct, or a list of them.

    `columns` are the fields that a table shows; `empty` is the note in place of an empty one: what to do next.
    """
    match fmt:
        case OutputFormat.TABLE:
            _emit_table(value, columns, empty)
        case OutputFormat.JSON:
            sys.stdout.write(_json(value, indent=2) + "\n")
        case OutputFormat.JSONL:
            for each in value if isinstance(value, list | tuple) else [value]:
                sys.stdout.write(_json(each) + "\n")
        case OutputFormat.YAML:
            sys.stdout.write(yaml_text.dumps(_plain(value)))
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a remark that is not data."""
    sys.stderr.write(f"{cells.lines(text)}\n")
    sys.stderr.flush()


def say(text: str) -> None:
    """Print lines that a node, or somebody else afar, has written: they do nothing to the terminal."""
    sys.stdout.write(cells.lines(text))
    sys.stdout.flush()


def _emit_table(value: object, columns: Sequence[str] | None, empty: str) -> None:
    from ganglion.entrypoints.settings.tree import wants_colour

    if not isinstance(value, list | tuple):
        sys.stdout.write(cells.record(value, columns, width=_terminal_width()))
    elif value:
        bold = wants_colour(sys.stdout)
        sys.stdout.write(cells.table(value, columns, bold_head=bold, width=_terminal_width()))
    elif empty:
        note(empty)


def _terminal_width() -> int | None:
    """Return how wide the terminal is; None where a program reads, which is given everything."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def _json(value: object, indent: int = 0) -> str:
    import msgspec

    data = msgspec.json.encode(value)
    text = (msgspec.json.format(data, indent=indent) if indent else data).decode()
    # JSON need not escape these, and a terminal may obey them. They can stand in strings only.
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain(value: object) -> object:
    import msgspec

    plain: object = msgspec.to_builtins(value)
    return plain
