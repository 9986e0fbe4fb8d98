"""Quantities as they were given: what a field may hold, and how a text becomes a number in the field's unit."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from ganglion.advisor import ranges, units
from ganglion.advisor.figures import Origin, exact
from ganglion.advisor.ranges import Tree
from ganglion.core.errors import FactsContradict, InvalidRequest

_PROBLEMS_MAX = 12

_CADENCES = {"hourly": "1 hour", "daily": "1 day", "weekly": "1 week", "monthly": "1 month", "yearly": "1 year"}
_IN_NAME = re.compile(
    r"_(?:per_)?(?:(month|monthly|mo)|(year|yearly|annual|annually)|(day|daily)|(hour|hourly|h)|(kwh)|(gb))$"
)
_GB_AND_MONTH = re.compile(r"_gb_(?:and_|per_)?month(?:_price)?$")
_AT_HEAD = re.compile(r"(?:^|_)(?:(monthly)|(annual|annually|yearly)|(daily)|(hourly))_")
_NAMED = ("/month", "/year", "/day", "/hour", "/kWh", "/GB")
_THOUSANDS = re.compile(r"per (1000|1k|thousand|million|1m|1000000)( \w+)?")
_QUANTITY_KEYS = {"value", "low", "high", "likely", "min", "max", "mode", "range"}

_ABOUT_KEYS = {"unit", "origin", "source", "date", "note", "per", "quantile", "percentile"}

_ORIGINS = {
    Origin.MEASURED: "measured measurement observed metered",
    Origin.USER: "user stated given invoice contract quote own",
    Origin.VENDOR: "vendor vendors claim datasheet marketing supplier list_price vendor_claim vendor_s_claim",
    Origin.ESTIMATED: "estimated estimate guess calculated computed",
    Origin.RULE: "rule rule_of_thumb thumb",
    Origin.ASSUMED: "assumed assumption",
}

_SHOWN = {
    "byte": "bytes",
    "month": "months",
    "inference/month": "inferences/month",
    "inference/s": "inferences/s",
    "count": "",
}

_SCOPES = ("device", "site", "accelerator")

ANY_CURRENCY = "CUR"
"""Stands for the currency of the document in the unit of a field."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that an input may say."""

    id: str
    unit: str
    """The unit of its answer, with CUR for money; "share" and "count" are plain numbers."""
    meaning: str
    example: str
    names: tuple[str, ...] = ()
    """Other names for it; levels of nesting count as underscores."""
    scoped: bool = False
    """Whether it may be said per device or per site."""
    positive: bool = False
    """Whether zero is refused."""
    bare: str = ""
    """The unit of a bare number, where the field's name says it."""
    share_max: Decimal = Decimal(1)
    implied: str = ""
    """What the field's name says beside the unit: the day of bytes_per_day."""
    whole: bool = False
    """Whether half of one is refused."""
    silent: tuple[str, ...] = ()
    """Further names that are understood, by a rule that the reference tells, and not listed."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every name that it goes by."""
        return (self.id, *self.names, *self.silent)


@dataclass(frozen=True, slots=True)
class Given:
    """A quantity as it was given, in the unit of its field."""

    value: Decimal
    unit: str
    low: Decimal | None = None
    high: Decimal | None = None
    scope: str = ""
    origin: Origin = Origin.USER
    source: str = ""
    note: str = ""
    text: str = ""
    has_likely: bool = False
    """Whether a range says which value is the likely one."""

    @property
    def is_range(self) -> bool:
        """Whether a lowest and a highest value were given."""
        return self.low is not None


@dataclass(slots=True)
class Reading:
    """What one document has in common: its month, its currency, and what is wrong with it."""

    month_days: Decimal = units.MONTH_DAYS
    currency: str = ""
    problems: list[str] = field(default_factory=list)
    currencies: dict[str, str] = field(default_factory=dict)
    """Currency → the first field that used it."""

    def finish(self) -> None:
        """Raise what was found. Raises: FactsContradict: mixed currencies. InvalidRequest: anything else."""
        if len(self.currencies) > 1:
            uses = ", ".join(f"{path} in {code}" for code, path in self.currencies.items())
            raise FactsContradict(f"mixed currencies: {uses}; convert them to one currency first")
        if self.problems:
            more = len(self.problems) - _PROBLEMS_MAX
            shown = [*self.problems[:_PROBLEMS_MAX], *([f"and {more} more"] if more > 0 else [])]
            raise InvalidRequest("; ".join(shown))


