"""A node and a copy of its data directory, both at work under one identity, from one seed (law 3)."""

from collections import Counter

import anyio
import pytest

from ganglion.core.errors import HubUnreachable
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.ports.agent_store import NewRecord
from ganglion.wire.records import Ack, Batch, RecordClass
from simulation.test_records import NODE, HostileLine, World, as_kept, payload_of

STEPS = 40


def copy_of(world: World, seed: int) -> World:
    """Return another node that begins with a copy of the first one's disk, at the same hub."""
    copy = World(seed)
    copy.telemetry = world.telemetry
    copy.line = HostileLine(world.line._hub, world.telemetry, copy.chance)
    world.outbox._file.connection.backup(copy.outbox._file.connection)
    # What the two have in common was answered before one became two.
    copy.journal.records = list(world.journal.records)
    copy.start_agent()
    return copy


async def settle(world: World) -> None:
    """End the faults; what waited while the node was copied has left before it was copied."""
    await world.settle()
    world.line.is_calm = False


async def live(world: World, copy: World) -> None:
    for _ in range(STEPS):
        await world.step()
        await copy.step()
    await world.settle()
    await copy.settle()


def shed(world: World) -> int:
    return sum(world.outbox.figures().shed.values())


@pytest.mark.parametrize("seed", range(30))
def test_what_a_node_and_its_copy_answer_is_stored_once_each(seed: int) -> None:
    world = World(seed)
    # Room for everything: what is given up on purpose is another test's.
    world.outbox._records._limits = OutboxLimits(total_bytes_max=10_000_000)
    world.answer_requests()
    anyio.run(settle, world)
    common = len(world.journal.records)
    copy = copy_of(world, seed + 1000)
    copy.outbox._records._limits = OutboxLimits(total_bytes_max=10_000_000)

    anyio.run(live, world, copy)

    made: list[NewRecord] = [*world.journal.records, *copy.journal.records[common:]]
    assert Counter(world.stored()) == Counter((record.at_ns, as_kept(record)) for record in made)
    assert len({world.outbox.figures().epoch, copy.outbox.figures().epoch}) == 2
    assert shed(world) + shed(copy) == 0


class LosesOne(HostileLine):
    """Loses the first batch and carries everything after it."""

    def send(self, batch: Batch) -> Ack:
        if not self._seen:
            self._seen.append(batch)
            raise HubUnreachable("the batch was lost")
        self.is_calm = True
        return super().send(batch)


def record_of(name: str) -> NewRecord:
    return NewRecord(RecordClass.RESULT, 1, payload_of(RecordClass.RESULT, name, padding=20))


def answer(world: World, name: str) -> None:
    world.journal.records += [record_of(f"{name}{number}") for number in range(3)]
    while world.intake.move():
        pass


def test_a_copy_that_sends_again_what_both_have_keeps_what_it_alone_made() -> None:
    # Seed 221 of the small fleets in test_world.py: a batch was lost, and the next one was smaller.
    world = World(0)
    answer(world, "common")
    copy = copy_of(world, 1)
    copy.line = LosesOne(copy.line._hub, copy.telemetry, copy.chance)
    copy.start_agent()
    answer(world, "original")
    answer(copy, "copy")
    anyio.run(settle, world)

    anyio.run(copy.send)
    anyio.run(copy.settle)

    stored = {payload for _, payload in stored_by(copy)}
    assert {record.payload for record in copy.journal.records} <= stored


def stored_by(world: World) -> list[tuple[int, bytes]]:
    with world.telemetry.read() as tx:
        rows = tx.records(node_id=NODE, record_class=RecordClass.RESULT, after=("", 0), limit=1000)
        return [(row.at_ns, row.payload) for row in rows]
