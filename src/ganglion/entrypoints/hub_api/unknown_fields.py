"""Fields that a body has and its type has not. Dropped in silence, a misspelt `dry_run` would act for real."""

import types
import typing
from collections.abc import Iterator
from dataclasses import is_dataclass
from difflib import get_close_matches


def unknown_field(kind: object, body: object) -> str:
    """Say which field is the first that `kind` does not have, and what may have been meant; empty: there is none."""
    return next(_unknown(kind, body, ""), "")


def _unknown(kind: object, value: object, path: str) -> Iterator[str]:
    if isinstance(value, dict) and isinstance(kind, type) and is_dataclass(kind):
        known = typing.get_type_hints(kind)
        for name, inner in value.items():
            if name not in known:
                yield _told(f"{path}{name}", [f"{path}{near}" for near in get_close_matches(name, known, n=1)])
            yield from _unknown(known.get(name), inner, f"{path}{name}.")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            for item in _items(kind):
                yield from _unknown(item, inner, f"{path}{index}.")
    elif isinstance(value, dict) and isinstance(kind, types.UnionType):
        for choice in typing.get_args(kind):
            yield from _unknown(choice, value, path)


def _items(kind: object) -> Iterator[object]:
    """Return what a list holds, also one that may be absent."""
    if isinstance(kind, types.UnionType):
        for choice in typing.get_args(kind):
            yield from _items(choice)
    elif typing.get_origin(kind) in {list, tuple}:
        yield typing.get_args(kind)[0]


def _told(name: str, near: list[str]) -> str:
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"body: there is no field {name[:80]!r} here{meant}"
