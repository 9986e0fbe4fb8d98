"""Amounts with their units as types: an inference a month is no dollar a month, for mypy and when it runs.

In a simulation arrays of draws stand where decimals stand: the formulas only add, subtract, multiply and divide.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self, overload


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of one unit. Amounts of two units, or of two currencies, do not add."""

    value: Decimal
    currency: str = ""

    def __add__(self, other: Self) -> Self:
        """Add. Raises: TypeError: the units or the currencies differ."""
        self._check(other)
        return type(self)(self.value + other.value, self.currency)

    def __sub__(self, other: Self) -> Self:
        """Subtract. Raises: TypeError: the units or the currencies differ."""
        self._check(other)
        return type(self)(self.value - other.value, self.currency)

    def times(self, factor: Decimal | int) -> Self:
        """Return it so many times."""
        return type(self)(self.value * factor, self.currency)

    def over(self, divisor: Decimal | int) -> Self:
        """Return one of so many equal parts."""
        return type(self)(self.value / divisor, self.currency)

    def _check(self, other: object) -> None:
        if type(other) is not type(self):
            raise TypeError(f"a {type(self).__name__} and a {type(other).__name__} do not add")
        if isinstance(other, Amount) and other.currency != self.currency:
            raise TypeError(f"{self.currency} and {other.currency} do not add")


@dataclass(frozen=True, slots=True)
class Months(Amount):
    """A duration, in months of the input's length."""


@dataclass(frozen=True, slots=True)
class HoursPerMonth(Amount):
    """Hours of each month."""


@dataclass(frozen=True, slots=True)
class BytesPerMonth(Amount):
    """Traffic."""


@dataclass(frozen=True, slots=True)
class Size(Amount):
    """Bytes of one inference."""


@dataclass(frozen=True, slots=True)
class WattHoursPerMonth(Amount):
    """Energy of each month."""


@dataclass(frozen=True, slots=True)
class Watts(Amount):
    """Power that is drawn."""

    def __mul__(self, hours: HoursPerMonth) -> WattHoursPerMonth:
        """Return the energy of a month."""
        _expect(hours, HoursPerMonth)
        return WattHoursPerMonth(self.value * hours.value)


@dataclass(frozen=True, slots=True)
class MoneyPerMonth(Amount):
    """Running cost."""

    def __mul__(self, months: Months) -> "Money":
        """Return what so many months cost."""
        _expect(months, Months)
        return Money(self.value * months.value, self.currency)

    @overload
    def __truediv__(self, other: "Volume") -> "Price": ...
    @overload
    def __truediv__(self, other: "Price") -> "Volume": ...
    def __truediv__(self, other: "Volume | Price") -> "Price | Volume":
        """Return the cost of one inference, or how many inferences cost this."""
        _expect(other, Volume, Price)
        if isinstance(other, Volume):
            return Price(self.value / other.value, self.currency)
        return Volume(self.value / other.value)


@dataclass(frozen=True, slots=True)
class Money(Amount):
    """Money that is paid once."""

    @overload
    def __truediv__(self, other: MoneyPerMonth) -> Months: ...
    @overload
    def __truediv__(self, other: Months) -> MoneyPerMonth: ...
    @overload
    def __truediv__(self, other: "Money") -> Decimal: ...
    def __truediv__(self, other: "MoneyPerMonth | Months | Money") -> "Months | MoneyPerMonth | Decimal":
        """Return how long a saving takes to pay this, the monthly part of it, or a ratio."""
        _expect(other, MoneyPerMonth, Months, Money)
        if not isinstance(other, Months) and other.currency != self.currency:
            raise TypeError(f"{self.currency} and {other.currency} do not divide")
        if isinstance(other, MoneyPerMonth):
            return Months(self.value / other.value)
        if isinstance(other, Months):
            return MoneyPerMonth(self.value / other.value, self.currency)
        return self.value / other.value


@dataclass(frozen=True, slots=True)
class Price(Amount):
    """Money for one inference."""


@dataclass(frozen=True, slots=True)
class HourPrice(Amount):
    """Money for one hour of a machine."""

    def __mul__(self, hours: HoursPerMonth) -> MoneyPerMonth:
        """Return what these hours of each month cost."""
        _expect(hours, HoursPerMonth)
        return MoneyPerMonth(self.value * hours.value, self.currency)


@dataclass(frozen=True, slots=True)
class EnergyPrice(Amount):
    """Money for one kilowatt-hour."""

    def __mul__(self, energy: WattHoursPerMonth) -> MoneyPerMonth:
        """Return what the energy of a month costs."""
        _expect(energy, WattHoursPerMonth)
        return MoneyPerMonth(self.value * energy.value / 1000, self.currency)


@dataclass(frozen=True, slots=True)
class TrafficPrice(Amount):
    """Money for 10^9 bytes that cross a border of the provider."""

    def __mul__(self, traffic: BytesPerMonth) -> MoneyPerMonth:
        """Return what the traffic of a month costs."""
        _expect(traffic, BytesPerMonth)
        return MoneyPerMonth(self.value * traffic.value / 1_000_000_000, self.currency)


@dataclass(frozen=True, slots=True)
class Volume(Amount):
    """Inferences of each month."""

    @overload
    def __mul__(self, other: Price) -> MoneyPerMonth: ...
    @overload
    def __mul__(self, other: Size) -> BytesPerMonth: ...
    def __mul__(self, other: Price | Size) -> MoneyPerMonth | BytesPerMonth:
        """Return what they cost, or the traffic that they make."""
        _expect(other, Price, Size)
        if isinstance(other, Price):
            return MoneyPerMonth(self.value * other.value, other.currency)
        return BytesPerMonth(self.value * other.value)


def _expect(other: object, *kinds: type[Amount]) -> None:
    if type(other) not in kinds:
        names = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"expected {names}, not {type(other).__name__}")
