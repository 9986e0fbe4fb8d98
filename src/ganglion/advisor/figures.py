"""What every answer is made of: figures with value, unit, origin and formula; questions; and remarks."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, Context, Decimal
from enum import StrEnum
from fractions import Fraction

import msgspec

SCHEMA_VERSION = 1
"""Of every answer. Fields are added with defaults; a field that goes away waits two releases."""

DIGITS = Context(prec=50)
"""Money is Decimal with 50 digits: enough that no rounding of ours reaches a whole day or a cent."""
_SETTLED = Context(prec=30)
_SHOWN = Context(prec=28)


class Origin(StrEnum):
    """Who says a figure. The later in this list, the less it weighs; a computed figure has its weakest input's."""

    MEASURED = "measured"
    USER = "user"
    VENDOR = "vendor"
    ESTIMATED = "estimated"
    RULE = "rule"
    ASSUMED = "assumed"


_STRENGTH = list(Origin)


class State(StrEnum):
    """Whether a figure has a value, and if not, why."""

    COMPUTED = "computed"
    NEVER = "never"
    """The event does not come: nothing is saved, or no volume is enough."""
    NOT_COMPUTABLE = "not_computable"
    """A fact is missing; `note` names it."""


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number, and where it comes from."""

    value: float | None
    """The number in `unit`, as near as a double comes; null when `state` is not "computed"."""
    unit: str
    """As in "USD/month", "days", "inferences/month", "ms", "bytes", "share" or "ratio"."""
    origin: Origin
    """Of an input: who said it. Of a computed figure: the weakest of its inputs."""
    formula: str
    """Id of the formula (docs/reference/advise.md); "input" for what was given."""
    title: str = ""
    """The figure in words."""
    state: State = State.COMPUTED
    exact: str = ""
    """The same number in decimal notation, to 28 digits."""
    text: str = ""
    """The number as a person reads it, with its unit."""
    low: float | None = None
    """Smallest value over the given ranges of the inputs; null when no input has a range."""
    high: float | None = None
    """Largest value over the given ranges of the inputs."""
    inputs: tuple[str, ...] = ()
    """Ids of the figures that the formula uses."""
    source: str = ""
    """Where an input was found: a file, a page, a person."""
    note: str = ""


class Question(msgspec.Struct, frozen=True):
    """A fact that is missing, as a question to a person."""

    fact: str
    """Name of the field that would answer it."""
    question: str
    blocks: tuple[str, ...] = ()
    """What cannot be decided or computed without it."""


class ThumbRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule of thumb says of this case. Shown beside the answer, never part of it."""

    id: str
    school: str
    says: str
    origin: str
    date: str
    applies: bool = True
    """Whether the input has the fact that the rule looks at."""


def weakest(origins: Iterable[Origin]) -> Origin:
    """Return the origin that weighs least; nothing given is an assumption."""
    return max(origins, key=_STRENGTH.index, default=Origin.ASSUMED)


def exact(value: Fraction | Decimal) -> Decimal:
    """Return a decimal with 50 digits."""
    if isinstance(value, Decimal):
        return value
    return DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


def first_whole(value: Decimal) -> int:
    """Return the first whole number that is not below `value`; a difference beyond 30 digits is our own rounding."""
    return int(_SETTLED.plus(value).to_integral_value(rounding=ROUND_CEILING))


def computed(
    value: Decimal | float,
    unit: str,
    formula: str,
    *,
    title: str,
    origin: Origin,
    inputs: Sequence[str] = (),
    note: str = "",
    source: str = "",
) -> Figure:
    """Return a figure that has a value."""
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    shown = _SHOWN.plus(number)
    return Figure(
        value=float(number),
        unit=unit,
        origin=origin,
        formula=formula,
        title=title,
        exact=format(shown.normalize() if shown else Decimal(0), "f"),
        text=with_unit(float(number), unit),
        inputs=tuple(inputs),
        note=note,
        source=source,
    )


def without_value(
    unit: str, formula: str, state: State, *, title: str, note: str, inputs: Sequence[str] = ()
) -> Figure:
    """Return a figure that cannot have a value, and why."""
    text = "never" if state is State.NEVER else "not computable"
    return Figure(
        value=None,
        unit=unit,
        origin=Origin.USER if state is State.NEVER else Origin.ASSUMED,
        formula=formula,
        title=title,
        state=state,
        text=text,
        inputs=tuple(inputs),
        note=note,
    )


_SCALES = {
    "bytes": ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (0.0, "B")),
    "ms": ((60_000.0, "min"), (1000.0, "s"), (0.0, "ms")),
}
_DIVISORS = {"PB": 1e15, "TB": 1e12, "GB": 1e9, "MB": 1e6, "kB": 1e3, "min": 60_000.0, "s": 1000.0}
_PLAIN_MAX = 1e15


def with_unit(value: float, unit: str) -> str:
    """Return a number with its unit, for people: 10.43 days, 1,440 USD/month, 34 %."""
    if unit == "share":
        return f"{short(value * 100)} %"
    head, slash, tail = unit.partition("/")
    if head in _SCALES:
        name = next((name for least, name in _SCALES[head] if abs(value) >= least), head)
        return f"{short(value / _DIVISORS.get(name, 1.0))} {name}{slash}{tail}"
    return f"{short(value)} {unit}".strip() if unit != "ratio" else f"{short(value)}x"


def short(value: float) -> str:
    """Return a number as a person reads it: as many digits as say something."""
    size = abs(value)
    if size >= _PLAIN_MAX or 0 < size < 1e-6:  # noqa: PLR2004 - where plain notation stops being readable
        return f"{value:.4g}"
    if size >= 100:  # noqa: PLR2004 - cents say nothing beside hundreds
        return f"{value:,.2f}".rstrip("0").rstrip(".") if size < 10_000 else f"{value:,.0f}"  # noqa: PLR2004 - as above
    return f"{value:.2f}".rstrip("0").rstrip(".") if size >= 1 else f"{Decimal(f'{value:.3g}'):f}"
