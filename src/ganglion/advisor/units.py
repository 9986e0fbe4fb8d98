"""Reads quantities as people write them: `$0.002`, `1,000 inferences an hour`, `5 USD per device and month`, `64 GB`.

Exact: numbers and scales are fractions. What a field may hold is decided in `fields`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from ganglion.core.errors import InvalidRequest

Dimension = tuple[tuple[str, int], ...]
"""Base units with their exponents, sorted: USD/month is (("USD", 1), ("s", -1))."""

DAY_S = 86_400
MONTHS_PER_YEAR = 12
MONTH_DAYS = Decimal(30)
"""Days of a month, unless the input says otherwise."""

CURRENCIES = frozenset(
    "USD EUR GBP CHF JPY CNY INR CAD AUD NZD SEK NOK DKK PLN CZK HUF BRL MXN KRW SGD HKD ZAR TRY ILS".split()  # noqa: SIM905 - reads better
)
_SYMBOLS = {"US$": "USD", "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW"}
_MONEY_WORDS = {"dollar": "USD", "dollars": "USD", "euro": "EUR", "euros": "EUR"}
SIZE_MAX = 200
"""Characters of a quantity: what is longer is none."""
_DIGITS_MAX = 40
_LEAST, _MOST = Fraction(1, 10**24), Fraction(10**24)
"""Numbers beyond these are typing errors, and their products would leave the range of a double."""

_NUMBER = re.compile(r"[+-]?(?:(?:[1-9]\d{0,2}(?:[ _,']\d{3})+(?!\d)|\d+)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
_NOT_FINITE = re.compile(r"[+-]?\.?(nan|inf|infinity|∞)\b", re.IGNORECASE)
_MULTIPLIERS = {
    "k": 10**3, "K": 10**3, "thousand": 10**3, "M": 10**6, "million": 10**6, "mio": 10**6,
    "B": 10**9, "bn": 10**9, "billion": 10**9, "T": 10**12, "trillion": 10**12,
}  # fmt: skip
_MULTIPLIER = re.compile(r"\s*(thousand|million|billion|trillion|mio|bn|[kKMBT])(?=\s*/|\s+(?!B\b)\S|$)")
_BINARY = re.compile(r"([kKMGTP]?i?)(bytes?|bits?|bps|Bps|B|b)")
_PREFIX = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_COUNTED = {
    "inference": "inference inferences request requests req reqs call calls prediction predictions query queries image "
    "images frame frames answer answers event events",
    "token": "token tokens tok",
    "device": "device devices unit units node nodes box boxes gateway gateways camera cameras machine machines",
    "site": "site sites shop shops store stores location locations branch branches plant plants factory factories",
    "accelerator": "accelerator accelerators gpu gpus instance instances",
    "parameter": "parameter parameters param params weight weights",
    "op": "op ops operation operations flop flops",
}
_BEFORE_NUMBER = frozenset({"/", "per", "each", "every", "x", "*", "·", "times"})
_TIMES: dict[str, Fraction] = {
    "ns": Fraction(1, 10**9), "us": Fraction(1, 10**6), "µs": Fraction(1, 10**6), "μs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000), "millisecond": Fraction(1, 1000), "milliseconds": Fraction(1, 1000),
    "s": Fraction(1), "sec": Fraction(1), "secs": Fraction(1), "second": Fraction(1), "seconds": Fraction(1),
    "min": Fraction(60), "mins": Fraction(60), "minute": Fraction(60), "minutes": Fraction(60),
    "h": Fraction(3600), "hr": Fraction(3600), "hrs": Fraction(3600), "hour": Fraction(3600), "hours": Fraction(3600),
    "hourly": Fraction(3600), "d": Fraction(DAY_S), "day": Fraction(DAY_S), "days": Fraction(DAY_S),
    "daily": Fraction(DAY_S), "week": Fraction(7 * DAY_S), "weeks": Fraction(7 * DAY_S),
    "wk": Fraction(7 * DAY_S), "weekly": Fraction(7 * DAY_S),
}  # fmt: skip
_MONTH_WORDS = frozenset({"month", "months", "mo", "mth", "monthly"})
_YEAR_WORDS = frozenset({"year", "years", "yr", "yrs", "y", "a", "annum", "annually", "yearly"})
_ADVERBS = frozenset({"hourly", "daily", "weekly", "monthly", "annually", "yearly"})
_POWERS = {"mW": Fraction(1, 1000), "W": Fraction(1), "watt": Fraction(1), "watts": Fraction(1), "kW": Fraction(1000)}
_SPEEDS = {"gops": 10**9, "tops": 10**12, "gflops": 10**9, "tflops": 10**12, "mflops": 10**6}
_WORK = {"mflop": 10**6, "gflop": 10**9, "tflop": 10**12, "mmac": 2 * 10**6, "gmac": 2 * 10**9, "gmacs": 2 * 10**9}
_PER_SECOND = {"rps": "inference", "qps": "inference", "fps": "inference"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its dimension, in base units: s, B, J, W·s, one currency, and counted things."""

    amount: Fraction
    dimension: Dimension
    has_unit: bool = True
    """False for a bare number: whoever reads it must know what it counts."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What one of a unit is in base units."""

    scale: Fraction
    dimension: Dimension


