"""The gate's three answers, rule by rule."""

from dataclasses import replace

import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.gate import evidence as ev
from ganglion.hub.domain.gate import verdict as gate
from ganglion.hub.domain.gate.evidence import Evidence, NodeEvidence, Outcome, Work
from ganglion.hub.domain.gate.verdict import Answer, Verdict
from ganglion.wire.rollout_resources import GateSettings

SETTINGS = GateSettings(
    inferences_min=100,
    soak_s=30.0,
    error_rate_max=0.02,
    latency_ratio_max=2.0,
    latency_slack_us=2000,
    agreement_min=0.8,
    compared_min=50,
    reports_min_share=1.0,
    deadline_s=600.0,
)


SURE = "chance does this in fewer than 1 of 4,500 rollouts"


def behaved(
    *,
    answers: int = 200,
    errors: int = 0,
    latency_us: int = 5000,
    confidence: float = 0.9,
    compared: int = 0,
    agreed: int = 0,
    labels: int = 10,
) -> Behaviour:
    behaviour = Behaviour()
    for index in range(answers):
        behaviour.count_answer(latency_us, [str(index % labels)], [confidence])
    for _ in range(errors):
        behaviour.count_error()
    for index in range(compared):
        behaviour.count_comparison(1, int(index < agreed), latency_us)
    return behaviour


def node(behaviour: Behaviour | None = None, *, name: str = "n1", **more: object) -> NodeEvidence:
    healthy = behaved(compared=100, agreed=98)
    base = NodeEvidence(name, "x86_64-4", Outcome.COMMITTED, behaviour=behaviour or healthy, has_previous=True)
    return replace(base, **more)  # type: ignore[arg-type]  # each test names real fields


def silent(name: str = "n2") -> NodeEvidence:
    return node(Behaviour(), name=name, outcome=Outcome.SILENT)


def evidence(*stage: NodeEvidence, control: Behaviour | None = None, **more: object) -> Evidence:
    controls = (Work("c1", "x86_64-4", behaviour=control),) if control else ()
    base = Evidence(stage=stage, controls=controls, waited_s=60.0, soaked_s=40.0)
    return replace(base, **more)  # type: ignore[arg-type]  # each test names real fields


def judged(*stage: NodeEvidence, control: Behaviour | None = None, **more: object) -> Verdict:
    return gate.evaluate(SETTINGS, evidence(*stage, control=control, **more))


def test_a_version_that_behaves_like_the_old_one_goes_on_with_the_numbers_told() -> None:
    verdict = judged(node(), control=behaved())

    assert verdict.answer is Answer.GO_ON
    assert "errors 0 of 200 (0.0%, limit 2.0%)" in verdict.reason
    assert "agreement with the previous version 98 of 100 (98.0%, limit 80.0%)" in verdict.reason
    assert "1 of 1 node committed, 0 silent" in verdict.reason


# --- who spoke ------------------------------------------------------------------------------------


def test_one_node_that_rolled_back_by_itself_ends_the_rollout_with_its_reason() -> None:
    back = node(name="n7", outcome=Outcome.ROLLED_BACK, reason="golden inputs: off by 0.3")

    verdict = judged(node(), back)

    assert verdict == Verdict(Answer.ABORT, "1 of 2 nodes rolled back unasked (n7: golden inputs: off by 0.3)")


def test_a_node_of_an_earlier_stage_that_rolled_back_ends_the_rollout_too() -> None:
    verdict = judged(node(), earlier=(node(name="n0", outcome=Outcome.ROLLED_BACK, reason="errors"),))

    assert verdict.answer is Answer.ABORT
    assert "n0: errors" in verdict.reason


def test_a_silent_node_is_waited_for_when_every_report_is_demanded() -> None:
    verdict = judged(node(), silent())

    assert verdict.answer is Answer.WAIT
    assert "1 of 2 nodes committed, 1 silent, 2 needed" in verdict.reason


def test_the_declared_share_of_reports_decides_how_many_may_be_silent() -> None:
    stage = [node(name="n0"), node(name="n1"), silent("n2"), silent("n3"), silent("n4")]

    answers = {
        share: gate.evaluate(replace(SETTINGS, reports_min_share=share), evidence(*stage)).answer
        for share in (0.0, 0.4, 0.41, 1.0)
    }

    assert answers == {0.0: Answer.GO_ON, 0.4: Answer.GO_ON, 0.41: Answer.WAIT, 1.0: Answer.WAIT}


def test_a_stage_that_is_silent_as_a_whole_never_goes_on_whatever_share_is_declared() -> None:
    settings = GateSettings(reports_min_share=0.0, inferences_min=0, soak_s=0.0, compared_min=0)

    verdict = gate.evaluate(settings, evidence(silent(), soaked_s=None))

    assert verdict.answer is Answer.WAIT


# --- errors ---------------------------------------------------------------------------------------


def test_an_error_rate_beyond_doubt_above_the_limit_ends_the_rollout() -> None:
    verdict = judged(node(behaved(answers=180, errors=20, compared=100, agreed=98)))

    assert verdict == Verdict(Answer.ABORT, f"errors 20 of 200 (10.0%, limit 2.0%): {SURE}")


