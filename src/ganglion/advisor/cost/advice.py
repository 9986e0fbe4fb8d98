"""`advise cost`: payback, total cost, return and break-even, with what is missing and what would flip the winner."""

import math
from collections.abc import Mapping
from decimal import Decimal, localcontext

import msgspec
import numpy as np

from ganglion.advisor.cost import model as cost_model
from ganglion.advisor.cost import sensitivity
from ganglion.advisor.cost.amounts import Amount, HourPrice, Money, MoneyPerMonth, Months, Price, Volume
from ganglion.advisor.cost.answer import Completeness, CostAdvice, CumulativePoint
from ganglion.advisor.cost.case import CostCase, read
from ganglion.advisor.cost.fields import BY_ID, FACTORS
from ganglion.advisor.cost.ledger import Entry, Facts, Ledger
from ganglion.advisor.cost.questions import questions_of
from ganglion.advisor.cost.verdict import answer_of, status_of, winner_of
from ganglion.advisor.figures import (
    DIGITS,
    Figure,
    State,
    computed,
    first_whole,
    weakest,
    without_value,
)
from ganglion.advisor.given import Given
from ganglion.advisor.ranges import Tree
from ganglion.advisor.thumb import ThumbRules, cost_rules
from ganglion.core.errors import InvalidRequest

_CHANGE = 0.2
"""How far the tornado moves an input without a range when nobody says how far."""
_POINTS = 61


def advise(tree: Mapping[str, Tree], rules: ThumbRules | None = None) -> CostAdvice:
    """Return the answer to a cost case. Raises: InvalidRequest, FactsContradict: see `cost_case.read`."""
    with localcontext(DIGITS):
        return judge(read(tree), rules)


def judge(case: CostCase, rules: ThumbRules | None = None) -> CostAdvice:
    """Return the answer to a case that was read."""
    facts, given = case.facts, case.given
    if sum(each.is_range for each in given.values()) > sensitivity.RANGES_MAX:
        raise InvalidRequest(f"at most {sensitivity.RANGES_MAX} inputs may have a range")
    ledger = cost_model.evaluate(facts)
    figures = _figures(case, ledger)
    completeness = {side: _completeness(ledger, side) for side in ("edge", "cloud")}
    questions = questions_of(facts, ledger, completeness["edge"])
    status = status_of(figures, completeness["edge"])
    winner = winner_of(figures)
    change = float(facts.values.get("sensitivity", Decimal(repr(_CHANGE))))
    even = figures["break_even_volume"].value or 0.0
    return CostAdvice(
        name=case.name,
        status=status,
        winner=winner,
        answer=answer_of(figures, status, winner, completeness["edge"], questions),
        currency=facts.currency,
        month_days=float(facts.month_days),
        figures=figures,
        completeness=completeness,
        questions=questions,
        assumptions=case.assumptions,
        sensitivity=sensitivity.tornado(facts, given, change),
        flips=sensitivity.flips(facts, given),
        monte_carlo=sensitivity.simulate(facts, given, draws=case.draws, seed=case.seed),
        price_volume=sensitivity.price_by_volume(facts),
        cumulative=_cumulative(facts, ledger),
        volumes=sensitivity.over_volumes(facts, even),
        rules_of_thumb=cost_rules(rules, figures) if rules else (),
    )


def _figures(case: CostCase, ledger: Ledger) -> dict[str, Figure]:
    given = case.given
    figures = {name: _input(name, each) for name, each in given.items()}
    ranges = sensitivity.intervals(case.facts, given)
    for name, entry in ledger.entries.items():
        key = f"{name}_fleet" if name in figures else name
        figures[key] = _with_range(_of(entry, figures), ranges.get(name))
        if key != name and name in {"cloud_month", "edge_opex_month", "capex"}:
            # The total of the fleet has the plain name; what was given keeps its own words in `inputs`.
            figures[f"{name}_given"], figures[name] = figures[name], figures.pop(key)
    figures |= _payback(case.facts, ledger, figures, ranges.get("payback_days"))
    figures |= {name: _with_range(each, ranges.get(name)) for name, each in _return(figures).items()}
    figures |= _break_even(case.facts, figures)
    figures |= _shares_of_one(case.facts, figures)
    return figures


def _input(name: str, given: Given) -> Figure:
    unit = given.unit + (f"/{given.scope}" if given.scope else "")
    figure = computed(
        given.value,
        unit,
        "input",
        title=BY_ID[name].meaning.rstrip("."),
        origin=given.origin,
        note=given.note or f"given as {given.text}",
        source=given.source,
    )
    return _with_range(figure, (float(given.low), float(given.high or 0)) if given.low is not None else None)


