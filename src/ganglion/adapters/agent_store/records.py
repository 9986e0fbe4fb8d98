"""The records that wait: numbered, handed out, forgotten, and given up when the disk's share is used up.

Every method runs inside a transaction of the caller.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ganglion.adapters.agent_store.database import Database
from ganglion.node.domain.sending import outbox, summaries
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.ports.agent_store import NewRecord
from ganglion.wire.records import Envelope, RecordClass

_ROW_OVERHEAD_BYTES = 40
"""What SQLite needs beside the payload, about; counted against the limits."""
_REFUSED_MAX = 100
_MERGED, _MERGED_NAME = 100, "summary_merged"
"""Summaries whose counts went into a later one: their numbers never arrive, but nothing of them is lost."""


class Records:
    """The tables of records. `held` counts bytes by class; the caller puts it back when a transaction fails."""

    def __init__(self, file: Database, folder: Path, limits: OutboxLimits) -> None:
        self._file, self._db, self._folder = file, file.connection, folder
        self._limits, self._own_limits = limits, limits.own_limits()
        self.held: dict[RecordClass, int] = {}

    def load(self) -> None:
        """Count what is there."""
        self.held = self._sizes("select class, sum(size) from record group by class")

    @property
    def waiting(self) -> int:
        """How many records wait."""
        (count,) = self._db.execute("select count(*) from record").fetchone()
        return int(count)

    @property
    def made(self) -> int:
        """The highest number given out."""
        value = self._file.meta("made")
        assert isinstance(value, int), "the count is written with the epoch"
        return value

    @property
    def sent(self) -> int:
        """The highest number that was ever handed out for sending."""
        value = self._file.meta("sent")
        return value if isinstance(value, int) else 0

    def shed(self) -> dict[str, int]:
        """Return how many records were given up, by class name."""
        rows = self._db.execute("select class, records from shed order by class")
        return {
            _MERGED_NAME if number == _MERGED else RecordClass(number).name.lower(): count for number, count in rows
        }

    def append(self, records: Sequence[NewRecord]) -> None:
        """Number the records; what does not fit makes room by class and worth."""
        if not records:
            return
        held_bytes = sum(self.held.values())
        made = self.made
        ordinals = dict(self._db.execute("select class, records from made"))
        rows = []
        for seq, record in enumerate(records, start=made + 1):
            number, size = int(record.record_class), len(record.payload) + _ROW_OVERHEAD_BYTES
            ordinals[number] = ordinals.get(number, 0) + 1
            worth = outbox.worth_of(record.record_class, record.payload, ordinal=ordinals[number])
            rows.append((seq, number, record.at_ns, record.payload, size, worth))
            self.held[record.record_class] += size
        self._db.executemany("insert into record values (?, ?, ?, ?, ?, ?)", rows)
        self._db.executemany("insert or replace into made values (?, ?)", ordinals.items())
        self._file.set_meta("made", made + len(rows))
        self._make_room(held_bytes)

    def oldest(self, *, records_max: int, bytes_max: int) -> list[Envelope]:
        """Return the oldest records within both limits; a single larger one goes alone. They count as sent."""
        chosen: list[Envelope] = []
        total = 0
        rows = self._db.execute("select seq, class, at_ns, payload from record order by seq limit ?", (records_max,))
        for seq, record_class, at_ns, payload in rows:
            total += len(payload)
            if chosen and total > bytes_max:
                break
            chosen.append(Envelope(seq, record_class, at_ns, payload))
        rows.close()
        if chosen and chosen[-1].seq > self.sent:
            self._file.set_meta("sent", chosen[-1].seq)
        return chosen

    def forget(self, cursor: int) -> None:
        """Delete records up to the cursor."""
        freed = self._sizes_up_to(cursor)
        self._db.execute("delete from record where seq <= ?", (cursor,))
        for record_class, size in freed.items():
            self.held[record_class] -= size

    def give_up(self, seq: int, reason: str) -> None:
        """Move one record aside, where a person finds it, and count it as shed. Of those, the newest are kept."""
        row = self._db.execute("select class, at_ns, payload, size from record where seq = ?", (seq,)).fetchone()
        if row is None:
            return
        number, at_ns, payload, size = row
        self._db.execute("insert into refused values (?, ?, ?, ?)", (number, at_ns, payload, reason))
        self._db.execute("delete from refused where rowid <= (select max(rowid) from refused) - ?", (_REFUSED_MAX,))
        self._db.execute("delete from record where seq = ?", (seq,))
        self.count_shed({RecordClass(number): 1})
        self.held[RecordClass(number)] -= size

    def renumber(self) -> int:
        """Number what waits from 1, forget what was given up so far, and return how many records wait."""
        rows = self._db.execute("select class, at_ns, payload, size, worth from record order by seq").fetchall()
        self._db.execute("delete from record")
        self._db.execute("delete from shed")
        self._db.executemany(
            "insert into record values (?, ?, ?, ?, ?, ?)", [(seq, *row) for seq, row in enumerate(rows, start=1)]
        )
        return len(rows)

    def count_shed(self, counts: Mapping[RecordClass, int]) -> None:
        """Add to the counts of what was given up."""
        for record_class, count in counts.items():
            self._count(int(record_class), count)

    def _count(self, number: int, count: int) -> None:
        if count:
            self._db.execute(
                "insert into shed values (?, ?) on conflict (class) do update set records = records + excluded.records",
                (number, count),
            )

    def _make_room(self, held_bytes: int) -> None:
        """Shed until every limit holds again. `held_bytes` is what was held before it grew."""
        free_bytes = shutil.disk_usage(self._folder).free
        cap_bytes = self._limits.room_bytes(held_bytes=held_bytes, free_bytes=free_bytes)
        if sum(self.held.values()) <= cap_bytes and not outbox.plan_own_limits(self.held, self._own_limits):
            return
        # The hub may have what was handed out for sending, so that stays.
        in_flight = self._sizes_up_to(self.sent)
        own = {record_class: limit - in_flight[record_class] for record_class, limit in self._own_limits.items()}
        for record_class, excess in outbox.plan_own_limits(self._free(in_flight), own).items():
            self._shed(record_class, excess)
        plan = outbox.plan_shedding(self._free(in_flight), cap_bytes=cap_bytes, need_bytes=sum(in_flight.values()))
        for record_class, excess in plan.items():
            self._shed(record_class, excess)

    def _free(self, in_flight: Mapping[RecordClass, int]) -> dict[RecordClass, int]:
        return {record_class: held - in_flight[record_class] for record_class, held in self.held.items()}

    def _shed(self, record_class: RecordClass, excess_bytes: int) -> None:
        freed = self._merge_summaries() if record_class is RecordClass.SUMMARY else 0
        dropped = 0
        shed: list[tuple[int]] = []
        rows = self._db.execute(
            "select seq, size from record where class = ? and seq > ? order by worth, seq",
            (int(record_class), self.sent),
        )
        for seq, size in rows:
            if freed >= excess_bytes:
                break
            freed, dropped = freed + size, dropped + size
            shed.append((seq,))
        rows.close()
        self._db.executemany("delete from record where seq = ?", shed)
        self.count_shed({record_class: len(shed)})
        self.held[record_class] -= dropped

    def _merge_summaries(self) -> int:
        """Put the counts of each version's waiting summaries into one; return how many bytes that freed."""
        rows = self._db.execute(
            "select seq, payload from record where class = ? and seq > ? order by seq",
            (int(RecordClass.SUMMARY), self.sent),
        ).fetchall()
        sizes = {seq: len(payload) for seq, payload in rows}
        freed = merged = 0
        for seq, (payload, taken_in) in summaries.merge_payloads(rows).items():
            freed += sum(sizes[each] + _ROW_OVERHEAD_BYTES for each in taken_in) + sizes[seq] - len(payload)
            merged += len(taken_in)
            size = len(payload) + _ROW_OVERHEAD_BYTES
            self._db.execute("update record set payload = ?, size = ? where seq = ?", (payload, size, seq))
            self._db.executemany("delete from record where seq = ?", [(each,) for each in taken_in])
        self._count(_MERGED, merged)
        self.held[RecordClass.SUMMARY] -= freed
        return freed

    def _sizes_up_to(self, seq: int) -> dict[RecordClass, int]:
        return self._sizes("select class, sum(size) from record where seq <= ? group by class", seq)

    def _sizes(self, query: str, *parameters: int) -> dict[RecordClass, int]:
        sizes = dict.fromkeys(RecordClass, 0)
        sizes.update({RecordClass(number): size for number, size in self._db.execute(query, parameters)})
        return sizes
