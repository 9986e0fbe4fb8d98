"""Options of `ganglion serve` that hold more than a number: which model, and how much of what."""

from collections.abc import Sequence

import msgspec

from ganglion.core.batching_rules import EVERY_MODEL, BatchingRules
from ganglion.core.errors import InvalidSettings


def batching_of(texts: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the rules by model of `[MODEL=]ROWS[:DELAY_US]`, to be checked with all settings.

    Raises: InvalidSettings.
    """
    rules = {}
    for text in texts:
        model, _, numbers = text.rpartition("=")
        rows, _, delay_us = numbers.partition(":")
        if not (_is_number(rows) and _is_number(delay_us or "0")):
            raise InvalidSettings(f"--batching {text[:80]!r} is not [MODEL=]ROWS[:DELAY_US], as in 32 or gate=32:2000")
        rules[model or EVERY_MODEL] = {"max_size": int(rows), "max_delay_us": int(delay_us or "0")}
    return rules


def advice_of(text: str) -> BatchingRules | msgspec.UnsetType:
    """Return the rules of `ROWS[:DELAY_US]` for a package; nothing for an empty text. Raises: InvalidSettings."""
    if not text:
        return msgspec.UNSET
    rules = batching_of([text])
    if EVERY_MODEL not in rules:
        raise InvalidSettings(f"--batching {text[:80]!r} names a model: a package advises for itself alone")
    try:
        return msgspec.convert(rules[EVERY_MODEL], BatchingRules)
    except msgspec.ValidationError as error:
        raise InvalidSettings(f"--batching {text[:80]!r}: {error}") from error


def split_of(texts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the weights by model and version of `MODEL=VERSION:WEIGHT,...`. Raises: InvalidSettings."""
    return dict(map(_weights, texts))


def _weights(text: str) -> tuple[str, dict[str, float]]:
    model, _, shares = text.partition("=")
    try:
        weights = {
            version: float(weight) for version, _, weight in (share.partition(":") for share in shares.split(","))
        }
    except ValueError:
        weights = {}
    if not model or not weights or "" in weights:
        raise InvalidSettings(f"--split {text[:80]!r} is not MODEL=VERSION:WEIGHT,..., as in gate=1:90,2:10")
    return model, weights


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