def _of(entry: Entry, figures: Mapping[str, Figure]) -> Figure:
    value = entry.value.value if isinstance(entry.value, Amount) else entry.value
    return computed(
        value,
        _unit(entry.value),
        entry.formula,
        title=entry.title,
        origin=weakest(figures[name].origin for name in entry.inputs if name in figures),
        inputs=entry.inputs,
    )


def _unit(value: Amount | Decimal) -> str:
    if isinstance(value, Volume | Months):
        return "inferences/month" if isinstance(value, Volume) else "months"
    tails = {Money: "", MoneyPerMonth: "/month", Price: "/inference", HourPrice: "/h"}
    tail = tails.get(type(value)) if isinstance(value, Amount) else None
    return "ratio" if tail is None or not isinstance(value, Amount) else f"{value.currency}{tail}"


def _with_range(figure: Figure, ends: tuple[float, float] | None) -> Figure:
    if ends is None:
        return figure
    low, high = (each if np.isfinite(each) else None for each in ends)
    note = figure.note if high is not None else "never at one end of the ranges"
    return msgspec.structs.replace(figure, low=low, high=high, note=note)


def _payback(
    facts: Facts, ledger: Ledger, figures: Mapping[str, Figure], ends: tuple[float, float] | None
) -> dict[str, Figure]:
    capex, saving = ledger.money("capex"), ledger.monthly("saving_month")
    titles = {
        "payback_days": "Payback",
        "payback_first_whole_day": "First whole day on which it has paid",
        "payback_from_order_days": "Payback from the order",
    }
    inputs: dict[str, tuple[str, ...]] = {}
    inputs["payback_days"] = ("capex", "cloud_month", "edge_opex_month")
    inputs["payback_first_whole_day"] = ("payback_days",)
    inputs["payback_from_order_days"] = ("delivery", "payback_days")
    if capex is None or saving is None:
        lacking = [name for name in ("capex", "cloud_month", "edge_opex_month") if name not in ledger.entries]
        return _none_of(titles, inputs, State.NOT_COMPUTABLE, f"not known: {', '.join(lacking)}")
    if saving.value <= 0:
        return _none_of(
            titles, inputs, State.NEVER, "the edge costs as much to run as the cloud, or more: nothing is saved"
        )
    days = (capex / saving).value * facts.month_days
    origin = weakest(figures[name].origin for name in inputs["payback_days"])
    wait = facts.values.get("delivery", Decimal(0)) * facts.month_days
    numbers = {
        "payback_days": days,
        "payback_first_whole_day": Decimal(first_whole(days)),
        "payback_from_order_days": wait + days,
    }
    made = {
        name: computed(number, "days", name, title=titles[name], origin=origin, inputs=inputs[name])
        for name, number in numbers.items()
    }
    if ends is not None:
        delay = float(wait)
        first, last = (first_whole(Decimal(repr(each))) if math.isfinite(each) else math.inf for each in ends)
        spans = (ends, (first, last), (ends[0] + delay, ends[1] + delay))
        made = {name: _with_range(each, span) for (name, each), span in zip(made.items(), spans, strict=True)}
    volume = ledger.volume()
    if volume is not None:
        made["inferences_until_payback"] = computed(
            days / facts.month_days * volume.value,
            "inferences",
            "inferences_until_payback",
            title="Inferences of all sites until it has paid",
            origin=weakest((origin, figures["volume_month"].origin)),
            inputs=("payback_days", "volume_month"),
        )
    if "delivery" not in facts.values:
        del made["payback_from_order_days"]
    return made


def _none_of(
    titles: Mapping[str, str], inputs: Mapping[str, tuple[str, ...]], state: State, note: str
) -> dict[str, Figure]:
    return {
        name: without_value("days", name, state, title=title, note=note, inputs=inputs[name])
        for name, title in titles.items()
        if name != "payback_from_order_days"
    }


