"""Which nodes, which minutes and which versions the gate is shown."""

import itertools
from dataclasses import replace

import msgspec
import pytest

from ganglion.hub.domain.gate.evidence import Evidence, NodeEvidence, Outcome
from ganglion.hub.domain.rollouts.document import Rollout
from ganglion.hub.services.evidence.gathering import RolloutEvidence
from ganglion.hub.services.evidence.roster import ROLLOUTS_KEPT, Sizes
from ganglion.hub.services.records.ingest import Ingest
from ganglion.ports.telemetry_store import EventRow
from ganglion.testing.fleet_node import Habit
from ganglion.testing.fleet_world import FACTS, GATE, FleetWorld
from ganglion.trust.clock_floor import BUILT_AT_S
from ganglion.wire import codec
from ganglion.wire.identity import NodeFacts
from ganglion.wire.records import Batch, Envelope, EventRecord, RecordClass, ResultRecord

BOARD = NodeFacts(arch="aarch64", runtime="onnxruntime", cores=4, memory_bytes=1, release="0.1.0")
PATIENT = replace(GATE, soak_s=1000.0)
_SEQ = itertools.count(10_000)


@pytest.fixture
def world() -> FleetWorld:
    world = FleetWorld()
    world.join("n1")
    world.join("n2")
    world.join("board", facts=BOARD)
    world.release("1")
    world.start("1", ["100%"])
    world.step(10)
    world.release("2")
    return world


def looked_at(world: FleetWorld) -> tuple[Rollout, Evidence]:
    with world.control.read() as tx:
        rollout = codec.decode_json(tx.rollouts()[0].document, Rollout)
    source = RolloutEvidence(control=world.control, telemetry=world.telemetry)
    return source.gather(rollout, now_s=world.now_s)


def shown(world: FleetWorld) -> dict[str, NodeEvidence]:
    _, evidence = looked_at(world)
    return {node.name: node for node in evidence.stage}


def test_a_commit_is_dated_by_the_hubs_clock_when_the_hub_learns_of_it(world: FleetWorld) -> None:
    world.start("2", ["100%"], gate=PATIENT)
    world.step(8)

    rollout, evidence = looked_at(world)

    assert set(rollout.committed) == {"id-n1", "id-n2", "id-board"}
    assert evidence.soaked_s == world.now_s - max(rollout.committed.values())


def test_controls_are_the_old_version_on_the_same_class_since_the_stage_began(world: FleetWorld) -> None:
    world.clock.advance(120)
    view = world.start("2", ["1", "100%"], gate=PATIENT)
    first = world.nodes[view.stages[0].nodes[0]]
    world.step(8)

    _, evidence = looked_at(world)

    others = [node for node in world.nodes.values() if node.facts == first.facts and node is not first]
    present = [work for work in evidence.controls if work.node_class not in evidence.past_classes]
    assert [work.name for work in present] == sorted(node.name for node in others)
    assert all(work.behaviour.requests == 8 * 40 for work in present)


def test_a_version_that_everybody_has_is_compared_with_the_hours_before_on_the_same_nodes(world: FleetWorld) -> None:
    world.start("2", ["100%"], gate=PATIENT)
    world.step(4)

    _, evidence = looked_at(world)

    assert evidence.past_classes == [BOARD.node_class, FACTS.node_class]
    assert {(work.name, work.behaviour.errors) for work in evidence.controls} == {("n1", 0), ("n2", 0), ("board", 0)}
    assert {node.node_class for node in evidence.stage} == {FACTS.node_class, BOARD.node_class}


def test_an_earlier_attempt_at_the_same_version_is_not_counted_again(world: FleetWorld) -> None:
    world.habits["2"] = Habit(errors=0.5)
    failed = world.start("2", ["100%"])
    world.step(3)
    assert world.rollouts.get(failed.rollout_id).state == "aborted"
    world.settle(steps=3)
    world.clock.advance(120)
    world.habits["2"] = Habit()

    world.start("2", ["100%"], gate=PATIENT)
    world.step(3)

    assert [node.behaviour.errors for node in shown(world).values()] == [0, 0, 0]
    assert all(node.behaviour.requests > 0 for node in shown(world).values())


