"""What a policy of rollouts says, and what somebody chose instead."""

from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from ganglion.core.errors import NotFound
from ganglion.entrypoints.cli import rollout_policy
from ganglion.hub.domain.fleet.specs import RolloutPolicySpec
from ganglion.wire.apply_resources import RolloutPolicyView
from ganglion.wire.rollout_resources import GateSettings, RolloutRequest

if TYPE_CHECKING:
    from ganglion.entrypoints.hub_client.client import HubClient

CAREFUL = RolloutPolicySpec(stages=("1", "100%"), gate={"soak_s": 600, "error_rate_max": 0.01}, approvals=2)


class OnePolicy:
    """A hub with the policy `careful`."""

    def rollout_policies(self) -> list[RolloutPolicyView]:
        return [RolloutPolicyView(name="careful", spec=msgspec.json.encode(CAREFUL).decode())]


def applied(request: RolloutRequest, name: str = "careful") -> RolloutRequest:
    return rollout_policy.applied(cast("HubClient", OnePolicy()), request, name)


def test_a_policy_says_what_the_options_leave_open() -> None:
    told = applied(RolloutRequest(model="digits", version="2", to="group:line-3"))

    assert (told.stages, told.approvals, told.to) == (["1", "100%"], 2, "group:line-3")
    assert (told.gate.soak_s, told.gate.error_rate_max) == (600.0, 0.01)


def test_what_somebody_chose_goes_before_the_policy() -> None:
    chosen = RolloutRequest(model="digits", version="2", stages=["50%", "100%"], gate=GateSettings(soak_s=5.0))

    told = applied(chosen)

    assert (told.stages, told.gate.soak_s, told.gate.error_rate_max) == (["50%", "100%"], 5.0, 0.01)


def test_a_policy_that_is_not_there_is_told() -> None:
    with pytest.raises(NotFound):
        applied(RolloutRequest(model="digits", version="2"), "reckless")
