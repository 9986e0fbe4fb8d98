"""Which waiting requests run together, and when: events in, decisions out. Knows no engine and reads no clock.

Requests of one form wait in one row and leave it in their order. A row is ripe when it fills a batch or reaches a
preferred size, or when its time is up; of the ripe rows the one whose first request is the oldest goes first.
"""

import math
from collections.abc import Hashable
from enum import StrEnum
from itertools import accumulate
from typing import Generic, TypeVar

import msgspec

from ganglion.core.batching_rules import BatchingRules
from ganglion.core.errors import Overloaded

T = TypeVar("T")

NEVER_S = math.inf
_PATIENCE_SHARE = 0.5
"""Of the time that a request has until its deadline, so much may be spent on waiting for others: it must run, too."""


class Why(StrEnum):
    """Why a batch started."""

    FULL = "full"
    """It has as many rows as are allowed, or the next request does not fit any more."""
    PREFERRED = "preferred"
    DELAY = "delay"
    """One of its requests had waited as long as it may."""
    DEADLINE = "deadline"
    """One of its requests has no more time to wait."""
    IDLE = "idle"
    """The engine was free, and nobody has to wait for others."""


class Waiting(msgspec.Struct, Generic[T], frozen=True):
    """A request: what it is to the shell, its rows, and its times by one monotonic clock."""

    item: T
    rows: int
    form: Hashable
    """Requests of different forms never share a batch."""
    at_s: float
    deadline_s: float = NEVER_S


class Batch(msgspec.Struct, Generic[T], frozen=True):
    """Requests to run together, in the order of their arrival."""

    items: tuple[T, ...]
    rows: int
    why: Why


class Decision(msgspec.Struct, Generic[T], frozen=True):
    """What to do now. When there is a batch, ask again after it was started; otherwise at `wake_s`, or at an event."""

    expired: tuple[T, ...]
    batch: Batch[T] | None
    wake_s: float


class Batching(Generic[T]):
    """The waiting requests of one model version. Belongs to one thread."""

    def __init__(self, rules: BatchingRules) -> None:
        self._rules = rules
        self._preferred = frozenset(rules.preferred_sizes)
        self._delay_s = rules.max_delay_us / 1e6
        self._rows: dict[Hashable, list[Waiting[T]]] = {}
        self._count = 0
        self._deadline_s = NEVER_S
        """No waiting request has an earlier one."""

    def __len__(self) -> int:
        return self._count

    def arrive(self, waiting: Waiting[T]) -> None:
        """Take a request in. Raises: Overloaded: too many wait."""
        if self._count >= self._rules.queue_len_max:
            raise Overloaded(f"{self._count} requests wait for the model already")
        self._rows.setdefault(waiting.form, []).append(waiting)
        self._count += 1
        self._deadline_s = min(self._deadline_s, waiting.deadline_s)

    def withdraw(self, item: T, form: Hashable) -> bool:
        """Take a request out. False: it does not wait here, or not any more."""
        row = self._rows.get(form, [])
        for place, waiting in enumerate(row):
            if waiting.item is item:
                del row[place]
                self._count -= 1
                self._forget_empty(form)
                return True
        return False

    def decide(self, now_s: float, *, is_free: bool) -> Decision[T]:
        """Say which requests are too late, which run together now, and when to ask again if none do.

        With an engine that is not free only deadlines count.
        """
        expired = self._expire(now_s) if now_s > self._deadline_s else ()
        if not is_free or not self._count:
            return Decision(expired, None, self._deadline_s)
        batch = self._ripe(now_s)
        if batch is not None:
            return Decision(expired, batch, now_s)
        due_s = min(self._due(self._fitting(row))[0] for row in self._rows.values())
        return Decision(expired, None, min(due_s, self._deadline_s))

    def _ripe(self, now_s: float) -> Batch[T] | None:
        for form, row in sorted(self._rows.items(), key=_first_arrival) if len(self._rows) > 1 else self._rows.items():
            count, why = self._judge(row, now_s)
            if why is None:
                continue
            chosen = row[:count]
            del row[:count]
            self._count -= count
            self._forget_empty(form)
            return Batch(tuple([each.item for each in chosen]), sum([each.rows for each in chosen]), why)
        return None

    def _judge(self, row: list[Waiting[T]], now_s: float) -> tuple[int, Why | None]:
        """Return how many requests of a row start now, and why; no reason: none of them yet."""
        fitting = self._fitting(row)
        if self._preferred:
            sums = list(accumulate([each.rows for each in fitting]))
            preferred = next((count for count in range(len(sums), 0, -1) if sums[count - 1] in self._preferred), 0)
            if preferred:
                return preferred, Why.PREFERRED
        if len(fitting) < len(row) or sum([each.rows for each in fitting]) >= self._rules.max_size:
            return len(fitting), Why.FULL
        due_s, why = self._due(fitting)
        return len(fitting), why if now_s >= due_s else None

    def _fitting(self, row: list[Waiting[T]]) -> list[Waiting[T]]:
        """Return the first requests that fit into one batch; at least one."""
        rows = 0
        for count, each in enumerate(row):
            rows += each.rows
            if rows > self._rules.max_size and count:
                return row[:count]
        return row

    def _due(self, fitting: list[Waiting[T]]) -> tuple[float, Why]:
        delay_s = fitting[0].at_s + self._delay_s
        urgent_s = min([_patience_s(each) for each in fitting])
        if urgent_s < delay_s:
            return urgent_s, Why.DEADLINE
        return delay_s, Why.DELAY if self._delay_s else Why.IDLE

    def _expire(self, now_s: float) -> tuple[T, ...]:
        expired: list[T] = []
        for form, row in list(self._rows.items()):
            expired += [each.item for each in row if each.deadline_s < now_s]
            row[:] = [each for each in row if each.deadline_s >= now_s]
            self._forget_empty(form)
        self._count -= len(expired)
        self._deadline_s = min([each.deadline_s for row in self._rows.values() for each in row], default=NEVER_S)
        return tuple(expired)

    def _forget_empty(self, form: Hashable) -> None:
        if not self._rows[form]:
            del self._rows[form]
        if not self._rows:
            self._deadline_s = NEVER_S


def _first_arrival(entry: tuple[Hashable, list[Waiting[T]]]) -> float:
    return entry[1][0].at_s


def _patience_s(waiting: Waiting[T]) -> float:
    if waiting.deadline_s == NEVER_S:
        return NEVER_S
    return waiting.at_s + (waiting.deadline_s - waiting.at_s) * _PATIENCE_SHARE