@lru_cache(maxsize=4096)
def normal(name: str) -> str:
    """Return a name as it is compared: lower case, words joined by underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def implied_by(name: str, wanted: Field) -> Field:
    """Return a field that knows what its name says beside the unit: the month of cost_per_month."""
    key = normal(name)
    if _GB_AND_MONTH.search(key) and "GB/month" in wanted.unit:
        return replace(wanted, implied="/GB/month")
    match = _IN_NAME.search(key) or _IN_NAME.search(f"_{key.removesuffix('_price')}") or _AT_HEAD.search(key)
    if match is None or match.lastindex is None or wanted.implied:
        return wanted
    said = _NAMED[match.lastindex - 1]
    is_time = match.lastindex <= _NAMED.index("/hour") + 1
    fits = ("/month" in wanted.unit or "/h" in wanted.unit) if is_time else said in wanted.unit
    return replace(wanted, implied=said) if fits else wanted


@lru_cache(maxsize=4096)
def names_unit(text: str, wanted: str) -> bool:
    """Tell whether the end of a name is a unit that has something to do with the wanted one."""
    if wanted in {"share", "count"}:
        return wanted == "share" and text in {"percent", "pct"}
    if _THOUSANDS.fullmatch(text) and "/" in wanted:
        return True
    try:
        found = units.unit(text).dimension
        goal = units.unit(wanted.replace(ANY_CURRENCY, units.currency_of(found) or "USD")).dimension
    except InvalidRequest:
        return False
    return bool(set(dict(found)) & set(dict(goal)))


def is_quantity(tree: Mapping[str, Tree]) -> bool:
    """Tell whether a mapping is a quantity with its range, unit or origin, and not a level of names."""
    names = {normal(name) for name in tree}
    return bool(names & _QUANTITY_KEYS) and names <= _QUANTITY_KEYS | _ABOUT_KEYS


def _has_money(unit: str) -> bool:
    return ANY_CURRENCY in unit


def quantity_of(leaf: Tree, wanted: Field, reading: Reading, unit_of_name: str) -> Given | None:
    """Return the quantity that an entry says; None for an unknown one. Raises: InvalidRequest: says what is wrong."""
    if isinstance(leaf, list):
        raise InvalidRequest("expected one quantity, not a list")
    about = {normal(name): each for name, each in leaf.items()} if isinstance(leaf, dict) else {}
    unit = str(about.get("unit", unit_of_name))
    unit = unit.removeprefix("1") if unit.startswith("1/") else unit
    if "per" in about:
        unit += f" per {about['per']}"
    bounds = ranges.ends_of(leaf, about)
    if not bounds:
        return None
    if wanted.unit == "ms":
        bounds = [ranges.without_quantile(text)[0] for text in bounds]
    read = [_one(f"{text} {unit}".strip(), wanted, reading) for text in bounds]
    scopes = {scope for _, scope in read}
    if len(scopes) > 1:
        raise InvalidRequest("the ends of the range are of different scope")
    values = [value for value, _ in read]
    low, value, high = ranges.ordered(values)
    return Given(
        value=value,
        unit=_SHOWN.get(wanted.unit, wanted.unit).replace(ANY_CURRENCY, reading.currency),
        low=low,
        high=high,
        scope=scopes.pop(),
        origin=_origin(str(about.get("origin", ""))),
        source=str(about.get("source", "")),
        note=str(about.get("note", "")),
        text=" .. ".join(bounds),
        has_likely=len(bounds) > 2,  # noqa: PLR2004 - low, likely, high
    )


def _origin(word: str) -> Origin:
    if not word.strip():
        return Origin.USER
    found = next((origin for origin, words in _ORIGINS.items() if normal(word) in words.split()), None)
    if found is None:
        raise InvalidRequest(f"the origin {word!r} is none of {', '.join(Origin)}")
    return found


def _one(text: str, wanted: Field, reading: Reading) -> tuple[Decimal, str]:
    counts = wanted.unit in {"count", "parameter"}
    if wanted.unit == "day":
        # A cadence may be one word.
        text = _CADENCES.get(text.strip().lower(), text)
    quantity = units.parse(text, month_days=reading.month_days, counts=counts)
    if not quantity.has_unit and wanted.bare:
        quantity = units.parse(f"{text} {wanted.bare}", month_days=reading.month_days)
    is_bare = not quantity.has_unit
    if wanted.implied and (quantity.has_unit or not _has_money(wanted.unit) or reading.currency):
        quantity = _with_implied(text, quantity, wanted, reading)
    found = dict(quantity.dimension)
    code = units.currency_of(quantity.dimension)
    if quantity.has_unit and not code and reading.currency and _has_money(wanted.unit):
        found[reading.currency] = 1
    if code:
        reading.currency = reading.currency or code
        reading.currencies.setdefault(code, wanted.id)
    goal, scale = _goal(wanted.unit, reading, code)
    bare_money = not quantity.has_unit and _has_money(wanted.unit) and reading.currency and "/month" not in wanted.unit
    scope = next((name for name in _SCOPES if wanted.scoped and found.get(name) == -1 and name not in dict(goal)), "")
    found.pop(scope, None)
    if not _fits(found, dict(goal), wanted.unit) and not bare_money:
        raise InvalidRequest(_mismatch(text, quantity, wanted.unit, is_bare=is_bare))
    value = exact(quantity.amount / (Fraction(1) if bare_money else scale))
    _check_bounds(value, wanted, text)
    return value, scope


def _with_implied(text: str, quantity: units.Quantity, wanted: Field, reading: Reading) -> units.Quantity:
    """Return the quantity with the unit that its name says beside it, where the text leaves that out."""
    name = units.unit(wanted.implied.replace("/", " per "), month_days=reading.month_days)
    if set(dict(name.dimension)) & set(dict(quantity.dimension)):
        return quantity
    money = "" if quantity.has_unit or not _has_money(wanted.unit) else f" {reading.currency}"
    return units.parse(f"{text}{money} {wanted.implied}", month_days=reading.month_days)


def _goal(unit: str, reading: Reading, code: str) -> tuple[units.Dimension, Fraction]:
    if unit in {"share", "count", "ratio"}:
        return (), Fraction(1)
    # A second currency is read as such, so that the answer can name both.
    named = unit.replace(ANY_CURRENCY, code or reading.currency or "USD")
    found = units.unit(named, month_days=reading.month_days)
    return found.dimension, found.scale


def _fits(found: dict[str, int], goal: dict[str, int], unit: str) -> bool:
    if found == goal:
        return True
    # What is counted goes without saying: 0.002 USD is a price per inference where such a price is asked for.
    silent = {name: power for name, power in goal.items() if name not in {"inference", "token", "parameter", "op"}}
    if found == silent and found:
        return True
    if unit == "count":
        return len(found) == 1 and set(found.values()) == {1} and not set(found) & {"s", "B", "J", *units.CURRENCIES}
    if unit == "parameter":
        return not found
    return unit in {"byte", "B"} and found == {"B": 1, "inference": -1}


def _mismatch(text: str, quantity: units.Quantity, unit: str, *, is_bare: bool) -> str:
    needed = "plain number" if unit in {"share", "count", "ratio"} else unit.replace(ANY_CURRENCY, "money")
    if is_bare:
        return f"the unit is missing in {text!r}; {needed} is needed"
    return f"{text!r} is in {units.named(quantity.dimension)}, and {needed} is needed"


def _check_bounds(value: Decimal, wanted: Field, text: str) -> None:
    if value < 0:
        raise InvalidRequest(f"{text!r} is negative")
    if wanted.whole and value != value.to_integral_value():
        raise InvalidRequest(f"{text!r} is no whole number")
    if value == 0 and wanted.positive:
        raise InvalidRequest(f"{text!r} is zero, and nothing can be said of nothing")
    if wanted.unit == "share" and value > wanted.share_max:
        raise InvalidRequest(f"{text!r} is more than {wanted.share_max * 100:f} %; write shares as 5 % or 0.05")
