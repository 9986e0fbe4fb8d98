"""Writes plain values as YAML: block style, and every string that could be read as something else in quotes."""

import json
import re
from collections.abc import Iterator

_SAFE = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_RESERVED = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
"""Words that YAML 1.1 reads as something else than text."""


def dumps(value: object) -> str:
    """Return JSON-like `value` (dict, list, str, int, float, bool, None) as a YAML document."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: object) -> Iterator[str]:
    match value:
        case dict() if value:
            for key, item in value.items():
                yield from _entry(f"{_scalar(str(key))}:", item, indent="  ")
        case list() if value:
            for item in value:
                yield from _item(item)
        case _:
            yield _scalar(value)


def _entry(head: str, item: object, *, indent: str) -> Iterator[str]:
    if isinstance(item, dict | list) and item:
        yield head
        yield from (indent + line for line in _lines(item))
    else:
        yield f"{head} {_scalar(item)}"


def _item(item: object) -> Iterator[str]:
    """Yield a list's item: its first line stands beside the dash."""
    for index, line in enumerate(_lines(item)):
        yield ("  " if index else "- ") + line


def _scalar(value: object) -> str:
    if isinstance(value, str) and _SAFE.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    if isinstance(value, float):
        return _number(value)
    # A JSON string, number, null, {} or [] is YAML too, apart from the characters that YAML keeps out of documents.
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(value, ensure_ascii=False))


def _number(value: float) -> str:
    """Return a float as YAML 1.1 reads it: an exponent needs a point before it and a sign after it."""
    text = repr(value)
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    point = "" if "." in mantissa else ".0"
    sign = "" if exponent[0] in "+-" else "+"
    return f"{mantissa}{point}e{sign}{exponent}"
