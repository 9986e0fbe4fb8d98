"""What no honest hub would write kills no agent, stays nowhere, and leaves a node that later hubs can speak with."""

from pathlib import Path

import msgspec
import pytest

from attacks.hostile_hub import Hub
from attacks.hostile_node import HostileWorld
from attacks.test_hostile_hub import NARROW, SERVED, always, ends_up_refused, install, order, wanting
from ganglion.wire import codec
from ganglion.wire.desired import CollectionSettings, DesiredState, NodeCommand, ReferenceFile
from unit.node.builders import an_assignment

HUGE, LONG = 10**30, "x" * 200_000


@pytest.fixture
def world(hub: Hub, tmp_path: Path) -> HostileWorld:
    return HostileWorld(hub, tmp_path / "node")


def with_statement(data: bytes) -> DesiredState:
    return wanting(SERVED, msgspec.structs.replace(an_assignment("9"), model="other", statement=data))


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (wanting(SERVED, revision=HUGE), "cannot be meant"),
        (wanting(SERVED, root_version_min=HUGE), "cannot be meant"),
        (wanting(SERVED, collection=CollectionSettings(bytes_per_hour=HUGE)), "cannot be meant"),
        (wanting(SERVED, files=(ReferenceFile("t", "0" * 64, HUGE),)), "cannot be meant"),
        (wanting(SERVED, incarnation=LONG), "cannot be meant"),
        (with_statement(b'{"x":' + b"[" * 100_000), "cannot be read"),
        (with_statement(b'{"node_id": "\xff"}'), "cannot be read"),
    ],
    ids=["revision", "root", "setting", "file", "incarnation", "deep statement", "statement that is no text"],
)
def test_a_state_with_what_nobody_could_mean_is_refused_and_the_agent_lives_on(
    hub: Hub, world: HostileWorld, state: DesiredState, reason: str
) -> None:
    hub.wish = lambda _held: state

    ends_up_refused(world, reason)

    assert world.updates.state.desired is None


@pytest.mark.parametrize("body", [b'{"title": "\xff"}', b'{"x": ' + b"[" * 100_000], ids=["no text", "deep"])
def test_an_error_that_cannot_be_read_is_an_error_like_any_other(hub: Hub, world: HostileWorld, body: bytes) -> None:
    served = wanting(SERVED)
    hub.failing = [body] * 3
    hub.wish = always(served)

    world.until(lambda: any(told.revision == served.revision for told in hub.told))

    assert hub.failing == []
    assert world.answers == "1"


def test_after_long_names_a_node_still_reports_and_asks_in_few_bytes(hub: Hub, world: HostileWorld) -> None:
    commands = tuple(NodeCommand(f"{number}{LONG}"[:20_000], "report", 1e12) for number in range(30))
    wish = msgspec.structs.replace(an_assignment("9"), model="m" + LONG)
    hub.wish = always(wanting(SERVED, wish, commands=commands))

    ends_up_refused(world, "cannot be meant")

    assert max(len(codec.encode_json(told)) for told in hub.told) < 20_000
    assert max(len(path) for path, _ in hub.asked) < 1000


def test_orders_of_an_honest_hub_are_obeyed_after_a_flood_of_unsigned_ones(hub: Hub, world: HostileWorld) -> None:
    version = install(hub, NARROW)
    states = [
        wanting(SERVED, revision=revision, commands=flood(revision), envelope_version=version)
        for revision in range(1, 12)
    ]
    honest = wanting(SERVED, revision=12, commands=(order(hub, "uptime", id_="honest"),), envelope_version=version)
    hub.wish = always(*states, honest)

    world.until(lambda: any(told.commands.get("honest") == "done" for told in hub.told))

    assert len(world.runner.calls) == 1
    assert len(world.events("action.refused")) < 100


def flood(revision: int) -> tuple[NodeCommand, ...]:
    """Return orders that nobody has signed, and that are said to hold for ever."""
    return tuple(NodeCommand(f"{revision}-{each}", "uptime", 1e12) for each in range(32))


def test_a_node_makes_a_few_keys_in_an_hour_however_often_a_hub_wants_another(hub: Hub, world: HostileWorld) -> None:
    hub.wish = lambda held: wanting(SERVED, revision=held + 1, rekey_of=hub.node_keys[-1])

    world.until(lambda: hub.polls >= 30)

    assert 1 < len(hub.node_keys) <= 4
    assert world.answers == "1"


@pytest.mark.parametrize("name", ["logs", "report", "collect"])
def test_words_of_an_order_do_not_end_the_agent(hub: Hub, world: HostileWorld, name: str) -> None:
    asked = order(hub, name, arguments=("since=999999d", "until=9999-12-31T23:59-23:59"), count=1000)
    hub.wish = always(wanting(SERVED, commands=(asked,)))

    world.until(lambda: any(told.commands for told in hub.told))

    assert world.answers == "1"
