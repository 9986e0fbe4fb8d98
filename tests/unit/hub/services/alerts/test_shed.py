"""Which nodes gave up records lately."""

from ganglion.hub.services.alerts.shed import LATELY_S, ShedMemory


def walk(memory: ShedMemory, now_s: float, total: int, *, epoch: str = "e1") -> int:
    memory.begin(now_s)
    lately = memory.lately("n1", epoch, total)
    memory.end()
    return lately


def test_what_was_given_up_before_the_first_walk_is_no_news() -> None:
    memory = ShedMemory()

    assert [walk(memory, 0.0, 500), walk(memory, 60.0, 500), walk(memory, 120.0, 507)] == [0, 0, 7]


def test_a_node_that_begins_to_give_up_is_news() -> None:
    memory = ShedMemory()

    assert [walk(memory, 0.0, 0), walk(memory, 60.0, 3), walk(memory, 120.0, 5)] == [0, 3, 5]


def test_what_is_long_ago_counts_no_more() -> None:
    memory = ShedMemory()
    walk(memory, 0.0, 0)
    walk(memory, 60.0, 3)

    assert walk(memory, 60.0 + LATELY_S, 3) == 0


def test_a_new_outbox_begins_to_count_anew() -> None:
    memory = ShedMemory()
    walk(memory, 0.0, 500)

    assert walk(memory, 60.0, 2, epoch="e2") == 2
