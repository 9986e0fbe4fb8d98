import msgspec

from ganglion.core.behaviour import Behaviour
from ganglion.node.domain.update.probation import Verdict, judge
from ganglion.wire.desired import DeploymentPolicy

POLICY = DeploymentPolicy(probation_s=5.0, inferences_min=20, compared_min=30, agreement_min=0.5)


def a_behaviour(answers: int, *, errors: int = 0, latency_us: int = 100) -> Behaviour:
    behaviour = Behaviour()
    for _ in range(answers):
        behaviour.count_answer(latency_us, ["7"], [0.9])
    for _ in range(errors):
        behaviour.count_error()
    return behaviour


def test_time_without_traffic_is_not_enough() -> None:
    judgement = judge(POLICY, a_behaviour(0), elapsed_s=600.0)

    assert judgement.verdict is Verdict.WAIT


def test_traffic_without_time_is_not_enough() -> None:
    judgement = judge(POLICY, a_behaviour(1000), elapsed_s=1.0)

    assert judgement.verdict is Verdict.WAIT


def test_enough_of_both_is_healthy() -> None:
    judgement = judge(POLICY, a_behaviour(20), elapsed_s=5.0)

    assert judgement.verdict is Verdict.HEALTHY


def test_a_version_that_was_compared_with_none_does_not_claim_agreement() -> None:
    alone = judge(POLICY, a_behaviour(20), elapsed_s=5.0)

    assert alone.reason == "20 answers, 0 errors, nothing to compare with"


def test_a_version_that_the_gate_wants_compared_waits_for_the_comparisons() -> None:
    policy = msgspec.structs.replace(POLICY, comparisons_min=10)
    behaviour = a_behaviour(100)
    behaviour.count_comparison(compared=9, agreed=9, latency_us=100)

    early = judge(policy, behaviour, elapsed_s=60.0)
    behaviour.count_comparison(compared=1, agreed=1, latency_us=100)

    assert (early.verdict, early.reason) == (Verdict.WAIT, "9 of 10 comparisons")
    assert judge(policy, behaviour, elapsed_s=60.0).verdict is Verdict.HEALTHY


def test_errors_end_the_probation_at_once() -> None:
    judgement = judge(POLICY, a_behaviour(18, errors=2), elapsed_s=0.1)

    assert judgement.verdict is Verdict.UNHEALTHY
    assert "error rate 0.100" in judgement.reason


def test_two_errors_in_two_requests_are_too_few_to_judge() -> None:
    judgement = judge(POLICY, a_behaviour(0, errors=2), elapsed_s=0.1)

    assert judgement.verdict is Verdict.WAIT


def test_disagreement_with_the_previous_version_ends_the_probation() -> None:
    behaviour = a_behaviour(40)
    behaviour.count_comparison(compared=30, agreed=3, latency_us=100)

    judgement = judge(POLICY, behaviour, elapsed_s=1.0)

    assert judgement.verdict is Verdict.UNHEALTHY
    assert "agreement" in judgement.reason


def test_a_version_that_is_much_slower_than_the_previous_one_is_unhealthy() -> None:
    behaviour = a_behaviour(60, latency_us=40_000)
    for _ in range(60):
        behaviour.count_comparison(compared=1, agreed=1, latency_us=4_000)

    judgement = judge(POLICY, behaviour, elapsed_s=1.0)

    assert judgement.verdict is Verdict.UNHEALTHY
    assert "p99 latency" in judgement.reason


def test_three_times_of_almost_nothing_is_noise() -> None:
    behaviour = a_behaviour(60, latency_us=900)
    for _ in range(60):
        behaviour.count_comparison(compared=1, agreed=1, latency_us=100)

    assert judge(POLICY, behaviour, elapsed_s=1.0).verdict is Verdict.WAIT
