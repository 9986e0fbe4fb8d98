"""Rollouts that wait: for their time, for their turn, for people."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ganglion.core.errors import Conflict, InvalidRequest
from ganglion.core.identity_errors import Forbidden
from ganglion.hub.services.rollouts import planning as rollout_planning
from ganglion.ports.people_store import AuditQuery, AuditRow
from ganglion.testing.fleet_laws import versions
from ganglion.testing.fleet_world import FleetWorld, request_of, serving_fleet
from ganglion.wire.rollout_resources import RolloutRequest, RolloutView


@pytest.fixture
def world() -> FleetWorld:
    world = serving_fleet()
    world.release("2")
    world.release("3")
    return world


def start(world: FleetWorld, request: RolloutRequest) -> RolloutView:
    return world.rollouts.start(request, actor="ada")


def state(world: FleetWorld, view: RolloutView) -> str:
    return world.rollouts.get(view.rollout_id).state


def acts(world: FleetWorld, action: str) -> list[str]:
    return [row.actor for row in trail(world) if row.action == f"rollout.{action}"]


def trail(world: FleetWorld) -> Sequence[AuditRow]:
    with world.control.read() as tx:
        return list(reversed(tx.audit(AuditQuery(limit=1000))))


# --- a start at a time ----------------------------------------------------------------------------


def test_a_rollout_begins_at_its_time_and_gives_nobody_anything_before(world: FleetWorld) -> None:
    view = start(world, replace(request_of("2"), starts_at_s=world.now_s + 100.0))

    world.step(19)
    before, given = state(world, view), set(world.desired_versions().values())
    world.step(3)

    assert (view.state, before, given) == ("scheduled", "scheduled", {"1"})
    assert state(world, view) == "running"
    assert list(world.desired_versions().values()).count("2") == 1


def test_a_time_that_is_over_is_now(world: FleetWorld) -> None:
    assert start(world, replace(request_of("2"), starts_at_s=1.0)).state == "running"


def test_it_is_planned_again_when_it_begins(world: FleetWorld) -> None:
    view = start(world, replace(request_of("2", ["100%"]), starts_at_s=world.now_s + 100.0))
    world.join("n4")

    world.clock.advance(200.0)
    world.step()

    assert "n4" in world.rollouts.get(view.rollout_id).stages[0].nodes


def test_what_cannot_begin_any_more_ends_and_says_why(world: FleetWorld) -> None:
    world.group("canary", nodes=["n1"])
    view = start(world, replace(request_of("2", ["100%"]), to="group:canary", starts_at_s=world.now_s + 100.0))
    with world.control.write() as tx:
        tx.remove_document("group", "canary")

    world.clock.advance(200.0)
    world.step()

    ended = world.rollouts.get(view.rollout_id)
    assert ended.state == "aborted"
    assert ended.reason == "it could not begin: there is no group 'canary'"


def test_a_scheduled_one_does_not_keep_others_from_starting(world: FleetWorld) -> None:
    start(world, replace(request_of("2"), starts_at_s=world.now_s + 1e6))

    assert start(world, request_of("3")).state == "running"


def test_a_scheduled_one_whose_time_finds_another_open_is_refused_then_as_declared(world: FleetWorld) -> None:
    later = start(world, replace(request_of("2"), starts_at_s=world.now_s + 5.0))
    open_one = start(world, request_of("3"))

    world.step(3)

    ended = world.rollouts.get(later.rollout_id)
    assert ended.state == "aborted"
    assert ended.reason == f"the rollout {open_one.rollout_id} of meter:3 is still running"


def test_a_hub_that_was_killed_still_begins_at_the_time(world: FleetWorld) -> None:
    view = start(world, replace(request_of("2"), starts_at_s=world.now_s + 20.0))

    for _ in range(60):
        world.restarted_hub()
        world.step()

    assert state(world, view) == "completed"


# --- one after the other --------------------------------------------------------------------------


def test_a_queued_one_begins_by_itself_when_the_one_before_it_has_ended(world: FleetWorld) -> None:
    first = start(world, request_of("2"))
    second = start(world, replace(request_of("3"), if_busy="queue"))

    queued = world.rollouts.get(second.rollout_id)
    world.step(60)

    assert (queued.state, queued.place) == ("queued", 1)
    assert queued.reason == f"the rollout {first.rollout_id} of meter:2 is still running"
    assert (state(world, first), state(world, second)) == ("completed", "completed")
    assert set(versions(world).values()) == {"3"}


def test_the_line_is_kept_and_shown(world: FleetWorld) -> None:
    start(world, request_of("2"))
    second = start(world, replace(request_of("3"), if_busy="queue"))
    world.clock.advance(1.0)
    third = start(world, replace(request_of("1"), if_busy="queue"))

    places = [world.rollouts.get(view.rollout_id).place for view in (second, third)]
    world.rollouts.abort(second.rollout_id, actor="ada")

    assert places == [1, 2]
    assert world.rollouts.get(third.rollout_id).place == 1


def test_at_most_one_rollout_of_a_model_is_ever_under_way(world: FleetWorld) -> None:
    views = [start(world, replace(request_of(each), if_busy="queue")) for each in ("2", "3", "1", "2")]

    for _ in range(150):
        world.step()
        states = [state(world, view) for view in views]
        assert sum(each in ("running", "paused", "awaiting_approval") for each in states) <= 1

    assert states == ["completed"] * 4


def test_the_line_has_an_end(world: FleetWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout_planning, "OPEN_MAX", 2)
    for _ in range(2):
        start(world, replace(request_of("2"), if_busy="queue"))

    with pytest.raises(Conflict, match="2 rollouts of meter wait or run"):
        start(world, replace(request_of("2"), if_busy="queue"))


def test_nobody_overtakes_those_who_queue(world: FleetWorld) -> None:
    first = start(world, replace(request_of("2"), approvals=1))
    second = start(world, replace(request_of("3"), if_busy="queue"))

    with pytest.raises(Conflict, match=f"the rollout {first.rollout_id} of meter:2 is still awaiting_approval"):
        start(world, request_of("1"))
    assert state(world, second) == "queued"


# --- four eyes ------------------------------------------------------------------------------------


def test_every_stage_waits_for_somebody_else(world: FleetWorld) -> None:
    view = start(world, replace(request_of("2"), approvals=1))
    asked, untouched = view.state, set(world.desired_versions().values())

    first = world.rollouts.approve(view.rollout_id, actor="bob", reason="read the report")
    world.step(20)
    between = world.rollouts.get(view.rollout_id)
    world.rollouts.approve(view.rollout_id, actor="bob")
    ended = world.finish(view)

    assert (asked, untouched) == ("awaiting_approval", {"1"})
    assert (first.state, first.stage, first.stages[0].approved_by) == ("running", 0, ["bob"])
    assert (between.state, between.stage, between.stages[1].approvals_missing) == ("awaiting_approval", 0, 1)
    assert ended.state == "completed"
    assert acts(world, "approved") == ["bob", "bob"]


def test_two_approvals_are_two_people(world: FleetWorld) -> None:
    view = start(world, replace(request_of("2"), approvals=2))

    world.rollouts.approve(view.rollout_id, actor="bob")
    again = world.rollouts.approve(view.rollout_id, actor="bob")
    enough = world.rollouts.approve(view.rollout_id, actor="cyd")

    assert (again.state, enough.state) == ("awaiting_approval", "running")
    with pytest.raises(Forbidden):
        world.rollouts.approve(view.rollout_id, actor="ada")


def test_a_stage_can_be_approved_ahead_of_time(world: FleetWorld) -> None:
    view = start(world, replace(request_of("2"), approvals=1))

    world.rollouts.approve(view.rollout_id, actor="bob", stage=1)
    world.rollouts.approve(view.rollout_id, actor="bob", stage=0)

    assert world.finish(view).state == "completed"


def test_a_rollout_that_waits_for_people_can_be_paused_resumed_and_aborted(world: FleetWorld) -> None:
    view = start(world, replace(request_of("2"), approvals=1))

    paused = world.rollouts.pause(view.rollout_id, actor="ada").state
    resumed = world.rollouts.resume(view.rollout_id, actor="ada").state
    aborted = world.rollouts.abort(view.rollout_id, actor="ada").state

    assert (paused, resumed, aborted) == ("paused", "awaiting_approval", "aborted")


# --- emergencies and deadlines --------------------------------------------------------------------


def test_an_emergency_neither_soaks_nor_asks_and_says_so(world: FleetWorld) -> None:
    urgent = replace(request_of("2"), approvals=2, emergency=True, reason="the old one opens doors")

    view = start(world, urgent)
    ended = world.finish(view, steps=20)

    assert (view.state, ended.state) == ("running", "completed")
    assert ended.limits.emergency
    assert "as an emergency: no soak, no approvals; the old one opens doors" in ended.history[0].reason
    assert all(b"emergency" in row.document for row in trail(world) if row.subject == view.rollout_id)


def test_an_emergency_is_still_aborted_by_what_aborts(world: FleetWorld) -> None:
    world.habits["2"] = replace(world.habits["2"], errors=0.5)

    view = start(world, replace(request_of("2"), emergency=True, reason="now"))

    assert world.finish(view).state == "aborted"


@pytest.mark.parametrize("reason", ["", "   "])
def test_an_emergency_needs_a_reason(world: FleetWorld, reason: str) -> None:
    with pytest.raises(InvalidRequest, match="an emergency needs a reason"):
        start(world, replace(request_of("2"), emergency=True, reason=reason))


@pytest.mark.parametrize(("act", "expected"), [("pause", "paused"), ("abort", "aborted")])
def test_what_is_not_done_by_the_deadline_pauses_or_aborts_as_declared(
    world: FleetWorld, act: str, expected: str
) -> None:
    slow = replace(request_of("2"), deadline_at_s=world.now_s + 12.0, deadline_act=act)

    view = start(world, slow)
    world.step(4)

    assert state(world, view) == expected
    assert "not done by its deadline" in world.rollouts.get(view.rollout_id).reason


def test_a_deadline_that_is_over_is_refused_by_a_plan_too(world: FleetWorld) -> None:
    with pytest.raises(InvalidRequest, match="over already"):
        world.rollouts.plan(replace(request_of("2"), deadline_at_s=world.now_s - 1))


def test_a_deadline_that_is_over_is_refused(world: FleetWorld) -> None:
    with pytest.raises(InvalidRequest, match="the deadline is over already"):
        start(world, replace(request_of("2"), deadline_at_s=world.now_s))


def test_a_person_may_go_on_after_the_deadline(world: FleetWorld) -> None:
    view = start(world, replace(request_of("2"), deadline_at_s=world.now_s + 12.0))
    world.step(4)

    world.rollouts.resume(view.rollout_id, actor="ada")

    assert world.finish(view).state == "completed"
