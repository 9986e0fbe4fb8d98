"""Orders: what a person asks of a node is done once, if the hub signed it and the envelope names it, or refused."""

from collections.abc import Callable
from pathlib import Path

import anyio
import msgspec
import pytest

from ganglion.core.errors import DiskUnusable, Overloaded
from ganglion.node.domain.orders.held_envelope import HeldEnvelope
from ganglion.node.domain.orders.order_memory import BEGUN, INTERRUPTED
from ganglion.ports.action_runner import ActionCall, ActionOutcome
from ganglion.trust.audit import Link
from ganglion.wire.desired import NodeCommand
from unit.node.order_bench import LIFE_S, STRANGER, OrderBench, run_until_still, signed


@pytest.fixture
def node(tmp_path: Path) -> OrderBench:
    return OrderBench(tmp_path)


def test_an_action_of_the_envelope_runs_as_it_is_written_there(node: OrderBench) -> None:
    answers = node.ask(node.asked("disk", "path=/var/log"))

    assert node.runner.calls == [ActionCall(("/bin/df", "-h", "/var/log"), "/", 30.0, 1000)]
    assert answers == {"c1": "done"}


def test_the_output_comes_back_with_who_asked_and_without_secrets(node: OrderBench) -> None:
    node.runner.outcome = ActionOutcome(3, b"password=hunter2\n\x1b[2J")

    assert node.ask(node.asked()) == {"c1": "failed with exit code 3"}

    (ended,) = node.events("action.ended")
    assert ended.facts["output"] == "password=[hidden]\n\N{REPLACEMENT CHARACTER}[2J"
    assert ended.facts | {"exit": "3", "person": "ada", "role": "operator", "order": "c1"} == ended.facts
    assert "disk asked by ada (operator)" in ended.reason


def test_the_nodes_audit_chain_tells_who_asked_for_what_and_not_the_output(node: OrderBench) -> None:
    node.ask(node.asked())

    links = [msgspec.json.decode(link, type=Link) for link in node.bench.store.links]
    assert [link.action for link in links] == ["action.begun", "action.ended"]
    assert links[-1].facts | {"person": "ada", "action": "disk", "arguments": "path=/var/log"} == links[-1].facts
    assert "output" not in links[-1].facts
    assert len(links[-1].facts["output_sha256"]) == 64


@pytest.mark.parametrize("times", [2, 5])
def test_an_order_that_comes_again_is_not_done_again(node: OrderBench, times: int) -> None:
    order = node.asked()

    for _ in range(times):
        node.ask(order)

    assert len(node.runner.calls) == 1


def test_an_order_that_comes_again_after_a_restart_is_not_done_again(node: OrderBench) -> None:
    order = node.asked()
    node.ask(order)
    node.start()

    node.ask(order)

    assert len(node.runner.calls) == 1
    assert node.orders.answers == {"c1": "done"}


def test_an_order_that_a_kill_cut_short_is_not_done_again(node: OrderBench) -> None:
    order = node.asked()

    async def begin_and_die() -> None:
        await node.bench.updates.remember(
            lambda state: msgspec.structs.replace(state, orders=state.orders.after(order, BEGUN, is_believed=True))
        )

    anyio.run(begin_and_die)
    node.start()

    anyio.run(run_until_still, node)
    node.ask(order)

    assert node.runner.calls == []
    assert node.orders.answers == {"c1": INTERRUPTED}


def unsigned(node: OrderBench) -> NodeCommand:
    return node.command("disk", "path=/var/log")


def signed_by_a_stranger(node: OrderBench) -> NodeCommand:
    return signed(node.command("disk", "path=/var/log"), key=STRANGER)


def for_another_node(node: OrderBench) -> NodeCommand:
    return signed(node.command("disk", "path=/var/log"), node_id="node-2")


def with_another_argument(node: OrderBench) -> NodeCommand:
    return msgspec.structs.replace(node.asked(), arguments=("path=/var/secrets",))


def in_another_name(node: OrderBench) -> NodeCommand:
    return msgspec.structs.replace(node.asked(), person="root")


def with_a_later_end(node: OrderBench) -> NodeCommand:
    return msgspec.structs.replace(node.asked(), expires_at_s=node.now_s + 2 * LIFE_S)


def under_a_new_id(node: OrderBench) -> NodeCommand:
    return msgspec.structs.replace(node.asked(), id="c2")


def expired(node: OrderBench) -> NodeCommand:
    return node.asked(expires_at_s=node.now_s)


def of_a_year(node: OrderBench) -> NodeCommand:
    return node.asked(expires_at_s=node.now_s + 3e7)


def outside_of_its_pattern(node: OrderBench) -> NodeCommand:
    return node.asked("disk", "path=/etc/shadow")


