"""Tables for people: headings without units, times as UTC, sizes in MB, and no control character from anywhere."""

import dataclasses
import re
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

_GAP = "  "
_MORE = "…"
_WRAPPED_MIN = 24
_WIDTH_MIN = 12
"""As narrow as a column becomes where a table is too wide for its terminal."""
_BYTES = re.compile(r"_bytes(?=$|_min$|_max$|_peak$)|^bytes$")
_COPIED = re.compile(r"^(name|node)$|(^|_)id$|at_s$|^(model|version|state|stage|event)$")
"""Columns that are short, or that people copy."""
_BYTES_PER_S = re.compile(r"(^|_)bytes_per_s($|_)")
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000


def table(
    rows: Sequence[object],
    columns: Sequence[str] | None = None,
    *,
    bold_head: bool = False,
    width: int | None = None,
) -> str:
    """Return rows under headings, in columns as wide as they need.

    With `width`, the widest texts are cut so that a line fits: never names and ids, which people copy.
    """
    names = columns or field_names(rows[0])
    lines = [[_heading(name) for name in names], *([_cell(row, name) for name in names] for row in rows)]
    widths = _fitting(names, [max(map(len, column)) for column in zip(*lines, strict=True)], width)
    printed = [_GAP.join(map(_padded, line, widths)).rstrip() for line in lines]
    head = f"{_BOLD}{printed[0]}{_PLAIN}" if bold_head else printed[0]
    return "\n".join([head, *printed[1:], ""])


def _fitting(names: Sequence[str], widths: list[int], width: int | None) -> list[int]:
    """Return the widths after what is too much was taken from the widest column, and then the next."""
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - width if width else 0
    may_shrink = [number for number, name in enumerate(names) if not _COPIED.search(name)]
    while over > 0 and may_shrink:
        widest = max(may_shrink, key=widths.__getitem__)
        if widths[widest] <= _WIDTH_MIN:
            break
        others = [widths[number] for number in may_shrink if number != widest]
        down_to = max(widths[widest] - over, min(max(others, default=0), widths[widest] - 1), _WIDTH_MIN)
        over -= widths[widest] - down_to
        widths[widest] = down_to
    return widths


def _padded(content: str, width: int) -> str:
    return (content if len(content) <= width else content[: width - 1] + _MORE).ljust(width)


def record(value: object, columns: Sequence[str] | None = None, *, width: int | None = None) -> str:
    """Return one value as lines of heading and content; a list of values is a table below its heading."""
    names = columns or field_names(value)
    head = max(len(_heading(name)) for name in names)
    lines: list[str] = []
    for name in names:
        content = getattr(value, name)
        if isinstance(content, list) and content and dataclasses.is_dataclass(content[0]):
            inner = width - len(_GAP) if width else None
            lines += [_heading(name), *(_GAP + line for line in _inner_table(content, inner))]
        else:
            lines.append(f"{_heading(name).ljust(head)}{_GAP}{_cell(value, name)}".rstrip())
    return "\n".join([*lines, ""])


def _inner_table(rows: Sequence[object], width: int | None) -> list[str]:
    """Return the lines of a table that is read, not scanned: its last column is wrapped and never cut."""
    whole = table(rows).splitlines()
    last_at = whole[0].rindex(_heading(field_names(rows[0])[-1]))
    room = width - last_at if width else 0
    if room < _WRAPPED_MIN:
        return table(rows, width=width).splitlines()
    wrapped = (textwrap.wrap(line[last_at:], room) or [""] for line in whole)
    return [
        (line[:last_at] if number == 0 else " " * last_at) + part
        for line, parts in zip(whole, wrapped, strict=True)
        for number, part in enumerate(parts)
    ]


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


def lines(value: str) -> str:
    """Return text of several lines, of which nothing does anything to a terminal."""
    if value.isascii() and value.isprintable():
        return value
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in value)


def _fields(value: object) -> str:
    """Return a value inside of another in words: what its own fields are."""
    return " ".join(f"{name}={_cell(value, name)}" for name in field_names(value))


def moment(at_s: float | None) -> str:
    """Return a time as people in different places read it alike; as a number where no calendar has it."""
    if at_s is None:
        return "-"
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return f"{at_s:g} s"


def size(size_bytes: float) -> str:
    """Return a size in decimal units."""
    for unit in _UNITS[:-1]:
        if size_bytes < _STEP:
            return f"{size_bytes:.3g} {unit}"
        size_bytes /= _STEP
    return f"{size_bytes:.3g} {_UNITS[-1]}"


def _cell(row: object, name: str) -> str:
    """Return the content of a field; the suffix of its name says how it is shown."""
    return _shown(getattr(row, name), name)


def _shown(content: object, name: str) -> str:
    if isinstance(content, Mapping):
        # What a field is named holds for each of its parts, whose own names may say more.
        parts = (
            f"{text(key)}={_shown(item, f'{key}' if _unit_of(f'{key}') else name)}" for key, item in content.items()
        )
        return " ".join(parts) or "-"
    if isinstance(content, int | float) and not isinstance(content, bool):
        match _unit_of(name):
            case "at_s":
                return moment(content)
            case "bytes":
                return size(content)
            case "bytes_per_s":
                return f"{size(content)}/s" if content else "-"
    return text(content)


def _unit_of(name: str) -> str:
    if name.endswith("at_s"):
        return "at_s"
    if _BYTES.search(name):
        return "bytes"
    return "bytes_per_s" if _BYTES_PER_S.search(name) else ""


def _heading(name: str) -> str:
    plain = name.removesuffix("_s") if name.endswith("at_s") else _BYTES.sub("", name) or name
    return plain.replace("_", " ").upper()
