"""Experiments inside of nodes: control and challenger work on the same machines, in the same hours."""

import json
from dataclasses import replace

import pytest

from ganglion.core.errors import Conflict, InvalidRequest
from ganglion.ports.people_store import AuditQuery
from ganglion.testing.fleet_laws import versions
from ganglion.testing.fleet_node import Habit
from ganglion.testing.fleet_world import MODEL
from ganglion.wire.experiment_resources import ArmRequest, ExperimentGuard, ExperimentRequest, ExperimentView
from unit.hub.services.experiments.test_experiments import REQUEST, WON, Laboratory, metric

SPLIT = replace(REQUEST, mode="traffic", share=0.25)
HALVES = replace(REQUEST, mode="traffic", share=0.5)
HEARD = replace(REQUEST, mode="shadow", share=0.5, metric="confidence")


@pytest.fixture
def world() -> Laboratory:
    return Laboratory()


def finding(view: ExperimentView, name: str) -> str:
    return metric(view.arms[1], name).finding


# --- start ----------------------------------------------------------------------------------------


def test_every_node_takes_part_with_both_versions_and_goes_on_with_the_control(world: Laboratory) -> None:
    view = world.begin(SPLIT)
    world.live(6)

    view = world.experiments.get(REQUEST.name)
    assert [(arm.version, arm.share, arm.nodes, arm.serving) for arm in view.arms] == [
        ("1", 0.75, 10, 10),
        ("2", 0.25, 10, 10),
    ]
    assert view.arms[0].node_names == view.arms[1].node_names
    assert set(versions(world).values()) == {"1"}
    (status,) = world.fleet.node("n0").models
    assert (status.version, status.shares) == ("1", {"1": 0.75, "2": 0.25})


def test_a_node_is_told_to_hold_the_version_and_what_share_it_gets(world: Laboratory) -> None:
    world.begin(SPLIT)
    (wish,) = world.desired.state_of("id-n0").assignments

    assert (wish.version, wish.policy.held, wish.policy.traffic_share) == ("2", True, 0.25)


def test_the_audit_chain_names_the_mode_and_the_share(world: Laboratory) -> None:
    world.begin(SPLIT)

    with world.control.read() as tx:
        facts = [
            json.loads(row.document)["facts"] for row in tx.audit(AuditQuery()) if row.action == "experiment.started"
        ]

    assert [fact["mode"] for fact in facts] == ["traffic, 25.0%"]


def test_in_the_shadow_a_node_is_told_which_share_of_the_inputs_it_hears(world: Laboratory) -> None:
    world.begin(HEARD)
    (wish,) = world.desired.state_of("id-n0").assignments

    assert (wish.policy.held, wish.policy.traffic_share, wish.policy.compare_share) == (True, 0.0, 0.5)


def test_a_node_that_joins_later_takes_no_part(world: Laboratory) -> None:
    world.begin(SPLIT)

    world.join("late")
    world.live(6)

    assert world.experiments.get(REQUEST.name).arms[1].nodes == 10
    assert world.desired_versions()["late"] == "1"


def test_a_rollout_of_the_model_and_a_split_of_its_traffic_exclude_each_other(world: Laboratory) -> None:
    world.begin(SPLIT)

    with pytest.raises(Conflict, match="two-or-one"):
        world.start("2")


