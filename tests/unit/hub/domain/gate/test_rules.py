"""The gate's rules beyond the plain ones: places, machines, silence, and who is to blame."""

from dataclasses import replace

import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.core.histogram import Histogram
from ganglion.hub.domain.gate import verdict as gate
from ganglion.hub.domain.gate.evidence import Evidence, NodeEvidence, Outcome, Work
from ganglion.hub.domain.gate.verdict import Answer, Verdict
from ganglion.wire.rollout_resources import GateSettings

SETTINGS = GateSettings(inferences_min=100, soak_s=30.0, compared_min=50, deadline_s=600.0)
SITES = ("north", "south", "west", "east")


def behaved(
    *,
    answers: int = 400,
    errors: int = 0,
    latency_us: float = 5000.0,
    sure: float = 0.9,
    compared: int = 0,
    agreed: int = 0,
    classes: dict[str, int] | None = None,
    quality: dict[str, list[int]] | None = None,
) -> Behaviour:
    """`sure` of the rows have a confidence of 0.95, the others of 0.5."""
    confidence = [0] * 20
    confidence[19], confidence[10] = round(answers * sure), answers - round(answers * sure)
    latency = Histogram()
    latency.add(latency_us, answers)
    return Behaviour(
        requests=answers + errors,
        errors=errors,
        latency_us=latency,
        confidence=confidence,
        classes=classes or {"a": answers // 2, "b": answers - answers // 2},
        compared=compared,
        agreed=agreed,
        quality=quality or {},
    )


def node(index: int, behaviour: Behaviour | None = None, **more: object) -> NodeEvidence:
    base = NodeEvidence(
        f"n{index:02}",
        "x86_64-4",
        Outcome.COMMITTED,
        behaviour=behaviour or behaved(compared=20, agreed=20),
        has_previous=True,
        site=SITES[index % len(SITES)],
    )
    return replace(base, **more)  # type: ignore[arg-type]  # each test names real fields


def control(index: int, behaviour: Behaviour | None = None, **more: object) -> Work:
    base = Work(f"c{index:02}", "x86_64-4", SITES[index % len(SITES)], behaviour or behaved())
    return replace(base, **more)  # type: ignore[arg-type]  # each test names real fields


CONTROLS = tuple(control(index) for index in range(24))


def judged(
    stage: list[NodeEvidence],
    controls: tuple[Work, ...] = CONTROLS,
    settings: GateSettings = SETTINGS,
    *,
    waited_s: float = 60.0,
) -> Verdict:
    evidence = Evidence(stage=stage, controls=controls, waited_s=waited_s, soaked_s=40.0)
    return gate.evaluate(settings, evidence)


def silent(index: int, **more: object) -> NodeEvidence:
    return node(index, Behaviour(), outcome=Outcome.SILENT, **more)


# --- silence --------------------------------------------------------------------------------------


def test_a_node_that_is_set_aside_is_neither_waited_for_nor_counted_as_a_success() -> None:
    stage = [node(0), node(1), silent(2, is_set_aside=True), silent(3, is_set_aside=True)]

    verdict = judged(stage, settings=replace(SETTINGS, compared_min=0))

    assert verdict.answer is Answer.GO_ON
    assert "2 of 4 nodes committed, 0 silent, 2 set aside" in verdict.reason


def test_a_stage_of_which_every_node_is_set_aside_does_not_go_on() -> None:
    verdict = judged([silent(0, is_set_aside=True)], settings=replace(SETTINGS, compared_min=0, inferences_min=0))

    assert verdict.answer is Answer.WAIT


@pytest.mark.parametrize(("reports_min", "answer"), [(2, Answer.GO_ON), (3, Answer.WAIT), (50, Answer.WAIT)])
def test_a_number_of_reports_is_demanded_beside_the_share(reports_min: int, answer: Answer) -> None:
    settings = replace(SETTINGS, reports_min_share=0.0, reports_min=reports_min, compared_min=0)

    assert judged([node(0), node(1), silent(2)], settings=settings).answer is answer


@pytest.mark.parametrize(
    ("on_deadline", "answer", "pauses"),
    [("abort", Answer.ABORT, False), ("pause", Answer.WAIT, True), ("wait", Answer.WAIT, False)],
)
def test_a_stage_that_is_late_ends_as_declared(on_deadline: str, answer: Answer, *, pauses: bool) -> None:
    settings = replace(SETTINGS, on_deadline=on_deadline)

    verdict = judged([node(0), silent(1)], settings=settings, waited_s=600.0)

    assert (verdict.answer, verdict.pauses) == (answer, pauses)
    assert verdict.reason.startswith("not decided within 600 s: ")


# --- updates and crashes --------------------------------------------------------------------------


def test_as_many_nodes_may_go_back_by_themselves_as_declared() -> None:
    stage = [node(index) for index in range(19)] + [node(19, Behaviour(), reason="disk full")]
    stage[19] = replace(stage[19], outcome=Outcome.ROLLED_BACK)
    allowed = replace(SETTINGS, rollback_share_max=0.05)

    assert judged(stage, settings=allowed).answer is Answer.GO_ON
    assert "1 of 20 nodes rolled back unasked (n19: disk full), limit 5.0%" in judged(stage, settings=allowed).reason
    assert judged(stage, settings=replace(allowed, rollback_share_max=0.04)).answer is Answer.ABORT


def test_a_version_that_nodes_gave_up_after_crashes_ends_the_rollout() -> None:
    stage = [node(0), node(1, has_crashed=True)]

    verdict = judged(stage)

    assert verdict == Verdict(Answer.ABORT, "1 of 2 nodes gave the version up after crashes (n01)")
    assert judged(stage, settings=replace(SETTINGS, crash_share_max=0.5, compared_min=0)).answer is Answer.GO_ON


# --- who is to blame for errors -------------------------------------------------------------------


def test_errors_that_trouble_the_old_version_too_are_not_the_new_ones_fault() -> None:
    troubled = [node(index, behaved(errors=40, compared=20, agreed=20)) for index in range(4)]

    blamed = judged(troubled)
    excused = judged(troubled, tuple(control(index, behaved(errors=45)) for index in range(12)))

    assert blamed.answer is Answer.ABORT
    assert excused.answer is Answer.GO_ON
    assert "the old version 10.1%" in excused.reason


def test_a_node_that_failed_as_often_before_is_not_blamed_on_the_version() -> None:
    broken = behaved(errors=200, compared=20, agreed=20)
    usual = [node(index, behaved(compared=20, agreed=20), before=behaved()) for index in range(1, 6)]

    excused = judged([node(0, broken, before=behaved(errors=190)), *usual])
    blamed = judged([node(0, broken, before=behaved()), *usual])

    assert excused.answer is Answer.GO_ON
    assert blamed.answer is Answer.ABORT


def test_a_node_that_failed_before_ends_the_rollout_when_it_fails_far_more_often_now() -> None:
    worse = node(0, behaved(answers=200, errors=400, compared=20, agreed=20), before=behaved(errors=40))

    assert judged([worse, *(node(index) for index in range(1, 6))]).answer is Answer.ABORT


def test_a_broken_node_does_not_hide_that_the_others_fail() -> None:
    failing = [node(index, behaved(errors=40, compared=20, agreed=20), before=behaved()) for index in range(1, 6)]

    verdict = judged([node(0, behaved(errors=200), before=behaved(errors=200)), *failing])

    assert verdict.answer is Answer.ABORT
    assert "errors 200 of 2200" in verdict.reason


# --- who is to blame for slow answers -------------------------------------------------------------


def test_a_node_that_was_as_slow_before_is_not_blamed_on_the_version() -> None:
    hot = behaved(latency_us=30_000.0, compared=20, agreed=20)
    usual = [node(index, before=behaved()) for index in range(1, 6)]

    excused = judged([node(0, hot, before=behaved(latency_us=30_000.0)), *usual])
    blamed = judged([node(0, hot, before=behaved()), *usual])

    assert excused.answer is Answer.GO_ON
    assert blamed.answer is Answer.ABORT


# --- one site -------------------------------------------------------------------------------------


def test_a_version_that_is_wrong_on_one_site_only_is_found_by_its_agreement_there() -> None:
    stage = [node(index) for index in range(40)]
    for index in range(0, 40, 4):
        stage[index] = node(index, behaved(compared=20, agreed=3))

    verdict = judged(stage)

    assert verdict.answer is Answer.ABORT
    assert "at north: agreement with the previous version 30 of 200 (15.0%, limit 80.0%)" in verdict.reason
    assert "south" not in verdict.reason


def test_a_version_that_is_sure_and_wrong_on_one_site_is_found_by_its_classes_without_comparisons_there() -> None:
    stage = [node(index, behaved(compared=20, agreed=20, answers=2000)) for index in range(40)]
    for index in range(0, 40, 4):
        stage[index] = node(index, behaved(answers=2000, sure=1.0, classes={"a": 1990, "b": 10}))

    verdict = judged(stage, tuple(control(index) for index in range(48)))

    assert verdict.answer is Answer.ABORT
    assert "at north: class mix shift" in verdict.reason
    assert "can agree" in verdict.reason


# --- shifts ---------------------------------------------------------------------------------------


def test_a_version_less_sure_of_itself_ends_the_rollout_though_it_agrees() -> None:
    stage = [node(index, behaved(answers=2000, sure=0.8, compared=20, agreed=18)) for index in range(12)]

    verdict = judged(stage)

    assert verdict.answer is Answer.ABORT
    assert "less sure of itself than the old version: " in verdict.reason
    assert "answers in doubt 10.0% to 20.0% (may rise by 1.5%" in verdict.reason


def test_a_version_surer_of_itself_goes_on_however_far_it_moved() -> None:
    stage = [node(index, behaved(answers=2000, sure=1.0, compared=20, agreed=19)) for index in range(12)]

    assert judged(stage).answer is Answer.GO_ON


def test_nodes_whose_own_hour_before_was_as_doubtful_are_not_blamed_on_the_version() -> None:
    hard = behaved(answers=2000, sure=0.8, compared=20, agreed=19)
    stage = [node(index, hard, before=behaved(answers=2000, sure=0.8)) for index in range(12)]

    assert judged(stage).answer is Answer.GO_ON


def test_a_shift_that_nodes_with_one_version_show_of_each_other_is_no_shift() -> None:
    """Controls differ as much among themselves as the stage's four nodes differ from them."""
    controls = tuple(
        control(index, behaved(answers=4000, sure=0.95 - 0.03 * (index // 4)), site="north") for index in range(24)
    )
    stage = [node(index, behaved(answers=4000, sure=0.81, compared=20, agreed=19), site="north") for index in range(4)]

    alike = judged(stage, controls)
    odd = judged(stage, tuple(replace(work, behaviour=behaved(answers=4000, sure=0.88)) for work in controls))

    assert alike.answer is Answer.GO_ON
    assert odd.answer is Answer.ABORT


def test_rows_are_compared_with_rows_of_the_same_hour() -> None:
    """By night everybody is in doubt; the stage has worked mostly by night, the controls mostly by day."""
    day, night = behaved(answers=4000, sure=0.95), behaved(answers=4000, sure=0.7)
    little = behaved(answers=400, sure=0.95), behaved(answers=400, sure=0.7, compared=20, agreed=20)
    controls = tuple(control(index, _sum(day, little[1]), hours={10: day, 22: little[1]}) for index in range(24))
    stage = [node(index, _sum(little[0], night), hours={10: little[0], 22: night}) for index in range(12)]
    settings = replace(SETTINGS, compared_min=0)

    assert judged(stage, controls, settings).answer is Answer.GO_ON
    by_total = [replace(each, hours={}) for each in stage]
    assert judged(by_total, tuple(replace(work, hours={}) for work in controls), settings).answer is Answer.ABORT


def _sum(*parts: Behaviour) -> Behaviour:
    total = Behaviour()
    for part in parts:
        total.merge(part)
    return total


def dark(seen: int) -> dict[str, list[int]]:
    return {"brightness": [seen, 0, 0, 0]}


def bright(seen: int) -> dict[str, list[int]]:
    return {"brightness": [0, 0, 0, seen]}


def test_a_shift_on_inputs_unlike_the_controls_is_not_blamed_on_the_version() -> None:
    stage = [node(i, behaved(answers=2000, sure=0.8, compared=20, agreed=19, quality=dark(200))) for i in range(12)]
    controls = tuple(control(index, behaved(answers=2000, quality=bright(200))) for index in range(24))

    verdict = judged(stage, controls)

    assert verdict.answer is Answer.GO_ON
    assert "the inputs differ from the controls' in brightness" in verdict.reason
    assert "no shift is blamed on the version" in verdict.reason


def test_nodes_with_inputs_unlike_the_controls_are_left_out_and_the_others_judged() -> None:
    worse = [node(i, behaved(answers=2000, sure=0.8, compared=20, agreed=19, quality=bright(200))) for i in range(10)]
    in_the_dark = [node(i, behaved(answers=2000, sure=0.4, quality=dark(200))) for i in (10, 11)]
    controls = tuple(control(index, behaved(answers=2000, quality=bright(200))) for index in range(24))

    verdict = judged([*worse, *in_the_dark], controls)

    assert verdict.answer is Answer.ABORT
    assert "answers in doubt 10.0% to 20.0%" in verdict.reason
    assert any("2 nodes were left out" in finding.text for finding in verdict.findings)


# --- cost -----------------------------------------------------------------------------------------


def speeds(middle_us: float, count: int) -> list[float]:
    return [middle_us * (1 + 0.002 * (index % 5 - 2)) for index in range(count)]


def test_a_version_a_little_slower_everywhere_is_found_by_the_typical_latency() -> None:
    settings = replace(SETTINGS, latency_typical_ratio_max=1.04, latency_typical_slack_us=0)
    controls = tuple(control(i, behaved(latency_us=us)) for i, us in enumerate(speeds(5000, 24)))
    slower = [node(i, behaved(latency_us=us, compared=20, agreed=20)) for i, us in enumerate(speeds(5400, 12))]
    same = [node(i, behaved(latency_us=us, compared=20, agreed=20)) for i, us in enumerate(speeds(5000, 12))]

    verdict = judged(slower, controls, settings)

    assert verdict.answer is Answer.ABORT
    assert "typical latency on x86_64-4 x1.0" in verdict.reason
    assert "12 nodes against 24, limit x1.04" in verdict.reason
    assert judged(same, controls, settings).answer is Answer.GO_ON
    assert judged(slower, controls).answer is Answer.GO_ON


def unlike(middle_us: float, count: int) -> list[float]:
    """Return speeds of machines of which some take four times as long as others."""
    return [middle_us * 2.0 ** (0.5 * (index % 5 - 2)) for index in range(count)]


@pytest.mark.parametrize(("nodes", "answer"), [(12, Answer.ABORT), (3, Answer.WAIT)])
def test_a_version_that_is_far_slower_does_not_go_on_because_nodes_are_unlike(nodes: int, answer: Answer) -> None:
    settings = replace(SETTINGS, latency_ratio_max=100.0)
    controls = tuple(control(i, behaved(latency_us=us)) for i, us in enumerate(unlike(5000, 25)))
    slow = [node(i, behaved(latency_us=us, compared=20, agreed=20)) for i, us in enumerate(unlike(30000, nodes))]
    same = [node(i, behaved(latency_us=us, compared=20, agreed=20)) for i, us in enumerate(unlike(5000, nodes))]

    verdict = judged(slow, controls, settings)

    assert (verdict.answer, "typical latency on x86_64-4" in verdict.reason) == (answer, True)
    assert judged(same, controls, settings).answer is Answer.GO_ON


@pytest.mark.parametrize("figure", ["memory_used_bytes", "power_w"])
def test_a_version_that_takes_far_more_of_the_machine_ends_the_rollout(figure: str) -> None:
    controls = tuple(control(i, machine={figure: value}) for i, value in enumerate(speeds(2.0, 24)))
    greedy = [node(i, machine={figure: value}) for i, value in enumerate(speeds(5.0, 12))]
    modest = [node(i, machine={figure: value}) for i, value in enumerate(speeds(3.0, 12))]

    assert judged(greedy, controls).answer is Answer.ABORT
    assert "12 nodes against 24, limit x2" in judged(greedy, controls).reason
    assert judged(modest, controls).answer is Answer.GO_ON


def test_a_machine_that_tells_nonsense_is_not_judged() -> None:
    odd = {"memory_used_bytes": float("nan"), "power_w": -1.0}
    stage = [node(index, machine=odd) for index in range(12)]

    assert judged(stage, tuple(control(index, machine=odd) for index in range(24))).answer is Answer.GO_ON


# --- what programs read ---------------------------------------------------------------------------


def test_a_verdict_carries_what_each_rule_found_in_figures() -> None:
    verdict = judged([node(index, behaved(errors=60, compared=20, agreed=20)) for index in range(4)])

    first = verdict.findings[0]
    assert (first.rule, first.answer, first.limit, first.sample) == ("errors", "abort", 0.02, 4 * 460)
    assert first.figure == pytest.approx(60 / 460)
    assert {"agreement", "reports", "answers", "soak", "latency"} <= {finding.rule for finding in verdict.findings}
    assert all(finding.text for finding in verdict.findings)


def test_a_verdict_on_many_sites_stays_small() -> None:
    stage = [node(index, behaved(compared=20, agreed=2), site=f"site-{index:03}") for index in range(300)]

    verdict = judged(stage)

    assert verdict.answer is Answer.ABORT
    assert len(verdict.findings) <= gate.FINDINGS_MAX
    assert len(verdict.reason) < 2500
