"""What is learnt of a version that answers nobody yet, and what that may cost."""

import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.node.domain.update import shadow
from ganglion.node.domain.update.probation import Verdict
from ganglion.node.domain.update.shadow import Watch
from ganglion.wire.desired import DeploymentPolicy

POLICY = DeploymentPolicy(compare_share=0.5, shadow_comparisons_min=100, shadow_cpu_share=0.1, compared_min=20)


def counted(*, answers: int = 0, compared: int = 0, agreed: int | None = None, cost_us: int = 1000) -> Behaviour:
    behaviour = Behaviour()
    behaviour.count_answers([1000] * answers, ["7"] * answers, [0.9] * answers)
    for index in range(compared):
        behaviour.count_comparison(1, int(agreed is None or index < agreed), cost_us)
    return behaviour


def watched(before: Behaviour | None = None, *, share: float = 0.5) -> Watch:
    return Watch(before=before or Behaviour(), share=share, marked_s=0.0)


def test_enough_agreement_is_enough() -> None:
    judgement = shadow.judge(POLICY, watched(), counted(answers=200, compared=100, agreed=98))

    assert judgement.verdict is Verdict.HEALTHY
    assert "agreement 0.980 over 100 inputs" in judgement.reason


def test_a_version_that_fails_on_what_the_other_one_answers_is_given_up() -> None:
    seen = counted(answers=200, compared=90)
    seen.compared_failed = 10

    judgement = shadow.judge(POLICY, watched(), seen)

    assert judgement.verdict is Verdict.UNHEALTHY
    assert "error rate 0.100" in judgement.reason


def test_what_was_counted_before_is_not_looked_at() -> None:
    before = counted(answers=900, compared=900, agreed=0)
    now = counted(answers=900, compared=900, agreed=0)
    now.merge(counted(answers=50, compared=50))

    assert shadow.judge(POLICY, watched(before), now).verdict is Verdict.WAIT
    assert shadow.since(now, before).agreement == 1.0


@pytest.mark.parametrize(("spent_us", "share"), [(20_000, 0.25), (10_000, 0.5), (1_000, 0.5), (50_000_000, 0.001)])
def test_the_share_follows_from_what_ten_seconds_may_cost(spent_us: int, share: float) -> None:
    now = counted(answers=200, compared=100, cost_us=spent_us)

    assert shadow.next_share(POLICY, watched(), now, now_s=10.0) == pytest.approx(share)


@pytest.mark.parametrize(("now_s", "compared"), [(0.0, 10), (10.0, 0)])
def test_without_time_or_cost_the_share_stays(now_s: float, compared: int) -> None:
    assert shadow.next_share(POLICY, watched(share=0.3), counted(compared=compared), now_s=now_s) == 0.3
