import asyncio

import anyio
import anyio.lowlevel
import pytest
from anyio import to_thread

from ganglion.core.errors import Overloaded
from ganglion.entrypoints.hub_wiring.waiters import Waiters

DEADLINE_S = 5.0


def make_waiters(waiting_max: int = 10, per_node_max: int = 10) -> Waiters:
    return Waiters(waiting_max=waiting_max, per_node_max=per_node_max)


def later() -> float:
    return asyncio.get_running_loop().time() + DEADLINE_S


def test_a_change_wakes_the_node_that_waits_from_another_thread() -> None:
    waiters = make_waiters()

    async def wait_for_change() -> bool:
        question = waiters.enter("n1")
        await to_thread.run_sync(waiters.wake, ["n1"])
        is_woken = await question.wait(later())
        waiters.leave(question)
        return is_woken

    assert anyio.run(wait_for_change)
    assert waiters.count == 0


def test_a_change_wakes_every_question_of_the_node_and_no_other_node() -> None:
    waiters = make_waiters()

    async def look() -> tuple[bool, bool, bool]:
        first, second, other = (waiters.enter(name) for name in ("n1", "n1", "n2"))
        waiters.wake(["n1", "unknown"])
        await first.wait(later())
        return first.is_woken, second.is_woken, other.is_woken

    assert anyio.run(look) == (True, True, False)


def test_a_change_between_registering_and_waiting_is_not_missed() -> None:
    waiters = make_waiters()

    async def wait_late() -> bool:
        question = waiters.enter("n1")
        waiters.wake(["n1"])
        await anyio.lowlevel.checkpoint()
        return await question.wait(later())

    assert anyio.run(wait_late)


def test_a_question_can_wait_again_after_it_was_woken_for_nothing() -> None:
    waiters = make_waiters()

    async def wait_twice() -> list[bool]:
        question, woken = waiters.enter("n1"), []
        for _ in range(2):
            waiters.wake(["n1"])
            woken.append(await question.wait(later()))
            question.is_woken = False
        return woken

    assert anyio.run(wait_twice) == [True, True]


def test_a_wait_ends_when_its_time_is_over() -> None:
    waiters = make_waiters()

    async def wait_in_vain() -> bool:
        question = waiters.enter("n1")
        return await question.wait(asyncio.get_running_loop().time())

    assert anyio.run(wait_in_vain) is False


def test_a_wait_that_is_cancelled_leaves_nothing_behind() -> None:
    waiters = make_waiters()

    async def cancel() -> bool:
        question = waiters.enter("n1")
        with anyio.move_on_after(0):
            await question.wait(later())
        waiters.wake(["n1"])
        return await question.wait(later())

    assert anyio.run(cancel)


def test_closing_wakes_everybody() -> None:
    waiters = make_waiters()

    async def close() -> list[bool]:
        questions = [waiters.enter(name) for name in ("n1", "n2")]
        waiters.close()
        return [await question.wait(later()) for question in questions]

    assert anyio.run(close) == [True, True]
    assert waiters.closed


def test_more_questions_than_the_limit_are_refused_and_a_place_becomes_free_again() -> None:
    waiters = make_waiters(waiting_max=2)

    async def crowd() -> None:
        first, second = waiters.enter("n1"), waiters.enter("n2")
        with pytest.raises(Overloaded):
            waiters.enter("n3")
        waiters.leave(first)
        waiters.leave(waiters.enter("n3"))
        waiters.leave(second)

    anyio.run(crowd)

    assert waiters.count == 0


def test_one_node_cannot_take_all_the_places() -> None:
    waiters = make_waiters(per_node_max=1)

    async def crowd() -> int:
        waiters.enter("n1")
        with pytest.raises(Overloaded):
            waiters.enter("n1")
        waiters.enter("n2")
        return waiters.count

    assert anyio.run(crowd) == 2


def test_waking_without_anybody_waiting_does_nothing() -> None:
    waiters = make_waiters()

    waiters.wake(["n1"])
    waiters.close()

    assert waiters.count == 0


def test_waking_after_the_event_loop_has_ended_does_nothing() -> None:
    waiters = make_waiters()

    async def wait_once() -> None:
        waiters.leave(waiters.enter("n1"))

    anyio.run(wait_once)
    waiters.wake(["n1"])
    waiters.detach()
    waiters.wake(["n1"])

    assert waiters.count == 0
