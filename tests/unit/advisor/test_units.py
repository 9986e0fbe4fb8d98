from decimal import Decimal
from fractions import Fraction

import pytest

from ganglion.advisor import units
from ganglion.advisor.cost.amounts import EnergyPrice, HoursPerMonth, Money, MoneyPerMonth, Months, Price, Volume, Watts
from ganglion.core.errors import InvalidRequest


@pytest.mark.parametrize(
    ("text", "amount", "dimension"),
    [
        ("$0.002", Fraction(2, 1000), {"USD": 1}),
        ("499 USD", Fraction(499), {"USD": 1}),
        ("€1,000.50", Fraction(100050, 100), {"EUR": 1}),
        ("50 ms", Fraction(5, 100), {"s": 1}),
        ("1,000 inferences an hour", Fraction(1000, 3600), {"inference": 1, "s": -1}),
        ("10k requests/day", Fraction(10_000, 86_400), {"inference": 1, "s": -1}),
        ("5 USD per device and month", Fraction(5, 2_592_000), {"USD": 1, "device": -1, "s": -1}),
        ("$3 / 1M tokens", Fraction(3, 10**6), {"USD": 1, "token": -1}),
        ("0.15 $/kWh", Fraction(15, 100 * 3_600_000), {"USD": 1, "J": -1}),
        ("64 GB", Fraction(64 * 10**9), {"B": 1}),
        ("8 GiB", Fraction(8 * 2**30), {"B": 1}),
        ("8 Mbit/s", Fraction(10**6), {"B": 1, "s": -1}),
        ("8 Mbps", Fraction(10**6), {"B": 1, "s": -1}),
        ("99.9 %", Fraction(999, 1000), {}),
        ("1 year", Fraction(360 * 86_400), {"s": 1}),
        ("26 TOPS", Fraction(26 * 10**12), {"op": 1, "s": -1}),
    ],
)
def test_a_quantity_is_read_as_people_write_it(text: str, amount: Fraction, dimension: dict[str, int]) -> None:
    quantity = units.parse(text)

    assert quantity.amount == amount
    assert dict(quantity.dimension) == dimension


def test_a_month_is_as_long_as_the_case_says() -> None:
    assert units.parse("1 month", month_days=Decimal(31)).amount == 31 * 86_400


def test_seven_b_is_a_count_where_things_are_counted_and_bytes_elsewhere() -> None:
    assert units.parse("7B", counts=True).amount == 7 * 10**9
    assert dict(units.parse("7 B").dimension) == {"B": 1}


@pytest.mark.parametrize("text", ["", "NaN", "inf", "-Infinity ms", "0,5 s", "1.2.3", "5 parsecs", "USD", "1" * 300])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        units.parse(text)


def test_amounts_of_one_unit_add() -> None:
    assert Money(Decimal(2), "USD") + Money(Decimal(3), "USD") == Money(Decimal(5), "USD")


def test_money_for_a_month_is_no_inferences_for_a_month() -> None:
    with pytest.raises(TypeError, match="MoneyPerMonth and a Volume do not add"):
        MoneyPerMonth(Decimal(1), "USD") + Volume(Decimal(1))  # type: ignore[operator] # mypy says the same: that is the test


def test_two_currencies_do_not_add() -> None:
    with pytest.raises(TypeError, match="USD and EUR"):
        Money(Decimal(1), "USD") + Money(Decimal(1), "EUR")


def test_a_price_is_multiplied_by_inferences_and_by_nothing_else() -> None:
    with pytest.raises(TypeError, match="expected Price or Size"):
        Volume(Decimal(1)) * Months(Decimal(1))  # type: ignore[operator] # mypy says the same: that is the test

    assert Volume(Decimal(10)) * Price(Decimal(2), "USD") == MoneyPerMonth(Decimal(20), "USD")


def test_watts_become_money_through_hours_and_a_price() -> None:
    month = HoursPerMonth(Decimal(720))

    assert EnergyPrice(Decimal("0.15"), "USD") * (Watts(Decimal(15)) * month) == MoneyPerMonth(Decimal("1.62"), "USD")


@pytest.mark.parametrize("text", ["0,002 EUR", "0,5", "12345,678 USD", "1,5 USD"])
def test_a_comma_that_separates_no_thousands_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="write thousands as 1,000"):
        units.parse(text)


@pytest.mark.parametrize("text", ["5 5 USD", "0.1 - 0.2 USD", "5 USD 3"])
def test_two_numbers_are_no_quantity(text: str) -> None:
    with pytest.raises(InvalidRequest, match="two numbers"):
        units.parse(text)


@pytest.mark.parametrize("text", ["3 USD per 1000 tokens", "$3 / 1k tokens", "3 dollars per 1,000 tokens"])
def test_a_number_behind_per_is_part_of_the_unit(text: str) -> None:
    assert units.parse(text).amount == Fraction(3, 1000)
