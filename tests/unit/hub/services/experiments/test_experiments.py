"""Experiments over a small simulated fleet: ten nodes that serve version 1, and a version 2 that may be better."""

from dataclasses import replace

import msgspec
import pytest

from ganglion.core.errors import Conflict, InvalidRequest, NotFound
from ganglion.hub.domain.declared.resources import Declared
from ganglion.hub.domain.fleet.specs import RolloutPolicySpec
from ganglion.hub.domain.rollouts.request import RESTORE_POLICY
from ganglion.hub.services.declared import documents as declared_documents
from ganglion.hub.services.experiments.experiments import Experiments
from ganglion.hub.services.organisation.places import Author
from ganglion.ports.people_store import AuditQuery
from ganglion.testing.fleet_laws import versions
from ganglion.testing.fleet_node import Habit
from ganglion.testing.fleet_world import FACTS, MODEL, PROBATION, FleetWorld
from ganglion.wire.experiment_resources import (
    ArmRequest,
    ArmResult,
    ExperimentAction,
    ExperimentRequest,
    ExperimentView,
    MetricResult,
)
from ganglion.wire.rollout_resources import RolloutView

REQUEST = ExperimentRequest(name="two-or-one", model=MODEL, control="1", arms=[ArmRequest("2")], probation=PROBATION)
ARMV7 = msgspec.structs.replace(FACTS, arch="armv7")
WON = ExperimentAction(reason="fewer errors", winner="2", stages=["1", "100%"])


class Laboratory(FleetWorld):
    """A fleet of ten nodes that serve version 1, and the experiments of its hub."""

    def __init__(self) -> None:
        super().__init__()
        for number in range(10):
            self.join(f"n{number}", site="north" if number % 2 else "south")
        self.release("1", Habit(errors=0.02))
        assert self.finish(self.start("1", ["100%"])).state == "completed"
        self.experiments = self.experiments_of_restarted_hub()

    def experiments_of_restarted_hub(self) -> Experiments:
        """Return the service of a hub that has just started on the same stores."""
        self.experiments = Experiments(
            control=self.control,
            telemetry=self.telemetry,
            desired=self.desired,
            rollouts=self.restarted_hub(),
            clock=self.clock,
            chance=self.chance,
        )
        return self.experiments

    def begin(self, request: ExperimentRequest = REQUEST, *habits: Habit) -> ExperimentView:
        """Release the challengers, declare the experiment and start it."""
        for arm, habit in zip(request.arms, [*habits, *[Habit(errors=0.02)] * 9], strict=False):
            self.release(arm.version, habit)
        self.experiments.create(request, actor="ana")
        return self.experiments.start(request.name, actor="ana")

    def live(self, steps: int) -> ExperimentView:
        """Let time pass, and return the experiment."""
        for _ in range(steps):
            self.step()
            self.experiments.tick()
        return self.experiments.get(REQUEST.name)

    def audited(self) -> list[str]:
        """Return what the audit chain says of experiments, oldest first."""
        with self.control.read() as tx:
            rows = tx.audit(AuditQuery(newest_first=False))
        return [row.action for row in rows if row.action.startswith("experiment.")]


@pytest.fixture
def world() -> Laboratory:
    return Laboratory()


def metric(arm: ArmResult, name: str = "error_rate") -> MetricResult:
    return next(each for each in arm.metrics if each.metric == name)


def rollout_of(world: Laboratory, view: ExperimentView) -> RolloutView:
    return world.rollouts.get(view.rollout_id)


# --- start ----------------------------------------------------------------------------------------


def test_a_draft_touches_no_node(world: Laboratory) -> None:
    world.release("2")
    world.woken.clear()

    view = world.experiments.create(REQUEST, actor="ana")

    assert (view.state, view.started_at_s, world.woken) == ("draft", None, [])
    assert set(world.desired_versions().values()) == {"1"}