def test_a_few_failures_among_the_first_requests_end_nothing() -> None:
    verdict = judged(node(behaved(answers=3, errors=4)))

    assert verdict.answer is Answer.WAIT
    assert "errors 4 of 7" in verdict.reason


def test_an_error_rate_that_might_be_chance_waits() -> None:
    verdict = judged(node(behaved(answers=195, errors=5, compared=100, agreed=98)))

    assert verdict.answer is Answer.WAIT
    assert "errors 5 of 200 (2.5%, limit 2.0%)" in verdict.reason


def test_a_stage_in_trouble_is_not_hidden_by_the_long_good_record_of_the_stages_before() -> None:
    good = node(behaved(answers=5000, compared=100, agreed=98), name="n0")

    verdict = judged(node(behaved(answers=160, errors=40, compared=100, agreed=98)), earlier=(good,))

    assert verdict.answer is Answer.ABORT


def test_an_earlier_stage_that_turns_bad_ends_the_rollout() -> None:
    verdict = judged(node(), earlier=(node(behaved(answers=50, errors=50), name="n0"),))

    assert verdict == Verdict(Answer.ABORT, f"earlier stages: errors 50 of 100 (50.0%, limit 2.0%): {SURE}")


# --- latency --------------------------------------------------------------------------------------


def test_a_version_much_slower_than_the_old_one_on_the_same_class_ends_the_rollout() -> None:
    verdict = judged(node(behaved(latency_us=20_000, compared=100, agreed=98)), control=behaved(latency_us=5000))

    assert verdict.answer is Answer.ABORT
    assert "p99 on x86_64-4 20.13 ms, old version 5.03 ms" in verdict.reason
    assert "100 of 100 answers took longer than" in verdict.reason


def test_a_slow_class_is_compared_with_itself_and_not_with_a_fast_one() -> None:
    slow_board = node(behaved(latency_us=50_000, compared=100, agreed=98), node_class="aarch64-4")
    controls = (
        Work("c1", "aarch64-4", behaviour=behaved(latency_us=50_000)),
        Work("c2", "x86_64-4", behaviour=behaved(latency_us=5000)),
    )

    verdict = judged(slow_board, controls=controls)

    assert verdict.answer is Answer.GO_ON


def test_a_few_slow_answers_may_be_chance_and_wait_while_the_p99_is_above_the_limit() -> None:
    new = behaved(answers=97, latency_us=5000, compared=100, agreed=98)
    new.merge(behaved(answers=3, latency_us=50_000))

    verdict = judged(node(new), control=behaved(latency_us=5000))

    assert verdict.answer is Answer.WAIT
    assert "p99 on x86_64-4" in verdict.reason


def test_without_controls_the_comparisons_on_the_same_requests_are_the_measure() -> None:
    new = behaved(latency_us=5000, compared=100, agreed=98)
    new.merge(behaved(answers=300, latency_us=40_000))

    verdict = judged(node(new))

    assert verdict.answer is Answer.ABORT
    assert "old version 5.03 ms: 200 of 400 answers took longer" in verdict.reason


def test_with_few_answers_on_a_side_latency_is_not_judged() -> None:
    verdict = judged(node(behaved(latency_us=90_000, compared=60, agreed=60)), control=behaved(answers=20))

    assert verdict.answer is Answer.GO_ON
    assert "latency on x86_64-4 not judged" in verdict.reason


def test_a_difference_below_the_slack_is_noise_whatever_the_ratio() -> None:
    new = behaved(latency_us=900, compared=100, agreed=98)

    assert judged(node(new), control=behaved(latency_us=100)).answer is Answer.GO_ON


def test_slow_first_answers_of_a_node_are_waited_out() -> None:
    cold, later = behaved(answers=300, compared=100, agreed=98), behaved(answers=300)
    cold.merge(behaved(answers=100, latency_us=40_000))
    both = ev.merged([cold, later])

    first_hour = judged(node(cold, hours={7: cold}), control=behaved())
    second_hour = judged(node(both, hours={7: cold, 8: later}), control=behaved())

    assert first_hour.answer is Answer.WAIT
    assert second_hour.answer is Answer.GO_ON


@pytest.mark.parametrize(("answers_before", "answer"), [(120, Answer.WAIT), (6000, Answer.ABORT)])
def test_a_limit_read_from_few_answers_of_the_old_version_is_as_unsure_as_they_are(
    answers_before: int, answer: Answer
) -> None:
    """One answer in twenty may take ten times as long, whatever the version; among few of them there may be none."""
    new = behaved(answers=7600, compared=100, agreed=100)
    new.merge(behaved(answers=400, latency_us=50_000))

    assert judged(node(new), control=behaved(answers=answers_before)).answer is answer


# --- likeness -------------------------------------------------------------------------------------


