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
from ganglion.ports.agent_store import AgentStore
from ganglion.ports.journal import Journal

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
    """See the module docstring."""

    def __init__(
        self, *, store: AgentStore, journal: Journal, settings: IntakeSettings, shed: Callable[[dict[str, int]], None]
    ) -> None:
        self._store, self._journal, self._settings = store, journal, settings
        self._tell_shed = shed

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
        self._tell_shed(self._journal.shed())
        if behind != position:
            self._store.take_journal(records, behind)
            self._journal.discard_before(behind)
        return len(records)
