"""The thread in which longer models run."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator

import anyio
import anyio.lowlevel
import pytest

from ganglion.core.errors import Overloaded
from ganglion.node.services.serving.answers import NEVER_S, InferLimits, InferRequest, Serving
from ganglion.node.services.serving.lane import ThreadLane
from ganglion.node.services.serving.records import Recorder
from ganglion.node.services.serving.versions import ServingTable
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from integration.inference_world import make_lane
from unit.node.serving_builders import NOTHING_COLLECTED, FakeJournal, rows, version_of

TIMEOUT_S = 5.0


def with_lane(use: Callable[[ThreadLane], Awaitable[None]]) -> None:
    async def main() -> None:
        lane = await make_lane(2)
        try:
            with anyio.fail_after(TIMEOUT_S):
                await use(lane)
        finally:
            lane.close()

    anyio.run(main)


def test_jobs_run_in_the_order_in_which_they_came() -> None:
    async def use(lane: ThreadLane) -> None:
        results: list[int] = []
        lane.submit(lambda: 1, results.append)
        lane.submit(lambda: 2, results.append)
        assert lane.waiting == 2
        with pytest.raises(Overloaded):
            lane.submit(lambda: 3, results.append)
        while len(results) < 2:
            await anyio.lowlevel.checkpoint()

        assert results == [1, 2]
        assert lane.waiting == 0

    with_lane(use)


def test_a_full_lane_refuses_and_a_cancelled_job_frees_its_place_at_once() -> None:
    async def use(lane: ThreadLane) -> None:
        gate, done = threading.Event(), anyio.Event()
        ran: list[str] = []
        lane.submit(lambda: gate.wait(TIMEOUT_S), lambda _: None)
        ticket = lane.submit(lambda: ran.append("cancelled"), lambda _: ran.append("reported"))
        with pytest.raises(Overloaded):
            lane.submit(lambda: None, lambda _: None)

        assert ticket.cancel()
        lane.submit(lambda: ran.append("after"), lambda _: done.set())
        gate.set()
        await done.wait()

        assert ran == ["after"]
        assert not ticket.cancel()

    with_lane(use)


def test_a_job_that_has_not_begun_in_time_is_given_up() -> None:
    async def use(lane: ThreadLane) -> None:
        gate, expired = threading.Event(), anyio.Event()
        ran: list[str] = []
        lane.submit(lambda: gate.wait(TIMEOUT_S), lambda _: None)
        lane.submit(lambda: ran.append("late"), lambda _: None, within_s=0.01, expired=expired.set)
        await expired.wait()
        gate.set()

        assert ran == []

    with_lane(use)


def test_a_job_that_began_in_time_is_not_given_up() -> None:
    async def use(lane: ThreadLane) -> None:
        done = anyio.Event()
        lane.submit(lambda: None, lambda _: done.set(), within_s=TIMEOUT_S, expired=lambda: pytest.fail("expired"))
        await done.wait()

        assert lane.waiting == 0

    with_lane(use)


@pytest.mark.parametrize("delay_s", [0.0, 0.0004, 0.0016])
def test_a_timer_never_comes_too_early_and_a_cancelled_one_never(delay_s: float) -> None:
    async def use(lane: ThreadLane) -> None:
        loop, done = asyncio.get_running_loop(), anyio.Event()
        began_s, ended_s = loop.time(), list[float]()

        def end() -> None:
            ended_s.append(loop.time())
            done.set()

        lane.after(delay_s, lambda: pytest.fail("it was cancelled")).cancel()
        lane.after(delay_s, end)
        await done.wait()

        assert ended_s[0] - began_s >= delay_s

    with_lane(use)


def test_a_defect_in_a_job_ends_neither_the_lane_nor_its_count() -> None:
    async def use(lane: ThreadLane) -> None:
        done = anyio.Event()

        def broken() -> None:
            raise ValueError("a defect")

        lane.submit(broken, lambda _: pytest.fail("it has no result"))
        lane.submit(lambda: None, lambda _: done.set())
        await done.wait()

        assert lane.waiting == 0

    with_lane(use)


# --- memory ---------------------------------------------------------------------------------------


@pytest.fixture
def without_collector() -> Iterator[None]:
    """In a serving process the collector comes seldom: what only it can free piles up."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("element_us", [1.0, 1e6])
@pytest.mark.parametrize("deadline_s", [NEVER_S, 1e12])
def test_an_answered_request_leaves_nothing_behind(element_us: float, deadline_s: float) -> None:
    async def use(lane: ThreadLane) -> None:
        serving = serving_on(lane, element_us)
        answered = anyio.Event()
        inputs = rows((0.9, 0.1))
        freed, loop = anyio.Event(), asyncio.get_running_loop()
        tensor = weakref.ref(inputs["x"], lambda _: loop.call_soon_threadsafe(freed.set))
        request = InferRequest("steer", "", "r", inputs, deadline_s=deadline_s)
        serving.answer(request, lambda _: answered.set())
        del inputs, request
        await answered.wait()
        await freed.wait()

        assert tensor() is None

    with_lane(use)


@pytest.mark.usefixtures("without_collector")
def test_a_request_that_was_taken_back_leaves_nothing_behind() -> None:
    async def use(lane: ThreadLane) -> None:
        gate = threading.Event()
        lane.submit(lambda: gate.wait(TIMEOUT_S), lambda _: None)
        serving = serving_on(lane, 1e6)
        inputs = rows((0.9, 0.1))
        tensor = weakref.ref(inputs["x"])
        ticket = serving.answer(InferRequest("steer", "", "r", inputs, deadline_s=1e12), lambda _: None)
        del inputs
        assert ticket is not None
        assert tensor() is not None

        ticket.cancel()
        del ticket

        assert tensor() is None
        gate.set()

    with_lane(use)


def serving_on(lane: ThreadLane, element_us: float) -> Serving:
    """Return a core with one model, whose answers are not what it was given."""
    table, clock, chance = ServingTable(), FakeClock(), SeededChance(1)
    table.add("steer", version_of("1", lambda feeds: {"probabilities": feeds["x"] + 0}, element_us=element_us))
    table.switch("steer", "1", compare_with="", compare_share=0.0)
    recorder = Recorder(journal=FakeJournal(), clock=clock, chance=chance, collection=NOTHING_COLLECTED)
    return Serving(table=table, lane=lane, recorder=recorder, clock=clock, chance=chance, limits=InferLimits())
