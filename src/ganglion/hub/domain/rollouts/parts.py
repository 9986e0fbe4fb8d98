"""The nodes of a large rollout, apart from its document: a first part with everything, then parts with what is new.

A look at a rollout of a hundred thousand nodes changes a few of them. So the document holds what does not grow with the
fleet, and each part the difference to those before it. Nodes are named once and then numbered. No I/O, no clock.
"""

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import TypeVar

import msgspec

from ganglion.hub.domain.rollouts import turns
from ganglion.hub.domain.rollouts.document import Apart, Previous, Rollout

SHOWN_MAX = 200
"""Nodes of each list that the document names all the same, for those who only want to show some."""
_SPARE_BYTES = 1_000_000
_TIMES = ("given_at_s", "committed", "rolled_back", "left_behind", "retried_at_s", "returned")
_NOTHING = -1
V = TypeVar("V")


class Part(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What changed. Numbers stand for nodes: the first that was ever named is 0."""

    named: tuple[str, ...] = ()
    """Nodes that were not named before."""
    stages: dict[int, tuple[int, ...]] = {}
    had: tuple[Previous, ...] = ()
    previous: dict[int, int] = {}
    """By node the place in `had`; -1: it had nothing."""
    times: dict[str, dict[int, float]] = {}
    """By field and node."""
    attempts: dict[int, int] = {}
    gone: dict[str, tuple[int, ...]] = {}
    """By field the nodes that it has no more."""


@dataclass(slots=True)
class Members:
    """A whole rollout, and the number of each of its nodes."""

    rollout: Rollout
    numbers: dict[str, int] = field(default_factory=dict)


def is_large(rollout: Rollout, nodes_max: int) -> bool:
    """Say whether so many nodes are too many for one document."""
    return len(rollout.previous) > nodes_max or sum(len(stage.node_ids) for stage in rollout.stages) > nodes_max


def part_of(before: Members | None, after: Rollout) -> tuple[Part, Members]:
    """Return what is new since `before`, or everything; and `after` with its nodes numbered."""
    members = Members(after, {**before.numbers} if before else {})
    old, known = before.rollout if before else None, len(members.numbers)
    numbers = members.numbers

    def numbered(values: Mapping[str, V]) -> dict[int, V]:
        return {numbers.setdefault(node_id, len(numbers)): value for node_id, value in values.items()}

    stages = {
        index: tuple(numbers.setdefault(node_id, len(numbers)) for node_id in stage.node_ids)
        for index, stage in enumerate(after.stages)
        if old is None or index >= len(old.stages) or stage.node_ids != old.stages[index].node_ids
    }
    had = dict[Previous | None, int]({None: _NOTHING})
    previous = {
        node_id: had.setdefault(value, len(had) - 1)
        for node_id, value in _new(old.previous if old else {}, after.previous).items()
    }
    fields = (*_TIMES, "attempts", "previous")
    gone = {name: _gone(getattr(old, name), getattr(after, name)) for name in fields} if old else {}
    part = Part(
        stages=stages,
        had=tuple(value for value in had if value is not None),
        previous=numbered(previous),
        times={
            name: numbered(new)
            for name in _TIMES
            if (new := _new(getattr(old, name) if old else {}, getattr(after, name)))
        },
        attempts=numbered(_new(old.attempts if old else {}, after.attempts)),
        gone={name: tuple(numbers[node_id] for node_id in node_ids) for name, node_ids in gone.items() if node_ids},
    )
    return msgspec.structs.replace(part, named=tuple(itertools.islice(numbers, known, None))), members


def whole(short: Rollout, parts: Iterable[Part]) -> Members:
    """Return the rollout whose document this is, with the nodes of its parts."""
    names = list[str]()
    stages = dict[int, tuple[str, ...]]()
    previous, attempts = dict[str, Previous | None](), dict[str, int]()
    times: dict[str, dict[str, float]] = {name: {} for name in _TIMES}
    of_fields = {"previous": partial(_drop, previous), "attempts": partial(_drop, attempts)}
    of_fields |= {name: partial(_drop, values) for name, values in times.items()}
    for part in parts:
        names += part.named
        for name, numbers in part.gone.items():
            gone = {names[number] for number in numbers}
            of_fields[name](gone)
        stages |= {index: tuple(names[number] for number in numbers) for index, numbers in part.stages.items()}
        had = (*part.had, None)
        previous |= {names[number]: had[place] for number, place in part.previous.items()}
        for name, found in part.times.items():
            times[name] |= {names[number]: at_s for number, at_s in found.items()}
        attempts |= {names[number]: count for number, count in part.attempts.items()}
    filled = tuple(
        msgspec.structs.replace(stage, node_ids=stages.get(index, ())) for index, stage in enumerate(short.stages)
    )
    rollout = msgspec.structs.replace(short, stages=filled, previous=previous, attempts=attempts, apart=None, **times)
    return Members(rollout, {name: number for number, name in enumerate(names)})


def short(rollout: Rollout, part: bytes, *, before: Apart | None, is_first: bool) -> Rollout:
    """Return the document of a large rollout whose newest part this is. `before`: of the document until now, if any.

    Two documents are the same only if all their parts are: the digest is of the parts from the first on.
    """
    known = None if is_first else before
    digest = _digest(known.digest if known else "", part)
    told = Apart(
        sizes=tuple(len(stage.node_ids) for stage in rollout.stages),
        given=rollout.gifts,
        committed=rollout.commits,
        failed=rollout.failures,
        held_back=len(turns.undelivered(rollout)),
        last_committed_at_s=rollout.last_committed_at_s,
        newest=before.newest + 1 if before else 1,
        first_bytes=known.first_bytes if known else len(part),
        later_bytes=known.later_bytes + len(part) if known else 0,
        digest=digest,
    )
    return msgspec.structs.replace(
        rollout,
        stages=tuple(msgspec.structs.replace(each, node_ids=each.node_ids[:SHOWN_MAX]) for each in rollout.stages),
        apart=told,
        left_behind=_first(rollout.left_behind),
        retried_at_s=_first(rollout.retried_at_s),
        previous={},
        given_at_s={},
        committed={},
        rolled_back={},
        returned={},
        attempts={},
    )


def digest_of(parts: Iterable[bytes]) -> str:
    """Return what the document of these parts holds as their digest."""
    return reduce(_digest, parts, "")


def is_due_anew(apart: Apart) -> bool:
    """Say whether the parts have become so long that a first one takes their place."""
    return apart.later_bytes > apart.first_bytes + _SPARE_BYTES


def _digest(before: str, part: bytes) -> str:
    return hashlib.blake2b(before.encode() + part, digest_size=16).hexdigest()


def _first(times: Mapping[str, float]) -> dict[str, float]:
    return dict(list(times.items())[:SHOWN_MAX])


def _drop(values: dict[str, V], gone: Iterable[str]) -> None:
    for node_id in gone:
        values.pop(node_id, None)


def _new(old: Mapping[str, V], new: Mapping[str, V]) -> Mapping[str, V]:
    if old is new:
        return {}
    if _goes_on(old, new):
        return dict(itertools.islice(new.items(), len(old), None))
    return {key: value for key, value in new.items() if key not in old or old[key] != value}


def _gone(old: Mapping[str, object], new: Mapping[str, object]) -> Sequence[str]:
    return [] if old is new or _goes_on(old, new) else [key for key in old if key not in new]


def _goes_on(old: Mapping[str, object], new: Mapping[str, object]) -> bool:
    """Say whether `new` is `old` with more behind it, as after commits. To see that costs a tenth of a comparison."""
    size = len(old)
    return (
        len(new) >= size
        and list(old) == list(itertools.islice(new, size))
        and list(old.values()) == list(itertools.islice(new.values(), size))
    )
