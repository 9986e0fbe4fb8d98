"""Empties the outbox into the hub: batches in order, each forgotten only when the hub says it is stored."""

import anyio
import anyio.to_thread
import msgspec
import structlog

from ganglion.core.errors import DataCorrupt, EpochTaken, GanglionError
from ganglion.node.domain import backoff
from ganglion.node.domain.backoff import BackoffPolicy
from ganglion.ports.agent_store import AgentStore
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.hub_link import HubLink
from ganglion.wire.messages import Batch

log = structlog.get_logger()


class ForwarderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How records leave the node."""

    batch_records_max: int = 2000
    """Records in one batch at most."""
    batch_bytes_max: int = 1_000_000
    """Payload bytes in one batch at most, before compression; a single larger record goes alone."""
    flush_s: float = 1.0
    """How long a record waits for company before it is sent."""


class Forwarder:
    """Sends what waits, one batch at a time. At least once on the wire; the hub's cursor makes it exactly once."""

    def __init__(
        self, *, store: AgentStore, link: HubLink, clock: Clock, chance: Chance, settings: ForwarderSettings,
        retry: BackoffPolicy,
    ) -> None:  # fmt: skip
        self._store, self._link = store, link
        self._clock, self._chance = clock, chance
        self._settings, self._retry = settings, retry
        self.journal_shed: dict[str, int] = {}
        """Records that serving had to give up before they reached the outbox, by class name."""

    def note_journal_shed(self, shed: dict[str, int]) -> None:
        """Take in how many records never reached the outbox."""
        self.journal_shed = shed

    async def run(self) -> None:
        """Send for ever; a hub that cannot be reached costs nothing but waiting."""
        failures = 0
        while True:
            try:
                await self.drain()
                failures = 0
            except DataCorrupt:
                raise
            except GanglionError as error:
                failures += 1
                log.warning("batch.delayed", code=error.code, reason=error.message, failures=failures)
            pause_s = backoff.delay_s(self._retry, failures, share=self._chance.share())
            await anyio.sleep(max(self._settings.flush_s, pause_s))

    async def drain(self) -> int:
        """Send until nothing waits; return how many records were acknowledged. Raises: GanglionError."""
        sent = 0
        while True:
            batch = await anyio.to_thread.run_sync(self._next_batch)
            if batch is None:
                return sent
            # An abandoned send ends at its deadline; its batch is sent again and the hub knows it.
            try:
                ack = await anyio.to_thread.run_sync(self._link.send, batch, abandon_on_cancel=True)
            except EpochTaken as error:
                await self._renew_epoch(error.message)
                continue
            if ack.cursor > (await anyio.to_thread.run_sync(self._store.figures)).sent:
                await self._renew_epoch(f"the hub has records up to {ack.cursor}, which were never sent from here")
                continue
            await anyio.to_thread.run_sync(self._store.acknowledge, ack.cursor)
            sent += len(batch.records)

    async def _renew_epoch(self, reason: str) -> None:
        """Number what waits anew: this outbox was put back from an older copy, or a copy of this node is at work."""
        log.error("outbox.epoch_renewed", reason=reason)
        await anyio.to_thread.run_sync(self._store.renew_epoch)

    def _next_batch(self) -> Batch | None:
        records = self._store.pending(
            records_max=self._settings.batch_records_max, bytes_max=self._settings.batch_bytes_max
        )
        if not records:
            return None
        figures = self._store.figures()
        return Batch(
            id=f"{figures.epoch}-{records[0].seq}-{records[-1].seq}",
            sent_at_ns=self._clock.utc_ns(),
            epoch=figures.epoch,
            records=tuple(records),
            shed=total_shed(figures.shed, self.journal_shed),
            made=figures.made + sum(self.journal_shed.values()),
        )


def total_shed(outbox: dict[str, int], journal: dict[str, int]) -> dict[str, int]:
    """Return the sums per class: made = stored + waiting + shed holds for these."""
    return {name: outbox.get(name, 0) + journal.get(name, 0) for name in sorted(outbox.keys() | journal.keys())}
