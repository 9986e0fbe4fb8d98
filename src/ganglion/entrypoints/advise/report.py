"""The advisor's report: one self-contained HTML page that an engineer and a finance person can both read."""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from ganglion.advisor.cost.answer import CostAdvice, CumulativePoint
from ganglion.advisor.figures import Figure, Question, ThumbRule, short
from ganglion.advisor.formulas import FORMULAS
from ganglion.advisor.place.answer import PlaceAdvice
from ganglion.core.errors import DiskUnusable, InvalidRequest
from ganglion.entrypoints.advise import plots as advise_plots
from ganglion.entrypoints.advise.plots import Bar, Line, Mark
from ganglion.entrypoints.advise.text import Advice, range_of

_STYLE = """
:root { color-scheme: light dark; --page:#f5f6f8; --card:#fff; --ink:#1b2430; --soft:#5b6776; --line:#d3d9e0;
  --edge:#1f8a6d; --cloud:#3b6fc4; --bad:#b93a31; --warn:#9a6700; }
@media (prefers-color-scheme: dark) { :root { --page:#12161c; --card:#1b212a; --ink:#e6ebf2; --soft:#a3afbe;
  --line:#39424f;
  --edge:#47c39d; --cloud:#7aa7f0; --bad:#f08077; --warn:#e0b04a; } }
body { margin:0; background:var(--page); color:var(--ink); font:15px/1.5 system-ui, sans-serif; }
main { max-width:1000px; margin:0 auto; padding:28px 16px 60px; }
h1 { font-size:26px; margin:0 0 6px; } h2 { font-size:18px; margin:0 0 6px; } .soft { color:var(--soft); }
.answer { font-size:18px; margin:6px 0 0; }
section { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:18px 20px; margin:16px 0; }
.cards { display:grid; grid-template-columns:repeat(auto-fit, minmax(180px, 1fr)); gap:12px; margin:16px 0; }
.card { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:12px 14px; }
.card b { display:block; font-size:20px; line-height:1.3; overflow-wrap:anywhere; }
.card small { font-size:13px; font-weight:400; } .card span { color:var(--soft); font-size:13px; }
table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums; font-size:14px; }
th, td { text-align:left; vertical-align:top; padding:5px 12px 5px 0; border-bottom:1px solid var(--line); }
tr:last-child td { border-bottom:0; } th { color:var(--soft); font-weight:600; }
.number { text-align:right; white-space:nowrap; }
.pass { color:var(--edge); } .fail { color:var(--bad); } .unknown { color:var(--warn); }
.scroll { overflow-x:auto; } svg { width:100%; min-width:640px; height:auto; display:block; }
svg text { font:12px system-ui, sans-serif; fill:var(--soft); }
svg text.mark { paint-order:stroke; stroke:var(--card); stroke-width:4px; }
svg text.mark, svg text.name { fill:var(--ink); font-size:13px; }
.legend { margin:4px 0 0; } .legend span { margin-right:18px; color:var(--soft); }
.legend i { display:inline-block; width:14px; height:4px; border-radius:2px; margin-right:7px; vertical-align:3px; }
ul { margin:4px 0 0; padding-left:20px; } code { font-size:13px; }
"""
_CARDS = ("payback_days", "saving_month", "capex", "tco_saving", "roi", "break_even_volume",
          "cost_per_prediction_cloud",
          "cost_per_prediction_edge")  # fmt: skip
_FACTORS = ("compute", "storage", "network", "operations", "downtime_risk")
_BARS_MAX = 10


def write_report(advice: Advice, file: Path) -> None:
    """Write the report of a cost or a place answer. Raises: InvalidRequest: of another one. DiskUnusable."""
    if not isinstance(advice, CostAdvice | PlaceAdvice):
        raise InvalidRequest(f"there is no report for {advice.kind}: cost and place have one")
    try:
        file.write_text(page(advice), encoding="utf-8")
    except OSError as error:
        raise DiskUnusable(f"{file} cannot be written: {error.strerror or error}") from error


def page(advice: CostAdvice | PlaceAdvice) -> str:
    """Return the page."""
    body = _cost(advice) if isinstance(advice, CostAdvice) else _place(advice)
    name = advice.name or {"cost": "Edge or cloud: the cost", "place": "Where each step runs"}[advice.kind]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}</title><style>{_STYLE}</style></head><body><main>"
        f'<h1>{escape(name)}</h1><p class="answer">{escape(advice.answer)}</p>'
        f"{''.join(body)}</main></body></html>\n"
    )


# --- cost -----------------------------------------------------------------------------------------


