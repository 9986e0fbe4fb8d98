"""A compromised hub must not own the fleet: what it may not ask for a node refuses, reports, and serves on."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tuf.api.metadata import Targets

from attacks.hostile_hub import NODE, Hub
from attacks.hostile_node import HostileWorld
from ganglion.node.domain.orders.order_memory import INTERRUPTED
from ganglion.trust import edition, envelope, orders, repository
from ganglion.trust.ceremony import proposals as ceremony
from ganglion.trust.ceremony.proposal import Proposal
from ganglion.trust.envelope import AllowedModel, Bounds, Envelope, Limits, NamedAction
from ganglion.trust.orders import OrderStatement
from ganglion.trust.signing import Terms
from ganglion.wire.desired import (
    AgentOptions,
    Assignment,
    CollectionSettings,
    DeploymentPolicy,
    DesiredState,
    NodeCommand,
)
from unit.node.builders import an_assignment
from unit.trust.ceremonies import signed_by, signer

NARROW = Envelope(
    limits=Limits(
        settings={"collection.random_share": Bounds(max=0.05)},
        models=(AllowedModel(name="meter"),),
        actions=(NamedAction(name="uptime", command=("/usr/bin/uptime",)),),
        assignments_max=4,
    )
)
WIDE = Envelope(limits=Limits(actions=(NamedAction(name="shell", command=("/bin/sh",)),)))
LIFE_S = 600.0


@pytest.fixture
def world(hub: Hub, tmp_path: Path) -> HostileWorld:
    return HostileWorld(hub, tmp_path / "node")


def install(hub: Hub, document: Envelope, *, by: str = "warden") -> int:
    """Put an envelope in force as its key holders do, and return its version."""
    present = hub.repository.present()
    is_first = envelope.ROLE not in present.models
    key = signer(by).public_key if is_first else None
    terms = Terms(now_s=hub.now_s, settings=hub.signing().settings)
    proposed = signed_by(ceremony.limit(Proposal(present), document, key, terms), by)
    hub.repository.install({role: data.to_bytes() for role, data in proposed.documents()})
    return hub.repository.envelope()[0]


def wanting(*wishes: Assignment, revision: int = 1, **fields: object) -> DesiredState:
    plain = DesiredState(incarnation="hub-1", revision=revision, assignments=wishes)
    return msgspec.structs.replace(plain, **fields)


def always(*states: DesiredState) -> Callable[[int], DesiredState | None]:
    """Give a node the next of these states after the one that it holds."""
    return lambda held: next((state for state in states if state.revision > held), None)


def order(hub: Hub, name: str, *, id_: str = "order-1", node_id: str = NODE, **fields: object) -> NodeCommand:
    """Return an order that the hub has signed with its own key: it has that, whoever runs it."""
    plain = NodeCommand(id=id_, name=name, expires_at_s=hub.now_s + LIFE_S, person="ada", role="admin")
    asked = msgspec.structs.replace(plain, **fields)
    statement = OrderStatement(
        node_id=node_id,
        id=asked.id,
        name=asked.name,
        arguments=asked.arguments,
        count=asked.count,
        expires_at_s=asked.expires_at_s,
        person=asked.person,
        role=asked.role,
    )
    done = hub.repository.sign_order(statement)
    assert done is not None
    return msgspec.structs.replace(
        asked, statement=done.payload, statement_key=done.key_id, statement_signature=done.signature
    )


SERVED = an_assignment("1")
"""What the node serves when the attack begins: the hub wants it still, unless a test says otherwise."""


def ends_up_refused(world: HostileWorld, reason: str) -> None:
    """Run the node until the hub was told of a refusal with this reason, as a report and as an event; it serves on."""
    world.until(
        lambda: (
            any(reason in told for told in world.told)
            and any(reason in told for told in world.events("desired.refused"))
        )
    )
    assert world.answers == "1"
    assert "meter" in world.updates.state.models


def test_settings_out_of_the_envelope_are_refused_reported_and_the_node_serves_on(
    hub: Hub, world: HostileWorld
) -> None:
    version = install(hub, NARROW)
    greedy = CollectionSettings(random_share=1.0, confidence_below=0.25)
    hub.wish = always(wanting(SERVED, collection=greedy, envelope_version=version))

    ends_up_refused(world, "collection.random_share: 1 is above 0.05")

    held = world.updates.state.desired
    assert held is not None
    assert held.collection == CollectionSettings(confidence_below=0.25)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"collection": CollectionSettings(bytes_per_hour=10**15)}, "collection.bytes_per_hour"),
        ({"collection": CollectionSettings(random_share=-3.0)}, "collection.random_share"),
        ({"agent": AgentOptions(report_s=1e9)}, "agent.report_s"),
        ({"agent": AgentOptions(log_level="everything")}, "agent.log_level"),
    ],
)
def test_without_an_envelope_the_bounds_of_the_release_hold(
    hub: Hub, world: HostileWorld, fields: dict[str, object], reason: str
) -> None:
    hub.wish = always(msgspec.structs.replace(wanting(SERVED), **fields))

    ends_up_refused(world, reason)


def test_a_foreign_model_is_refused_reported_and_the_node_serves_on(hub: Hub, world: HostileWorld) -> None:
    version = install(hub, NARROW)
    miner = msgspec.structs.replace(an_assignment("9"), model="miner")
    hub.wish = always(wanting(SERVED, miner, envelope_version=version))

    ends_up_refused(world, "the envelope does not let it run here")

    assert world.updates.state.models["miner"].committed is None
    assert world.updates.state.models["miner"].update is None
    assert "the envelope does not let it run here" in world.events("update.rolled_back")


def test_a_model_that_may_not_come_any_more_is_served_on_where_it_is(hub: Hub, world: HostileWorld) -> None:
    version = install(hub, Envelope(limits=Limits(models=())))
    hub.wish = always(wanting(SERVED, envelope_version=version))

    ends_up_refused(world, "the envelope does not let it run here")

    assert world.events("update.rolled_back") == []


def test_a_policy_that_skips_the_probation_is_refused_and_the_model_stays(hub: Hub, world: HostileWorld) -> None:
    version = install(hub, Envelope(limits=Limits(settings={"policy.probation_s": Bounds(min=60.0)})))
    hasty = an_assignment("2", policy=DeploymentPolicy(probation_s=0.0, inferences_min=0))
    hub.wish = always(wanting(hasty, envelope_version=version))

    ends_up_refused(world, "policy.probation_s: 0 is below 60")


def endless_count() -> DesiredState:
    return wanting(*(msgspec.structs.replace(SERVED, model=f"m{number}") for number in range(5_000)))


def endless_text() -> DesiredState:
    return wanting(SERVED, agent=AgentOptions(log_level="x" * 3_000_000))


def endless_commands() -> DesiredState:
    return wanting(SERVED, commands=tuple(NodeCommand(str(number), "report", 1e12) for number in range(20_000)))


@pytest.mark.parametrize("endless", [endless_count, endless_text, endless_commands])
def test_an_endless_desired_state_is_refused_reported_and_the_node_serves_on(
    hub: Hub, world: HostileWorld, endless: Callable[[], DesiredState]
) -> None:
    hub.wish = always(endless())

    ends_up_refused(world, "at most")

    assert world.updates.state.desired is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"incarnation": "a", "revision": 1, "unknown": ' + b"[" * 100_000,
        b"[" * 3_000_000,
        b'{"incarnation": "a", "revision": 1, "collection": {"random_share": NaN}}',
        b"\xff" * 1000,
        b'{"incarnation": "' + b"x" * 9_000_000,
    ],
    ids=["depth", "brackets", "nan", "noise", "size"],
)
def test_what_is_no_desired_state_at_all_is_refused_reported_and_the_node_serves_on(
    hub: Hub, world: HostileWorld, body: bytes
) -> None:
    hub.wish = lambda _held: body

    ends_up_refused(world, "it cannot be read")


def test_a_flood_of_revisions_neither_spins_the_node_nor_fills_its_audit_chain(hub: Hub, world: HostileWorld) -> None:
    greedy = CollectionSettings(random_share=2.0)
    hub.wish = lambda held: wanting(SERVED, revision=held + 1, collection=greedy)

    world.until(lambda: hub.polls >= 62)

    assert world.answers == "1"
    assert hub.polls <= 70
    assert len(world.events("desired.refused")) <= 31


def test_an_answer_that_is_never_newer_does_not_spin_the_node(hub: Hub, world: HostileWorld) -> None:
    hub.wish = lambda _held: wanting(SERVED)

    world.until(lambda: hub.polls >= 62)

    assert hub.polls <= 70
    assert world.answers == "1"


def unsigned(hub: Hub) -> NodeCommand:
    return NodeCommand("order-1", "uptime", hub.now_s + LIFE_S, person="ada", role="admin")


def signed_with_the_hubs_timestamp_key(hub: Hub) -> NodeCommand:
    plain = unsigned(hub)
    statement = OrderStatement(
        node_id=NODE, id="order-1", name="uptime", expires_at_s=plain.expires_at_s, person="ada", role="admin"
    )
    done = orders.sign(hub.keys.private_bytes("timestamp"), statement)
    return msgspec.structs.replace(
        plain, statement=done.payload, statement_key=done.key_id, statement_signature=done.signature
    )


def for_another_node(hub: Hub) -> NodeCommand:
    return order(hub, "uptime", node_id="node-2")


def expired(hub: Hub) -> NodeCommand:
    return order(hub, "uptime", expires_at_s=hub.now_s - 1.0)


def that_no_envelope_names(hub: Hub) -> NodeCommand:
    return order(hub, "rm")


def a_shell(hub: Hub) -> NodeCommand:
    return order(hub, "shell")


def with_arguments_of_its_own(hub: Hub) -> NodeCommand:
    return order(hub, "uptime", arguments=("also=;reboot",))


@pytest.mark.parametrize(
    "asked",
    [
        unsigned,
        signed_with_the_hubs_timestamp_key,
        for_another_node,
        expired,
        that_no_envelope_names,
        a_shell,
        with_arguments_of_its_own,
    ],
)
def test_an_action_that_is_not_signed_or_not_named_is_refused_reported_and_the_node_serves_on(
    hub: Hub, world: HostileWorld, asked: Callable[[Hub], NodeCommand]
) -> None:
    version = install(hub, NARROW)
    hub.wish = always(wanting(SERVED, commands=(asked(hub),), envelope_version=version))

    world.until(lambda: bool(world.events("action.refused")) and any(told.commands for told in hub.told))

    assert world.runner.calls == []
    assert world.answers == "1"
    assert any(told.commands.get("order-1", "done") != "done" for told in hub.told)


def test_an_order_that_is_replayed_is_not_obeyed_again_not_even_after_a_restart(hub: Hub, world: HostileWorld) -> None:
    version = install(hub, NARROW)
    replayed = order(hub, "uptime")
    states = [
        wanting(SERVED, revision=revision, commands=(replayed,), envelope_version=version) for revision in range(1, 5)
    ]
    hub.wish = always(*states)

    world.until(lambda: bool(world.events("action.ended")) and hub.told[-1].revision == 4)
    hub.wish = always(*(msgspec.structs.replace(state, revision=state.revision + 4) for state in states))
    world.until(lambda: hub.told[-1].revision == 8)

    assert len(world.runner.calls) == 1
    assert INTERRUPTED not in world.updates.state.orders.answers.values()


def test_nobody_keeps_a_node_from_serving_by_asking_it_to_start_anew(hub: Hub, world: HostileWorld) -> None:
    asked = [order(hub, "restart-serving", id_=f"order-{number}") for number in range(10)]
    hub.wish = always(wanting(SERVED, commands=tuple(asked)))

    world.until(lambda: any(len(told.commands) == 10 for told in hub.told))

    assert world.done == ["restart-serving"] * 2
    assert sum("too often" in why for why in world.updates.state.orders.answers.values()) == 8


def test_an_older_envelope_is_refused_after_a_newer_one_was_seen(hub: Hub, world: HostileWorld) -> None:
    install(hub, WIDE)
    older = dict(hub.files.files)
    version = install(hub, NARROW)
    hub.wish = always(wanting(SERVED, envelope_version=version))
    world.until(lambda: bool(world.events("envelope.taken")))

    # With new keys for snapshot and timestamp a hub makes nodes forget the versions that they have seen of those.
    hub.files.files.clear()
    hub.files.files.update(older)
    hub.repository.recover()
    rolled_back = wanting(SERVED, revision=2, envelope_version=version + 1, commands=(order(hub, "shell"),))
    hub.wish = always(msgspec.structs.replace(rolled_back, root_version_min=hub.repository.root_version()))
    world.until(lambda: bool(world.events("envelope.refused")) and bool(world.events("action.refused")))

    held = world.updates.state.envelope
    assert held is not None
    assert held.version == version
    assert world.runner.calls == []
    assert world.answers == "1"


def test_an_envelope_that_the_hub_signs_with_a_key_of_its_own_is_refused(hub: Hub, world: HostileWorld) -> None:
    version = install(hub, NARROW)
    hub.wish = always(wanting(SERVED, envelope_version=version))
    world.until(lambda: bool(world.events("envelope.taken")))

    now, signing = edition.load(hub.files.read), hub.signing()
    forged = Targets(
        version=version + 1,
        expires=signing.expiry(Targets),
        targets={envelope.PATH: envelope.target_of(WIDE)},
    )
    # It signs as timestamp and snapshot, and that is all that it can.
    own = signing.sign("timestamp", forged, now.root.signed)
    hub.put(repository.next_edition(now, {envelope.ROLE: own}, signing))
    asked = order(hub, "shell")
    hub.wish = always(wanting(SERVED, revision=2, envelope_version=version + 1, commands=(asked,)))
    world.until(lambda: bool(world.events("envelope.refused")) and bool(world.events("action.refused")))

    assert world.updates.state.envelope is not None
    assert world.updates.state.envelope.version == version
    assert world.runner.calls == []
    assert world.answers == "1"


def test_a_hub_that_hides_the_envelope_changes_nothing_of_what_is_in_force(hub: Hub, world: HostileWorld) -> None:
    version = install(hub, NARROW)
    hub.wish = always(wanting(SERVED, envelope_version=version))
    world.until(lambda: bool(world.events("envelope.taken")))

    hub.hidden.add(f"{version}.{envelope.ROLE}.json")
    greedy = CollectionSettings(random_share=1.0)
    hub.wish = always(wanting(SERVED, revision=2, collection=greedy))

    ends_up_refused(world, "collection.random_share: 1 is above 0.05")
