"""Which nodes somebody means: a selector over what people call a node by and what it is. No I/O.

`line=3,site=porto,arch!=armv7,!canary` selects nodes that meet every term; the empty selector selects all. A bare key
stands for a label; `name`, `site`, `zone`, `class`, and every fact of the machine are keys as well, and labels cannot
take their names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ganglion.core.errors import InvalidRequest

BUILT_IN = ("name", "site", "zone", "class", "arch", "runtime", "release", "cores")
"""Keys that the hub fills in; no label has such a name."""
TERMS_MAX = 32
LABELS_MAX = 32
VALUES_MAX = 100
"""Values that one term allows."""
TEXT_MAX = 8000
_KEY = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")
_VALUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Term:
    """One demand on one key."""

    key: str
    values: tuple[str, ...] = ()
    """Any of them; none: that the key is there at all."""
    is_negated: bool = False

    def is_met(self, facts: Mapping[str, str]) -> bool:
        """Say whether a node with these facts meets the demand. A negated one is met when the key is missing."""
        value = facts.get(self.key)
        holds = value is not None and (not self.values or value in self.values)
        return holds is not self.is_negated


@dataclass(frozen=True, slots=True)
class Selector:
    """Terms that a node must all meet."""

    terms: tuple[Term, ...] = ()

    def selects(self, facts: Mapping[str, str]) -> bool:
        """Say whether a node with these facts is meant."""
        return all(term.is_met(facts) for term in self.terms)


@lru_cache(maxsize=256)
def parse(text: str) -> Selector:
    """Read a selector. Raises: InvalidRequest: it cannot be read."""
    if len(text) > TEXT_MAX:
        raise InvalidRequest(f"a selector has at most {TEXT_MAX} characters, this one {len(text)}")
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if len(parts) > TERMS_MAX:
        raise InvalidRequest(f"a selector has at most {TERMS_MAX} terms, this one {len(parts)}")
    return Selector(tuple(_term(part) for part in parts))


def checked_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels whose keys and values can be selected. Raises: InvalidRequest."""
    for key, value in labels.items():
        if not _KEY.fullmatch(key) or key in BUILT_IN:
            raise InvalidRequest(f"{key[:80]!r} cannot be a label: lower case, digits and '._-', none of the hub's")
        if not _VALUE.fullmatch(value):
            raise InvalidRequest(f"the label {key} cannot be {value[:80]!r}: letters, digits, '.', '_' and '-'")
    return dict(labels)


def changed_labels(labels: Mapping[str, str], change: Mapping[str, str | None]) -> dict[str, str]:
    """Return labels with some set and, where the value is None, some taken away. Raises: InvalidRequest."""
    put = checked_labels({key: value for key, value in change.items() if value is not None})
    kept = {key: value for key, value in labels.items() if change.get(key, "") is not None}
    after = dict(sorted({**kept, **put}.items()))
    if len(after) > LABELS_MAX:
        raise InvalidRequest(f"a node has at most {LABELS_MAX} labels")
    return after


def parse_labels(text: str) -> dict[str, str]:
    """Read `line=3,canary=yes`, as files and options have it. Raises: InvalidRequest."""
    labels: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (each.strip() for each in part.partition("="))
        if not equals or key in labels:
            raise InvalidRequest(f"the label {part[:80]!r} cannot be read, or stands there twice: write key=value")
        labels[key] = value
    return checked_labels(labels)


def written(labels: Mapping[str, str]) -> str:
    """Return labels as `parse_labels` reads them."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _term(text: str) -> Term:
    key, operator, value = _split(text)
    values = tuple(each.strip() for each in value.split("|")) if operator else ()
    if len(values) > VALUES_MAX:
        raise InvalidRequest(f"the selector term {key[:80]} has more than {VALUES_MAX} values: give the nodes a label")
    if _KEY.fullmatch(key) and all(_VALUE.fullmatch(each) for each in values):
        return Term(key, values, is_negated=operator == "!=" or text.startswith("!"))
    raise InvalidRequest(
        f"the selector term {text[:80]!r} cannot be read: write key=value, key!=value, key=this|that, key or !key"
    )


def _split(text: str) -> tuple[str, str, str]:
    for operator in ("!=", "="):
        key, found, value = text.partition(operator)
        if found:
            return key.strip(), operator, value.strip()
    return text.removeprefix("!").strip(), "", ""
