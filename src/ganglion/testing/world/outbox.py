"""A node's outbox on runs of records: the shipped rules decide what is given up, and when; here it happens."""

import heapq
from collections import deque
from collections.abc import Iterator
from itertools import chain
from operator import attrgetter

from ganglion.node.domain.sending import outbox as rules
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.testing.world.runs import CLASS_NAMES, Run
from ganglion.wire.records import RecordClass

_BY_SEQ = attrgetter("seq")
_LOWEST_FIRST = tuple(sorted(RecordClass, reverse=True))


class Outbox:
    """Durable at every call, as the database of the agent is."""

    def __init__(self, epoch: str) -> None:
        self.epoch = epoch
        self.made = 0
        self.sent = 0
        self.waiting = 0
        self.held_bytes = 0
        self.shed: dict[str, int] = {}
        self.shed_before = 0
        """Given up in earlier epochs."""
        self._held = dict.fromkeys(RecordClass, 0)
        self._rows: dict[RecordClass, deque[Run]] = {kind: deque() for kind in RecordClass}

    def copy(self) -> "Outbox":
        """Return what a copy of the disk holds."""
        other = Outbox(self.epoch)
        other.made, other.sent, other.waiting, other.held_bytes = self.made, self.sent, self.waiting, self.held_bytes
        other.shed, other.shed_before, other._held = dict(self.shed), self.shed_before, dict(self._held)
        other._rows = {kind: deque(rows) for kind, rows in self._rows.items()}
        return other

    def runs(self) -> Iterator[Run]:
        """Yield everything that waits, in the order of the numbers."""
        return heapq.merge(*self._rows.values(), key=_BY_SEQ)

    def append(self, run: Run) -> None:
        """Number the records of a run."""
        run.seq = self.made + 1
        self.made += run.count
        self._put(run)

    def oldest(self, bytes_max: float) -> list[Run]:
        """Return the oldest records up to a size, one at least. They count as sent."""
        if self.held_bytes <= bytes_max:
            everything = sorted(chain.from_iterable(self._rows.values()), key=_BY_SEQ)
            self.sent = max(self.sent, everything[-1].last) if everything else self.sent
            return everything
        chosen: list[Run] = []
        room = bytes_max
        for run in self.runs():
            if run.bytes > room:
                cut = int(room // run.size_bytes) or (0 if chosen else 1)
                if cut:
                    chosen.append(run.ahead(cut))
                break
            chosen.append(run)
            room -= run.bytes
        if chosen:
            self.sent = max(self.sent, chosen[-1].last)
        return chosen

    def forget(self, cursor: int) -> None:
        """Delete records up to the cursor."""
        if cursor >= self.made:
            self.waiting = self.held_bytes = 0
            for kind, rows in self._rows.items():
                rows.clear()
                self._held[kind] = 0
            return
        for rows in self._rows.values():
            while rows and rows[0].seq <= cursor:
                run = rows.popleft()
                gone = min(run.count, cursor + 1 - run.seq)
                self._account(run, -gone)
                if gone < run.count:
                    rows.appendleft(run.behind(gone))
                    break

    def renew(self, epoch: str) -> None:
        """Number what waits from 1 under a new epoch."""
        waiting = list(self.runs())
        self.shed_before += sum(self.shed.values())
        self.epoch, self.made, self.sent, self.waiting, self.held_bytes, self.shed = epoch, 0, 0, 0, 0, {}
        self._held = dict.fromkeys(RecordClass, 0)
        self._rows = {kind: deque() for kind in RecordClass}
        for run in waiting:
            # Another machine may hold the same run under its own number.
            self.append(run.behind(0))

    def make_room(self, limits: OutboxLimits, *, held_bytes: int, free_bytes: int) -> list[Run]:
        """Give up what does not fit, by the shipped plan, and return it. `held_bytes` were held before it grew."""
        cap_bytes = limits.room_bytes(held_bytes=held_bytes, free_bytes=free_bytes)
        if self.held_bytes <= cap_bytes:
            return []
        free = self.free_by_class()
        in_flight = self.held_bytes - sum(free.values())
        plan = rules.plan_shedding(free, cap_bytes=cap_bytes, need_bytes=in_flight)
        return [run for kind in _LOWEST_FIRST if kind in plan for run in self._give_up(kind, plan[kind])]

    def free_by_class(self) -> dict[RecordClass, int]:
        """Return the bytes of each class that were not handed out for sending: only those may be given up."""
        free = {}
        for kind, rows in self._rows.items():
            sent_bytes = 0
            for run in rows:
                if run.seq > self.sent:
                    break
                sent_bytes += min(run.count, self.sent + 1 - run.seq) * run.size_bytes
            free[kind] = self._held[kind] - sent_bytes
        return free

    def drop_newest(self, excess_bytes: int) -> list[Run]:
        """Give up what came last, whatever it is: an error that is planted on purpose."""
        dropped: list[Run] = []
        while excess_bytes > 0 and self.waiting:
            rows = max((rows for rows in self._rows.values() if rows), key=lambda rows: rows[-1].seq)
            run = rows.pop()
            excess_bytes -= run.bytes
            self._account(run, -run.count)
            self._count_shed(run)
            dropped.append(run)
        return dropped

    def _give_up(self, kind: RecordClass, excess_bytes: int) -> Iterator[Run]:
        rows, in_flight = self._rows[kind], []
        while rows and excess_bytes > 0:
            run = rows.popleft()
            if run.seq <= self.sent:
                cut = min(run.count, self.sent + 1 - run.seq)
                in_flight.append(run.ahead(cut))
                if cut < run.count:
                    rows.appendleft(run.behind(cut))
                continue
            cut = min(run.count, -(-excess_bytes // run.size_bytes))
            if cut < run.count:
                rows.appendleft(run.behind(cut))
            gone = run.ahead(cut)
            excess_bytes -= gone.bytes
            self._account(gone, -cut)
            self._count_shed(gone)
            yield gone
        rows.extendleft(reversed(in_flight))

    def _count_shed(self, run: Run) -> None:
        name = CLASS_NAMES[run.kind]
        self.shed[name] = self.shed.get(name, 0) + run.count

    def _put(self, run: Run) -> None:
        self._rows[run.kind].append(run)
        self._account(run, run.count)

    def _account(self, run: Run, count: int) -> None:
        size = count * run.size_bytes
        self.waiting += count
        self.held_bytes += size
        self._held[run.kind] += size
