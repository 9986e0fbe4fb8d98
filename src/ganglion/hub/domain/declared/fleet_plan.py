"""From what is declared and what is there to what has to be done. No I/O.

Both sides are plain trees by (kind, name), said in one way each, so that nothing differs but what means something else.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from ganglion.hub.domain.declared.resources import Declared
from ganglion.hub.domain.fleet.specs import tree_of
from ganglion.wire.apply_resources import FieldChange, PlanLine

OWNER = "apply"
"""The mark of what files declared: only that is ever pruned."""
Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Present:
    """A resource that is there."""

    tree: Mapping[str, object]
    owner: str


def plan(declared: Sequence[Declared], present: Mapping[Key, Present], *, prune: bool) -> list[PlanLine]:
    """Return a line for each resource: what is declared in its order, then what goes, in the opposite order."""
    lines = [_line(each, present.get(each.key)) for each in declared]
    named = {each.key for each in declared}
    left = [key for key, each in present.items() if key not in named and each.owner == OWNER]
    gone = [_removed(key, present[key]) for key in reversed(left)] if prune else []
    return [*lines, *gone]


def digest(lines: Sequence[PlanLine]) -> str:
    """Return what tells two plans apart."""
    return hashlib.sha256(msgspec.json.encode([_essence(line) for line in lines])).hexdigest()[:16]


def differences(was: Mapping[str, object], will_be: Mapping[str, object], *, path: str = "spec") -> list[FieldChange]:
    """Return each field that differs, those inside of others by their path."""
    return list(_differences(was, will_be, path))


def _line(declared: Declared, there: Present | None) -> PlanLine:
    kind, name = declared.key
    if there is None:
        changes = differences({}, tree_of(declared.spec))
        return PlanLine(action="create", kind=kind, name=name, source=declared.source, changes=changes)
    changes = differences(there.tree, tree_of(declared.spec))
    note = "" if there.owner == OWNER else "somebody made or changed it by hand; from now on it is declared"
    action = "change" if changes or there.owner != OWNER else "keep"
    return PlanLine(action=action, kind=kind, name=name, source=declared.source, changes=changes, note=note)


def _removed(key: Key, there: Present) -> PlanLine:
    return PlanLine(action="remove", kind=key[0], name=key[1], changes=differences(there.tree, {}))


def _differences(was: Mapping[str, object], will_be: Mapping[str, object], path: str) -> Iterator[FieldChange]:
    for name in sorted(was.keys() | will_be.keys()):
        before, after, where = was.get(name), will_be.get(name), f"{path}.{name}"
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _differences(before, after, where)
        elif _shown(was, name) != _shown(will_be, name):
            yield FieldChange(where, _shown(was, name), _shown(will_be, name))


def _shown(tree: Mapping[str, object], name: str) -> str:
    return msgspec.json.encode(tree[name], order="sorted").decode() if name in tree else ""


def _essence(line: PlanLine) -> list[object]:
    return [line.action, line.kind, line.name, [[each.path, each.was, each.will_be] for each in line.changes]]
