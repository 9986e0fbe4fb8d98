"""Fills a tree of settings Structs from a document, the environment and options, and finds every mistake at once.

The last word wins: default, then file, then variable, then command line. Pure: it is given what others have
read. The variable of `hub.port` is GANGLION_HUB_PORT; names are looked up in a table of all settings, never
taken apart, so an underscore inside a name is no ambiguity.
"""

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
from msgspec.structs import FieldInfo

from ganglion.core.errors import InvalidSettings

S = TypeVar("S", bound=msgspec.Struct)

PREFIX = "GANGLION_"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting: `name` is its dotted path in the tree."""

    name: str
    field: FieldInfo

    @property
    def variable(self) -> str:
        """Return the environment variable that sets it."""
        return PREFIX + self.name.replace(".", "_").upper()


@dataclass(frozen=True, slots=True)
class Sources:
    """What was read, in ascending order of precedence. Overrides have dotted names; None means not given."""

    document: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, object] = field(default_factory=dict)
    document_name: str = "the settings file"


@dataclass(frozen=True, slots=True)
class _Given:
    value: object
    origin: str
    is_text: bool = False


def load(kind: type[S], sources: Sources) -> S:
    """Return the tree `kind` filled from `sources`.

    Raises: InvalidSettings: unknown names, wrong types, values out of range; all of them in one message.
    """
    problems: list[str] = []
    known = {leaf.name: leaf for leaf in leaves(kind)}
    given = _from_document(known, sources, problems)
    given |= _from_environment(known, sources, problems)
    given |= _from_overrides(known, sources, problems)
    values = {name: _converted(known[name], entry, problems) for name, entry in given.items()}
    if problems:
        raise InvalidSettings(_listed(problems))
    return _build(kind, values, "")


def leaves(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[Leaf]:
    """Yield every setting below `kind`, in the order of the source."""
    for entry in msgspec.structs.fields(kind):
        name = prefix + entry.name
        if _is_section(entry):
            yield from leaves(entry.type, f"{name}.")
        else:
            yield Leaf(name, entry)


def variables_of(tree: msgspec.Struct, *, prefix: str = "") -> dict[str, str]:
    """Return the variables that make `load` build `tree` again; `prefix` ("node.") is where the tree hangs."""
    variables: dict[str, str] = {}
    for leaf in leaves(type(tree)):
        value: object = tree
        for part in leaf.name.split("."):
            value = getattr(value, part)
        variables[Leaf(prefix + leaf.name, leaf.field).variable] = _as_text(value)
    return variables


def _as_text(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _from_document(known: Mapping[str, Leaf], sources: Sources, problems: list[str]) -> dict[str, _Given]:
    given: dict[str, _Given] = {}
    for name, value in _flatten(sources.document, "", known):
        if name in known:
            given[name] = _Given(value, f"{name} in {sources.document_name}")
        else:
            problems.append(f"{name} in {sources.document_name} is not a setting{_near(name, known)}")
    return given


def _flatten(table: Mapping[str, object], prefix: str, known: Mapping[str, Leaf]) -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        name = prefix + key
        if isinstance(value, dict) and name not in known:
            yield from _flatten(value, f"{name}.", known)
        else:
            yield name, value


def _from_environment(known: Mapping[str, Leaf], sources: Sources, problems: list[str]) -> dict[str, _Given]:
    by_variable = {leaf.variable: name for name, leaf in known.items()}
    given: dict[str, _Given] = {}
    for variable, text in sources.environment.items():
        if variable in by_variable:
            given[by_variable[variable]] = _Given(text, f"the variable {variable}", is_text=True)
        elif variable.startswith(PREFIX):
            problems.append(f"the variable {variable} is not a setting{_near(variable, by_variable)}")
    return given


def _from_overrides(known: Mapping[str, Leaf], sources: Sources, problems: list[str]) -> dict[str, _Given]:
    wanted = {name: value for name, value in sources.overrides.items() if value is not None}
    problems.extend(f"{name} is not a setting{_near(name, known)}" for name in wanted if name not in known)
    return {name: _Given(value, f"{name} on the command line") for name, value in wanted.items() if name in known}


def _near(name: str, known: Mapping[str, object]) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


def _converted(leaf: Leaf, given: _Given, problems: list[str]) -> object:
    try:
        value = _split(leaf, given)
        converted: object = msgspec.convert(value, leaf.field.type, strict=not given.is_text)
    except msgspec.MsgspecError as error:
        problems.append(f"{given.origin}: {error}")
        return None
    if isinstance(converted, int | float) and not (math.isfinite(converted) and converted >= 0):
        problems.append(f"{given.origin}: expected a finite number that is not negative")
    return converted


def _split(leaf: Leaf, given: _Given) -> object:
    """Return the value; text for a setting that holds several values is a list with commas, or a table in JSON."""
    if given.is_text and str(leaf.field.type).startswith("dict["):
        table: object = msgspec.json.decode(str(given.value))
        return table
    several = str(leaf.field.type).startswith("tuple[")
    if given.is_text and several:
        return [part.strip() for part in str(given.value).split(",") if part.strip()]
    return given.value


def _build(kind: type[S], values: Mapping[str, object], prefix: str) -> S:
    chosen: dict[str, object] = {}
    for entry in msgspec.structs.fields(kind):
        name = prefix + entry.name
        if _is_section(entry):
            chosen[entry.name] = _build(entry.type, values, f"{name}.")
        elif name in values:
            chosen[entry.name] = values[name]
    return kind(**chosen)


def _is_section(entry: FieldInfo) -> bool:
    return isinstance(entry.type, type) and issubclass(entry.type, msgspec.Struct)


def _listed(problems: list[str]) -> str:
    return problems[0] if len(problems) == 1 else "\n  ".join([f"{len(problems)} settings are wrong:", *problems])