def dimension(**exponents: int) -> Dimension:
    """Return a dimension from base units and exponents."""
    return tuple(sorted((name, power) for name, power in exponents.items() if power))


@lru_cache(maxsize=4096)
def parse(text: str, *, month_days: Decimal = MONTH_DAYS, counts: bool = False) -> Quantity:
    """Return the quantity that `text` says. `counts` reads "7B" as seven thousand million, not as seven bytes.

    A year has 12 months, a month `month_days`. Raises: InvalidRequest: says what is wrong with the text.
    """
    rest = text.strip().replace("−", "-").replace("\u00a0", " ")  # noqa: RUF001 - people paste minus signs
    if not rest or len(rest) > SIZE_MAX:
        raise InvalidRequest("there is no value" if not rest else "this is too long for a quantity")
    if _NOT_FINITE.match(rest.lstrip("$€£¥ ")):
        raise InvalidRequest(f"{text!r} is not a finite number")
    factor, rest, currency = _leading_currency(re.sub(r"\bUS (?=dollars?\b)", "", rest))
    amount, rest = _number(rest, text)
    rest, multiplied = _multiplied(rest, counts=counts)
    unit = _unit(rest, month_days, text)
    if currency:
        unit = Unit(unit.scale, _product(unit.dimension, dimension(**{currency: 1})))
    has_unit = bool(rest.strip()) or bool(currency)
    return Quantity(amount * factor * multiplied * unit.scale, unit.dimension, has_unit)


@lru_cache(maxsize=4096)
def unit(text: str, *, month_days: Decimal = MONTH_DAYS) -> Unit:
    """Return the unit that `text` names, as in "USD/month". Raises: InvalidRequest: nobody knows it."""
    # "1/month" is a unit, too: once a month.
    return _unit(text.removeprefix("1") if text.startswith("1/") else text, month_days, text)


def around(text: str) -> tuple[str, str]:
    """Return what stands before the number of a quantity, and what behind it: ("$", "/month") of `$5/month`."""
    match = re.search(_NUMBER.pattern, text)
    return ("", "") if match is None else (text[: match.start()].strip(), text[match.end() :].strip())


def currency_of(quantity: Dimension) -> str:
    """Return the currency in a dimension, or nothing."""
    return next((name for name, _ in quantity if name in CURRENCIES), "")


def named(of: Dimension) -> str:
    """Return a dimension in words: what a message calls it."""
    above = [_power(name, power) for name, power in of if power > 0]
    below = [_power(name, -power) for name, power in of if power < 0]
    return "·".join(above or ["1" if below else "a plain number"]) + "".join(f"/{each}" for each in below)


def _power(name: str, exponent: int) -> str:
    return name if exponent == 1 else f"{name}^{exponent}"


def _leading_currency(text: str) -> tuple[int, str, str]:
    sign = -1 if text.startswith("-") else 1
    bare = text[1:].lstrip() if text[0] in "+-" else text
    for symbol, code in _SYMBOLS.items():
        if bare.startswith(symbol):
            return sign, bare[len(symbol) :].lstrip(), code
    head = bare[:3].upper()
    if head in CURRENCIES and not bare[3:4].isalpha():
        return sign, bare[3:].lstrip(), head
    return 1, text, ""


def _number(rest: str, text: str) -> tuple[Fraction, str]:
    match = _NUMBER.match(rest)
    if match is None:
        raise InvalidRequest(f"{text!r} does not begin with a number")
    digits = re.sub(r"[ _,']", "", match.group())
    if len(digits) > _DIGITS_MAX or re.match(r"[.,\d]", rest[match.end() :]):
        raise InvalidRequest(f"{text!r} is no number that can be read: write thousands as 1,000 and parts as 0.5")
    number = Fraction(digits)
    if number and not _LEAST < abs(number) < _MOST:
        raise InvalidRequest(f"{text!r} is beyond what can be reckoned with")
    return number, rest[match.end() :]


def _multiplied(rest: str, *, counts: bool) -> tuple[str, int]:
    match = _MULTIPLIER.match(rest)
    if match is None:
        return rest, 1
    behind = rest[match.end() :]
    # "1 B", "1 B/day" and "1 B per day" are bytes; "1 B tokens" are many tokens.
    if match.group(1) == "B" and not counts and (behind.split() or ["/"])[0].startswith(("/", "per", "a", "each")):
        return rest, 1
    return behind, _MULTIPLIERS[match.group(1)]


