from decimal import Decimal

import pytest

from ganglion.advisor.fields import Section
from ganglion.advisor.figures import Origin
from ganglion.advisor.given import Field, Given, Reading
from ganglion.advisor.ranges import Tree
from ganglion.core.errors import FactsContradict, GanglionError, InvalidRequest

PRICE = Field("device_price", "CUR", "Price.", "499 USD", ("device_cost",), scoped=True)
BUDGET = Field("latency_budget", "ms", "Budget.", "50 ms", positive=True)


def read(tree: dict[str, Tree], wanted: Field = PRICE) -> Given:
    reading = Reading()
    given = Section(tree, reading).amount(wanted)
    reading.finish()
    assert given is not None
    return given


def refusal(tree: dict[str, Tree], *fields: Field) -> GanglionError:
    reading = Reading()
    section = Section(tree, reading)
    for each in fields:
        section.amount(each)
    section.finish()
    with pytest.raises(GanglionError) as caught:
        reading.finish()
    return caught.value


@pytest.mark.parametrize(
    "tree",
    [
        {"device_price": "$499"},
        {"Device-Price": "499 USD"},
        {"device": {"price": "499 dollars".replace("dollars", "USD")}},
        {"device cost": {"value": "499", "unit": "USD"}},
        {"device_price_usd": "499"},
    ],
)
def test_a_field_is_found_however_its_name_is_written(tree: dict[str, Tree]) -> None:
    assert read(tree).value == 499


def test_a_unit_in_the_name_counts() -> None:
    assert read({"latency_budget_ms": "50"}, BUDGET).value == 50
    assert read({"latency_budget_s": "0.05"}, BUDGET).value == 50


def test_a_range_has_two_ends_and_perhaps_a_likely_value() -> None:
    two, three = (
        read({"device_price": "$400 .. $600"}),
        read({"device_price": {"low": "$4", "likely": "$5", "high": "$9"}}),
    )

    assert [two.low, two.value, two.high] == [400, 500, 600]
    assert not two.has_likely
    assert [three.low, three.value, three.high] == [4, 5, 9]
    assert three.has_likely


def test_an_origin_and_a_source_are_kept() -> None:
    given = read({"device_price": {"value": "$499", "origin": "vendor's claim", "source": "list"}})

    assert (given.origin, given.source) == (Origin.VENDOR, "list")


def test_a_scope_is_taken_from_the_unit() -> None:
    assert read({"device_price": "499 USD/site"}).scope == "site"


def test_numbers_are_not_rounded_on_their_way() -> None:
    assert read({"device_price": "$0.1234567890123456789"}).value == Decimal("0.1234567890123456789")


def test_every_problem_is_named_at_once() -> None:
    error = refusal({"device_price": "499", "latency_budget": "-1 ms", "latncy": "1"}, PRICE, BUDGET)

    assert isinstance(error, InvalidRequest)
    assert "the unit is missing in '499'" in error.message
    assert "negative" in error.message
    assert "latncy is unknown" in error.message


def test_one_fact_said_twice_is_refused() -> None:
    error = refusal({"device_price": "$499", "device_cost": "$499"}, PRICE)

    assert "say the same thing" in error.message


def test_two_currencies_in_one_document_contradict_each_other() -> None:
    other = Field("fee", "CUR/month", "Fee.", "5 USD/month")

    assert isinstance(refusal({"device_price": "$499", "fee": "5 EUR/month"}, PRICE, other), FactsContradict)


@pytest.mark.parametrize("word", ["unknown", "?", "null", "", "~"])
def test_an_unknown_fact_is_no_value(word: str) -> None:
    assert Section({"device_price": word}, Reading()).amount(PRICE) is None
