"""A small rule that says which inputs somebody wants: `label=person and confidence<0.6 or feed.temperature>80`.

Parsed once and bounded, then asked for every answer. It can compare and nothing else: no rule takes long, and none
reaches anything but what it is asked about.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ganglion.core.errors import InvalidRequest

TEXT_MAX = 500
COMPARISONS_MAX = 16
FEED, QUALITY = "feed.", "quality."
LABEL = "label"
NUMBERS = ("confidence", "margin", "out_of_distribution", "latency_us")

_TOKEN = re.compile(r'\s*(?:(<=|>=|!=|==|=|<|>)|"([^"]*)"|([^\s<>=!"]+))')
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PARTS = 3
"""A field, a sign, a value; a word goes on."""
_OF_TEXT = ("=", "==", "!=")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a rule can ask of one row and its answer."""

    label: str
    numbers: Mapping[str, float]
    """By field: those of NUMBERS, and measures of quality with QUALITY before their names."""
    feed: Callable[[str], Iterable[float]]
    """The values of the row's input with that name; as many as are worth looking at."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One part of a rule: a field, how it is compared, and with what."""

    field: str
    sign: str
    number: float = 0.0
    text: str = ""

    def holds(self, facts: Facts) -> bool:
        """Say whether it is true of these facts. What is not known is never true."""
        if self.field == LABEL:
            return (facts.label == self.text) is (self.sign != "!=")
        compare, number = _OPERATORS[self.sign], facts.numbers.get(self.field)
        if number is not None:
            return compare(number, self.number)
        if not self.field.startswith(FEED):
            return False
        return any(compare(value, self.number) for value in facts.feed(self.field.removeprefix(FEED)))


class TriggerRule:
    """Alternatives, each of comparisons that must all hold."""

    def __init__(self, alternatives: Sequence[Sequence[Comparison]] = ()) -> None:
        self.alternatives = tuple([tuple(each) for each in alternatives])
        self.fields = frozenset(part.field for each in alternatives for part in each)
        """What it asks about."""
        self.asks_quality = any(field.startswith(QUALITY) for field in self.fields)
        """Whether it can only be answered when an input was looked at."""

    def holds(self, facts: Facts) -> bool:
        """Say whether any alternative is true. The empty rule never is."""
        for each in self.alternatives:
            # Asked for every answer: a generator would cost more than the comparison.
            for part in each:
                if not part.holds(facts):
                    break
            else:
                return True
        return False


def parse(text: str) -> TriggerRule:
    """Return the rule; of an empty text, the one that never holds. Raises: InvalidRequest: it is no rule.

    `and` binds closer than `or`; there are no parentheses. A comparison of a feed is true when any of its values is so.
    """
    if len(text) > TEXT_MAX:
        raise InvalidRequest(f"a trigger rule has at most {TEXT_MAX} characters")
    tokens = list(_tokens(text))
    if not tokens:
        return TriggerRule()
    alternatives: list[list[Comparison]] = []
    parts: list[Comparison] = []
    for start in range(0, len(tokens), _PARTS + 1):
        end = start + _PARTS
        parts.append(_comparison(tokens[start:end]))
        word = tokens[end] if end < len(tokens) else "or"
        if word not in ("and", "or") or end + 1 == len(tokens):
            raise InvalidRequest(
                f"a trigger rule goes on with a comparison after 'and' or 'or', not with {word[:40]!r}"
            )
        if word == "or":
            alternatives.append(parts)
            parts = []
    if sum(map(len, alternatives)) > COMPARISONS_MAX:
        raise InvalidRequest(f"a trigger rule has at most {COMPARISONS_MAX} comparisons")
    return TriggerRule(alternatives)


def _tokens(text: str) -> Iterator[str]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise InvalidRequest(f"a trigger rule cannot be read from {text[at : at + 20]!r} on")
        yield next(group for group in found.groups() if group is not None)
        at = found.end()


def _comparison(tokens: list[str]) -> Comparison:
    if len(tokens) != _PARTS or tokens[1] not in _OPERATORS:
        raise InvalidRequest(f"a comparison is a field, a sign and a value, not {' '.join(tokens)[:60]!r}")
    field, sign, value = tokens
    if field == LABEL:
        if sign not in _OF_TEXT:
            raise InvalidRequest("a label can be compared with = and != only")
        return Comparison(field, sign, text=value)
    if field not in NUMBERS and not (field.startswith((FEED, QUALITY)) and field.partition(".")[2]):
        known = ", ".join((LABEL, *NUMBERS, f"{FEED}NAME", f"{QUALITY}NAME"))
        raise InvalidRequest(f"a trigger rule knows no {field[:40]!r}: it knows {known}")
    try:
        number = float(value)
    except ValueError as error:
        raise InvalidRequest(f"{field} is compared with a number, not with {value[:40]!r}") from error
    if number != number:  # noqa: PLR0124 - only NaN differs from itself
        raise InvalidRequest(f"{field} is compared with a number, and nan is none")
    return Comparison(field, sign, number)
