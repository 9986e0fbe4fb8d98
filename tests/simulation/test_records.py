"""Records on their way from the journal to the hub, over a hostile line, from one seed (laws 3 and 4).

The line loses batches and acks, delivers twice and late; the hub's disk is full now and then; the agent is
restarted at any moment; the outbox is small enough to overflow.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import anyio
import pytest

from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.core.errors import DiskUnusable, HubUnreachable
from ganglion.hub.domain.records.ingest import sample_digest
from ganglion.hub.services.records.ingest import Ingest
from ganglion.node.domain.sending.backoff import BackoffPolicy
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.node.services.sending.forwarder import Forwarder, ForwarderSettings
from ganglion.node.services.sending.journal_intake import IntakeSettings, JournalIntake
from ganglion.ports.agent_store import JournalPosition, NewRecord
from ganglion.ports.clock import new_id
from ganglion.ports.hub_link import TrustedWord, Vouched
from ganglion.ports.telemetry_store import CursorRow
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryTelemetryStore
from ganglion.wire import codec
from ganglion.wire.desired import Assignment, DesiredState, NodeReport
from ganglion.wire.records import Ack, Batch, EventRecord, RecordClass, ResultRecord, SampleRecord, SampleTensor

NODE = "n1"
STEPS = 60
OUTBOX_BYTES = 12_000
CLASSES = (RecordClass.EVENT, RecordClass.RESULT, RecordClass.RESULT, RecordClass.RESULT, RecordClass.SAMPLE)


def payload_of(kind: RecordClass, name: str, *, padding: int) -> bytes:
    match kind:
        case RecordClass.EVENT:
            return codec.encode_packed(EventRecord("test.happened", reason=name.ljust(padding, ".")))
        case RecordClass.RESULT:
            return codec.encode_packed(ResultRecord(name.ljust(padding, "."), "digits", "1", 300, ("7",), (0.9,)))
        case _:
            pixels = SampleTensor("UINT8", (1, padding), bytes(padding))
            return codec.encode_packed(SampleRecord("digits", "1", name, "random", "7", 0.9, {"image": pixels}))


class ListedJournal:
    """A journal whose records are a list; what was taken can be discarded, as the real one does."""

    def __init__(self) -> None:
        self.records: list[NewRecord] = []

    def take(self, position: JournalPosition, *, limit: int) -> tuple[Sequence[NewRecord], JournalPosition]:
        end = min(position.offset + limit, len(self.records))
        return self.records[position.offset : end], JournalPosition(0, end)

    def discard_before(self, position: JournalPosition) -> None:
        """Keep everything: the test wants to compare."""

    def shed(self) -> dict[str, int]:
        return {}


class HostileLine:
    """Carries batches to the hub as the seed decides; `is_calm` ends the faults."""

    def __init__(self, hub: Ingest, telemetry: MemoryTelemetryStore, chance: SeededChance) -> None:
        self._hub, self._telemetry, self._chance = hub, telemetry, chance
        self._seen: list[Batch] = []
        self.is_calm = False
        self.batch_bytes = 0

    def send(self, batch: Batch) -> Ack:
        luck = 1.0 if self.is_calm else self._chance.share()
        if luck < 0.2:
            raise HubUnreachable("the batch was lost")
        if luck < 0.3:
            self._store_on_a_full_disk(batch)
        ack = self._hub.store(NODE, batch)
        self._seen.append(batch)
        if luck < 0.5:
            raise HubUnreachable("the ack was lost")
        if luck < 0.6:
            ack = self._hub.store(NODE, batch)
        if luck < 0.7:
            late = self._seen[int(self._chance.share() * len(self._seen))]
            self._hub.store(NODE, late)
        return ack

    def rekey(self, replaced: str) -> bool:
        raise AssertionError("records need no new key")

    def trusted_word(self, *, root_version_min: int) -> TrustedWord:
        raise AssertionError("records need no signed word")

    def _store_on_a_full_disk(self, batch: Batch) -> None:
        self._telemetry.disk_full = True
        try:
            self._hub.store(NODE, batch)
        except DiskUnusable as error:
            raise HubUnreachable("the hub has no disk") from error
        finally:
            self._telemetry.disk_full = False

    def desired(self, *, after_incarnation: str, after_revision: int, wait_s: float) -> DesiredState | None:
        raise AssertionError("records need no desired state")

    def report(self, report: NodeReport) -> None:
        raise AssertionError("records need no report")

    def check_target(self, assignment: Assignment, *, root_version_min: int) -> Vouched:
        raise AssertionError("records need no package")

    def download(
        self, assignment: Assignment, destination: Path, *, is_wanted: Callable[[], bool] = lambda: True
    ) -> None:
        raise AssertionError("records need no package")


class World:
    """One node, one hub, one line between them."""

    def __init__(self, seed: int) -> None:
        self.chance, self.clock = SeededChance(seed), FakeClock()
        self.telemetry = MemoryTelemetryStore()
        self.line = HostileLine(Ingest(telemetry=self.telemetry, clock=self.clock), self.telemetry, self.chance)
        self.journal = ListedJournal()
        self.outbox = SqliteAgentStore(
            Path(":memory:"), limits=OutboxLimits(total_bytes_max=OUTBOX_BYTES), new_epoch=lambda: new_id(self.chance)
        )
        self.start_agent()

    def start_agent(self) -> None:
        """Begin with nothing in memory: what an agent knows after SIGKILL is what it stored."""
        self.forwarder = Forwarder(
            store=self.outbox,
            link=self.line,
            clock=self.clock,
            chance=self.chance,
            settings=ForwarderSettings(batch_records_max=1 + int(self.chance.share() * 20)),
            retry=BackoffPolicy(),
        )
        self.intake = JournalIntake(
            store=self.outbox,
            journal=self.journal,
            clock=self.clock,
            settings=IntakeSettings(records_max=7),
        )

    def answer_requests(self) -> None:
        for _ in range(int(self.chance.share() * 15)):
            self.clock.advance(0.01)
            kind = CLASSES[int(self.chance.share() * len(CLASSES))]
            payload = payload_of(kind, f"r{len(self.journal.records)}", padding=int(self.chance.share() * 200))
            self.journal.records.append(NewRecord(kind, self.clock.utc_ns(), payload))

    async def step(self) -> None:
        self.answer_requests()
        if self.chance.share() < 0.1:
            self.start_agent()
        if self.chance.share() < 0.8:
            self.intake.move()
        if self.chance.share() < 0.6:
            await self.send()

    async def send(self) -> None:
        with contextlib.suppress(HubUnreachable):
            await self.forwarder.drain()

    async def settle(self) -> None:
        self.line.is_calm = True
        while self.intake.move():
            pass
        await self.forwarder.drain()

    def cursor(self) -> CursorRow:
        """Return the hub's only cursor: the node never began a second epoch."""
        with self.telemetry.read() as tx:
            (cursor,) = tx.cursors(NODE)
        return cursor

    def stored(self) -> list[tuple[int, bytes]]:
        """Return what the hub has of every class, by (epoch, seq)."""
        with self.telemetry.read() as tx:
            rows = [
                row
                for kind in RecordClass
                for row in tx.records(node_id=NODE, record_class=kind, after=("", 0), limit=1_000_000)
            ]
        return [(row.at_ns, row.payload) for row in sorted(rows, key=lambda row: (row.epoch, row.seq))]


