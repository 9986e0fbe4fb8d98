"""Tables for people: headings without units, times as UTC, sizes in MB, and no control character from anywhere."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime

_GAP = "  "
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000


def table(rows: Sequence[object], columns: Sequence[str] | None = None, *, bold_head: bool = False) -> str:
    """Return rows under headings, in columns as wide as they need."""
    names = columns or field_names(rows[0])
    lines = [[_heading(name) for name in names], *([_cell(row, name) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    printed = [_GAP.join(map(str.ljust, line, widths)).rstrip() for line in lines]
    head = f"{_BOLD}{printed[0]}{_PLAIN}" if bold_head else printed[0]
    return "\n".join([head, *printed[1:], ""])


def record(value: object, columns: Sequence[str] | None = None) -> str:
    """Return one value as lines of heading and content; a list of values is a table below its heading."""
    names = columns or field_names(value)
    width = max(len(_heading(name)) for name in names)
    lines: list[str] = []
    for name in names:
        content = getattr(value, name)
        if isinstance(content, list) and content and dataclasses.is_dataclass(content[0]):
            lines += [_heading(name), *(_GAP + line for line in table(content).splitlines())]
        else:
            lines.append(f"{_heading(name).ljust(width)}{_GAP}{_cell(value, name)}".rstrip())
    return "\n".join([*lines, ""])


def field_names(value: object) -> Sequence[str]:
    """Return the names of a dataclass's fields, or of a Struct's."""
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    return list(getattr(value, "__struct_fields__", ()))


def text(value: object) -> str:
    """Return the content of one cell, on one line."""
    match value:
        case None | "" | [] | ():
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case dict():
            return " ".join(f"{text(key)}={text(item)}" for key, item in value.items()) or "-"
        case list() | tuple():
            return ",".join(map(text, value))
        case _:
            plain = _fields(value) if dataclasses.is_dataclass(value) else str(value)
            return "".join(c if c.isprintable() else "?" for c in plain)


def _fields(value: object) -> str:
    """Return a value inside of another in words: what its own fields are."""
    return " ".join(f"{name}={_cell(value, name)}" for name in field_names(value))


def moment(at_s: float | None) -> str:
    """Return a time as people in different places read it alike."""
    return "-" if at_s is None else datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def size(size_bytes: float) -> str:
    """Return a size in decimal units."""
    for unit in _UNITS[:-1]:
        if size_bytes < _STEP:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= _STEP
    return f"{size_bytes:.3g} {_UNITS[-1]}"


def _cell(row: object, name: str) -> str:
    """Return the content of a field; the suffix of its name says how it is shown."""
    content = getattr(row, name)
    if name.endswith("at_s"):
        return moment(content)
    if name.endswith("_bytes") and isinstance(content, int | float):
        return size(content)
    return text(content)


def _heading(name: str) -> str:
    plain = name.removesuffix("_bytes").removesuffix("_s") if name.endswith(("_bytes", "at_s")) else name
    return plain.replace("_", " ").upper()
