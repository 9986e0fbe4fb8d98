"""A compromised hub gets no shell out of a node but within what two owners allow, and never unseen."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from attacks.hostile_hub import NODE, Hub
from attacks.hostile_node import HostileWorld
from attacks.test_hostile_hub import SERVED, always, install, order, wanting
from ganglion.node.domain.shells.limits import ShellLimits
from ganglion.trust import orders, shell
from ganglion.trust.envelope import Envelope, Limits, NamedAction
from ganglion.trust.orders import OrderStatement
from ganglion.trust.roles import Role
from ganglion.trust.shell import ShellWish
from ganglion.wire.desired import NodeCommand

ALLOWING = Envelope(
    limits=Limits(actions=(NamedAction(name="shell", command=("/bin/sh",), roles=(Role.ADMIN,), time_s=600.0),))
)
ENABLED = ShellLimits(enabled=True)


@pytest.fixture
def world(hub: Hub, tmp_path: Path) -> HostileWorld:
    made = HostileWorld(hub, tmp_path / "node", shell=ENABLED)
    made.line.type(b"id\r")
    return made


def arguments(seconds: int = 300) -> tuple[str, ...]:
    return shell.arguments_of(ShellWish(seconds=seconds, reason="maintenance"))


def a_shell(hub: Hub, **fields: object) -> NodeCommand:
    """Return an order for a shell that the hub has signed with its own key."""
    given = {"arguments": arguments(), "expires_at_s": hub.now_s + shell.ORDER_LIFE_S, **fields}
    return order(hub, "shell", **given)  # type: ignore[arg-type]  # the fields are those of an order


def is_refused(world: HostileWorld, command: NodeCommand, *, version: int, why: str) -> None:
    world.hub.wish = always(wanting(SERVED, commands=(command,), envelope_version=version))
    world.until(lambda: any(command.id in told.commands for told in world.hub.told))

    assert why in world.updates.state.orders.answers[command.id]
    assert world.starter.calls == []
    assert world.answers == "1"


def test_where_two_owners_allow_it_there_is_one_and_it_is_told(hub: Hub, world: HostileWorld) -> None:
    version = install(hub, ALLOWING)
    hub.wish = always(wanting(SERVED, commands=(a_shell(hub),), envelope_version=version))

    world.until(lambda: world.starter.process.typed == b"id\r" and bool(world.events("shell.opened")))

    assert world.starter.process.ends == 1
    assert world.answers == "1"


def test_a_machine_that_does_not_allow_it_has_none_whatever_is_signed(hub: Hub, tmp_path: Path) -> None:
    world = HostileWorld(hub, tmp_path / "node")
    version = install(hub, ALLOWING)

    is_refused(world, a_shell(hub), version=version, why="off on this machine")


def test_a_machine_that_allows_it_has_none_without_an_envelope(hub: Hub, world: HostileWorld) -> None:
    is_refused(world, a_shell(hub), version=0, why="no envelope names it")


def unsigned(hub: Hub) -> NodeCommand:
    return msgspec.structs.replace(a_shell(hub), statement=b"", statement_key="", statement_signature=b"")


def signed_with_another_key(hub: Hub) -> NodeCommand:
    plain = a_shell(hub)
    statement = OrderStatement(
        node_id=NODE,
        id=plain.id,
        name=plain.name,
        arguments=plain.arguments,
        expires_at_s=plain.expires_at_s,
        person=plain.person,
        role=plain.role,
    )
    done = orders.sign(hub.keys.private_bytes("timestamp"), statement)
    return msgspec.structs.replace(
        plain, statement=done.payload, statement_key=done.key_id, statement_signature=done.signature
    )


def made_longer_after_it_was_signed(hub: Hub) -> NodeCommand:
    return msgspec.structs.replace(a_shell(hub), arguments=arguments(600))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (unsigned, "not signed"),
        (signed_with_another_key, "does not name"),
        (made_longer_after_it_was_signed, "names another arguments"),
        (lambda hub: a_shell(hub, node_id="node-2"), "names another node_id"),
        (lambda hub: a_shell(hub, expires_at_s=hub.now_s - 1.0), "expired"),
        (lambda hub: a_shell(hub, expires_at_s=hub.now_s + 3600.0), "good for 120 s"),
        (lambda hub: a_shell(hub, arguments=arguments(601)), "allows 600 s"),
        (lambda hub: a_shell(hub, arguments=()), "says seconds"),
        (lambda hub: a_shell(hub, role="operator"), "role"),
        (lambda hub: a_shell(hub, role="viewer"), "role"),
        (lambda hub: a_shell(hub, person="token:ci"), "for a person"),
        (lambda hub: a_shell(hub, id_="../../run/shell"), "session"),
    ],
)
def test_an_order_that_is_not_as_it_must_be_opens_nothing(
    hub: Hub, world: HostileWorld, asked: Callable[[Hub], NodeCommand], why: str
) -> None:
    version = install(hub, ALLOWING)

    is_refused(world, asked(hub), version=version, why=why)


def test_an_order_that_is_replayed_opens_no_second_session_not_even_after_a_restart(
    hub: Hub, world: HostileWorld
) -> None:
    version = install(hub, ALLOWING)
    replayed = a_shell(hub)
    hub.wish = always(wanting(SERVED, commands=(replayed,), envelope_version=version))
    world.until(lambda: bool(world.starter.calls) and replayed.id in world.updates.state.orders.answers)

    hub.wish = always(wanting(SERVED, revision=2, commands=(replayed,), envelope_version=version))
    world.until(lambda: hub.told[-1].revision == 2)

    assert len(world.starter.calls) == 1


def test_a_second_session_beside_an_open_one_is_refused(hub: Hub, world: HostileWorld) -> None:
    version = install(hub, ALLOWING)
    both = (a_shell(hub), a_shell(hub, id_="order-2"))
    hub.wish = always(wanting(SERVED, commands=both, envelope_version=version))

    world.until(lambda: bool(world.starter.calls) and "order-2" in world.updates.state.orders.answers)

    assert "open already" in world.updates.state.orders.answers["order-2"]
    assert len(world.starter.calls) == 1


def test_a_flood_of_orders_opens_one_at_a_time_and_the_node_serves_on(hub: Hub, world: HostileWorld) -> None:
    version = install(hub, ALLOWING)
    many = tuple(a_shell(hub, id_=f"order-{number}") for number in range(30))
    hub.wish = always(wanting(SERVED, commands=many, envelope_version=version))

    world.until(lambda: len(world.updates.state.orders.answers) == 30)

    assert len(world.starter.calls) <= 1
    assert world.answers == "1"