def test_a_start_gives_a_challengers_nodes_its_version_and_the_controls_nothing(world: Laboratory) -> None:
    world.woken.clear()

    view = world.begin()

    control, challenger = view.arms
    assert (control.nodes, challenger.nodes) == (5, 5)
    assert {name for name, version in world.desired_versions().items() if version == "2"} == set(challenger.node_names)
    assert set(world.woken) == {f"id-{name}" for name in challenger.node_names}


def test_several_challengers_have_their_shares(world: Laboratory) -> None:
    request = replace(REQUEST, arms=[ArmRequest("2", 0.3), ArmRequest("3", 0.2)])

    world.begin(request)
    world.live(6)

    assert sorted(versions(world).values()) == ["1"] * 5 + ["2"] * 3 + ["3"] * 2


def test_saying_start_twice_is_saying_it_once(world: Laboratory) -> None:
    first = world.begin()

    assert world.experiments.start(REQUEST.name, actor="ben") == first
    assert world.audited() == ["experiment.created", "experiment.started"]


def test_who_cannot_take_part_is_left_out_and_told_why(world: Laboratory) -> None:
    world.join("new")
    world.join("board", facts=ARMV7)
    world.step()
    world.release("2", arch="x86_64")

    view = world.begin()

    assert view.left_out["board"] == "no variant of 2 fits it"
    assert "new" not in view.left_out, "a node that joined has the fleet's version, and takes part"


def test_nodes_that_do_not_serve_the_control_take_no_part(world: Laboratory) -> None:
    world.release("0")
    view = world.begin(replace(REQUEST, arms=[ArmRequest("2")], to="", select="site=south"))

    assert view.arms[0].nodes + view.arms[1].nodes == 5
    world.experiments.stop(REQUEST.name, actor="ana")
    with pytest.raises(Conflict, match="0 nodes can take part"):
        world.begin(replace(REQUEST, name="other", control="0"))


def test_versions_and_groups_that_are_missing_are_refused_at_the_start(world: Laboratory) -> None:
    world.experiments.create(REQUEST, actor="ana")
    with pytest.raises(NotFound, match="meter:2 was not released"):
        world.experiments.start(REQUEST.name, actor="ana")

    world.release("2")
    world.experiments.create(replace(REQUEST, to="group:nobody"), actor="ana")
    with pytest.raises(NotFound, match="nobody"):
        world.experiments.start(REQUEST.name, actor="ana")
    assert world.experiments.get(REQUEST.name).state == "draft"


def test_an_experiment_and_an_open_rollout_of_the_model_exclude_each_other(world: Laboratory) -> None:
    world.release("2")
    world.experiments.create(REQUEST, actor="ana")
    rollout = world.start("2", ["1", "100%"])

    with pytest.raises(Conflict, match=f"the rollout {rollout.rollout_id} of meter:2 is still running"):
        world.experiments.start(REQUEST.name, actor="ana")
    world.rollouts.abort(rollout.rollout_id, actor="ana")
    world.live(4)
    world.experiments.start(REQUEST.name, actor="ana")

    with pytest.raises(Conflict, match="the experiment two-or-one with meter is running"):
        world.start("2", ["1", "100%"])
    world.experiments.create(replace(REQUEST, name="second"), actor="ana")
    with pytest.raises(Conflict, match="the experiment two-or-one with meter is running"):
        world.experiments.start("second", actor="ana")


# --- what it shows --------------------------------------------------------------------------------


def test_fewer_errors_are_found_to_be_better_and_what_is_equal_stays_open(world: Laboratory) -> None:
    world.begin(REQUEST, Habit(errors=0.0))

    view = world.live(120)

    found = metric(view.arms[1])
    assert (found.finding, metric(view.arms[1], "confidence").finding) == ("better", "open")
    assert found.difference_low is not None
    assert found.difference_high is not None
    assert found.difference_low < -0.02 < found.difference_high < 0.0
    assert view.arms[1].requests > 1000