def as_kept(record: NewRecord) -> bytes:
    """Return what the hub's row of a record holds: it stores the bytes of a sample elsewhere."""
    is_sample = record.record_class is RecordClass.SAMPLE
    return sample_digest(record.payload) if is_sample else record.payload


async def live(world: World) -> None:
    for _ in range(STEPS):
        await world.step()
        assert world.outbox.figures().waiting_bytes <= OUTBOX_BYTES
    await world.settle()


@pytest.fixture(scope="module")
def worlds(seeds: range) -> Iterator[list[World]]:
    worlds = [World(seed) for seed in seeds]
    for world in worlds:
        anyio.run(live, world)
    yield worlds
    for world in worlds:
        world.outbox.close()


def test_every_record_is_stored_once_with_its_time_or_counted_as_shed(worlds: list[World]) -> None:
    for seed, world in enumerate(worlds):
        made = {(record.at_ns, as_kept(record)) for record in world.journal.records}
        stored = Counter(world.stored())
        figures = world.outbox.figures()

        assert set(stored.values()) == {1}, seed
        assert set(stored) <= made, seed
        assert len(stored) + sum(figures.shed.values()) == figures.made == len(made), seed


def test_the_hub_knows_how_much_it_never_got(worlds: list[World]) -> None:
    for seed, world in enumerate(worlds):
        cursor = world.cursor()

        assert len(world.stored()) + cursor.gaps == cursor.seq, seed
        assert cursor.made == len(world.journal.records), seed


def test_records_arrive_in_the_order_in_which_they_were_made(worlds: list[World]) -> None:
    for seed, world in enumerate(worlds):
        times = [at_ns for at_ns, _ in world.stored()]

        assert times == sorted(times), seed


def test_the_small_outbox_did_overflow(worlds: list[World]) -> None:
    assert sum(world.cursor().gaps > 0 for world in worlds) > len(worlds) / 2
