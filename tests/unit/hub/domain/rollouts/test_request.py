"""What a rollout request may ask, and what it asks of a node."""

from dataclasses import replace

import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.hub.domain.rollouts import request as rollout_request
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest

REQUEST = RolloutRequest(model="meter", version="2")


def test_the_defaults_are_sound() -> None:
    rollout_request.check(REQUEST)


def test_every_problem_is_told_at_once() -> None:
    request = replace(
        REQUEST,
        gate=GateSettings(error_rate_max=2.0, soak_s=-1.0),
        probation=ProbationSettings(agreement_min=float("nan")),
    )

    with pytest.raises(InvalidRequest) as caught:
        rollout_request.check(request)

    for field in ("gate.error_rate_max is 2", "gate.soak_s is -1", "probation.agreement_min is nan"):
        assert field in caught.value.message


@pytest.mark.parametrize(
    ("gate", "problem"),
    [
        (GateSettings(on_deadline="hope"), "gate.on_deadline is 'hope'; it is one of abort, pause, wait"),
        (GateSettings(rollback_share_max=1.5), "gate.rollback_share_max is 1.5"),
        (GateSettings(doubt_rise_max=-0.1), "gate.doubt_rise_max is -0.1"),
        (GateSettings(latency_typical_ratio_max=0.5), "gate.latency_typical_ratio_max is 0.5"),
        (GateSettings(silence_s_max=float("nan")), "gate.silence_s_max is nan"),
        (GateSettings(reports_min=-1), "gate.reports_min is -1"),
    ],
)
def test_a_gate_that_cannot_be_meant_is_refused(gate: GateSettings, problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        rollout_request.check(replace(REQUEST, gate=gate))

    assert problem in caught.value.message


def test_a_gate_that_needs_comparisons_which_nobody_makes_is_refused() -> None:
    request = replace(REQUEST, probation=ProbationSettings(compare_share=0.0))

    with pytest.raises(InvalidRequest, match="compare_share 0 makes none"):
        rollout_request.check(request)


@pytest.mark.parametrize(("compare_share", "cpu_share"), [(0.0, 0.1), (0.25, 0.0)])
def test_a_shadow_that_may_hear_or_spend_nothing_is_refused(compare_share: float, cpu_share: float) -> None:
    probation = ProbationSettings(shadow_comparisons_min=10, compare_share=compare_share, shadow_cpu_share=cpu_share)

    with pytest.raises(InvalidRequest, match="shadow_comparisons_min needs"):
        rollout_request.check(replace(REQUEST, gate=GateSettings(compared_min=0), probation=probation))


def test_the_policy_says_what_the_request_says() -> None:
    request = replace(REQUEST, probation=ProbationSettings(probation_s=3.0, compare_share=0.5))

    assert rollout_request.policy_of(request) == DeploymentPolicy(probation_s=3.0, compare_share=0.5)


@pytest.mark.parametrize(("nodes", "comparisons"), [(1, 50), (2, 50), (10, 10), (1000, 1)])
def test_a_probation_lasts_long_enough_for_the_comparisons_that_the_gate_needs(nodes: int, comparisons: int) -> None:
    policy = DeploymentPolicy(inferences_min=50, compare_share=0.25)

    assert rollout_request.policy_for(policy, GateSettings(compared_min=50), nodes).comparisons_min == comparisons


def test_a_gate_that_needs_no_comparisons_leaves_the_probation_as_it_is() -> None:
    policy = DeploymentPolicy(inferences_min=5)

    assert rollout_request.policy_for(policy, GateSettings(compared_min=0), 1) is policy


def test_going_back_is_not_a_trial() -> None:
    policy = rollout_request.RESTORE_POLICY

    assert (policy.compare_share, policy.inferences_min, policy.probation_s, policy.agreement_min) == (0.0, 0, 0.0, 0.0)
