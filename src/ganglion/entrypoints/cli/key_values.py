"""KEY=VALUE options that fill a dataclass: `--gate soak_s=60 --gate agreement_min=0.9`."""

import difflib
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

from ganglion.core.errors import InvalidRequest

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

D = TypeVar("D", bound="DataclassInstance")


def filled(kind: type[D], pairs: Sequence[str], *, option: str) -> D:
    """Return a `kind` with these fields, and defaults for the others. Raises: InvalidRequest."""
    import msgspec

    known = [field.name for field in fields(kind)]
    values = dict(_split(pair, known, option) for pair in pairs)
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{option}: {error}") from error


def _split(pair: str, known: Sequence[str], option: str) -> tuple[str, str]:
    name, equals, value = pair.partition("=")
    if not equals:
        raise InvalidRequest(f"{option} {pair!r} should read KEY=VALUE")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
        raise InvalidRequest(f"{option} has no {name!r}; {hint}")
    return name, value