def _cost(advice: CostAdvice) -> Iterator[str]:
    figures = advice.figures
    yield f'<p class="soft">{escape(_status_line(advice))}</p>'
    yield '<div class="cards">' + "".join(_card(figures[name]) for name in _CARDS if name in figures) + "</div>"
    yield from _cumulative(advice)
    yield from _volumes(advice)
    yield from _tornado(advice)
    yield from _monte_carlo(advice)
    yield from _factors(advice)
    yield from _flips(advice)
    yield from _open(advice.questions, advice.assumptions)
    inputs = [(name, each) for name, each in figures.items() if each.formula == "input"]
    rows = [
        (each.title, each.text, range_of(each, " to "), each.origin, each.source or each.note) for _, each in inputs
    ]
    yield _section(
        "What was given",
        "Every input with its origin.",
        _table(("input", "value", "range", "origin", "source"), rows, {1}),
    )
    computed = [
        (each.title, each.text, range_of(each, " to "), FORMULAS.get(each.formula, each.formula))
        for each in figures.values()
        if each.formula != "input"
    ]
    yield _section(
        "What was computed",
        "Every figure with its formula.",
        _table(("figure", "value", "range", "formula"), computed, {1}),
    )
    yield from _rules(advice.rules_of_thumb, ())


def _status_line(advice: CostAdvice) -> str:
    words = {
        "computed": "All five factors of the edge's running cost are given.",
        "incomplete": "A plan that leaves out a factor of running cost is incomplete, not cheap.",
        "not_computable": "Facts are missing; they are listed below as questions.",
    }[advice.status]
    return f"{words} A month has {advice.month_days:g} days. Money is in {advice.currency or 'no currency yet'}."


def _card(figure: Figure) -> str:
    extra = f" ({range_of(figure, ' to ')})" if range_of(figure, " to ") else ""
    number, _, unit = figure.text.partition(" ")
    shown = figure.text if figure.value is None else number
    small = "" if figure.value is None else f" <small>{escape(unit)}</small>"
    below = escape(extra.strip() or figure.note)
    return (
        f'<div class="card"><span>{escape(figure.title)}</span><b>{escape(shown)}{small}</b><span>{below}</span></div>'
    )


def _cumulative(advice: CostAdvice) -> Iterator[str]:
    points = advice.cumulative
    if not points:
        return
    cloud = Line("cloud", "cloud", [(each.day, each.cloud) for each in points])
    edge = Line("edge", "edge", [(each.day, each.edge) for each in points])
    payback = advice.figures.get("payback_from_order_days") or advice.figures["payback_days"]
    marks = []
    if payback.value is not None and payback.value <= points[-1].day:
        marks = [Mark(f"paid back after {payback.value:,.1f} days", payback.value, _at(points, payback.value))]
    plot = advise_plots.lines(
        "Cumulative cost over time", [cloud, edge], x_title="days after the order", y_title=advice.currency, marks=marks
    )
    text = (
        "What has been paid until each day. The edge begins higher, because devices are bought first; "
        "where the lines cross it has paid."
    )
    yield _section("Cumulative cost over time", text, f'<div class="scroll">{plot}</div>')


def _at(known: Sequence[CumulativePoint], day: float) -> float:
    after = next((index for index, each in enumerate(known) if each.day >= day), len(known) - 1)
    before = known[max(0, after - 1)]
    width = known[after].day - before.day
    share = (day - before.day) / width if width else 0.0
    return before.edge + (known[after].edge - before.edge) * share


def _volumes(advice: CostAdvice) -> Iterator[str]:
    points = advice.volumes
    if not points:
        return
    series = [
        Line("cloud", "cloud", [(each.volume, each.cloud) for each in points]),
        Line("edge", "edge", [(each.volume, each.edge) for each in points]),
    ]
    even = advice.figures["break_even_volume"].value
    marks = []
    if even is not None and 0 < even <= points[-1].volume:
        nearest = min(points, key=lambda each: abs(each.volume - even))
        marks.append(Mark(f"break-even at {advise_plots.short(even)}", even, nearest.edge))
    plot = advise_plots.lines(
        "Cost of a month against volume", series, x_title="inferences of one site in a month",
        y_title=f"{advice.currency}/month", marks=marks,
    )  # fmt: skip
    text = (
        "What one site costs in a month at other volumes, with what is paid once spread over the horizon. "
        "Right of the crossing the edge is cheaper."
    )
    yield _section("Break-even against volume", text, f'<div class="scroll">{plot}</div>')


def _tornado(advice: CostAdvice) -> Iterator[str]:
    found = advice.sensitivity
    if found is None or not found.bars:
        return
    bars = [
        Bar(
            bar.input.replace("_", " "),
            bar.outcome_low,
            bar.outcome_high,
            advise_plots.short(bar.low),
            advise_plots.short(bar.high),
        )
        for bar in found.bars[:_BARS_MAX]
    ]
    plot = advise_plots.tornado("Tornado", bars, base=found.base, unit=found.unit)
    text = (
        f"How far each input alone moves {found.outcome.replace('_', ' ')}: blue at its low end, green at its high. "
        f"Inputs without a range are moved by {found.change:.0%}. The longest bar is the fact to measure first."
    )
    yield _section("What matters most", text, f'<div class="scroll">{plot}</div>')


