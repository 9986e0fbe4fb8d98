"""Fields that a body has and its type has not. Dropped in silence, a misspelt `dry_run` would act for real."""

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from difflib import get_close_matches
from functools import cache


def unknown_field(kind: object, body: object) -> str:
    """Say which field is the first that `kind` does not have, and what may have been meant; empty: there is none."""
    return next(_unknown(kind, body, ""), "")


def _unknown(kind: object, value: object, path: str) -> Iterator[str]:
    if not _has_fields(kind):
        # A list of a million names is not walked through: this runs on the loop, before anybody proved anything.
        return
    if isinstance(value, dict) and isinstance(kind, type) and is_dataclass(kind):
        yield from _unknown_here(_fields_of(kind), value, path)
    elif isinstance(kind, types.UnionType):
        for choice in typing.get_args(kind):
            yield from _unknown(choice, value, path)
    elif isinstance(value, list) and typing.get_origin(kind) in {list, tuple}:
        for index, inner in enumerate(value):
            yield from _unknown(typing.get_args(kind)[0], inner, f"{path}{index}.")
    elif isinstance(value, dict) and typing.get_origin(kind) is dict:
        for name, inner in value.items():
            yield from _unknown(typing.get_args(kind)[1], inner, f"{path}{name}.")


def _unknown_here(known: Mapping[str, object], value: Mapping[str, object], path: str) -> Iterator[str]:
    for name, inner in value.items():
        if name not in known:
            yield _told(f"{path}{name}", [f"{path}{near}" for near in get_close_matches(name, known, n=1)])
        yield from _unknown(known.get(name), inner, f"{path}{name}.")


@cache
def _fields_of(kind: type) -> Mapping[str, object]:
    return typing.get_type_hints(kind)


@cache
def _has_fields(kind: object) -> bool:
    """Say whether something inside of this type has fields that can be misspelt."""
    return (isinstance(kind, type) and is_dataclass(kind)) or any(_has_fields(each) for each in typing.get_args(kind))


def _told(name: str, near: list[str]) -> str:
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"body: there is no field {name[:80]!r} here{meant}"
