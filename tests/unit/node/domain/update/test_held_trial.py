"""What a node makes of a version that is held on trial for days."""

from ganglion.core.behaviour import Behaviour
from ganglion.node.domain.update import held_trial
from ganglion.node.domain.update.held_trial import HOUR_S, LATELY_MIN, Counts
from ganglion.node.domain.update.probation import Verdict
from ganglion.wire.desired import DeploymentPolicy

SPLIT = DeploymentPolicy(compared_min=20, agreement_min=0.9, held=True, traffic_share=0.5)
HEARD = DeploymentPolicy(compared_min=20, agreement_min=0.9, held=True)
NOTHING = Counts(Behaviour(), Behaviour())


def counted(answers: int, *, errors: int = 0, agreed: int | None = None) -> Counts:
    """Return the counts of both versions; each of the control's answers was compared."""
    control, challenger = Behaviour(), Behaviour()
    control.count_answers([1000] * answers, ["7"] * answers, [0.9] * answers)
    for index in range(answers):
        control.count_comparison(1, int(agreed is None or index < agreed), 1000)
    challenger.count_answers([1000] * (answers - errors), [], [])
    for _ in range(errors):
        challenger.count_error()
    return Counts(control, challenger)


def plus(one: Counts, other: Counts) -> Counts:
    control, challenger = Behaviour(), Behaviour()
    for counts in (one, other):
        control.merge(counts.control)
        challenger.merge(counts.challenger)
    return Counts(control, challenger)


def verdict(policy: DeploymentPolicy, now: Counts, *, now_s: float = 1.0, before: Counts = NOTHING) -> Verdict:
    watch = held_trial.begun(before, now_s=0.0)
    return held_trial.judge(policy, watch, now, share=1.0, now_s=now_s).verdict


def test_what_is_in_order_waits_and_after_an_hour_is_called_healthy() -> None:
    assert verdict(SPLIT, counted(100)) is Verdict.WAIT
    assert verdict(SPLIT, counted(100), now_s=HOUR_S) is Verdict.HEALTHY


def test_errors_of_the_challengers_own_answers_end_a_split_and_nothing_that_only_listens() -> None:
    assert verdict(SPLIT, counted(100, errors=20)) is Verdict.UNHEALTHY
    assert verdict(HEARD, counted(100, errors=20)) is Verdict.WAIT


def test_disagreement_ends_both_kinds_of_trial() -> None:
    for policy in (SPLIT, HEARD):
        assert verdict(policy, counted(100, agreed=50)) is Verdict.UNHEALTHY


def test_inputs_that_a_version_in_the_shadow_fails_on_count_as_its_errors() -> None:
    now = counted(100)
    now.control.compared_failed = 20

    assert verdict(HEARD, now) is Verdict.UNHEALTHY


def test_what_was_counted_before_the_trial_is_not_looked_at() -> None:
    before = counted(400, errors=200, agreed=0)

    assert verdict(SPLIT, plus(before, counted(100)), before=before) is Verdict.WAIT


def test_the_last_hour_is_judged_by_itself_when_it_holds_enough() -> None:
    good, bad = counted(20_000), counted(LATELY_MIN + 100, errors=100)
    watch = held_trial.renewed(SPLIT, held_trial.begun(NOTHING, now_s=0.0), good, now_s=HOUR_S)

    few = held_trial.judge(SPLIT, watch, plus(good, counted(100, errors=50)), share=1.0, now_s=HOUR_S)
    many = held_trial.judge(SPLIT, watch, plus(good, bad), share=1.0, now_s=HOUR_S)

    assert (few.verdict, many.verdict) == (Verdict.HEALTHY, Verdict.UNHEALTHY)


def test_an_hour_with_few_answers_is_no_hour_yet() -> None:
    watch = held_trial.begun(NOTHING, now_s=0.0)

    assert held_trial.renewed(SPLIT, watch, counted(LATELY_MIN - 1), now_s=2 * HOUR_S) is watch
    assert held_trial.renewed(SPLIT, watch, counted(LATELY_MIN), now_s=HOUR_S - 1) is watch
    assert held_trial.renewed(SPLIT, watch, counted(LATELY_MIN), now_s=HOUR_S).lately_s == HOUR_S
