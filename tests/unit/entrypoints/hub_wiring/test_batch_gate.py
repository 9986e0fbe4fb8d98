import threading
from collections.abc import Callable

import anyio
import pytest

from ganglion.core.delivery_errors import Busy
from ganglion.entrypoints.hub_wiring.batch_gate import BatchGate
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def a_gate(clock: FakeClock, *, at_once_max: int) -> BatchGate:
    return BatchGate(clock=clock, chance=SeededChance(1), at_once_max=at_once_max)


def nothing() -> str:
    return "done"


def waiting_for(opened: threading.Event) -> Callable[[], bool]:
    def work() -> bool:
        return opened.wait(10)

    return work


async def until_inside(gate: BatchGate, count: int) -> None:
    with anyio.fail_after(10):
        while gate.inside != count:
            await anyio.lowlevel.checkpoint()


async def test_what_comes_through_does_its_work(clock: FakeClock) -> None:
    gate = a_gate(clock, at_once_max=1)

    assert await gate.pass_through("n1", nothing) == "done"
    assert (gate.inside, gate.away) == (0, 0)


async def test_who_comes_on_top_is_told_when_to_come_again_and_is_forgotten_when_served(clock: FakeClock) -> None:
    gate, opened = a_gate(clock, at_once_max=2), threading.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gate.pass_through, "n1", waiting_for(opened))
        tasks.start_soon(gate.pass_through, "n2", waiting_for(opened))
        await until_inside(gate, 2)

        with pytest.raises(Busy, match="again in") as refused:
            await gate.pass_through("n3", nothing)
        with pytest.raises(Busy):
            await gate.pass_through("n3", nothing)
        away = gate.away
        opened.set()

    assert refused.value.retry_after_s is not None
    assert refused.value.retry_after_s >= 1
    assert away == 1
    await gate.pass_through("n3", nothing)
    assert gate.away == 0


async def test_a_crowd_is_told_to_come_at_different_times(clock: FakeClock) -> None:
    gate, opened = a_gate(clock, at_once_max=1), threading.Event()
    delays: set[float] = set()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gate.pass_through, "n0", waiting_for(opened))
        await until_inside(gate, 1)
        for number in range(1, 100):
            try:
                await gate.pass_through(f"n{number}", nothing)
            except Busy as refused:
                delays.add(refused.retry_after_s or 0.0)
        opened.set()

    assert len(delays) > 20


async def test_who_never_came_back_is_not_counted_for_ever(clock: FakeClock) -> None:
    gate, opened = a_gate(clock, at_once_max=1), threading.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(gate.pass_through, "n0", waiting_for(opened))
        await until_inside(gate, 1)
        for number in range(1, 10):
            with pytest.raises(Busy):
                await gate.pass_through(f"n{number}", nothing)
        clock.advance(601)
        with pytest.raises(Busy):
            await gate.pass_through("late", nothing)
        away = gate.away
        opened.set()

    assert away == 1


async def test_work_that_fails_leaves_its_place_to_others(clock: FakeClock) -> None:
    gate = a_gate(clock, at_once_max=1)

    def fail() -> None:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        await gate.pass_through("n1", fail)

    assert await gate.pass_through("n1", nothing) == "done"
