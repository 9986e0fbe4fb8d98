"""What moves the answer of a cost case: ranges, the tornado, the value that flips the winner, and simulation.

All of them are the formulas of `cost.model` over arrays.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ganglion.advisor.cost import model as cost_model
from ganglion.advisor.cost.amounts import Amount
from ganglion.advisor.cost.answer import Flip, MonteCarlo, PricePoint, Sensitivity, Spread, TornadoBar, VolumePoint
from ganglion.advisor.cost.ledger import Facts, Value
from ganglion.advisor.given import Given

Floats: TypeAlias = "NDArray[np.float64]"

RANGES_MAX = 10
"""Inputs with ranges: every corner of them is looked at."""
DRAWS_MAX = 2_000_000
_OUTCOMES = ("tco_saving", "saving_month")
_FIXED = {
    "horizon",
    "delivery",
    "sites",
    "devices",
    "devices_per_site",
    "sensitivity",
    "hours_per_day",
    "spare_devices",
}
"""What a tornado does not move: nobody is unsure of them, or they are whole numbers."""
_FACTORS = (0.5, 0.75, 1.0, 1.25, 1.5)
_POINTS = 49
_AFFINE = Decimal("1e-12")


def outcome_of(facts: Facts) -> str:
    """Return the id of the figure that says who wins, or nothing when no such figure can be computed."""
    entries = cost_model.evaluate(facts).entries
    return next((name for name in _OUTCOMES if name in entries), "")


def vectors(facts: Facts, draws: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return every figure over arrays of some inputs, and `roi`; `payback_days` is infinite where nothing is saved.

    Shapes: draws [n] each, figures [n] or [] when no array reaches them.
    """
    # Arrays stand where decimals stand: the formulas only add, subtract, multiply, divide and compare.
    plain = {"sites": np.asarray(1.0)} | {name: np.asarray(float(value)) for name, value in facts.values.items()}
    plain |= dict(draws)
    values = cast("Mapping[str, Decimal]", plain)
    days = cast("Decimal", np.asarray(float(facts.month_days)))
    # At no volume at all the cost of one inference is infinite, and a plot begins there.
    with np.errstate(divide="ignore", invalid="ignore"):
        ledger = cost_model.evaluate(replace(facts, values=values, month_days=days))
    found = {name: np.asarray(_number(entry.value), float) for name, entry in ledger.entries.items()}
    if "capex" in found and "saving_month" in found:
        saving = found["saving_month"]
        with np.errstate(divide="ignore", invalid="ignore"):
            days_of = found["capex"] * float(facts.month_days) / saving
        found["payback_days"] = np.where(saving > 0, days_of, np.inf)
    if "tco_saving" in found and "capex" in found and np.all(found["capex"] > 0):
        found["roi"] = found["tco_saving"] / found["capex"]
    return found


def intervals(facts: Facts, given: Mapping[str, Given]) -> dict[str, tuple[float, float]]:
    """Return (lowest, highest) of each figure over all corners of the given ranges; empty without ranges."""
    ranged = {name: each for name, each in given.items() if each.low is not None and each.high is not None}
    if not ranged:
        return {}
    ends = [(float(each.low or 0), float(each.high or 0)) for each in ranged.values()]
    corners = np.array(list(itertools.product(*ends)))
    found = vectors(facts, {name: corners[:, column] for column, name in enumerate(ranged)})
    ends_of = {name: (float(values.min()), float(values.max())) for name, values in found.items() if values.ndim}
    # A figure that no range reaches differs at its corners by rounding alone.
    return {name: each for name, each in ends_of.items() if not math.isclose(*each, rel_tol=1e-9)}


def tornado(facts: Facts, given: Mapping[str, Given], change: float) -> Sensitivity | None:
    """Return how far each input moves the outcome, the largest swing first."""
    outcome = outcome_of(facts)
    if not outcome:
        return None
    bars = [bar for name in given if name not in _FIXED if (bar := _bar(facts, name, given[name], outcome, change))]
    base = float(_number(cost_model.evaluate(facts).entries[outcome].value))
    unit = facts.currency if outcome == "tco_saving" else f"{facts.currency}/month"
    shown = sorted((bar for bar in bars if bar.swing > 0), key=lambda bar: -bar.swing)
    return Sensitivity(outcome=outcome, unit=unit, change=change, base=base, bars=tuple(shown))


def _bar(facts: Facts, name: str, given: Given, outcome: str, change: float) -> TornadoBar | None:
    value = float(given.value)
    low = float(given.low) if given.low is not None else value * (1 - change)
    high = float(given.high) if given.high is not None else value * (1 + change)
    if given.low is None and given.unit == "share":
        high = min(high, 1.0)
    found = vectors(facts, {name: np.array([low, high])})
    ends = np.broadcast_to(found[outcome], 2)
    payback = np.broadcast_to(found.get("payback_days", np.array(np.inf)), 2)
    return TornadoBar(
        input=name,
        unit=given.unit,
        low=low,
        high=high,
        outcome_low=float(ends[0]),
        outcome_high=float(ends[1]),
        swing=float(abs(ends[1] - ends[0])),
        payback_days_low=_or_never(float(payback[0])),
        payback_days_high=_or_never(float(payback[1])),
        is_range=given.is_range,
    )


