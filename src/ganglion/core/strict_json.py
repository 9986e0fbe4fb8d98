"""JSON for documents that are signed or decide something: no duplicate keys, no NaN, bounded depth and size.

`json.loads` keeps the last of two equal keys, accepts NaN, and makes text of half a character; a document that
two readers can understand differently must not pass.
"""

import json
import math
from collections import Counter
from typing import NoReturn

from ganglion.core.errors import Rejected

DEPTH_MAX = 64
_QUOTE, _BACKSLASH = ord('"'), ord("\\")


class StrictJsonError(Rejected):
    """A JSON document is malformed, ambiguous, or nested too deeply."""

    code = "json_invalid"
    remedy = "Write the document again with a JSON library, without duplicate keys and NaN."


def loads(data: bytes, *, what: str, size_max: int = 4_000_000) -> object:
    """Parse `data` strictly; `what` names the document in errors.

    Raises: StrictJsonError.
    """
    if len(data) > size_max:
        raise StrictJsonError(f"{what}: {len(data)} bytes, at most {size_max} are read")
    _check_depth(data, what)
    try:
        document: object = json.loads(
            data.decode("utf-8", errors="strict"),
            object_pairs_hook=lambda pairs: _unique(pairs, what),
            parse_constant=lambda text: _refuse(what, f"{text} is not JSON"),
            parse_float=lambda text: _finite(text, what),
        )
    except ValueError as error:
        # Not JSON, not UTF-8, or a whole number with more digits than Python is willing to read.
        raise StrictJsonError(f"{what}: {error}") from error
    if rb"\u" in data:
        _check_characters(document, what)
    return document


def _unique(pairs: list[tuple[str, object]], what: str) -> dict[str, object]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        _refuse(what, f"the key {twice!r} stands twice")
    return keys


def _finite(text: str, what: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse(what, f"{text} is out of range")
    return number


def _check_characters(document: object, what: str) -> None:
    """Refuse half of a surrogate pair: it can be read, and then neither written nor sent."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"{ord(error.object[error.start]):04x}"
        raise StrictJsonError(f"{what}: half a character, \\u{half}, stands alone") from error


def _check_depth(data: bytes, what: str) -> None:
    """Refuse deep nesting before the recursive parser meets it. Brackets inside strings do not count."""
    depth, in_string, escaped = 0, False, False
    for byte in data:
        if in_string:
            if escaped:
                escaped = False
            elif byte == _BACKSLASH:
                escaped = True
            elif byte == _QUOTE:
                in_string = False
        elif byte == _QUOTE:
            in_string = True
        elif byte in b"[{":
            depth += 1
            if depth > DEPTH_MAX:
                _refuse(what, f"nested deeper than {DEPTH_MAX}")
        elif byte in b"]}":
            depth -= 1


def _refuse(what: str, reason: str) -> NoReturn:
    raise StrictJsonError(f"{what}: {reason}")
