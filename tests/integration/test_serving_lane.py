"""The thread in which longer models run."""

import threading
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest

from ganglion.core.errors import Overloaded
from ganglion.node.services.serving_lane import ThreadLane
from integration.inference_world import make_lane

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
