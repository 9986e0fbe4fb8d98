import anyio
import pytest

from ganglion.core.serving_errors import ServingUnreachable
from ganglion.node.services.commands import Commands
from ganglion.ports.serving_control import Collect, Command, Done, Refused, Reply
from ganglion.wire.desired import CollectionSettings, DesiredState, NodeCommand

SETTINGS = CollectionSettings(random_share=0.5)


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


def desired(*commands: NodeCommand) -> DesiredState:
    return DesiredState(incarnation="a", revision=1, collection=SETTINGS, commands=commands)


def a_command(name: str, *, id_: str = "c1", count: int = 0) -> NodeCommand:
    return NodeCommand(id=id_, name=name, expires_at_s=1.0, count=count)


def test_a_report_is_answered_by_the_report_itself() -> None:
    commands = Commands(Serving())

    anyio.run(commands.obey, desired(a_command("report")))

    assert commands.answers == {"c1": "done"}


def test_inputs_that_are_asked_for_are_asked_of_serving_with_the_settings_that_hold() -> None:
    serving = Serving(Done())
    commands = Commands(serving)

    anyio.run(commands.obey, desired(a_command("collect", count=7)))

    assert serving.told == [Collect(settings=SETTINGS, requested=7)]
    assert commands.answers == {"c1": "done"}


def test_a_command_that_comes_again_is_not_done_again() -> None:
    serving = Serving(Done())
    commands = Commands(serving)

    for _ in range(3):
        anyio.run(commands.obey, desired(a_command("collect", count=7)))

    assert len(serving.told) == 1


@pytest.mark.parametrize(
    ("reply", "reason"), [(None, "serving is away"), (Refused(code="conflict", message="not now"), "not now")]
)
def test_why_a_command_was_not_done_is_told(reply: Reply | None, reason: str) -> None:
    commands = Commands(Serving(reply))

    anyio.run(commands.obey, desired(a_command("collect", count=7)))

    assert commands.answers == {"c1": reason}


def test_a_command_of_a_later_release_is_refused_by_name() -> None:
    commands = Commands(Serving())

    anyio.run(commands.obey, desired(a_command("reboot"), a_command("report", id_="c2")))

    assert commands.answers == {"c1": "this node does not know the command 'reboot'", "c2": "done"}


def test_only_the_newest_answers_are_kept() -> None:
    commands = Commands(Serving())

    anyio.run(commands.obey, desired(*(a_command("report", id_=f"c{number}") for number in range(100))))

    assert len(commands.answers) == 32
    assert "c99" in commands.answers
