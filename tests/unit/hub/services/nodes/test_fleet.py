"""Nodes as the hub knows them."""

from dataclasses import replace

import msgspec
import pytest

from ganglion.core.errors import NotFound
from ganglion.hub.services.nodes.desired import FleetDefault
from ganglion.ports.hub_store import NodeQuery
from ganglion.ports.telemetry_store import CursorRow
from ganglion.testing.fleet_world import FACTS, MODEL, FleetWorld
from ganglion.wire.desired import DeploymentPolicy, ModelStatus, NodeReport

REPORT = NodeReport(
    incarnation="life",
    revision=3,
    models=(ModelStatus(model="meter", version="1", committed="1", update_version="2", update_state="probation"),),
    facts=FACTS,
    epoch="e2",
    made=90,
    waiting=15,
    shed={"SAMPLE": 5},
)


@pytest.fixture
def world() -> FleetWorld:
    world = FleetWorld()
    world.join("n1", site="north")
    return world


def store_cursor(world: FleetWorld, row: CursorRow) -> None:
    with world.telemetry.write() as tx:
        tx.put_cursor(row)


def test_a_node_that_never_reported_is_shown_with_what_its_enrolment_says(world: FleetWorld) -> None:
    view = world.fleet.node("n1")

    assert (view.name, view.site, view.state, view.node_class) == ("n1", "north", "pending", "x86_64-4")
    assert (view.last_seen_at_s, view.epoch, view.models, view.made) == (None, "", [], 0)


def test_a_report_is_shown_and_says_when_the_node_was_last_seen(world: FleetWorld) -> None:
    world.clock.advance(60)
    world.fleet.take_report("id-n1", REPORT)

    view = world.fleet.node("n1")

    assert view.last_seen_at_s == world.now_s
    assert (view.models[0].version, view.models[0].update_version, view.models[0].update_state) == (
        "1",
        "2",
        "probation",
    )


def test_a_power_cut_at_the_hub_undoes_a_step_of_an_update_and_never_its_end(world: FleetWorld) -> None:
    begun = msgspec.structs.replace(REPORT.models[0], update_state="offered")
    for status in (begun, REPORT.models[0]):
        world.fleet.take_report("id-n1", msgspec.structs.replace(REPORT, models=(status,)))
    world.control.cut_power()
    after_a_step = world.fleet.node("n1").models[0]
    world.fleet.take_report("id-n1", msgspec.structs.replace(REPORT, models=(ModelStatus("meter", "2", "2"),)))

    world.control.cut_power()

    assert after_a_step.update_state == "offered"
    assert world.fleet.node("n1").models[0].committed == "2"


def test_a_node_that_does_not_believe_its_newest_wishes_is_shown_with_the_reason(world: FleetWorld) -> None:
    world.fleet.take_report("id-n1", msgspec.structs.replace(REPORT, refused="revision 9: it is of another state"))

    assert world.fleet.node("n1").refused == "revision 9: it is of another state"


def test_facts_of_the_newest_report_choose_the_class(world: FleetWorld) -> None:
    world.fleet.take_report("id-n1", msgspec.structs.replace(REPORT, facts=msgspec.structs.replace(FACTS, cores=8)))

    assert world.fleet.node("n1").node_class == "x86_64-8"


def test_records_are_counted_in_the_present_epoch_from_report_and_cursor_together(world: FleetWorld) -> None:
    store_cursor(world, CursorRow("id-n1", "e1", seq=1000, made=1000))
    store_cursor(world, CursorRow("id-n1", "e2", seq=80, made=100, shed=b'{"SAMPLE": 7, "RESULT": 1}', gaps=3))
    world.fleet.take_report("id-n1", REPORT)

    view = world.fleet.node("n1")

    assert (view.epoch, view.made, view.stored, view.waiting) == ("e2", 100, 77, 15)
    assert view.shed == {"SAMPLE": 7, "RESULT": 1}


def test_all_nodes_are_shown_by_name_each_with_its_own_figures(world: FleetWorld) -> None:
    world.join("n0")
    store_cursor(world, CursorRow("id-n1", "e2", seq=5))
    world.fleet.take_report("id-n1", REPORT)

    views = world.fleet.page(NodeQuery())

    assert [(view.name, view.stored) for view in views] == [("n0", 0), ("n1", 5)]
    assert views[1] == world.fleet.node("n1")


def test_what_is_wanted_and_what_is_served_stand_side_by_side(world: FleetWorld) -> None:
    world.release("2")
    world.start("2", ["100%"])

    view = world.fleet.node("n1")

    assert [(model.model, model.version, model.desired) for model in view.models] == [("meter", "", "2")]


def test_a_revoked_node_is_shown_as_revoked(world: FleetWorld) -> None:
    with world.control.write() as tx:
        node = tx.node_by_name("n1")
        assert node is not None
        tx.put_node(replace(node, revoked_at_s=world.now_s))

    assert world.fleet.node("n1").state == "revoked"


def test_the_first_report_brings_the_fleets_version_and_later_ones_do_not(world: FleetWorld) -> None:
    world.release("1")
    with world.control.write() as tx:
        world.desired.set_default(tx, MODEL, FleetDefault("1", "r0", DeploymentPolicy()))

    world.fleet.take_report("id-n1", REPORT)
    with world.control.write() as tx:
        world.desired.withdraw(tx, "id-n1", MODEL)
    world.fleet.take_report("id-n1", REPORT)

    assert world.woken == ["id-n1"]
    assert world.desired.state_of("id-n1").assignments == ()


def test_nobody_is_shown_or_heard_under_an_unknown_name(world: FleetWorld) -> None:
    with pytest.raises(NotFound):
        world.fleet.node("n9")
    with pytest.raises(NotFound):
        world.fleet.take_report("id-n9", REPORT)


def test_the_first_report_is_kept_and_answered_with_the_fleets_versions_in_one_transaction(
    world: FleetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.release("1")
    with world.control.write() as tx:
        world.desired.set_default(tx, MODEL, FleetDefault("1", "r1", DeploymentPolicy()))

    def die(_node_ids: object) -> None:
        raise OSError("killed after the commit")

    monkeypatch.setattr(world.desired, "announce", die)
    with pytest.raises(OSError, match="killed"):
        world.fleet.take_report("id-n1", REPORT)

    assert world.desired_versions() == {"n1": "1"}
    assert world.fleet.node("n1").last_seen_at_s == world.now_s


def test_a_node_that_waits_for_an_answer_is_there_however_old_its_report_is(world: FleetWorld) -> None:
    world.fleet.take_report("id-n1", REPORT)

    world.fleet.begin_listening("id-n1")
    world.clock.advance(500)
    during_s = world.fleet.node("n1").last_seen_at_s
    world.fleet.end_listening("id-n1")
    ended_s = world.now_s
    world.clock.advance(500)

    assert during_s == ended_s
    assert world.fleet.node("n1").last_seen_at_s == ended_s