def test_nothing_is_said_before_the_smallest_sample(world: Laboratory) -> None:
    world.begin(replace(REQUEST, requests_min=100_000), Habit(errors=0.0))

    found = metric(world.live(30).arms[1])

    assert (found.finding, found.difference) == ("too_early", None)


def test_the_control_is_compared_with_nobody(world: Laboratory) -> None:
    world.begin()

    control = world.live(30).arms[0]

    assert control.is_control
    assert {each.finding for each in control.metrics} == {""}
    assert all(each.low is not None and each.low <= each.mean for each in control.metrics)


# --- its end --------------------------------------------------------------------------------------


def test_the_end_gives_every_node_back_what_it_had_without_a_trial(world: Laboratory) -> None:
    view = world.begin()
    world.live(6)
    assert sorted(versions(world).values()) == ["1"] * 5 + ["2"] * 5

    stopped = world.experiments.stop(REQUEST.name, actor="ana", reason="enough")
    (wish,) = world.desired.state_of(f"id-{view.arms[1].node_names[0]}").assignments
    world.live(3)

    assert (stopped.state, stopped.reason, stopped.winner) == ("stopped", "enough", "")
    assert (wish.version, wish.policy) == ("1", RESTORE_POLICY)
    assert set(versions(world).values()) == {"1"}


def test_a_node_that_was_away_at_the_end_goes_back_when_it_returns(world: Laboratory) -> None:
    view = world.begin()
    world.live(6)
    away = world.nodes[view.arms[1].node_names[0]]
    away.online = False

    world.experiments.conclude(REQUEST.name, replace(WON, winner="1"), actor="ana")
    world.clock.advance(30 * 86_400)
    world.live(2)
    assert versions(world)[away.name] == "2"
    away.online = True
    world.live(3)

    assert set(versions(world).values()) == {"1"}


def test_what_was_known_at_the_end_is_kept(world: Laboratory) -> None:
    world.begin(REQUEST, Habit(errors=0.0))
    world.live(60)

    stopped = world.experiments.stop(REQUEST.name, actor="ana")
    world.live(30)

    assert stopped.arms[1].requests > 0
    assert world.experiments.get(REQUEST.name).arms == stopped.arms


def test_a_winner_is_rolled_out_through_the_gate(world: Laboratory) -> None:
    world.begin(REQUEST, Habit(errors=0.0))
    world.live(30)

    view = world.experiments.conclude(REQUEST.name, WON, actor="ana")

    rollout = rollout_of(world, view)
    assert (view.state, view.winner) == ("concluded", "2")
    assert (rollout.state, rollout.stage, rollout.version) == ("running", 0, "2")
    assert rollout.history[0].reason == "meter:2; winner of the experiment two-or-one: fewer errors"
    wanted = world.desired_versions()
    assert {name for name, version in wanted.items() if version == "2"} == set(rollout.stages[0].nodes)
    assert world.finish(rollout).state == "completed"
    assert set(versions(world).values()) == {"2"}


def test_a_winner_is_rolled_out_by_the_policy_that_is_named(world: Laboratory) -> None:
    policy = Declared("RolloutPolicy", "careful", RolloutPolicySpec(stages=("30%", "100%"), approvals=1))
    with world.control.write() as tx:
        declared_documents.put(tx, policy, by=Author(world.clock, "ana"))
    world.begin()

    view = world.experiments.conclude(REQUEST.name, replace(WON, policy="careful"), actor="ana")

    rollout = rollout_of(world, view)
    assert (rollout.state, [stage.share for stage in rollout.stages]) == ("awaiting_approval", ["30%", "100%"])
    assert set(world.desired_versions().values()) == {"1"}


def test_a_conclusion_by_a_policy_that_is_not_there_changes_nothing(world: Laboratory) -> None:
    world.begin()

    with pytest.raises(NotFound, match="no policy of rollouts 'careful'"):
        world.experiments.conclude(REQUEST.name, replace(WON, policy="careful"), actor="ana")

    assert world.experiments.get(REQUEST.name).state == "running"