def out_of_its_directory(node: OrderBench) -> NodeCommand:
    return node.asked("disk", "path=/var/../etc")


def with_more_arguments(node: OrderBench) -> NodeCommand:
    return node.asked("disk", "path=/var/log", "also=/etc")


def without_its_argument(node: OrderBench) -> NodeCommand:
    return signed(node.command("disk"))


def for_another_role(node: OrderBench) -> NodeCommand:
    return node.asked("restricted")


def that_nobody_named(node: OrderBench) -> NodeCommand:
    return node.asked("reboot")


@pytest.mark.parametrize(
    "order",
    [
        unsigned,
        signed_by_a_stranger,
        for_another_node,
        with_another_argument,
        in_another_name,
        with_a_later_end,
        under_a_new_id,
        expired,
        of_a_year,
        outside_of_its_pattern,
        out_of_its_directory,
        with_more_arguments,
        without_its_argument,
        for_another_role,
        that_nobody_named,
    ],
)
def test_an_order_that_is_not_as_it_should_be_runs_nothing_and_is_told(
    node: OrderBench, order: Callable[[OrderBench], NodeCommand]
) -> None:
    wrong = order(node)

    answers = node.ask(wrong)

    assert node.runner.calls == []
    assert answers[wrong.id] not in ("done", "")
    assert len(node.events("action.refused")) == 1
    assert any(b"action.refused" in link for link in node.bench.store.links)


def test_who_may_ask_is_said_for_each_action(node: OrderBench) -> None:
    assert node.ask(node.asked("restricted", role="admin")) == {"c1": "done"}


def test_what_every_node_can_do_needs_no_envelope_but_a_signature(tmp_path: Path) -> None:
    node = OrderBench(tmp_path, actions=())

    answers = node.ask(node.asked("sync"), node.command("sync", id="c2"))

    assert node.built_in_done == 1
    assert answers == {"c1": "done", "c2": "the order is not signed"}


def test_an_envelope_that_has_expired_lets_nothing_run(node: OrderBench) -> None:
    held = node.bench.updates.state.envelope
    assert held is not None

    async def expire() -> None:
        old = HeldEnvelope(held.version, node.now_s - 1.0, held.document)
        await node.bench.updates.remember(lambda state: msgspec.structs.replace(state, envelope=old))

    anyio.run(expire)
    # Later than the release, so that the date is believed.
    node.bench.clock.advance(2e9)

    answers = node.ask(node.asked())

    assert node.runner.calls == []
    assert "no envelope names it" in answers["c1"]


def test_an_action_that_is_asked_for_too_often_is_refused_for_a_while(node: OrderBench) -> None:
    for number in range(30):
        node.ask(node.asked(id=f"c{number}"))

    assert len(node.runner.calls) == 20
    assert "too often" in node.orders.answers["c29"]


@pytest.mark.parametrize("name", ["report", "collect", "restart-serving"])
def test_what_this_node_cannot_do_as_an_order_is_an_answer_and_ends_nothing(node: OrderBench, name: str) -> None:
    order = node.asked(name)

    anyio.run(node.orders.carry_out, order)

    assert "cannot do" in node.orders.answers["c1"]


def test_a_mistake_in_one_order_is_its_answer_and_ends_nothing(node: OrderBench) -> None:
    # A mistake of ours, and nothing that a runner would tell.
    node.runner.error = ValueError("year -712 is out of range")

    answers = node.ask(node.asked())

    assert answers == {"c1": "the node failed at it: ValueError"}
    assert node.ask(node.asked("sync", id="c2"))["c2"] == "done"


def test_a_flood_of_unsigned_orders_is_told_a_few_times_and_shuts_out_no_order(node: OrderBench) -> None:
    for number in range(0, 320, 32):
        node.ask(*(node.command("disk", id=f"c{number + each}", expires_at_s=1e12) for each in range(32)))

    answers = node.ask(node.asked(id="honest"))

    assert answers["honest"] == "done"
    assert len(node.bench.store.links) < 70


def test_a_node_that_can_make_no_process_says_so(node: OrderBench) -> None:
    node.runner.error = Overloaded("no process can be made")

    assert node.ask(node.asked()) == {"c1": "no process can be made"}


def test_programs_end_with_the_agent(node: OrderBench) -> None:
    anyio.run(run_until_still, node)

    assert node.runner.is_stopped


def test_a_disk_that_takes_no_writes_lets_nothing_begin(node: OrderBench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise DiskUnusable("full")

    order = node.asked()
    monkeypatch.setattr(node.bench.store, "save", full)

    async def carry_out() -> None:
        await node.orders.carry_out(order)

    with pytest.raises(DiskUnusable):
        anyio.run(carry_out)
    assert node.runner.calls == []
