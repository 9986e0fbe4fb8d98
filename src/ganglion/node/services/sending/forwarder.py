"""Empties the outbox into the hub: batches in order, each forgotten only when the hub says it is stored."""

import anyio
import anyio.to_thread
import msgspec
import structlog

from ganglion.core.delivery_errors import Busy
from ganglion.core.errors import (
    DataCorrupt,
    EpochTaken,
    GanglionError,
    HubUnreachable,
    InvalidName,
    InvalidRequest,
    TooLarge,
    Unavailable,
)
from ganglion.node.domain.sending import backoff, egress
from ganglion.node.domain.sending.backoff import BackoffPolicy
from ganglion.node.domain.sending.batch_size import BatchSize
from ganglion.node.domain.sending.egress import EgressSettings, Spent, lower
from ganglion.node.services.sending.sample_uploads import SampleUploads
from ganglion.ports.agent_store import AgentStore, NewRecord
from ganglion.ports.clock import Chance, Clock, utc_s
from ganglion.ports.hub_link import HubLink
from ganglion.wire import codec
from ganglion.wire.desired import AgentOptions
from ganglion.wire.records import Ack, Batch, EventRecord, RecordClass

log = structlog.get_logger()

REFUSED_EVENT = "record.refused"
_ASKED_S_MAX = 900.0
"""However long a hub, or something on the way, wants to be left alone."""
_WINDOW_LOOK_S = 60.0
"""However long records have to wait: the clock may be put right meanwhile."""


class ForwarderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How records leave the node."""

    batch_records_max: int = 2000
    """Records in one batch at most."""
    batch_bytes_max: int = 1_000_000
    """Payload bytes in one batch at most, before compression; a single larger record goes alone."""
    flush_s: float = 1.0
    """How long a record waits for company before it is sent."""
    metered_flush_s: float = 300.0
    """The same on a link that is paid for by the byte."""
    egress: EgressSettings = EgressSettings()
    """What the link may carry, and when."""
    refusals_max: int = 3
    """A record that the hub refuses so often, alone and in a row, is moved aside and counted as shed."""


class Forwarder:
    """Sends what waits, one batch at a time. At least once on the wire; the hub's cursor makes it exactly once."""

    def __init__(
        self, *, store: AgentStore, link: HubLink, clock: Clock, chance: Chance, settings: ForwarderSettings,
        retry: BackoffPolicy, uploads: SampleUploads | None = None,
    ) -> None:  # fmt: skip
        self._store, self._link = store, link
        self._uploads = uploads
        self._clock, self._chance = clock, chance
        self._settings, self._own, self._retry = settings, settings, retry
        self._size = BatchSize.largest(records_max=settings.batch_records_max, bytes_max=settings.batch_bytes_max)
        self._refusals: tuple[int, int] = (0, 0)
        """The record that the hub refused last when it came alone, and how often in a row."""
        self._is_renewed = False
        """The epoch was renewed, and nothing was stored since."""
        self._spent = _account(store.spent())

    @property
    def spent(self) -> Spent:
        """What the link has carried in the present hour, day and month."""
        return self._spent

    def tune(self, options: AgentOptions) -> None:
        """Keep to what the hub wants, where that is less than the node's own settings allow."""
        own, budgets = self._own, self._own.egress
        budgets = msgspec.structs.replace(
            budgets,
            hour_bytes_max=lower(budgets.hour_bytes_max, options.egress_hour_bytes_max),
            day_bytes_max=lower(budgets.day_bytes_max, options.egress_day_bytes_max),
            month_bytes_max=lower(budgets.month_bytes_max, options.egress_month_bytes_max),
        )
        records_max = lower(own.batch_records_max, options.batch_records_max)
        if records_max != self._settings.batch_records_max:
            self._size = BatchSize.largest(records_max=records_max, bytes_max=own.batch_bytes_max)
        self._settings = msgspec.structs.replace(own, batch_records_max=records_max, egress=budgets)

    async def run(self) -> None:
        """Send for ever; a hub that cannot be reached costs nothing but waiting."""
        failures = 0
        while True:
            asked_s = 0.0
            try:
                await self.drain()
                failures = 0
            except DataCorrupt:
                raise
            except GanglionError as error:
                failures += 1
                asked_s = _asked_s(error)
                log.warning("batch.delayed", code=error.code, reason=error.message, failures=failures)
            pause_s = max(asked_s, backoff.delay_s(self._retry, failures, share=self._chance.share()))
            flush_s = self._settings.metered_flush_s if self._settings.egress.metered else self._settings.flush_s
            await anyio.sleep(max(flush_s, pause_s, min(self._wait_s(), _WINDOW_LOOK_S)))

    async def drain(self) -> int:
        """Send until nothing waits, or may leave; return how many records were acknowledged. Raises: GanglionError."""
        sent = 0
        while True:
            if self._wait_s():
                return sent
            batch = await anyio.to_thread.run_sync(self._next_batch)
            if batch is None:
                return sent
            # An abandoned send ends at its deadline; its batch is sent again and the hub knows it.
            try:
                ack = await self._send(batch)
            except EpochTaken as error:
                await self._renew_epoch(error.message)
                continue
            except (InvalidRequest, InvalidName, TooLarge) as error:
                await self._take_refusal(batch, error)
                continue
            except Busy:
                # Smaller batches would make more work for a hub that has too much.
                raise
            except Unavailable:
                self._size = self._size.after_trouble(sent=len(batch.records))
                raise
            if await self._is_acknowledged(batch, ack):
                sent += len(batch.records)

    async def _is_acknowledged(self, batch: Batch, ack: Ack) -> bool:
        """Forget what the hub has stored. False: the epoch was renewed. Raises: HubUnreachable: no hub says so."""
        if ack.epoch != batch.epoch:
            raise HubUnreachable(f"the answer is for another epoch, {ack.epoch[:40]!r}: not the hub's")
        if ack.cursor > (await anyio.to_thread.run_sync(self._store.figures)).sent:
            await self._renew_epoch(f"the hub has records up to {ack.cursor}, which were never sent from here")
            return False
        first, last = batch.records[0].seq, batch.records[-1].seq
        if ack.cursor >= first:
            # Behind this batch nobody has compared anything: a copy of this node may have used the same numbers.
            await anyio.to_thread.run_sync(self._store.acknowledge, min(ack.cursor, last))
        if ack.cursor < last:
            # At once it would be sent again, and again: a hub that stores a batch stores all of it.
            raise HubUnreachable(f"of records up to {last} the hub has those up to {ack.cursor}")
        self._size, self._is_renewed = self._size.after_success(), False
        return True

    async def _send(self, batch: Batch) -> Ack:
        """Send a batch, behind the contents of its large samples, and count what all of it cost, answered or not."""
        before = self._link.batch_bytes
        try:
            sent = await self._uploads.hand_over(batch) if self._uploads else batch
            return await anyio.to_thread.run_sync(self._link.send, sent, abandon_on_cancel=True)
        finally:
            self._spent = self._spent.after(
                now_s=utc_s(self._clock),
                size_bytes=self._link.batch_bytes - before,
                payload_bytes=_payload_bytes(batch),
            )
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._store.keep_spent, codec.encode_json(self._spent))

    def _wait_s(self) -> float:
        return egress.wait_s(self._settings.egress, self._spent, now_s=utc_s(self._clock))

    async def _take_refusal(self, batch: Batch, error: GanglionError) -> None:
        """Cut a batch in two that is refused as it stands; one record that is refused alone is given up in the end.

        Not at once: something on the way may refuse everything for a while. Raises: the error, to wait before the
        next attempt.
        """
        self._size = self._size.after_trouble(sent=len(batch.records))
        if len(batch.records) > 1:
            log.warning("batch.cut", code=error.code, reason=error.message, records=len(batch.records))
            return
        (record,) = batch.records
        seq, count = self._refusals
        self._refusals = (record.seq, count + 1 if seq == record.seq else 1)
        if self._refusals[1] < self._settings.refusals_max:
            raise error
        told = EventRecord(REFUSED_EVENT, reason=error.message, facts={"record_class": str(record.record_class)})
        event = NewRecord(RecordClass.EVENT, self._clock.utc_ns(), codec.encode_packed(told))
        await anyio.to_thread.run_sync(self._store.give_up, record.seq, error.message, event)
        log.error("record.refused", seq=record.seq, record_class=record.record_class, reason=error.message)

    async def _renew_epoch(self, reason: str) -> None:
        """Number what waits anew: this outbox was put back from an older copy, or a copy of this node is at work.

        Raises: HubUnreachable: that was done just now, and helped nothing: to be tried again after a pause.
        """
        self._is_renewed = not self._is_renewed
        if not self._is_renewed:
            raise HubUnreachable(reason)
        log.error("outbox.epoch_renewed", reason=reason)
        await anyio.to_thread.run_sync(self._store.renew_epoch)

    def _next_batch(self) -> Batch | None:
        records = self._store.pending(records_max=self._size.records, bytes_max=self._size.bytes)
        if not records:
            return None
        figures = self._store.figures()
        return Batch(
            id=f"{figures.epoch}-{records[0].seq}-{records[-1].seq}",
            sent_at_ns=self._clock.utc_ns(),
            epoch=figures.epoch,
            records=tuple(records),
            shed=figures.shed,
            made=figures.made,
        )


def _account(stored: bytes | None) -> Spent:
    """Return the stored account; one that cannot be read begins anew, which costs a budget at the most."""
    try:
        return codec.decode_json(stored, Spent) if stored else Spent()
    except InvalidRequest:
        return Spent()


def _payload_bytes(batch: Batch) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for record in batch.records:
        name = RecordClass(record.record_class).name.lower()
        sizes[name] = sizes.get(name, 0) + len(record.payload)
    return sizes


def _asked_s(error: GanglionError) -> float:
    """Return for how long the hub wants to be left alone."""
    asked_s = error.retry_after_s if isinstance(error, Unavailable) else None
    return min(asked_s or 0.0, _ASKED_S_MAX)
