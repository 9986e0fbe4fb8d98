"""What a hub of any release may ask without a signature: to report, and to keep some inputs."""

from pathlib import Path

import anyio
import msgspec
import pytest

from ganglion.core.serving_errors import ServingUnreachable
from ganglion.ports.serving_control import Collect, Command, Done, Refused, Reply
from unit.node.order_bench import SETTINGS, OrderBench, run_until_still


class Serving:
    """Remembers what it was told, and answers as it was made to."""

    def __init__(self, reply: Reply | None = None) -> None:
        self.told: list[Command] = []
        self.reply = reply

    async def call(self, command: Command, *, timeout_s: float) -> Reply:
        self.told.append(command)
        assert timeout_s > 0
        if self.reply is None:
            raise ServingUnreachable("serving is away")
        return self.reply


def a_node(directory: Path, serving: Serving) -> OrderBench:
    return OrderBench(directory, serving=serving)


def test_a_report_is_answered_by_the_report_itself(tmp_path: Path) -> None:
    node = a_node(tmp_path, Serving())

    assert node.ask(node.command("report")) == {"c1": "done"}


def test_inputs_that_are_asked_for_are_asked_of_serving_with_the_settings_that_hold(tmp_path: Path) -> None:
    serving = Serving(Done())
    node = a_node(tmp_path, serving)

    answers = node.ask(node.command("collect", count=7))

    assert serving.told == [Collect(settings=SETTINGS, requested=7)]
    assert answers == {"c1": "done"}


def test_a_command_that_comes_again_is_not_done_again_not_even_after_a_restart(tmp_path: Path) -> None:
    serving = Serving(Done())
    node = a_node(tmp_path, serving)
    command = node.command("collect", count=7)

    node.ask(command)
    node.ask(command)
    node.start()
    node.ask(command)

    assert len(serving.told) == 1


@pytest.mark.parametrize(
    ("reply", "reason"), [(None, "serving is away"), (Refused(code="conflict", message="not now"), "not now")]
)
def test_why_a_command_was_not_done_is_told(tmp_path: Path, reply: Reply | None, reason: str) -> None:
    node = a_node(tmp_path, Serving(reply))

    assert node.ask(node.command("collect", count=7)) == {"c1": reason}


def test_a_command_of_a_later_release_is_refused_by_name(tmp_path: Path) -> None:
    node = a_node(tmp_path, Serving())

    answers = node.ask(node.command("reboot"), node.command("report", id="c2"))

    assert answers == {"c1": "this node does not know the command 'reboot', and no envelope names it", "c2": "done"}


def test_a_command_as_old_as_what_was_forgotten_is_not_done(tmp_path: Path) -> None:
    serving = Serving(Done())
    node = a_node(tmp_path, serving)
    first_s = node.now_s + 100_000.0
    for number in range(300):
        node.ask(node.asked("sync", id=f"c{number}", expires_at_s=first_s + number))
        node.bench.clock.advance(10.0)

    node.ask(node.command("collect", id="old", count=1, expires_at_s=first_s + 3.0))

    assert serving.told == []
    assert "forgotten" in node.orders.answers["old"]


def test_what_is_done_at_once_never_waits_among_the_orders(tmp_path: Path) -> None:
    node = a_node(tmp_path, Serving(Done()))
    node.ask()
    desired = node.bench.updates.state.desired
    assert desired is not None

    node.orders.take(msgspec.structs.replace(desired, commands=(node.asked("report"), node.asked("collect", id="c2"))))
    anyio.run(run_until_still, node)

    assert node.orders.answers == {}
