"""A node and a copy of its data directory, both at work under one identity, from one seed (law 3)."""

from collections import Counter

import anyio
import pytest

from ganglion.node.domain.outbox import OutboxLimits
from ganglion.ports.agent_store import NewRecord
from simulation.test_records import HostileLine, World

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
    assert Counter(world.stored()) == Counter((record.at_ns, record.payload) for record in made)
    assert len({world.outbox.figures().epoch, copy.outbox.figures().epoch}) == 2
    assert shed(world) + shed(copy) == 0