def flips(facts: Facts, given: Mapping[str, Given]) -> tuple[Flip, ...]:
    """Return, for each input on which the outcome depends linearly, the value at which the other side wins."""
    outcome = outcome_of(facts)
    if not outcome:
        return ()
    found = [flip for name in given if name not in _FIXED if (flip := _flip(facts, name, given[name], outcome))]
    return tuple(sorted(found, key=lambda flip: abs(flip.change)))


def _flip(facts: Facts, name: str, given: Given, outcome: str) -> Flip | None:
    at = root(facts, name, outcome)
    if at is None or at < 0 or (given.unit == "share" and at > 1) or not given.value:
        return None
    change = float((at - given.value) / given.value)
    return Flip(input=name, unit=given.unit, current=float(given.value), at=float(at), change=change)


def root(facts: Facts, name: str, outcome: str) -> Decimal | None:
    """Return where the outcome is zero, exactly, for an input that it is linear in. None: nowhere, or not linear."""
    here = facts.values[name] or Decimal(1)
    first, middle, last = (_at(facts, name, here * factor, outcome) for factor in (1, 2, 3))
    slope = (middle - first) / here
    if abs(last - middle - (middle - first)) > _AFFINE * (abs(last) + abs(first)) or not slope:
        return None
    return here - first / slope


def _at(facts: Facts, name: str, value: Decimal, outcome: str) -> Decimal:
    return _number(cost_model.evaluate(facts.changed({name: value})).entries[outcome].value)


def simulate(facts: Facts, given: Mapping[str, Given], *, draws: int, seed: int) -> MonteCarlo | None:
    """Draw from the ranges; the same seed gives the same answer. None: no input has a range."""
    ranged = {name: each for name, each in given.items() if each.low is not None and each.high is not None}
    outcome = outcome_of(facts)
    if not ranged or not outcome:
        return None
    generator = np.random.default_rng(seed)
    drawn = {name: _draw(generator, each, draws) for name, each in ranged.items()}
    found = vectors(facts, drawn)
    payback = np.broadcast_to(found.get("payback_days", np.array(np.inf)), draws)
    units = {"payback_days": "days", "saving_month": f"{facts.currency}/month", "tco_saving": facts.currency}
    return MonteCarlo(
        draws=draws,
        seed=seed,
        inputs=tuple(ranged),
        outcomes={name: _spread(found[name], unit) for name, unit in units.items() if name in found},
        edge_cheaper_share=float(np.mean(np.broadcast_to(found[outcome], draws) > 0)),
        never_pays_back_share=float(np.mean(np.isinf(payback))),
    )


def _draw(generator: np.random.Generator, given: Given, draws: int) -> Floats:
    low, likely, high = float(given.low or 0), float(given.value), float(given.high or 0)
    if high <= low:
        return np.full(draws, low)
    return generator.triangular(low, likely, high, draws) if given.has_likely else generator.uniform(low, high, draws)


def _spread(values: Floats, unit: str) -> Spread:
    # The nearest draw: between a number of days and never there is nothing.
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95), method="nearest")
    return Spread(unit=unit, p5=_or_never(float(low)), p50=_or_never(float(middle)), p95=_or_never(float(high)))


def price_by_volume(facts: Facts) -> tuple[PricePoint, ...]:
    """Return payback over multiples of the cloud's price and of the volume; empty when one of them was not given."""
    volume = next((name for name in ("volume_total", "volume") if facts.has(name)), "")
    price = next((name for name in ("cloud_price", "cloud_token_price") if facts.has(name)), "")
    if not volume or not price:
        return ()
    pairs = np.array(list(itertools.product(_FACTORS, _FACTORS)))
    found = vectors(
        facts,
        {price: float(facts.values[price]) * pairs[:, 0], volume: float(facts.values[volume]) * pairs[:, 1]},
    )
    if "payback_days" not in found:
        return ()
    days = np.broadcast_to(found["payback_days"], len(pairs))
    return tuple(
        PricePoint(float(one), float(other), _or_never(float(each)))
        for (one, other), each in zip(pairs, days, strict=True)
    )


def over_volumes(facts: Facts, break_even: float) -> tuple[VolumePoint, ...]:
    """Return the cost of a month at volumes from zero to beyond `break_even` and the present one, for one site."""
    name = next((name for name in ("volume_total", "volume") if facts.has(name)), "")
    if not name or not facts.has("horizon"):
        return ()
    now = float(_number(cost_model.evaluate(facts).entries["volume_month"].value) / facts.sites)
    top = 1.5 * min(max(now, break_even), 4 * now)
    shares = np.linspace(0, top / now, _POINTS)
    found = vectors(facts, {name: float(facts.values[name]) * shares})
    if "tco_cloud" not in found or "tco_edge" not in found:
        return ()
    parts = float(facts.values["horizon"]) * float(facts.sites)
    cloud, edge = (np.broadcast_to(found[each], _POINTS) / parts for each in ("tco_cloud", "tco_edge"))
    return tuple(VolumePoint(*map(float, each)) for each in zip(shares * now, cloud, edge, strict=True))


def _number(value: Value) -> Decimal:
    return value.value if isinstance(value, Amount) else value


def _or_never(value: float) -> float | None:
    return value if np.isfinite(value) else None
