"""Limits and orders over a served hub: what it signs for one node, whom it asks for what, and what comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.core.identity_errors import Forbidden
from ganglion.core.trust_errors import ArtifactUntrusted
from ganglion.trust import envelope, orders
from ganglion.trust.ceremony import proposals as ceremony
from ganglion.trust.envelope import ArgumentRule, Envelope, Limits, NamedAction
from ganglion.trust.orders import OrderStatement, SignedOrder
from ganglion.trust.roles import Role
from ganglion.wire.desired import NodeCommand
from ganglion.wire.fleet_resources import NodeActionRequest
from ganglion.wire.node_resources import CommandRequest
from ganglion.wire.records import EventRecord, RecordClass
from integration.trust_world import World, trust_world
from unit.trust.ceremonies import signer

LIMITS = Envelope(
    limits=Limits(
        actions=(
            NamedAction(
                name="disk", command=("/bin/df", "{path}"), arguments={"path": ArgumentRule(values=("/", "/var"))}
            ),
            NamedAction(name="reserved", command=("/bin/true",), roles=(Role.VIEWER,)),
        )
    )
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with trust_world(tmp_path) as made:
        made.release("1")
        made.take_keys_off()
        yield made


def limit(world: World, document: Envelope = LIMITS) -> None:
    start = world.start()
    if envelope.ROLE in start.present.models:
        world.publish(ceremony.limit(start, document, None, world.terms()), "warden")
        return
    world.publish(ceremony.limit(start, document, signer("warden").public_key, world.terms()), "ada", "bo", "warden")


def statement_of(command: NodeCommand, node_id: str) -> OrderStatement:
    return OrderStatement(
        node_id=node_id,
        id=command.id,
        name=command.name,
        arguments=command.arguments,
        count=command.count,
        expires_at_s=command.expires_at_s,
        person=command.person,
        role=command.role,
    )


def test_an_installed_envelope_reaches_a_node_signed_from_the_root_on(world: World) -> None:
    before = world.told()
    limit(world)

    told = world.told()
    word = world.link().trusted_word(root_version_min=told.root_version_min)

    assert (before.envelope_version, told.envelope_version) == (0, 1)
    assert told.revision > before.revision
    assert word.envelope is not None
    assert word.envelope.document == envelope.encode(LIMITS)


def test_a_newer_envelope_is_news_to_every_node(world: World) -> None:
    limit(world)
    before = world.told()

    limit(world, Envelope(limits=Limits(commands_max=1)))

    assert world.told().revision > before.revision
    word = world.link().trusted_word(root_version_min=1)
    assert word.envelope is not None
    assert word.envelope.version == world.told().envelope_version == 2


def test_without_an_envelope_a_node_finds_none_and_the_keys_for_orders(world: World) -> None:
    word = world.link().trusted_word(root_version_min=1)

    assert word.envelope is None
    assert len(word.order_keys) == 1


def test_an_order_is_signed_for_this_node_and_names_the_person(world: World) -> None:
    limit(world)
    world.client.command("gate", CommandRequest("disk", arguments=["path=/var"]))

    (command,) = world.told().commands
    signed = SignedOrder(command.statement, command.statement_key, command.statement_signature)
    keys = world.link().trusted_word(root_version_min=1).order_keys

    assert (command.person, command.role) == (world.client.who().name, "admin")
    orders.verify(keys, signed, statement_of(command, world.node.identity.node_id))
    with pytest.raises(ArtifactUntrusted, match="names another node_id"):
        orders.verify(keys, signed, statement_of(command, "another"))


def test_an_action_that_many_nodes_are_asked_for_names_the_person_and_the_role_too(world: World) -> None:
    limit(world)
    wish = NodeActionRequest(action="ask", select="", command="disk", arguments=["path=/var"])

    world.client.act_on_nodes(wish)

    (command,) = world.told().commands
    assert (command.name, command.arguments, command.person, command.role) == (
        "disk", ("path=/var",), "admin", "admin",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (CommandRequest("format"), InvalidRequest),
        (CommandRequest("disk"), InvalidRequest),
        (CommandRequest("disk", arguments=["path=/etc"]), InvalidRequest),
        (CommandRequest("disk", arguments=["path=/var", "path=/"]), InvalidRequest),
        (CommandRequest("sync", arguments=["x=1"]), InvalidRequest),
        (CommandRequest("sync", expires_in_s=1e9), InvalidRequest),
        (CommandRequest("reserved"), Forbidden),
    ],
)
def test_what_every_node_would_refuse_is_refused_by_the_hub_too(
    world: World, request_: CommandRequest, kind: type[Exception]
) -> None:
    limit(world)

    with pytest.raises(kind):
        world.client.command("gate", request_)

    assert world.told().commands == ()


def test_the_output_of_an_action_is_shown_with_its_command_and_not_among_the_events(world: World) -> None:
    limit(world)
    asked = world.client.command("gate", CommandRequest("disk", arguments=["path=/"]))
    facts = {"order": asked.id, "exit": "3", "output": "10 % used", "ended_by": ""}
    world.node.send((RecordClass.EVENT, EventRecord(name="action.ended", facts=facts)))

    outcome = world.client.command_outcome("gate", asked.id)

    assert (outcome.exit, outcome.output, outcome.arguments) == (3, "10 % used", ["path=/"])
    (event,) = world.client.events(node="gate")
    assert "output" not in event.facts


@pytest.mark.parametrize("exit_code", ["", "many", "--1", "9" * 5000])
def test_what_a_node_makes_up_as_an_exit_code_is_no_number(world: World, exit_code: str) -> None:
    asked = world.client.command("gate", CommandRequest("sync"))
    told = EventRecord(name="action.ended", facts={"order": asked.id, "exit": exit_code})
    world.node.send((RecordClass.EVENT, told))

    assert world.client.command_outcome("gate", asked.id).exit is None


def test_a_command_that_nobody_gave_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        world.client.command_outcome("gate", "nothing")


def test_both_audit_chains_can_tell_who_asked_for_what(world: World) -> None:
    limit(world)
    asked = world.client.command("gate", CommandRequest("disk", arguments=["path=/"]))

    links = world.client.audit({"action": "node.commanded"})

    assert links[-1].facts | {"order": asked.id, "command": "disk", "arguments": "path=/"} == links[-1].facts