def test_without_a_node_that_fits_it_does_not_start(world: Laboratory) -> None:
    with pytest.raises(Conflict, match="0 nodes can take part"):
        world.begin(replace(SPLIT, select="site=nowhere"))


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (replace(SPLIT, mode="magic"), "mode is 'magic'; it is one of nodes, traffic, shadow"),
        (replace(SPLIT, share=0.0), "share is 0; in mode traffic"),
        (replace(SPLIT, share=1.0), "share is 1; in mode traffic"),
        (replace(SPLIT, share=float("nan")), "share is nan"),
        (replace(SPLIT, arms=[ArmRequest("2"), ArmRequest("3")]), "one challenger"),
        (replace(SPLIT, arms=[ArmRequest("2", 0.5)]), "share says which part of the requests"),
        (replace(REQUEST, share=0.2), "share is that of the requests"),
        (replace(HEARD, metric="error_rate"), "cannot compare error_rate"),
        (replace(HEARD, metric="accuracy"), "cannot compare accuracy"),
        (replace(HEARD, probation=replace(HEARD.probation, shadow_cpu_share=0.0)), "shadow_cpu_share above 0"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_declared(
    world: Laboratory, request_: ExperimentRequest, told: str
) -> None:
    with pytest.raises(InvalidRequest, match=told):
        world.experiments.create(request_, actor="ana")


# --- what it shows --------------------------------------------------------------------------------


def test_fewer_errors_are_found_by_comparing_each_node_with_itself(world: Laboratory) -> None:
    world.begin(HALVES, Habit(errors=0.0))

    view = world.live(150)

    assert (finding(view, "error_rate"), finding(view, "latency")) == ("better", "open")
    assert view.arms[1].requests == pytest.approx(view.arms[0].requests, rel=0.1)


def test_what_a_challenger_says_beside_the_control_is_told_with_its_interval(world: Laboratory) -> None:
    world.begin(SPLIT, Habit(errors=0.02, agreement=0.9))

    view = world.live(60)

    found = metric(view.arms[1], "agreement")
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.9 < found.high
    assert (found.difference, found.finding) == (None, "")
    assert view.arms[1].compared > 0
    assert view.arms[0].compared == 0


def test_what_only_listens_is_compared_by_confidence_latency_and_agreement(world: Laboratory) -> None:
    world.begin(HEARD, Habit(confidence=0.83, latency_us=850, agreement=0.95))

    view = world.live(60)

    control, challenger = view.arms
    assert [each.metric for each in challenger.metrics] == ["confidence", "latency", "agreement"]
    assert (finding(view, "confidence"), finding(view, "latency")) == ("worse", "better")
    assert (control.serving, challenger.serving, challenger.errors) == (10, 10, 0)
    assert 0 < challenger.requests < control.requests
    assert set(versions(world).values()) == {"1"}


def test_an_equal_challenger_stays_open(world: Laboratory) -> None:
    world.begin(HALVES)

    view = world.live(100)

    assert {each.finding for each in view.arms[1].metrics} == {"open", ""}


# --- its end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [SPLIT, HEARD])
def test_the_end_leaves_every_node_with_the_control_alone(world: Laboratory, request_: ExperimentRequest) -> None:
    world.begin(request_)
    world.live(6)
    world.nodes["n3"].online = False

    world.experiments.stop(REQUEST.name, actor="ana")
    world.live(3)
    away = world.nodes["n3"]
    assert away.update is not None
    assert away.update.version == "2"
    world.settle(steps=2)

    assert set(versions(world).values()) == {"1"}
    assert all(node.update is None for node in world.nodes.values())
    assert not any(node.report().models[0].shares for node in world.nodes.values())


def test_a_winner_of_a_split_is_rolled_out_through_the_gate(world: Laboratory) -> None:
    world.begin(SPLIT, Habit(errors=0.0))
    world.live(30)

    view = world.experiments.conclude(REQUEST.name, WON, actor="ana")

    rollout = world.rollouts.get(view.rollout_id)
    assert (view.state, rollout.state, rollout.version) == ("concluded", "running", "2")
    assert world.finish(rollout).state == "completed"
    assert set(versions(world).values()) == {"2"}


@pytest.mark.parametrize(
    ("request_", "habit", "told"),
    [
        (SPLIT, Habit(errors=0.3), "errors in"),
        (SPLIT, Habit(latency_us=4000), "times the control's"),
        (SPLIT, Habit(refusal=0.2), "of 10 nodes rolled back unasked"),
        (HEARD, Habit(latency_us=4000), "times the control's"),
        (HEARD, Habit(confidence=0.6), "below the control's"),
    ],
)
def test_the_guard_ends_it_as_it_ends_every_other(
    world: Laboratory, request_: ExperimentRequest, habit: Habit, told: str
) -> None:
    world.begin(request_, habit)

    view = world.live(40)

    assert view.state == "stopped"
    assert told in view.reason


def test_a_hub_that_restarts_goes_on_with_the_split(world: Laboratory) -> None:
    world.begin(replace(SPLIT, guard=ExperimentGuard()))
    before = world.live(10)

    world.experiments_of_restarted_hub()
    after = world.live(10)

    assert (after.state, after.arms[1].serving) == ("running", 10)
    assert after.arms[1].requests > before.arms[1].requests
    assert world.experiments.model_of(REQUEST.name) == MODEL


@pytest.mark.parametrize("act", ["start", "stop"])
def test_a_reason_that_would_fill_the_history_is_refused(world: Laboratory, act: str) -> None:
    world.experiments.create(SPLIT, actor="ana")

    with pytest.raises(InvalidRequest, match="at most 500 characters"):
        getattr(world.experiments, act)(SPLIT.name, actor="ana", reason="x" * 501)
