"""Which requests can be an experiment, and what their shares mean."""

from dataclasses import replace
from math import fsum, nan

import pytest

from ganglion.core.errors import InvalidName, InvalidRequest
from ganglion.hub.domain.experiments.request import check, effect_of, shares_of
from ganglion.wire.experiment_resources import ArmRequest, ExperimentGuard, ExperimentRequest
from ganglion.wire.rollout_resources import ProbationSettings

SOUND = ExperimentRequest(name="two-or-one", model="meter", control="1", arms=[ArmRequest("2")])


def arms(*shares: float) -> ExperimentRequest:
    return replace(SOUND, arms=[ArmRequest(str(version), share) for version, share in enumerate(shares, start=2)])


def test_arms_without_a_share_have_equal_parts_of_what_is_left() -> None:
    assert shares_of(SOUND) == [0.5, 0.5]
    assert shares_of(arms(0.2)) == pytest.approx([0.8, 0.2])
    assert shares_of(arms(0.2, 0.0)) == pytest.approx([0.4, 0.2, 0.4])
    assert fsum(shares_of(arms(0.1, 0.1, 0.1))) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (arms(1.0), "between 0 and 1"),
        (arms(-0.1), "between 0 and 1"),
        (arms(nan), "between 0 and 1"),
        (arms(0.5, 0.5), "leave nothing to the control"),
        (arms(0.6, 0.6), "leave nothing to the control"),
        (replace(SOUND, arms=[]), "0 challengers"),
        (arms(*[0.05] * 10), "10 challengers"),
        (replace(SOUND, arms=[ArmRequest("1")]), "a version of its own"),
        (replace(SOUND, metric="beauty"), "metric is 'beauty'"),
        (replace(SOUND, effect=nan), "effect is nan"),
        (replace(SOUND, requests_min=0), "requests_min is 0"),
        (replace(SOUND, length_s=nan), "length_s is nan"),
        (replace(SOUND, length_s=1e12), "a year is the most"),
        (replace(SOUND, guard=ExperimentGuard(latency_ratio_max=0.5)), r"guard\.latency_ratio_max"),
        (replace(SOUND, guard=ExperimentGuard(error_rate_max=nan)), r"guard\.error_rate_max"),
        (replace(SOUND, probation=ProbationSettings(agreement_min=2.0)), r"probation\.agreement_min"),
        (replace(SOUND, to="canary"), "names a group"),
        (replace(SOUND, to="group:canary", select=""), "give one of them"),
        (replace(SOUND, seed="x" * 201), "seed"),
    ],
)
def test_what_no_experiment_can_be_is_refused(request_: ExperimentRequest, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        check(request_)


def test_names_that_can_be_no_path_are_refused() -> None:
    for named in (replace(SOUND, name="../x"), replace(SOUND, model=""), replace(SOUND, control="a b")):
        with pytest.raises(InvalidName):
            check(named)


def test_the_effect_is_that_of_the_request_for_the_deciding_metric_alone() -> None:
    request = replace(SOUND, metric="latency", effect=0.3)

    assert (effect_of(request), effect_of(request, "error_rate"), effect_of(SOUND)) == (0.3, 0.01, 0.01)