def test_a_node_with_a_wrong_clock_is_counted_in_its_own_minutes(world: FleetWorld) -> None:
    world.start("2", ["100%"], gate=PATIENT)
    year_s = 365 * 86_400
    world.clock.jump(-year_s)
    world.step(2)
    world.clock.jump(year_s)

    assert all(node.behaviour.requests > 0 for node in shown(world).values())


def test_an_old_report_of_the_version_is_no_commit_of_a_new_rollout(world: FleetWorld) -> None:
    first = world.start("2", ["100%"], gate=PATIENT)
    world.step(8)
    for node in world.nodes.values():
        node.online = False
    world.rollouts.abort(first.rollout_id, actor="ada")

    world.start("2", ["100%"], gate=PATIENT)
    world.step(3)

    assert {node.outcome for node in shown(world).values()} == {Outcome.SILENT}


def test_a_node_that_has_the_version_already_is_taken_at_its_reports_word(world: FleetWorld) -> None:
    world.start("1", ["100%"], gate=PATIENT)
    world.step(2)

    nodes = shown(world).values()

    assert {node.outcome for node in nodes} == {Outcome.COMMITTED}
    assert not any(node.has_previous for node in nodes)


def told(world: FleetWorld, *, version: str, rollout_id: str, name: str = "update.committed") -> None:
    event = EventRow(
        node_id="id-n1",
        epoch="epoch",
        seq=next(_SEQ),
        at_ns=world.clock.utc_ns(),
        name=name,
        model="meter",
        version=version,
        rollout_id=rollout_id,
        reason="",
        facts=b"{}",
        corrected_at_ns=world.clock.utc_ns(),
    )
    with world.telemetry.write() as tx:
        tx.add_events([event])


def test_events_of_another_version_or_rollout_say_nothing_about_this_one(world: FleetWorld) -> None:
    view = world.start("2", ["100%"], gate=PATIENT)

    told(world, version="1", rollout_id=view.rollout_id)
    of_another_version = shown(world)["n1"].outcome
    told(world, version="2", rollout_id="another")
    of_another_rollout = shown(world)["n1"].outcome
    told(world, version="2", rollout_id=view.rollout_id)

    assert of_another_version is of_another_rollout is Outcome.SILENT
    assert shown(world)["n1"].outcome is Outcome.COMMITTED


def test_nodes_of_earlier_stages_are_shown_with_what_they_did_since_the_current_stage_began(world: FleetWorld) -> None:
    view = world.start("2", ["1", "100%"], gate=PATIENT)
    world.step(30)
    world.rollouts.promote(view.rollout_id, actor="ada")
    world.clock.advance(60)
    world.step(2)

    _, evidence = looked_at(world)

    assert [node.name for node in evidence.earlier] == view.stages[0].nodes
    assert 2 * 40 <= evidence.earlier[0].behaviour.requests <= 14 * 40


def test_what_a_node_that_lives_in_1970_did_is_shown_to_the_gate(world: FleetWorld) -> None:
    now_ns = int(BUILT_AT_S + 1e6) * 10**9
    world.clock.jump(now_ns / 1e9 - world.now_s)
    view = world.start("2", ["100%"], gate=PATIENT)
    committed = EventRecord("update.committed", "meter", "2", view.rollout_id)
    answered = ResultRecord("r", "meter", "2", 100, ("7",), (0.9,))
    records = (
        Envelope(1, RecordClass.RESULT, 5_000_000_000, codec.encode_packed(answered)),
        Envelope(2, RecordClass.EVENT, 6_000_000_000, codec.encode_packed(committed)),
    )

    ingest = Ingest(telemetry=world.telemetry, clock=world.clock)
    ingest.store("id-n1", Batch(id="b", sent_at_ns=7_000_000_000, epoch="e1", records=records))

    assert shown(world)["n1"].outcome is Outcome.COMMITTED
    assert shown(world)["n1"].behaviour.requests == 1


