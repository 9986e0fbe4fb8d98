"""The inputs of a cost case as numbers, and the ledger of what was computed from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeAlias

from ganglion.advisor.cost.amounts import Amount, Money, MoneyPerMonth, Volume
from ganglion.advisor.cost.fields import FLEET, SITE

Value: TypeAlias = "Amount | Decimal"

HOURS_PER_DAY = 24


@dataclass(frozen=True, slots=True)
class Facts:
    """The inputs of a case, as numbers in the units of their fields."""

    values: Mapping[str, Decimal]
    scopes: Mapping[str, str] = field(default_factory=dict)
    currency: str = ""
    month_days: Decimal = Decimal(30)

    def has(self, *names: str) -> bool:
        """Tell whether all of these were given."""
        return all(name in self.values for name in names)

    def changed(self, changes: Mapping[str, Decimal]) -> "Facts":
        """Return the same case with other numbers."""
        return replace(self, values={**self.values, **changes})

    @property
    def sites(self) -> Decimal:
        """How many sites."""
        return self.values.get("sites", Decimal(1))

    @property
    def devices(self) -> Decimal:
        """How many devices, on all sites."""
        if "devices" in self.values:
            return self.values["devices"]
        return self.sites * self.values["devices_per_site"] if self.has("devices_per_site") else self.sites

    def spread(self, name: str, scope: str) -> Decimal:
        """Return a number for the whole fleet; `scope` is what it is for when the input does not say."""
        value, said = self.values[name], self.scopes.get(name) or scope
        if said == FLEET:
            return value
        return value * (self.sites if said == SITE else self.devices)

    def once(self, name: str, scope: str) -> Money:
        """Return money that is paid once."""
        return Money(self.spread(name, scope), self.currency)

    def monthly(self, name: str, scope: str) -> MoneyPerMonth:
        """Return money that is paid each month."""
        return MoneyPerMonth(self.spread(name, scope), self.currency)


@dataclass(frozen=True, slots=True)
class Entry:
    """One computed figure."""

    value: Value
    formula: str
    title: str
    inputs: tuple[str, ...] = ()


@dataclass(slots=True)
class Ledger:
    """Everything that could be computed, in the order in which it was."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def put(self, name: str, value: Value, formula: str, title: str, inputs: Sequence[str] = ()) -> None:
        """Enter a figure."""
        self.entries[name] = Entry(value, formula, title, tuple(inputs))

    def money(self, name: str) -> Money | None:
        """Return an amount of money, or None when it could not be computed."""
        value = self.entries[name].value if name in self.entries else None
        return value if isinstance(value, Money) else None

    def monthly(self, name: str) -> MoneyPerMonth | None:
        """Return a running cost, or None when it could not be computed."""
        value = self.entries[name].value if name in self.entries else None
        return value if isinstance(value, MoneyPerMonth) else None

    def volume(self) -> Volume | None:
        """Return the volume of the fleet, or None when it is not known."""
        value = self.entries["volume_month"].value if "volume_month" in self.entries else None
        return value if isinstance(value, Volume) else None