def _monte_carlo(advice: CostAdvice) -> Iterator[str]:
    drawn = advice.monte_carlo
    if drawn is None:
        return
    rows = [
        (
            name.replace("_", " "),
            *("never" if each is None else short(each) for each in (one.p5, one.p50, one.p95)),
            one.unit,
        )
        for name, one in drawn.outcomes.items()
    ]
    text = (
        f"{drawn.draws:,} draws from the ranges of {', '.join(drawn.inputs)} (seed {drawn.seed}): the edge is cheaper "
        f"in "
        f"{drawn.edge_cheaper_share:.1%} of them, and never pays back in {drawn.never_pays_back_share:.1%}."
    )
    yield _section("All ranges together", text, _table(("outcome", "5 %", "middle", "95 %", "unit"), rows, {1, 2, 3}))


def _factors(advice: CostAdvice) -> Iterator[str]:
    rows = []
    for factor in _FACTORS:
        sides = [advice.figures.get(f"{side}_{factor}_month") for side in ("cloud", "edge")]
        rows.append((factor.replace("_", " "), *("not said" if each is None else each.text for each in sides)))
    for name, title in (("cloud_month", "all"),):
        both = [advice.figures.get(name), advice.figures.get("edge_opex_month")]
        rows.append((title, *("not known" if each is None else each.text for each in both)))
    text = "The five factors on both sides. Zero is an answer; silence is not."
    yield _section("Running cost of a month", text, _table(("factor", "cloud", "edge"), rows, {1, 2}))


def _flips(advice: CostAdvice) -> Iterator[str]:
    rows = [
        (each.input.replace("_", " "), short(each.current), short(each.at), f"{each.change:+.0%}", each.unit)
        for each in advice.flips
    ]
    if rows:
        text = "The value at which the other side wins, all else being equal; the nearest first."
        yield _section(
            "What flips the winner", text, _table(("input", "now", "flips at", "change", "unit"), rows, {1, 2, 3})
        )


# --- place ----------------------------------------------------------------------------------------


def _place(advice: PlaceAdvice) -> Iterator[str]:
    order = "Law is judged first, then physics, availability and cost."
    yield f'<p class="soft">Latencies are compared at {escape(advice.quantile)}. {order}</p>'
    if advice.placement:
        rows = [(each.step, each.tier, each.reason) for each in advice.placement]
        yield _section("Placement", "Where each step runs.", _table(("step", "runs on", "why"), rows))
    tiers = [
        (
            each.tier,
            each.verdict.replace("_", " "),
            each.first_failing_rule or "",
            each.cost_month.text if each.cost_month else "",
            each.reason,
        )
        for each in advice.tiers
    ]
    yield _section(
        "Tiers",
        "All answering steps on one tier.",
        _table(("tier", "verdict", "first failing rule", "cost", "reason"), tiers),
    )
    margins = [
        (
            one.tier,
            check.rule,
            check.outcome,
            *(each.text if each else "" for each in (check.need, check.limit, check.margin)),
        )
        for one in advice.tiers
        for check in one.checks
    ]
    yield _section(
        "Margins",
        "How far each limit is.",
        _table(("tier", "rule", "outcome", "need", "limit", "margin"), margins, {3, 4, 5}, marked=2),
    )
    for title, lines in (
        ("Contradictions", advice.contradictions),
        ("Remarks", advice.remarks),
        ("Fallbacks", tuple(each.action for each in advice.fallbacks)),
        ("What would flip it", tuple(each.text for each in advice.flips)),
    ):
        if lines:
            yield _section(title, "", _list(lines))
    yield from _open(advice.questions, advice.assumptions)
    yield from _rules(advice.rules_of_thumb, advice.schools_disagree)


# --- both -----------------------------------------------------------------------------------------


def _open(questions: Sequence[Question], assumptions: Sequence[str]) -> Iterator[str]:
    if questions:
        yield _section("What is not known yet", "", _list([each.question for each in questions]))
    if assumptions:
        yield _section(
            "What was taken for granted", "Say it in the input, and it is not taken for granted.", _list(assumptions)
        )


def _rules(rules: Sequence[ThumbRule], disagreements: Sequence[str]) -> Iterator[str]:
    if rules:
        rows = [(each.school, each.says, each.origin, each.date) for each in rules]
        table = _table(("school", "rule", "origin", "written down"), rows)
        yield _section(
            "Rules of thumb", "Shown, never applied.", table + (_list(disagreements) if disagreements else "")
        )


def _section(title: str, text: str, content: str) -> str:
    words = f'<p class="soft">{escape(text)}</p>' if text else ""
    return f"<section><h2>{escape(title)}</h2>{words}{content}</section>"


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: "set[int] | None" = None, marked: int = -1
) -> str:
    right = numbers or set()

    def cell(tag: str, index: int, text: str) -> str:
        classes = [*(["number"] if index in right else []), *([text] if index == marked and tag == "td" else [])]
        attribute = f' class="{" ".join(classes)}"' if classes else ""
        return f"<{tag}{attribute}>{escape(str(text))}</{tag}>"

    head = "".join(cell("th", index, text) for index, text in enumerate(heads))
    body = "".join(
        "<tr>" + "".join(cell("td", index, text) for index, text in enumerate(row)) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(each)}</li>" for each in lines) + "</ul>"
