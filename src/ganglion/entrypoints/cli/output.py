"""Values to stdout in the form that was asked for, notes to stderr: `ganglion … | jq` always works."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from ganglion.entrypoints.cli import cells, yaml_text


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
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _emit_table(value: object, columns: Sequence[str] | None, empty: str) -> None:
    from ganglion.entrypoints.settings import wants_colour

    if not isinstance(value, list | tuple):
        sys.stdout.write(cells.record(value, columns))
    elif value:
        sys.stdout.write(cells.table(value, columns, bold_head=wants_colour(sys.stdout)))
    elif empty:
        note(empty)


def _json(value: object, indent: int = 0) -> str:
    import msgspec

    data = msgspec.json.encode(value)
    return (msgspec.json.format(data, indent=indent) if indent else data).decode()


def _plain(value: object) -> object:
    import msgspec

    plain: object = msgspec.to_builtins(value)
    return plain
