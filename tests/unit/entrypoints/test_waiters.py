import anyio
import anyio.lowlevel
import pytest
from anyio import to_thread

from ganglion.core.errors import Overloaded
from ganglion.entrypoints.waiters import Waiters

DEADLINE_S = 5.0


def make_waiters(waiting_max: int = 10, per_node_max: int = 10) -> Waiters:
    return Waiters(waiting_max=waiting_max, per_node_max=per_node_max)


def test_a_change_wakes_the_node_that_waits_from_another_thread() -> None:
    waiters = make_waiters()

    async def wait_for_change() -> None:
        with waiters.watch("n1") as changed, anyio.fail_after(DEADLINE_S):
            await to_thread.run_sync(waiters.wake, ["n1"])
            await changed.wait()

    anyio.run(wait_for_change)

    assert waiters.count == 0


def test_a_change_wakes_every_question_of_the_node_and_no_other_node() -> None:
    waiters = make_waiters()

    async def look() -> tuple[bool, bool, bool]:
        with waiters.watch("n1") as first, waiters.watch("n1") as second, waiters.watch("n2") as other:
            waiters.wake(["n1", "unknown"])
            with anyio.fail_after(DEADLINE_S):
                await first.wait()
            return first.is_set(), second.is_set(), other.is_set()

    assert anyio.run(look) == (True, True, False)


def test_a_change_between_registering_and_waiting_is_not_missed() -> None:
    waiters = make_waiters()

    async def wait_late() -> None:
        with waiters.watch("n1") as changed:
            waiters.wake(["n1"])
            await anyio.lowlevel.checkpoint()
            with anyio.fail_after(DEADLINE_S):
                await changed.wait()

    anyio.run(wait_late)


def test_closing_wakes_everybody() -> None:
    waiters = make_waiters()

    async def close() -> None:
        with waiters.watch("n1") as first, waiters.watch("n2") as second, anyio.fail_after(DEADLINE_S):
            waiters.close()
            await first.wait()
            await second.wait()

    anyio.run(close)

    assert waiters.closed


def test_more_questions_than_the_limit_are_refused_and_a_place_becomes_free_again() -> None:
    waiters = make_waiters(waiting_max=2)

    async def crowd() -> None:
        with waiters.watch("n1"), waiters.watch("n2"), pytest.raises(Overloaded), waiters.watch("n3"):
            pass
        with waiters.watch("n3"):
            pass

    anyio.run(crowd)

    assert waiters.count == 0


def test_one_node_cannot_take_all_the_places() -> None:
    waiters = make_waiters(per_node_max=1)

    async def crowd() -> None:
        with waiters.watch("n1"), pytest.raises(Overloaded), waiters.watch("n1"):
            pass
        with waiters.watch("n1"), waiters.watch("n2"):
            pass

    anyio.run(crowd)


def test_waking_without_anybody_waiting_does_nothing() -> None:
    waiters = make_waiters()

    waiters.wake(["n1"])
    waiters.close()

    assert waiters.count == 0


def test_waking_after_the_event_loop_has_ended_does_nothing() -> None:
    waiters = make_waiters()

    async def wait_once() -> None:
        with waiters.watch("n1"):
            pass

    anyio.run(wait_once)
    waiters.wake(["n1"])
    waiters.detach()
    waiters.wake(["n1"])

    assert waiters.count == 0
