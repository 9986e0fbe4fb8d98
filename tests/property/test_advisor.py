"""Laws of the advisor: what no numbers may change."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganglion.advisor.cost import advice as cost
from ganglion.advisor.cost.answer import CostAdvice
from ganglion.advisor.place import placement
from ganglion.advisor.ranges import Tree
from ganglion.advisor.storage import advice as storage
from ganglion.node.domain.sending.outbox import plan_shedding
from ganglion.wire.records import RecordClass

LAW = settings(deadline=None, derandomize=True, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
MONEY = st.decimals("0.01", "100000", places=2)
RATES = st.integers(1, 100_000)
SITES = st.integers(1, 10_000)


def advice(
    price: Decimal, rate: int, power: Decimal, *, sites: int = 1, more: dict[str, str] | None = None
) -> CostAdvice:
    tree: dict[str, Tree] = {
        "sites": str(sites),
        "volume": f"{rate} inferences/hour",
        "price": "0.002 USD",
        "device_price": f"{price} USD",
        "edge": {"power": f"{power} USD/month"},
        "horizon": "36 months",
        "draws": "10",
        **(more or {}),
    }
    return cost.advise(tree)


def payback(of: CostAdvice) -> float:
    days = of.figures["payback_days"].value
    return float("inf") if days is None else days


@LAW
@given(MONEY, RATES, MONEY, SITES)
def test_payback_scales_out_of_the_number_of_sites(price: Decimal, rate: int, power: Decimal, sites: int) -> None:
    one, many = advice(price, rate, power), advice(price, rate, power, sites=sites)

    assert payback(many) == payback(one)


@LAW
@given(MONEY, RATES, MONEY, st.sampled_from(["storage", "network", "operations", "downtime_risk"]), MONEY)
def test_more_cost_never_shortens_payback(price: Decimal, rate: int, power: Decimal, line: str, more: Decimal) -> None:
    dearer = advice(price, rate, power, more={f"edge_{line}": f"{more} USD/month"})

    assert payback(dearer) >= payback(advice(price, rate, power))


@LAW
@given(MONEY, RATES, MONEY)
def test_the_first_whole_day_is_not_before_the_payback_and_less_than_a_day_behind(
    price: Decimal, rate: int, power: Decimal
) -> None:
    figures = advice(price, rate, power).figures
    days, first = figures["payback_days"].value, figures["payback_first_whole_day"].value

    assert (days is None) == (first is None)
    assert days is None or first is None or 0 <= first - days + 1e-9 < 1 + 2e-9


@LAW
@given(MONEY, RATES, MONEY)
def test_at_its_break_even_volume_neither_side_wins(price: Decimal, rate: int, power: Decimal) -> None:
    even = advice(price, rate, power).figures["break_even_volume"].exact
    at_even = advice(price, 1, power, more={"volume": f"{even} inferences/month"}).figures

    assert at_even["tco_saving"].value == pytest.approx(0, abs=1e-6)


@LAW
@given(MONEY, RATES, MONEY)
def test_what_flips_the_winner_flips_it(price: Decimal, rate: int, power: Decimal) -> None:
    for flip in advice(price, rate, power).flips:
        if flip.input == "device_price":
            turned = advice(Decimal(repr(flip.at)), rate, power).figures["tco_saving"].value
            assert turned == pytest.approx(0, abs=1e-6 * max(1.0, flip.at))


RULES = st.sampled_from(
    [
        {"residency": "site"},
        {"residency": "device"},
        {"outage_matters": "yes"},
        {"latency_budget": "60 ms"},
        {"model": {"size": "10 GB"}},
        {"rate": "40/s"},
        {"availability": "99.9 %"},
        {"power": "30 W"},
        {"requires": ["gpu"]},
    ]
)
TIERS: list[Tree] = [
    {"name": "camera", "kind": "device", "latency": "80 ms", "memory": "1 GB", "power": "5 W", "has": ["cpu"]},
    {"name": "shop", "kind": "site", "latency": "40 ms", "memory": "8 GB", "power": "60 W", "has": ["gpu"],
     "availability": "99.99 %"},
    {"name": "cloud", "latency": "55 ms", "has": ["gpu"], "link": {"availability": "99.5 %"}},
]  # fmt: skip


@LAW
@given(st.lists(RULES, max_size=5), RULES)
def test_a_further_hard_rule_never_enlarges_what_is_feasible(
    rules: list[dict[str, Tree]], further: dict[str, Tree]
) -> None:
    workload: dict[str, Tree] = {name: value for rule in rules for name, value in rule.items()}
    more = {**workload, **{name: value for name, value in further.items() if name not in workload}}

    before = placement.advise({"workload": workload, "tiers": TIERS})
    after = placement.advise({"workload": more, "tiers": TIERS})

    assert set(after.feasible) <= set(before.feasible)


@LAW
@given(st.lists(st.integers(10**6, 10**9), min_size=5, max_size=5), st.integers(10**6, 10**10))
def test_the_hours_until_a_class_is_shed_are_those_of_the_outbox(rates: list[int], cap: int) -> None:
    classes = {each.name.lower(): rate for each, rate in zip(RecordClass, rates, strict=True)}
    listed: list[Tree] = [{"name": name, "bytes_per_day": f"{rate} B/day"} for name, rate in classes.items()]
    found = storage.advise({"capacity": f"{cap} B", "classes": listed})
    hours = {each.record_class: each.figures["hours_until_shed"].value or 0.0 for each in found.classes}

    for each in RecordClass:
        if each is RecordClass.AUDIT:
            continue
        held = {kind: int(classes[kind.name.lower()] * hours[each.name.lower()] / 24) for kind in RecordClass}
        # A class begins to give when those that are kept longer, and it, fill the outbox: a little later it must.
        longer = {kind: size for kind, size in held.items() if kind <= each}
        assert each not in plan_shedding(longer, cap_bytes=cap + len(longer), need_bytes=0)
        assert each in plan_shedding(longer, cap_bytes=cap - len(longer) - 1, need_bytes=1)


@LAW
@given(MONEY, RATES, MONEY)
def test_the_tornado_is_sorted_and_every_figure_has_unit_origin_and_formula(
    price: Decimal, rate: int, power: Decimal
) -> None:
    found = advice(price, rate, power)

    assert found.sensitivity is not None
    assert all(one.swing >= other.swing for one, other in pairwise(found.sensitivity.bars))
    assert all(figure.origin and figure.formula and figure.title for figure in found.figures.values())
