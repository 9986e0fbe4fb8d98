"""Before and after a pilot: expand, hold or stop, by intervals and not by two numbers."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from ganglion.advisor.assess.answer import Compared, PilotReport
from ganglion.advisor.assess.observations import Traffic
from ganglion.advisor.given import Given
from ganglion.core.drift import wilson_interval

REQUESTS_MIN = 100
"""Fewer requests on a side say nothing of a p99."""
_Z95 = 1.96
_SHARES = (0.5, 0.95, 0.99)


class _Entry(Protocol):
    @property
    def amounts(self) -> Mapping[str, Given]: ...


class _Map(Protocol):
    def of(self, workload: str) -> _Entry: ...


def compare(before: Mapping[str, Traffic], after: Mapping[str, Traffic], team: _Map) -> tuple[PilotReport, ...]:
    """Return the verdict on each workload that the pilot served."""
    return tuple(_one(name, before.get(name), traffic, team.of(name)) for name, traffic in after.items())


def _one(name: str, before: Traffic | None, after: Traffic, known: _Entry) -> PilotReport:
    if before is None:
        return PilotReport(workload=name, verdict="hold", reason="nothing was measured before the pilot", compared=())
    compared = (*_latencies(before, after), *_failures(before, after))
    verdict, reason = _verdict(compared, before, after, known)
    return PilotReport(workload=name, verdict=verdict, reason=reason, compared=compared)


def _latencies(before: Traffic, after: Traffic) -> Iterator[Compared]:
    for share in _SHARES:
        old, new = before.latency(share), after.latency(share)
        old_ends, new_ends = before.latency_interval(share), after.latency_interval(share)
        if old is not None and new is not None and old_ends and new_ends:
            yield _compared(f"latency_p{share * 100:.0f}", "ms", (old, *old_ends), (new, *new_ends))


def _failures(before: Traffic, after: Traffic) -> Iterator[Compared]:
    if before.judged and after.judged:
        old, new = (
            (one.failed / one.judged, *wilson_interval(int(one.failed), int(one.judged), z=_Z95))
            for one in (before, after)
        )
        yield _compared("failure_rate", "share", old, new)


def _compared(figure: str, unit: str, old: tuple[float, float, float], new: tuple[float, float, float]) -> Compared:
    outcome = "better" if new[2] < old[1] else "worse" if new[1] > old[2] else "unclear"
    return Compared(
        figure=figure,
        unit=unit,
        before=old[0],
        before_low=old[1],
        before_high=old[2],
        after=new[0],
        after_low=new[1],
        after_high=new[2],
        outcome=outcome,
    )


def _verdict(compared: tuple[Compared, ...], before: Traffic, after: Traffic, known: _Entry) -> tuple[str, str]:
    by_name = {each.figure: each for each in compared}
    failures, slowest = by_name.get("failure_rate"), by_name.get("latency_p99")
    if failures is not None and failures.outcome == "worse":
        return "stop", f"more requests fail: {failures.before:.2%} before, {failures.after:.2%} after"
    if slowest is not None and slowest.outcome == "worse":
        return "stop", f"p99 is slower: {slowest.before:.4g} ms before, {slowest.after:.4g} ms after"
    doubt = _doubt(slowest, failures, min(len(before.latencies_ms), len(after.latencies_ms)), known)
    if doubt or slowest is None:
        return "hold", doubt
    return (
        "expand",
        f"p99 is better: {slowest.before:.4g} ms before, {slowest.after:.4g} ms after; failures are no worse",
    )


def _doubt(slowest: Compared | None, failures: Compared | None, requests: int, known: _Entry) -> str:
    """Return why a pilot that is not worse should not be expanded yet, or nothing."""
    if slowest is None:
        return "the latency was not measured on both sides"
    budget = known.amounts.get("latency_budget")
    doubts = (
        (requests < REQUESTS_MIN, f"fewer than {REQUESTS_MIN} requests on a side"),
        (
            budget is not None and slowest.after_high > float(budget.value),
            f"p99 may be as much as {slowest.after_high:.4g} ms, and the budget is {budget.text if budget else ''}",
        ),
        (failures is None, "nobody logged which requests failed"),
        (slowest.outcome != "better", "p99 is neither better nor worse than chance explains"),
    )
    return next((text for holds, text in doubts if holds), "")