def test_a_version_that_answers_differently_ends_the_rollout_as_soon_as_enough_was_compared() -> None:
    wrong = node(behaved(answers=60, compared=50, agreed=6), outcome=Outcome.SILENT)

    verdict = judged(wrong, soaked_s=None)

    assert verdict == Verdict(Answer.ABORT, f"agreement with the previous version 6 of 50 (12.0%, limit 80.0%): {SURE}")


def test_disagreement_over_too_few_inputs_waits() -> None:
    verdict = judged(node(behaved(compared=49, agreed=0), outcome=Outcome.SILENT))

    assert verdict.answer is Answer.WAIT
    assert "49 of 50 comparisons with the previous version" in verdict.reason


def test_agreement_in_doubt_waits() -> None:
    verdict = judged(node(behaved(compared=50, agreed=39)))

    assert verdict.answer is Answer.WAIT
    assert "39 of 50 (78.0%, limit 80.0%)" in verdict.reason


def test_a_more_confident_version_that_agrees_goes_on_and_the_shift_is_told() -> None:
    retrained = node(behaved(confidence=0.99, compared=100, agreed=90))

    verdict = judged(retrained, control=behaved(confidence=0.6))

    assert verdict.answer is Answer.GO_ON
    assert "confidence shift" in verdict.reason


def test_a_shift_ends_the_rollout_when_agreement_is_in_doubt_too() -> None:
    doubtful = behaved(confidence=0.3, compared=10, agreed=8)
    stage = [node(doubtful, name=f"n{index}") for index in range(5)]
    stage[0] = node(behaved(confidence=0.3, compared=10, agreed=7), name="n0")
    controls = tuple(Work(f"c{index}", "x86_64-4", behaviour=behaved(confidence=0.9)) for index in range(24))

    verdict = judged(*stage, controls=controls)

    assert verdict.answer is Answer.ABORT
    assert "39 of 50" in verdict.reason
    assert "confidence shift" in verdict.reason


def test_a_shift_of_one_node_does_not_decide_when_agreement_is_in_doubt() -> None:
    """It may be the node: its camera looks at something else than the control's."""
    doubtful = node(behaved(confidence=0.3, labels=1, compared=50, agreed=39))

    verdict = judged(doubtful, control=behaved(confidence=0.9))

    assert verdict.answer is Answer.WAIT
    assert "39 of 50 (78.0%, limit 80.0%)" in verdict.reason


def test_a_shift_ends_the_rollout_when_nothing_could_be_compared() -> None:
    verdict = judged(node(behaved(labels=1)), control=behaved(labels=10))

    assert verdict.answer is Answer.ABORT
    assert "class mix shift" in verdict.reason


def test_a_shift_before_the_comparisons_have_come_in_only_waits() -> None:
    on_probation = node(behaved(confidence=0.99), outcome=Outcome.SILENT)

    verdict = judged(on_probation, control=behaved(confidence=0.6), soaked_s=None)

    assert verdict.answer is Answer.WAIT


def test_comparisons_that_may_still_be_on_their_way_are_waited_for() -> None:
    settings = replace(SETTINGS, soak_s=0.0)

    verdict = gate.evaluate(
        settings, evidence(node(behaved(confidence=0.99)), control=behaved(confidence=0.6), soaked_s=1.0)
    )

    assert verdict.answer is Answer.WAIT


def test_when_nothing_was_compared_an_unshifted_version_goes_on_and_an_unmeasured_one_does_not() -> None:
    alike = judged(node(behaved()), control=behaved())
    alone = judged(node(behaved()))

    assert alike.answer is Answer.GO_ON
    assert alone.answer is Answer.WAIT


def test_a_first_release_needs_no_comparison() -> None:
    first = node(behaved(), has_previous=False)

    verdict = judged(first)

    assert verdict.answer is Answer.GO_ON
    assert "no previous version to compare with" in verdict.reason


# --- enough, and in time --------------------------------------------------------------------------


def test_too_few_answers_wait() -> None:
    verdict = judged(node(behaved(answers=99, compared=60, agreed=60)))

    assert verdict.answer is Answer.WAIT
    assert "99 of 100 answers" in verdict.reason


def test_more_answers_than_needed_are_told_as_their_number() -> None:
    verdict = judged(node(behaved(answers=1080, compared=600, agreed=600)))

    assert "; 1080 answers;" in verdict.reason


@pytest.mark.parametrize("soaked_s", [None, 0.0, 29.9])
def test_the_soak_time_counts_from_the_newest_commit(soaked_s: float | None) -> None:
    assert judged(node(), soaked_s=soaked_s).answer is Answer.WAIT


def test_a_stage_that_is_not_decided_by_the_deadline_ends_the_rollout_and_says_what_was_missing() -> None:
    verdict = judged(node(), silent(), waited_s=600.0)

    assert verdict == Verdict(Answer.ABORT, "not decided within 600 s: 1 of 2 nodes committed, 1 silent, 2 needed")


def test_a_stage_that_has_passed_goes_on_even_at_the_deadline() -> None:
    assert judged(node(), waited_s=600.0).answer is Answer.GO_ON


def test_a_stage_whose_nodes_have_all_left_the_fleet_does_not_go_on_by_itself() -> None:
    assert judged().answer is Answer.WAIT
