"""Laws of batching: what may share a run, who waits how long, and that nobody is lost."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.batching_rules import BatchingRules
from ganglion.node.domain.serving.batching import NEVER_S, Batch, Batching, Waiting, Why

TICK_S = 1e-6
"""A deadline is over when the clock is past it, not when it strikes."""


@dataclass(frozen=True)
class Sent:
    """A request of a test."""

    number: int
    at_s: float
    rows: int
    form: str
    deadline_s: float


@dataclass
class Seen:
    """What became of the requests, and when."""

    sent: list[Sent]
    batches: list[tuple[float, Batch[Sent]]] = field(default_factory=list)
    expired: list[tuple[float, Sent]] = field(default_factory=list)

    @property
    def started(self) -> list[tuple[float, Sent]]:
        return [(at_s, each) for at_s, batch in self.batches for each in batch.items]


@st.composite
def rules(draw: st.DrawFn) -> BatchingRules:
    size = draw(st.integers(1, 12))
    preferred = draw(st.lists(st.integers(1, size), max_size=3))
    return BatchingRules(
        max_size=size,
        max_delay_us=draw(st.sampled_from([0, 100, 2000, 50_000])),
        preferred_sizes=tuple(preferred),
        queue_len_max=10_000,
    )


@st.composite
def requests(draw: st.DrawFn) -> list[Sent]:
    pauses_us = draw(st.lists(st.sampled_from([0, 0, 1, 50, 700, 5000]), min_size=1, max_size=40))
    sent = []
    for number, at_us in enumerate(accumulate(pauses_us)):
        patience_us = draw(st.sampled_from([None, None, 10, 1000, 20_000]))
        sent.append(
            Sent(
                number,
                at_us / 1e6,
                draw(st.integers(1, 15)),
                draw(st.sampled_from("ab")),
                NEVER_S if patience_us is None else (at_us + patience_us) / 1e6,
            )
        )
    return sent


def play(given_rules: BatchingRules, sent: list[Sent], *, run_s: float = 0.0) -> Seen:
    """Let requests arrive and an engine run whatever starts, `run_s` for each batch."""
    batching: Batching[Sent] = Batching(given_rules)
    seen, waiting, now_s, free_at_s = Seen(sent), list(sent), 0.0, 0.0
    while waiting or len(batching):
        while waiting and waiting[0].at_s <= now_s:
            each = waiting.pop(0)
            batching.arrive(Waiting(each, each.rows, each.form, each.at_s, each.deadline_s))
        decision = batching.decide(now_s, is_free=now_s >= free_at_s)
        seen.expired += [(now_s, each) for each in decision.expired]
        if decision.batch is not None:
            seen.batches.append((now_s, decision.batch))
            free_at_s = now_s + run_s
            continue
        events_s = [waiting[0].at_s] if waiting else []
        events_s += [free_at_s] if now_s < free_at_s else []
        events_s += [max(decision.wake_s, now_s + TICK_S)] if decision.wake_s < NEVER_S else []
        if not events_s:
            break
        now_s = min(events_s)
    return seen


RUNS_S = st.sampled_from([0.0, 300e-6, 8e-3])


@given(rules(), requests(), RUNS_S)
def test_every_request_runs_once_or_expires_once(given_rules: BatchingRules, sent: list[Sent], run_s: float) -> None:
    seen = play(given_rules, sent, run_s=run_s)

    ended = [each.number for _, each in (*seen.started, *seen.expired)]
    assert sorted(ended) == [each.number for each in sent]


@given(rules(), requests(), RUNS_S)
def test_a_batch_has_no_more_rows_than_are_allowed_unless_one_request_has(
    given_rules: BatchingRules, sent: list[Sent], run_s: float
) -> None:
    for _, batch in play(given_rules, sent, run_s=run_s).batches:
        assert batch.rows == sum(each.rows for each in batch.items)
        assert batch.rows <= given_rules.max_size or len(batch.items) == 1


@given(rules(), requests(), RUNS_S)
def test_requests_of_different_forms_never_share_a_batch(
    given_rules: BatchingRules, sent: list[Sent], run_s: float
) -> None:
    for _, batch in play(given_rules, sent, run_s=run_s).batches:
        assert len({each.form for each in batch.items}) == 1


@given(rules(), requests(), RUNS_S)
def test_requests_of_one_form_leave_in_their_order(given_rules: BatchingRules, sent: list[Sent], run_s: float) -> None:
    seen = play(given_rules, sent, run_s=run_s)

    for form in "ab":
        numbers = [each.number for _, each in seen.started if each.form == form]
        assert numbers == sorted(numbers)


@given(rules(), requests())
def test_nobody_waits_longer_than_allowed_for_an_engine_that_is_free(
    given_rules: BatchingRules, sent: list[Sent]
) -> None:
    seen = play(given_rules, sent)

    assert not seen.expired
    for at_s, each in seen.started:
        assert at_s - each.at_s <= given_rules.max_delay_us / 1e6 + TICK_S


@given(rules(), requests(), RUNS_S)
def test_no_deadline_passes_in_silence(given_rules: BatchingRules, sent: list[Sent], run_s: float) -> None:
    seen = play(given_rules, sent, run_s=run_s)

    assert all(at_s <= each.deadline_s for at_s, each in seen.started)
    assert all(each.deadline_s < at_s <= each.deadline_s + 2 * TICK_S for at_s, each in seen.expired)


@given(rules(), requests())
def test_half_of_a_requests_time_is_left_for_its_run_when_the_engine_is_free(
    given_rules: BatchingRules, sent: list[Sent]
) -> None:
    for at_s, each in play(given_rules, sent).started:
        if each.deadline_s < NEVER_S:
            assert at_s <= (each.at_s + each.deadline_s) / 2 + TICK_S


@given(rules(), requests(), RUNS_S)
def test_a_preferred_size_is_chosen_when_it_is_reached_and_the_largest_of_several(
    given_rules: BatchingRules, sent: list[Sent], run_s: float
) -> None:
    preferred = set(given_rules.preferred_sizes)
    for _, batch in play(given_rules, sent, run_s=run_s).batches:
        reached = preferred & set(accumulate(each.rows for each in batch.items))
        if batch.why is Why.PREFERRED:
            assert batch.rows in preferred
        else:
            assert not reached


@given(rules(), requests(), RUNS_S)
def test_reasons_are_true(given_rules: BatchingRules, sent: list[Sent], run_s: float) -> None:
    delay_s = given_rules.max_delay_us / 1e6
    for at_s, batch in play(given_rules, sent, run_s=run_s).batches:
        match batch.why:
            case Why.DELAY:
                assert delay_s
                assert at_s >= batch.items[0].at_s + delay_s
            case Why.DEADLINE:
                assert any(each.deadline_s < NEVER_S for each in batch.items)
            case Why.IDLE:
                assert not delay_s


@given(rules(), requests(), st.sets(st.integers(0, 39)))
def test_a_request_that_was_taken_back_never_runs(given_rules: BatchingRules, sent: list[Sent], gone: set[int]) -> None:
    batching: Batching[Sent] = Batching(given_rules)
    for each in sent:
        batching.arrive(Waiting(each, each.rows, each.form, each.at_s))
    for number in gone & set(range(len(sent))):
        assert batching.withdraw(sent[number], sent[number].form)
        assert not batching.withdraw(sent[number], sent[number].form)

    ran: list[int] = []
    while (batch := batching.decide(1e9, is_free=True).batch) is not None:
        ran += [each.number for each in batch.items]

    assert Counter(ran) == Counter(each.number for each in sent if each.number not in gone)
    assert len(batching) == 0