def test_a_winner_that_fails_at_the_gate_goes_back_to_the_control_everywhere(world: Laboratory) -> None:
    world.begin()
    world.live(6)
    view = world.experiments.conclude(REQUEST.name, WON, actor="ana")

    world.rollouts.abort(view.rollout_id, actor="ben")
    world.settle(steps=4)

    assert set(versions(world).values()) == {"1"}


def test_a_winning_control_is_not_rolled_out(world: Laboratory) -> None:
    world.begin()

    view = world.experiments.conclude(REQUEST.name, replace(WON, winner="1"), actor="ana")

    assert (view.state, view.winner, view.rollout_id) == ("concluded", "1", "")


def test_a_conclusion_without_a_reason_or_for_no_arm_or_with_bad_stages_changes_nothing(world: Laboratory) -> None:
    world.begin()
    before = world.desired_versions()

    for action, told in (
        (replace(WON, reason=" "), "needs a reason"),
        (replace(WON, winner="7"), "one of the arms: 1, 2"),
        (replace(WON, stages=["34%"]), "end with '100%'"),
    ):
        with pytest.raises(InvalidRequest, match=told):
            world.experiments.conclude(REQUEST.name, action, actor="ana")

    assert world.experiments.get(REQUEST.name).state == "running"
    assert world.desired_versions() == before
    assert len(world.rollouts.list()) == 1


def test_ending_twice_is_ending_once_and_another_end_is_refused(world: Laboratory) -> None:
    world.begin()
    first = world.experiments.conclude(REQUEST.name, WON, actor="ana")

    assert world.experiments.conclude(REQUEST.name, WON, actor="ana") == first
    with pytest.raises(Conflict, match="a winner was named"):
        world.experiments.conclude(REQUEST.name, replace(WON, winner="1"), actor="ana")
    with pytest.raises(Conflict, match="a winner was named"):
        world.experiments.stop(REQUEST.name, actor="ana")
    with pytest.raises(Conflict, match="already, and it is concluded"):
        world.experiments.create(REQUEST, actor="ana")
    assert world.audited() == ["experiment.created", "experiment.started", "experiment.concluded"]


def test_it_ends_by_itself_when_its_time_is_over_also_after_a_restart(world: Laboratory) -> None:
    world.begin(replace(REQUEST, length_s=3600.0))
    world.live(6)
    world.experiments_of_restarted_hub()

    world.clock.advance(3600.0)
    view = world.live(4)

    assert (view.state, view.reason) == ("stopped", "its time is over")
    assert set(versions(world).values()) == {"1"}


@pytest.mark.parametrize(
    ("habit", "told"),
    [
        (Habit(errors=0.3), "errors in"),
        (Habit(refusal=1.0), "of 5 nodes rolled back unasked"),
        (Habit(latency_us=4000), "times the control's"),
        (Habit(confidence=0.6), "below the control's"),
    ],
)
def test_its_guard_ends_it_and_says_why(world: Laboratory, habit: Habit, told: str) -> None:
    world.begin(REQUEST, habit)

    view = world.live(40)
    world.live(4)

    assert view.state == "stopped"
    assert view.reason.startswith("2: ")
    assert told in view.reason
    assert set(versions(world).values()) == {"1"}


def test_a_sound_challenger_is_not_ended_by_the_guard(world: Laboratory) -> None:
    world.begin()

    assert world.live(200).state == "running"


def test_a_hub_that_restarts_in_the_middle_goes_on_with_the_same_arms(world: Laboratory) -> None:
    before = world.begin()
    world.live(4)

    world.experiments_of_restarted_hub()
    after = world.live(20)

    assert [arm.node_names for arm in after.arms] == [arm.node_names for arm in before.arms]
    assert [arm.serving for arm in after.arms] == [5, 5]
