"""Answers of the advisor as tables for people: the answer first, then its figures, then what is open."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from ganglion.advisor.assess.answer import AssessAdvice, WorkloadReport
from ganglion.advisor.cost.answer import CostAdvice
from ganglion.advisor.figures import Figure, Question, short
from ganglion.advisor.fit.answer import FitAdvice
from ganglion.advisor.place.answer import PlaceAdvice
from ganglion.advisor.storage.answer import StorageAdvice

Advice: TypeAlias = CostAdvice | PlaceAdvice | StorageAdvice | FitAdvice | AssessAdvice
_GAP = "  "
_MAIN = (
    "payback_days", "payback_first_whole_day", "payback_from_order_days", "cloud_month", "edge_opex_month",
    "saving_month", "capex",
    "tco_cloud", "tco_edge", "tco_saving", "roi", "break_even_volume", "break_even_volume_running",
    "cost_per_prediction_cloud",
    "cost_per_prediction_edge", "running_cost_per_prediction_edge", "accelerator_effective_price",
    "accelerator_inference_price",
)  # fmt: skip
_FLIPS_MAX, _BARS_MAX = 6, 6


def text(advice: Advice) -> str:
    """Return an answer as lines for a terminal."""
    match advice:
        case CostAdvice():
            parts = _cost(advice)
        case PlaceAdvice():
            parts = _place(advice)
        case StorageAdvice():
            parts = _storage(advice)
        case FitAdvice():
            parts = _fit(advice)
        case AssessAdvice():
            parts = _assess(advice)
    lines = [advice.answer, *parts]
    # What a file named must not move the cursor.
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines) + "\n"


def _cost(advice: CostAdvice) -> Iterator[str]:
    figures = advice.figures
    yield from _table(
        "FIGURE",
        [(figures[name].title, _value(figures[name]), figures[name].origin) for name in _MAIN if name in figures],
    )
    lines = [
        (each.title, _value(each), each.origin)
        for name, each in figures.items()
        if "_line_" in name or name.startswith("capex_")
    ]
    yield from _table("MADE UP OF", lines)
    if advice.flips:
        rows = [
            (each.input, short(each.current), f"{short(each.at)} {each.unit}") for each in advice.flips[:_FLIPS_MAX]
        ]
        yield from _table("THE WINNER FLIPS WHEN", rows)
    if advice.sensitivity is not None:
        unit = advice.sensitivity.unit
        bars = [
            (
                bar.input,
                f"{short(bar.low)} .. {short(bar.high)} {bar.unit}",
                f"{bar.outcome_low:,.0f} .. {bar.outcome_high:,.0f} {unit}",
            )
            for bar in advice.sensitivity.bars[:_BARS_MAX]
        ]
        yield from _table(f"SENSITIVITY OF {advice.sensitivity.outcome.upper()}", bars)
    if advice.monte_carlo is not None:
        drawn = advice.monte_carlo
        spreads = [
            (name, f"{_or_never(each.p5)} .. {_or_never(each.p50)} .. {_or_never(each.p95)} {each.unit}")
            for name, each in drawn.outcomes.items()
        ]
        yield from _table(f"{drawn.draws:,} DRAWS: 5 %, MIDDLE, 95 %", spreads)
        yield f"  the edge is cheaper in {drawn.edge_cheaper_share:.1%} of them"
    yield from _open(advice.questions, advice.assumptions)


def _place(advice: PlaceAdvice) -> Iterator[str]:
    yield from _table("STEP RUNS ON", [(each.step, each.tier or "-", each.reason) for each in advice.placement])
    rows = [
        (each.tier, each.verdict, each.first_failing_rule or "-", _value(each.cost_month), each.reason)
        for each in advice.tiers
    ]
    yield from _table("TIER", rows)
    checks = [
        (each.tier, check.rule, check.outcome, _value(check.need), _value(check.limit), _value(check.margin))
        for each in advice.tiers
        for check in each.checks
    ]
    yield from _table("RULE, NEED, LIMIT, MARGIN", checks)
    yield from _listed("FALLBACKS", [each.action for each in advice.fallbacks])
    yield from _listed("WHAT WOULD FLIP IT", [each.text for each in advice.flips])
    yield from _listed("CONTRADICTIONS", advice.contradictions)
    yield from _listed("REMARKS", advice.remarks)
    yield from _listed("RULES OF THUMB (SHOWN, NOT APPLIED)", [each.says for each in advice.rules_of_thumb])
    yield from _listed("SCHOOLS DISAGREE", advice.schools_disagree)
    yield from _listed("KINDS OF PLACEMENT", [f"{each.id}: {each.best_for}" for each in advice.placement_kinds])
    yield from _open(advice.questions, advice.assumptions)


def _storage(advice: StorageAdvice) -> Iterator[str]:
    yield from _table("TOTAL", [(each.title, _value(each)) for each in advice.figures.values()])
    names = ("stored_bytes", "outage_buffer", "hours_until_shed", "storage_month")
    rows = [
        (each.name, *(_value(each.figures.get(name)) for name in names), each.lock_until or "-")
        for each in advice.classes
    ]
    yield from _table("CLASS", rows, heads=("STORED", "OUTAGE BUFFER", "SHED AFTER", "COST", "LOCKED UNTIL"))
    yield from _open(advice.questions, advice.assumptions)


def _fit(advice: FitAdvice) -> Iterator[str]:
    rows = [
        (each.rule, each.outcome, _value(each.need), _value(each.limit), _value(each.margin)) for each in advice.checks
    ]
    yield from _table("RULE", rows, heads=("OUTCOME", "NEED", "LIMIT", "MARGIN"))
    ladder = [
        (each.id, _value(each.memory), {True: "fits", False: "too large", None: "-"}[each.fits_memory], each.says)
        for each in advice.ladder
    ]
    yield from _table("WHAT TO TRY", ladder)
    families = [
        (each.name, {True: "suits", False: "no", None: "-"}[each.suits], each.best_for) for each in advice.hardware
    ]
    yield from _table("HARDWARE (MAKERS' CLAIMS)", families)
    yield from _open(advice.questions, ())


def _assess(advice: AssessAdvice) -> Iterator[str]:
    names = (
        "requests",
        "rate",
        "latency_p50",
        "latency_p95",
        "latency_p99",
        "bytes_out_mean",
        "egress_day",
        "failure_rate",
    )
    heads = ("RANK", "REQUESTS", "RATE", "P50", "P95", "P99", "ANSWER", "EGRESS", "FAILED", "RECOMMENDATION")
    rows = [
        (each.name, str(each.rank or "-"), *(_value(each.figures.get(name)) for name in names), _recommended(each))
        for each in advice.workloads
    ]
    yield from _table("WORKLOAD", rows, heads=heads)
    yield from _listed(
        "NOT MEASURED",
        [f"{each.name}: {', '.join(each.not_measured)}" for each in advice.workloads if each.not_measured],
    )
    for one in advice.pilot:
        yield from ("", f"PILOT OF {one.workload}: {one.verdict.upper()}, because {one.reason}")
        for each in one.compared:
            yield (
                f"  {each.figure}: {each.before:.4g} ({each.before_low:.4g} .. {each.before_high:.4g}) before, "
                f"{each.after:.4g} ({each.after_low:.4g} .. {each.after_high:.4g}) after: {each.outcome}"
            )
    yield from _open(advice.questions, advice.assumptions)


def _recommended(report: WorkloadReport) -> str:
    missing = f": {', '.join(report.refused_because)}" if report.refused_because else ""
    return report.recommendation + missing


def _value(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    return f"{figure.text} ({range_of(figure)})" if range_of(figure) else figure.text


def range_of(figure: Figure, joint: str = " .. ") -> str:
    """Return the two ends of a figure's range, or nothing."""
    if figure.low is None and figure.high is None:
        return ""
    scale = 100 if figure.unit == "share" else 1
    return joint.join(_or_never(None if end is None else end * scale) for end in (figure.low, figure.high))


def _or_never(value: float | None) -> str:
    return "never" if value is None else short(value)


def _open(questions: Sequence[Question], assumptions: Sequence[str]) -> Iterator[str]:
    yield from _listed("NOT KNOWN YET", [f"{each.question} ({each.fact})" for each in questions])
    yield from _listed("TAKEN FOR GRANTED", assumptions)


def _listed(head: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", head, *(f"{_GAP}{line}" for line in lines))


def _table(head: str, rows: Sequence[Sequence[str]], heads: Sequence[str] = ()) -> Iterator[str]:
    if not rows:
        return
    # The heading of the first column stands over the whole table when the others need none.
    shown: list[Sequence[str]] = [(head, *heads), *rows] if heads else list(rows)
    widths = [max(len(str(cell)) for cell in column) for column in zip(*shown, strict=True)]
    yield ""
    if not heads:
        yield head
    for row in shown:
        yield (_GAP + _GAP.join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