def test_a_node_that_is_silent_for_longer_than_declared_is_set_aside(world: FleetWorld) -> None:
    world.nodes["n1"].online = False
    world.start("2", ["100%"], gate=replace(PATIENT, silence_s_max=60.0))
    world.step(4)
    early = shown(world)["n1"].is_set_aside
    world.step(20)

    late = shown(world)

    assert not early
    assert {name: node.is_set_aside for name, node in late.items()} == {"n1": True, "n2": False, "board": False}
    assert late["n1"].outcome is Outcome.SILENT


def test_nobody_is_set_aside_when_no_silence_is_declared(world: FleetWorld) -> None:
    world.nodes["n1"].online = False
    world.start("2", ["100%"], gate=PATIENT)
    world.step(60)

    assert not any(node.is_set_aside for node in shown(world).values())


def test_a_node_that_gave_the_version_up_after_its_commit_has_crashed(world: FleetWorld) -> None:
    view = world.start("2", ["100%"], gate=PATIENT)
    world.step(8)
    told(world, version="2", rollout_id=view.rollout_id, name="version.quarantined")

    crashed = {name: node.has_crashed for name, node in shown(world).items()}

    assert crashed == {"n1": True, "n2": False, "board": False}


def test_a_node_of_an_earlier_stage_keeps_the_hour_before_it_took_the_version(world: FleetWorld) -> None:
    world.clock.advance(120)
    view = world.start("2", ["1", "100%"], gate=replace(GATE, soak_s=4000.0, deadline_s=90_000.0))
    first = world.nodes[view.stages[0].nodes[0]].name
    before = shown(world)[first].before.requests
    world.step(8)
    world.clock.advance(7200)
    world.step(8)

    rollout, evidence = looked_at(world)

    assert rollout.stage == 1
    assert before > 0
    assert {node.name: node.before.requests for node in evidence.earlier} == {first: before}


def test_each_node_is_shown_with_its_site_and_what_it_did_in_the_hour_before(world: FleetWorld) -> None:
    world.clock.advance(120)
    world.start("2", ["100%"], gate=PATIENT)
    world.step(4)

    nodes = shown(world)

    assert {node.site for node in nodes.values()} == {"north"}
    assert all(node.before.requests > 0 for node in nodes.values())
    assert all(sum(hour.requests for hour in node.hours.values()) == node.behaviour.requests for node in nodes.values())


def test_a_hub_that_has_just_started_reads_a_large_fleet_by_parts_and_shows_nothing_before_the_last(
    world: FleetWorld,
) -> None:
    world.start("2", ["100%"], gate=PATIENT)
    world.step(4)
    with world.control.read() as tx:
        rollout = codec.decode_json(tx.rollouts()[0].document, Rollout)
    sizes = Sizes(fleet_nodes=0, sights_at_once=1)
    source = RolloutEvidence(control=world.control, telemetry=world.telemetry, sizes=sizes)

    looks = [source.gathered_so_far(rollout, now_s=world.now_s, steps=2) for _ in range(10)]

    assert looks[:2] == [None, None]
    assert looks[-1] == source.gather(rollout, now_s=world.now_s) == looked_at(world)


def test_of_very_many_large_rollouts_each_is_shown_at_every_look(world: FleetWorld) -> None:
    world.start("2", ["100%"], gate=PATIENT)
    world.step(4)
    with world.control.read() as tx:
        rollout = codec.decode_json(tx.rollouts()[0].document, Rollout)
    rollouts = [msgspec.structs.replace(rollout, rollout_id=f"r{number}") for number in range(ROLLOUTS_KEPT + 1)]
    source = RolloutEvidence(control=world.control, telemetry=world.telemetry, sizes=Sizes(fleet_nodes=0))

    def look() -> list[bool]:
        return [source.gathered_so_far(each, now_s=world.now_s, steps=1) is not None for each in rollouts]

    assert not all(look())
    assert all(look())
