import msgspec

from ganglion.node.domain.orders.order_memory import ANSWERS_MAX, BEGUN, INTERRUPTED, KEPT_MAX, OrderMemory
from ganglion.wire.desired import NodeCommand


def a_command(id_: str = "c1", *, expires_at_s: float = 100.0) -> NodeCommand:
    return NodeCommand(id=id_, name="sync", expires_at_s=expires_at_s)


def after(memory: OrderMemory, command: NodeCommand, answer: str = "done") -> OrderMemory:
    return memory.after(command, answer, is_believed=True)


def full() -> OrderMemory:
    memory = OrderMemory()
    for number in range(KEPT_MAX + 10):
        memory = after(memory, a_command(f"c{number}", expires_at_s=1000.0 + number))
    return memory


def test_a_command_is_new_once() -> None:
    memory = after(OrderMemory(), a_command())

    assert not memory.is_new(a_command())
    assert memory.is_new(a_command("c2"))


def test_the_memory_survives_being_stored() -> None:
    memory = full()

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(memory), type=OrderMemory) == memory


def test_what_had_to_be_forgotten_is_not_obeyed_again() -> None:
    memory = full()
    forgotten = a_command("c3", expires_at_s=1003.0)

    assert len(memory.known) == KEPT_MAX
    assert memory.is_new(forgotten)
    assert "forgotten" in memory.why_not_now(forgotten, now_s=0.0, life_s_max=1e9)
    assert memory.why_not_now(a_command("new", expires_at_s=2000.0), now_s=0.0, life_s_max=1e9) == ""


def test_a_command_that_has_expired_or_lives_too_long_is_not_obeyed() -> None:
    memory = OrderMemory()

    assert "has expired" in memory.why_not_now(a_command(), now_s=100.0, life_s_max=3600.0)
    assert "expires in more than" in memory.why_not_now(a_command(expires_at_s=1e6), now_s=0.0, life_s_max=3600.0)
    assert memory.why_not_now(a_command(), now_s=99.0, life_s_max=3600.0) == ""


def test_what_had_begun_is_not_done_again_after_a_restart() -> None:
    memory = after(after(OrderMemory(), a_command("ran")), a_command("cut"), BEGUN).after_restart()

    assert memory.answers == {"ran": "done", "cut": INTERRUPTED}
    assert not memory.is_new(a_command("cut"))


def test_what_has_only_begun_has_no_answer_and_only_the_newest_are_told() -> None:
    assert after(OrderMemory(), a_command(), BEGUN).answers == {}
    assert len(full().answers) == ANSWERS_MAX


def test_what_nobody_has_signed_does_not_make_later_orders_old() -> None:
    memory = OrderMemory()
    for number in range(KEPT_MAX + 10):
        memory = memory.after(a_command(f"c{number}", expires_at_s=1e12), "it is not signed", is_believed=False)

    assert len(memory.known) == KEPT_MAX
    assert memory.why_not_now(a_command("new", expires_at_s=2000.0), now_s=0.0, life_s_max=1e9) == ""


def test_what_nobody_has_signed_is_forgotten_before_any_order() -> None:
    memory = after(OrderMemory(), a_command("signed"))
    for number in range(KEPT_MAX + 10):
        memory = memory.after(a_command(f"c{number}", expires_at_s=1e12), "it is not signed", is_believed=False)

    assert not memory.is_new(a_command("signed"))
