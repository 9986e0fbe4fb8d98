"""Orders from people, and trouble at the hub: pause, resume, promote, abort, kill, a full disk."""

import pytest

from ganglion.core.errors import Conflict, InvalidRequest, NotFound
from ganglion.ports.people_store import AuditQuery
from ganglion.testing.fleet_node import Habit
from ganglion.testing.fleet_world import GATE, FleetWorld, serving_fleet
from ganglion.wire.rollout_resources import RolloutView


@pytest.fixture
def world() -> FleetWorld:
    return serving_fleet()


def started(world: FleetWorld) -> RolloutView:
    world.release("2")
    return world.start("2", ["34%", "100%"])


def canary(view: RolloutView) -> str:
    (name,) = view.stages[0].nodes
    return name


def test_a_paused_rollout_holds_the_next_stage_until_it_is_resumed(world: FleetWorld) -> None:
    view = started(world)
    world.rollouts.pause(view.rollout_id, actor="ada", reason="lunch")

    world.step(30)
    held = world.rollouts.get(view.rollout_id)
    world.rollouts.resume(view.rollout_id, actor="ada", reason="back")
    view = world.finish(view)

    assert (held.state, held.stage, held.stages[0].verdict) == ("paused", 0, "go_on")
    assert view.state == "completed"


def test_a_paused_rollout_is_still_aborted_when_its_version_goes_bad(world: FleetWorld) -> None:
    view = started(world)
    world.step(4)
    world.rollouts.pause(view.rollout_id, actor="ada")

    world.habits["2"] = Habit(errors=0.9)
    view = world.finish(view)

    assert view.state == "aborted"


def test_a_pause_lasts_as_long_as_it_likes_without_reaching_the_deadline(world: FleetWorld) -> None:
    view = started(world)
    world.nodes[canary(view)].online = False
    world.rollouts.pause(view.rollout_id, actor="ada")

    world.clock.advance(10 * GATE.deadline_s)
    world.step()
    world.rollouts.resume(view.rollout_id, actor="ada")
    world.settle(steps=1)

    assert world.rollouts.get(view.rollout_id).state == "running"


@pytest.mark.parametrize("action", ["pause", "abort"])
def test_an_order_given_twice_counts_once(world: FleetWorld, action: str) -> None:
    view = started(world)
    act = getattr(world.rollouts, action)

    once = act(view.rollout_id, actor="ada", reason="first")
    twice = act(view.rollout_id, actor="ada", reason="second")

    assert twice == once


def test_a_promotion_starts_the_next_stage_at_once_and_a_repeated_one_does_not_skip_another(world: FleetWorld) -> None:
    world.release("2")
    view = world.start("2", ["1", "2", "100%"])

    once = world.rollouts.promote(view.rollout_id, actor="ada", reason="seen it work", stage=0)
    twice = world.rollouts.promote(view.rollout_id, actor="ada", reason="seen it work", stage=0)

    assert (once.stage, twice) == (1, once)
    assert list(world.desired_versions().values()).count("2") == 2


def test_an_ended_rollout_refuses_orders_and_says_why(world: FleetWorld) -> None:
    view = world.finish(started(world))

    with pytest.raises(Conflict, match="the rollout is completed: pause is not possible"):
        world.rollouts.pause(view.rollout_id, actor="ada")


@pytest.mark.parametrize("action", ["pause", "resume", "abort", "promote", "approve", "skip", "retry"])
def test_a_reason_that_would_fill_the_history_is_refused(world: FleetWorld, action: str) -> None:
    view = started(world)

    with pytest.raises(InvalidRequest, match="at most 500 characters"):
        getattr(world.rollouts, action)(view.rollout_id, actor="ada", reason="x" * 501)

    assert world.rollouts.get(view.rollout_id).history == view.history


def test_an_unknown_rollout_is_not_found(world: FleetWorld) -> None:
    with pytest.raises(NotFound):
        world.rollouts.get("nothing")
    with pytest.raises(NotFound):
        world.rollouts.abort("nothing", actor="ada")


def test_rollouts_are_listed_newest_first(world: FleetWorld) -> None:
    started(world)

    assert [view.version for view in world.rollouts.list()] == ["2", "1"]


def test_every_order_reaches_the_audit_trail_also_when_the_history_is_full(world: FleetWorld) -> None:
    view = started(world)

    for _ in range(110):
        world.rollouts.pause(view.rollout_id, actor="ada")
        world.rollouts.resume(view.rollout_id, actor="ada")

    with world.control.read() as tx:
        links = tx.audit(AuditQuery(subject=view.rollout_id, limit=1000))
    assert [link.action for link in links].count("rollout.paused") == 110
    assert [link.action for link in links].count("rollout.resumed") == 110


# --- trouble --------------------------------------------------------------------------------------


def test_a_hub_that_was_killed_goes_on_where_it_was(world: FleetWorld) -> None:
    view = started(world)
    for _ in range(60):
        world.restarted_hub()
        world.step()

    assert world.rollouts.get(view.rollout_id).state == "completed"


def test_an_operators_word_during_a_look_wins_over_what_the_look_decided(
    world: FleetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = started(world)
    world.step(5)
    undisturbed = world.telemetry.read

    def aborted_meanwhile() -> object:
        world.rollouts.abort(view.rollout_id, actor="ada", reason="stop")
        return undisturbed()

    monkeypatch.setattr(world.telemetry, "read", aborted_meanwhile)
    world.rollouts.tick()

    assert world.rollouts.get(view.rollout_id).state == "aborted"
    assert set(world.desired_versions().values()) == {"1"}


def test_a_full_disk_stores_neither_the_decision_nor_its_effects(world: FleetWorld) -> None:
    view = started(world)
    world.step(2)
    world.control.disk_full = True
    before = world.desired_versions()
    world.clock.advance(GATE.deadline_s * 2)

    world.rollouts.tick()

    assert world.rollouts.get(view.rollout_id).state == "running"
    assert world.desired_versions() == before


def test_a_verdict_whose_figures_alone_change_is_not_written_at_every_look(world: FleetWorld) -> None:
    view = started(world)
    world.step(2)
    world.rollouts.tick()
    before = world.rollouts.get(view.rollout_id)

    world.clock.advance(0.6)
    world.rollouts.tick()
    soon_after = world.rollouts.get(view.rollout_id)
    world.clock.advance(2.0)
    world.rollouts.tick()

    assert "soak 5 of 10 s" in before.stages[0].verdict_reason
    assert soon_after == before
    assert "soak 8 of 10 s" in world.rollouts.get(view.rollout_id).stages[0].verdict_reason
