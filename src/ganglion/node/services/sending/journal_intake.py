"""Moves records from the serving process's journal into the outbox, each exactly once.

The position in the journal is stored in the same transaction as the records, so a kill at any point
neither skips nor repeats one.
"""

from collections.abc import Callable

import anyio
import anyio.to_thread
import msgspec
import structlog

from ganglion.core.errors import DataCorrupt, GanglionError
from ganglion.node.domain.sending.summaries import Folding, OpenMinute
from ganglion.ports.agent_store import AgentStore, NewRecord
from ganglion.ports.clock import Clock
from ganglion.ports.journal import Journal
from ganglion.wire import codec
from ganglion.wire.records import RecordClass, SummaryRecord

log = structlog.get_logger()


class IntakeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How often the agent looks into the journal."""

    poll_s: float = 0.2
    """Pause between two looks when the journal is empty."""
    records_max: int = 2000
    """Records moved in one transaction at most."""
    retry_s: float = 2.0
    """Pause after the disk refused; meanwhile the journal keeps the records."""


class JournalIntake:
    """See the module docstring. `results_share` is what the hub wants now; `machine` are figures of the machine."""

    def __init__(
        self,
        *,
        store: AgentStore,
        journal: Journal,
        clock: Clock,
        settings: IntakeSettings,
        results_share: Callable[[], float] = lambda: 1.0,
        machine: Callable[[], dict[str, float]] = dict,
    ) -> None:
        self._store, self._journal, self._clock, self._settings = store, journal, clock, settings
        self._results_share, self._machine = results_share, machine
        self._shed: dict[str, int] = {}
        self._folding: Folding | None = None
        """Open counts as they were last stored; None: they have to be read."""

    async def run(self) -> None:
        """Move records for ever."""
        while True:
            try:
                moved = await anyio.to_thread.run_sync(self.move)
            except DataCorrupt:
                raise
            except GanglionError as error:
                log.error("journal.delayed", code=error.code, reason=error.message)  # noqa: TRY400 - our own, no trace needed
                await anyio.sleep(self._settings.retry_s)
                continue
            if not moved:
                await anyio.sleep(self._settings.poll_s)

    def move(self) -> int:
        """Move one portion and return how many records it held. Raises: DiskUnusable: nothing was moved."""
        position = self._store.journal_position()
        records, behind = self._journal.take(position, limit=self._settings.records_max)
        shed = self._journal.shed()
        # Until it is stored, what is counted here is nobody's: after a failure it is read again.
        folding, self._folding = self._folding or _stored_folding(self._store.open_minutes()), None
        share = self._results_share()
        kept = [
            record
            for record in records
            if folding.keep(record.record_class, record.payload, at_ns=record.at_ns, results_share=share)
        ]
        closed = folding.close(now_ns=self._clock.utc_ns())
        if behind != position or closed or shed != self._shed:
            self._store.take_journal(
                [*kept, *self._as_records(closed)],
                behind,
                shed=shed,
                open_minutes=msgspec.msgpack.encode(folding.minutes),
            )
            self._shed = shed
            self._journal.discard_before(behind)
        self._folding = folding
        return len(records)

    def _as_records(self, summaries: list[SummaryRecord]) -> list[NewRecord]:
        machine = self._machine() if summaries else {}
        return [
            NewRecord(
                RecordClass.SUMMARY,
                summary.ended_ns,
                codec.encode_packed(msgspec.structs.replace(summary, machine=machine)),
            )
            for summary in summaries
        ]


def _stored_folding(stored: bytes | None) -> Folding:
    return Folding(minutes=msgspec.msgpack.decode(stored, type=list[OpenMinute])) if stored else Folding()