def _unit(text: str, month_days: Decimal, whole: str) -> Unit:
    scale, exponents, sign, before = Fraction(1), dict[str, int](), 1, ""
    for word in _words(text):
        if word[0].isdigit() and before not in _BEFORE_NUMBER:
            raise InvalidRequest(f"{whole!r} has two numbers: a range reads low .. high")
        before = word.lower()
        if word in {"/", "per", "each", "every", "an"} or (word == "a" and sign == 1):
            sign = -1
            continue
        if word in {"and", "*", "·", "-", "of", "the", "x", "times", "for"}:
            continue
        turned = -1 if word.lower() in _ADVERBS else sign
        found = _one(word, month_days, whole)
        if not found.scale:
            raise InvalidRequest(f"{whole!r} has a unit of zero")
        scale *= found.scale**turned
        for name, power in found.dimension:
            exponents[name] = exponents.get(name, 0) + power * turned
    return Unit(scale, dimension(**exponents))


def _words(text: str) -> Iterator[str]:
    for match in re.finditer(r"[/*·-]|%|[$€£¥₹₩]|\d[\d,_.]*\s?[kKM]?(?![a-zA-Z])|[^\W\d_]+(?:/(?=$))?|\S", text):
        yield match.group().strip()


def _one(word: str, month_days: Decimal, whole: str) -> Unit:
    lower = word.lower()
    if word[0].isdigit():
        factor = 1
        if word[-1] in "kKM":
            word, factor = word[:-1].strip(), _MULTIPLIERS[word[-1]]
        return Unit(_number(word, whole)[0] * factor, ())
    if word in {"%", "percent", "pct"}:
        return Unit(Fraction(1, 100), ())
    if word in _SYMBOLS or word.upper() in CURRENCIES:
        return Unit(Fraction(1), dimension(**{_SYMBOLS.get(word, word.upper()): 1}))
    if lower in _MONEY_WORDS:
        return Unit(Fraction(1), dimension(**{_MONEY_WORDS[lower]: 1}))
    if lower in _MULTIPLIERS:
        return Unit(Fraction(_MULTIPLIERS[lower]), ())
    known = _time(lower, month_days) or _energy(word) or _counted(lower) or _binary(word)
    if known is None:
        raise InvalidRequest(f"{whole!r} has the unit {word!r}, which is unknown")
    return known


def _time(lower: str, month_days: Decimal) -> Unit | None:
    seconds = _TIMES.get(lower)
    if lower in _MONTH_WORDS:
        seconds = Fraction(month_days) * DAY_S
    elif lower in _YEAR_WORDS:
        seconds = Fraction(month_days) * DAY_S * MONTHS_PER_YEAR
    return None if seconds is None else Unit(seconds, dimension(s=1))


def _energy(word: str) -> Unit | None:
    hour = 3600 if word.endswith(("h", "H")) and len(word) > 1 else 0
    name = word[:-1] if hour else word
    watts = _POWERS.get(name) or _POWERS.get(name.replace("K", "k").replace("w", "W"))
    if watts is None:
        return None
    return Unit(watts * hour, dimension(J=1)) if hour else Unit(watts, dimension(J=1, s=-1))


def _counted(lower: str) -> Unit | None:
    if lower in _SPEEDS:
        return Unit(Fraction(_SPEEDS[lower]), dimension(op=1, s=-1))
    if lower in _WORK:
        return Unit(Fraction(_WORK[lower]), dimension(op=1))
    if lower in _PER_SECOND:
        return Unit(Fraction(1), dimension(**{_PER_SECOND[lower]: 1, "s": -1}))
    name = next((name for name, words in _COUNTED.items() if lower in words.split()), None)
    return None if name is None else Unit(Fraction(1), dimension(**{name: 1}))


def _binary(word: str) -> Unit | None:
    """Return a size or a bandwidth: MB and mb are bytes, Mb and Mbit are bits, MiB is binary."""
    match = _BINARY.fullmatch(word) or _BINARY.fullmatch(word[:1].upper() + word[1:-1].lower() + "B")
    if match is None:
        return None
    prefix, name = match.groups()
    base = _PREFIX[prefix.removesuffix("i")]
    if prefix.endswith("i"):
        base = 1024 ** round(len(str(base)) / 3)
    is_bits = name.startswith("bit") or name == "bps" or (name == "b" and prefix[:1].isupper())
    scale = Fraction(base, 8 if is_bits else 1)
    return Unit(scale, dimension(B=1, s=-1) if name.endswith("ps") else dimension(B=1))


def _product(one: Dimension, other: Dimension) -> Dimension:
    exponents = dict(one)
    for name, power in other:
        exponents[name] = exponents.get(name, 0) + power
    return dimension(**exponents)