def _return(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    title, inputs = "Return over the horizon, for each unit of capex", ("tco_saving", "capex")
    saving, capex = figures.get("tco_saving"), figures.get("capex")
    if saving is None or capex is None or not Decimal(capex.exact):
        lacking = "horizon" if "horizon" not in figures else "tco_saving or capex"
        note = f"not known: {lacking}" if capex is None or Decimal(capex.exact) else "nothing is invested"
        return {"roi": without_value("share", "roi", State.NOT_COMPUTABLE, title=title, note=note, inputs=inputs)}
    value = Decimal(saving.exact) / Decimal(capex.exact)
    origin = weakest((saving.origin, capex.origin))
    note = "denominator: capex"
    return {"roi": computed(value, "share", "roi", title=title, origin=origin, inputs=inputs, note=note)}


def _break_even(facts: Facts, figures: Mapping[str, Figure]) -> dict[str, Figure]:
    made: dict[str, Figure] = {}
    name = "volume_total" if facts.has("volume_total") else "volume"
    trial = facts if facts.has(name) else facts.changed({name: Decimal(1)})
    for figure, outcome, title in (
        ("break_even_volume", "tco_saving", "Break-even volume of one site, over the horizon"),
        ("break_even_volume_running", "saving_month", "Break-even volume of one site, running cost alone"),
    ):
        made[figure] = _volume_at_zero(trial, name, outcome, figure=figure, title=title, figures=figures)
    return made


def _volume_at_zero(
    facts: Facts, name: str, outcome: str, *, figure: str, title: str, figures: Mapping[str, Figure]
) -> Figure:
    unit, inputs = "inferences/month/site", (outcome,)
    entries = cost_model.evaluate(facts).entries
    if outcome not in entries:
        note = "not known: " + (
            "horizon" if outcome == "tco_saving" and not facts.has("horizon") else "both sides' cost"
        )
        return without_value(unit, figure, State.NOT_COMPUTABLE, title=title, note=note, inputs=inputs)
    at = sensitivity.root(facts, name, outcome)
    gains = _slope_is_positive(facts, name, outcome)
    if at is None or not gains:
        note = "more volume does not make the edge cheaper"
        return without_value(unit, figure, State.NEVER, title=title, note=note, inputs=inputs)
    now = entries["volume_month"].value
    assert isinstance(now, Volume)
    volume = now.times(max(at, Decimal(0)) / facts.values[name])
    origin = weakest(
        each.origin
        for key, each in figures.items()
        if each.formula == "input" and key not in {"volume", "volume_total"}
    )
    note = "the edge is cheaper at any volume" if at <= 0 else ""
    return computed(volume.over(facts.sites).value, unit, figure, title=title, origin=origin, inputs=inputs, note=note)


def _slope_is_positive(facts: Facts, name: str, outcome: str) -> bool:
    ends = [
        cost_model.evaluate(facts.changed({name: facts.values[name] * factor})).entries[outcome].value
        for factor in (1, 2)
    ]
    first, second = (each.value if isinstance(each, Amount) else each for each in ends)
    return second > first


def _shares_of_one(facts: Facts, figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """Return what falls to one site: of the whole, and of the programme."""
    made: dict[str, Figure] = {}
    for name in (
        "capex",
        "cloud_month",
        "edge_opex_month",
        "saving_month",
        "capex_programme",
        "edge_line_operations_programme",
    ):
        figure = figures.get(name)
        if figure is not None and figure.value is not None:
            title = f"{figure.title}, for each site"
            value = Decimal(figure.exact) / facts.sites
            made[f"{name}_per_site"] = computed(
                value, f"{figure.unit}/site", "per_site", title=title, origin=figure.origin, inputs=(name, "sites")
            )
    return made


def _completeness(ledger: Ledger, side: str) -> Completeness:
    has = [factor for factor in FACTORS if f"{side}_{factor}_month" in ledger.entries]
    missing = tuple(factor for factor in FACTORS if factor not in has)
    return Completeness(not missing, tuple(has), missing)


def _cumulative(facts: Facts, ledger: Ledger) -> tuple[CumulativePoint, ...]:
    cloud, edge, capex = ledger.monthly("cloud_month"), ledger.monthly("edge_opex_month"), ledger.money("capex")
    if cloud is None or edge is None or capex is None:
        return ()
    wait, saving = facts.values.get("delivery", Decimal(0)), float((cloud - edge).value)
    payback = float(capex.value) / saving if saving > 0 else 12.0
    end = float(facts.values["horizon"]) if facts.has("horizon") else 2 * payback + float(wait)
    again = float(capex.value - capex.value)
    if "replacement" in ledger.entries:
        price = ledger.money("replacement")
        times = float(cost_model.bought_again(facts))
        again = float(price.value) / times if price is not None and times else 0.0
    setup = float(facts.once("cloud_setup", "fleet").value) if facts.has("cloud_setup") else 0.0
    life = float(facts.values.get("device_life", Decimal(0)))
    points = []
    for month in np.linspace(0.0, end, _POINTS).tolist():
        bought = int(month / life - 1e-9) * again if life else 0.0
        served = max(0.0, month - float(wait))
        paid = float(capex.value) + bought + min(month, float(wait)) * float(cloud.value) + served * float(edge.value)
        points.append(CumulativePoint(month * float(facts.month_days), setup + month * float(cloud.value), paid))
    return tuple(points)
