"""Reads a cost case: fields, what goes without saying, and facts that contradict each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from ganglion.advisor.cost import model as cost_model
from ganglion.advisor.cost.amounts import Amount
from ganglion.advisor.cost.fields import DEVICE, FIELDS, FLEET, LINES, SITE
from ganglion.advisor.cost.ledger import Facts
from ganglion.advisor.fields import Section
from ganglion.advisor.given import Field, Given, Reading
from ganglion.advisor.ranges import Tree
from ganglion.core.errors import FactsContradict, InvalidRequest

MONTH_DAYS = Field(
    "month_days",
    "count",
    "Days of a month; a year has twelve.",
    "30",
    ("days_per_month", "days", "days_in_month"),
    positive=True,
)
DRAWS = Field(
    "draws",
    "count",
    "Draws of the simulation.",
    "100000",
    ("monte_carlo_draws", "simulations", "monte_carlo"),
    positive=True,
)
SEED = Field("seed", "count", "The same seed gives the same draws.", "1", ("monte_carlo_seed", "random_seed"))
_NAMES = ("name", "title", "case", "description", "comment", "notes", "note")
_POWER = ("power", "edge_power", "edge_opex_power", "opex_power", "device_power", "edge_device_power")
_MONTH_DAYS_MAX = 31
_HOURS_MAX = 24
_TOLERANCE = Decimal("0.005")
_DRAWS_MAX = 2_000_000
_DRAWS = 100_000


@dataclass(frozen=True, slots=True)
class CostCase:
    """A case that can be reckoned with."""

    name: str
    facts: Facts
    given: Mapping[str, Given]
    assumptions: tuple[str, ...] = ()
    draws: int = _DRAWS
    seed: int = 1
    silent: frozenset[str] = field(default_factory=frozenset)
    """Totals that repeat their lines: they were checked and left out."""


def read(tree: Mapping[str, Tree]) -> CostCase:
    """Return the case that a tree of text tells.

    Raises: InvalidRequest: fields that are unknown, malformed, negative or without a unit, all at once.
        FactsContradict: mixed currencies, a horizon that ends before delivery, a total that is not its lines' sum.
    """
    reading = Reading()
    section = Section(tree, reading)
    name = next((text for each in _NAMES if (text := section.text(each))), "")
    currency = section.text("currency").upper()
    if currency:
        reading.currency = currency
        reading.currencies[currency] = "currency"
    month = section.amount(MONTH_DAYS)
    if month is not None:
        reading.month_days = month.value
        if not 1 <= month.value <= _MONTH_DAYS_MAX:
            reading.problems.append(f"month_days: a month of {month.value} days does not exist")
    given = _quantities(section)
    draws, seed = section.amount(DRAWS), section.amount(SEED)
    if draws is not None and draws.value > _DRAWS_MAX:
        reading.problems.append(f"draws: at most {_DRAWS_MAX}")
    section.finish()
    reading.finish()
    facts = _facts(given, reading)
    _check(facts, given)
    given, facts = _without_repeated_totals(given, facts)
    return CostCase(
        name,
        facts,
        given,
        _assumptions(given),
        int(draws.value) if draws else _DRAWS,
        int(seed.value) if seed else 1,
    )


def _quantities(section: Section) -> dict[str, Given]:
    given: dict[str, Given] = {}
    for each in FIELDS:
        # The same word means watts or money: its unit says which.
        wanted = each
        is_draw = section.measures("J", *_POWER)
        if each.id in {"edge_power_draw", "edge_power_cost"} and is_draw != (each.id == "edge_power_draw"):
            wanted = replace(each, names=tuple(name for name in each.names if name not in _POWER))
        found = section.amount(wanted)
        if found is not None:
            given[each.id] = found
    return given


def _facts(given: Mapping[str, Given], reading: Reading) -> Facts:
    return Facts(
        values={name: each.value for name, each in given.items()},
        scopes={name: each.scope for name, each in given.items() if each.scope},
        currency=reading.currency,
        month_days=reading.month_days,
    )


def _check(facts: Facts, given: Mapping[str, Given]) -> None:
    values = facts.values
    if facts.has("horizon", "delivery") and values["horizon"] <= values["delivery"]:
        raise FactsContradict(
            f"the horizon ({given['horizon'].text}) ends before the delivery ({given['delivery'].text}), or with it: "
            "nothing is saved in it"
        )
    if (
        facts.has("devices", "sites", "devices_per_site")
        and values["devices"] != values["sites"] * values["devices_per_site"]
    ):
        raise FactsContradict(
            f"devices is {values['devices']}, but sites x devices_per_site is "
            f"{values['sites'] * values['devices_per_site']}"
        )
    if facts.has("duty_cycle", "hours_per_day"):
        raise FactsContradict("duty_cycle and hours_per_day both say when the volume arrives: keep one")
    if facts.has("hours_per_day") and values["hours_per_day"] > _HOURS_MAX:
        raise InvalidRequest(f"hours_per_day: a day has no {values['hours_per_day']} hours")
    if facts.has("spares", "spare_devices"):
        raise FactsContradict("spares and spare_devices both say how many spares there are: keep one")
    if facts.has("volume", "volume_total") and facts.spread("volume", SITE) != values["volume_total"]:
        raise FactsContradict(
            f"volume_total is {given['volume_total'].text}, but volume x sites is "
            f"{facts.spread('volume', SITE):f} inferences/month"
        )
    for side in ("cloud", "edge"):
        parts = [f"{side}_{item}" for item in ("uplink", "egress", "ingress") if facts.has(f"{side}_{item}")]
        if facts.has(f"{side}_network") and parts:
            raise FactsContradict(f"{side}_network is the sum of the network, and {parts[0]} is a part of it: keep one")


def _without_repeated_totals(given: dict[str, Given], facts: Facts) -> tuple[dict[str, Given], Facts]:
    """Check each total against its lines; a total that repeats them goes. Raises: FactsContradict: they differ."""
    for total, scope in (("cloud_month", FLEET), ("edge_opex_month", FLEET), ("capex", FLEET)):
        if not facts.has(total):
            continue
        without = replace(facts, values={name: value for name, value in facts.values.items() if name != total})
        entry = cost_model.evaluate(without).entries.get(total)
        if entry is None or not isinstance(entry.value, Amount):
            continue
        said, summed = facts.spread(total, scope), entry.value.value
        if total == "edge_opex_month":
            summed = summed - _of_escalation(without)
        if not summed:
            continue
        if abs(said - summed) > _TOLERANCE * said:
            raise FactsContradict(
                f"{total} is {said.normalize():f} {facts.currency}, but its lines add up to {summed.normalize():f}: "
                f"keep the total, or the lines"
            )
        facts = without
        given = {name: each for name, each in given.items() if name != total}
    return given, facts


def _of_escalation(facts: Facts) -> Decimal:
    entry = cost_model.evaluate(facts).entries.get("edge_line_compute_escalation")
    return entry.value.value if entry is not None and isinstance(entry.value, Amount) else Decimal(0)


def _assumptions(given: Mapping[str, Given]) -> tuple[str, ...]:
    said: list[str] = []
    if "sites" not in given and "devices" not in given:
        said.append("one site is reckoned with: sites was not given")
    if not {"devices", "devices_per_site"} & set(given) and {
        "device_price",
        "edge_power_cost",
        "edge_power_draw",
    } & set(given):
        said.append("each site has one device: devices_per_site was not given")
    many = "sites" in given and given["sites"].value != 1
    if "volume" in given and not given["volume"].scope and many:
        said.append("volume is that of one site: say volume_total for all sites together")
    if {"volume", "volume_total"} & set(given) and not {"duty_cycle", "hours_per_day"} & set(given):
        said.append("the volume arrives round the clock: duty_cycle was not given")
    if "month_days" not in given:
        said.append("a month has 30 days, unless month_days says otherwise")
    for name, scope in _default_scopes().items():
        if name in given and not given[name].scope and (many or "devices" in given or "devices_per_site" in given):
            said.append(
                f"{name} is for {'the whole fleet' if scope == FLEET else f'each {scope}'}: its unit does not say"
            )
    said += [
        f"{name} is reckoned with at the middle of its range"
        for name, each in given.items()
        if each.is_range and not each.has_likely
    ]
    return tuple(said)


def _default_scopes() -> dict[str, str]:
    scopes = {
        f"{side}_{item}": FLEET if side == "cloud" else DEVICE
        for side in ("cloud", "edge")
        for _, item, _, _, _ in LINES
    }
    return {
        **scopes,
        "device_price": DEVICE,
        "edge_power_cost": DEVICE,
        "edge_power_draw": DEVICE,
        "installation": DEVICE,
        "site_setup": SITE,
        "cloud_month": FLEET,
        "edge_opex_month": FLEET,
        "capex": FLEET,
    }
