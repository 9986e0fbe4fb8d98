"""How a range and its unit are written: `5 .. 10 USD`, `$1-2`, `low: 5, high: 10`, and `50 ms at p95`."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

from ganglion.advisor import units
from ganglion.core.errors import InvalidRequest

Tree: TypeAlias = "str | list[Tree] | dict[str, Tree]"

MISSING = {"", "~", "null", "none", "unknown", "?", "n/a", "tbd"}

_BETWEEN = re.compile(r"\s*(?:\.\.+|…|\bto\b|–|—)\s*")  # noqa: RUF001 - people paste dashes
_HYPHEN = re.compile(r"(?<=[\w%])\s*(?<![eE])-\s*(?=[$€£¥₹]?\s?\.?\d)")
_NUMBER_FIRST = re.compile(r"[^\d]{0,4}[\d.]")
_AT_QUANTILE = re.compile(
    r"(?P<before>^\s*p\d[\d.]*\s*(?:[:=<]|of)?\s+(?=\d))|\s*(?:\b(?:at|for|in)\s+|[@(,]\s*)(?P<behind>p\d[\d.]*|\d[\d.]*\s*%)\s*\)?\s*$",
    re.IGNORECASE,
)


def split(text: str) -> list[str]:
    """Return the one value of a text, or the ends of the range that it is. A hyphen between two numbers is a range."""
    if len(text) > units.SIZE_MAX:
        return [text]
    found = _BETWEEN.split(text.strip())
    if len(found) > 1:
        return found
    ends = _HYPHEN.split(found[0])
    return ends if all(_NUMBER_FIRST.match(each) for each in ends) else found


def without_quantile(text: str) -> tuple[str, str]:
    """Return a latency, and the quantile beside it: ("100 ms", "p95") of `100 ms at p95` and of `p95 100 ms`."""
    match = _AT_QUANTILE.search(text) if len(text) <= units.SIZE_MAX else None
    if match is None:
        return text, ""
    said = match["behind"] or match["before"].strip(" :=<f").removesuffix("o").strip()
    return f"{text[: match.start()]}{text[match.end() :]}".strip(), said


def ends_of(leaf: Tree, about: Mapping[str, Tree]) -> list[str]:
    """Return one text, or two for a range, or three with the likely one in the middle; none for what is unknown.

    Raises: InvalidRequest: an end is missing.
    """
    if isinstance(leaf, str):
        return [] if leaf.strip().lower() in MISSING else _with_shared_unit(split(leaf))
    if isinstance(about.get("range"), list):
        return _with_shared_unit([str(each) for each in about["range"]])
    if isinstance(about.get("range"), str):
        return _with_shared_unit(split(str(about["range"])))
    low, high = about.get("low", about.get("min")), about.get("high", about.get("max"))
    likely = about.get("likely", about.get("mode", about.get("value")))
    if (low is None) != (high is None):
        raise InvalidRequest("a range needs both ends, low and high")
    found = [str(each) for each in (low, likely, high) if each is not None]
    return [] if all(each.strip().lower() in MISSING for each in found) else _with_shared_unit(found)


def ordered(values: list[Decimal]) -> tuple[Decimal | None, Decimal, Decimal | None]:
    """Return (low, value, high): the likely value, or the middle. Raises: InvalidRequest: they do not ascend."""
    if len(values) == 1:
        return None, values[0], None
    if len(values) > 3 or sorted(values) != values:  # noqa: PLR2004 - low, likely, high
        raise InvalidRequest("a range reads low .. high, or low .. likely .. high")
    return values[0], (values[0] + values[-1]) / 2 if len(values) == 2 else values[1], values[-1]  # noqa: PLR2004 - as above


def _with_shared_unit(ends: list[str]) -> list[str]:
    """Give an end the unit that stands at the other one only: `5 .. 10 USD`, `$1 .. 2`."""
    if len(ends) < 2:  # noqa: PLR2004 - a range has two ends
        return ends
    heads, tails = zip(*(units.around(each) for each in ends), strict=True)
    head = heads[0] if not any(heads[1:]) else ""
    tail = tails[-1] if not any(tails[:-1]) else ""
    first = f"{ends[0]} {tail}" if tail else ends[0]
    rest = zip(ends[1:], tails[1:], strict=True)
    return [first, *(f"{head}{each}" if own else f"{head}{each} {tail}".strip() for each, own in rest)]
