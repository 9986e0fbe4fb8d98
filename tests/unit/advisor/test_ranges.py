import pytest

from ganglion.advisor import ranges
from ganglion.core.errors import InvalidRequest


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("0.1-0.2 USD", ["0.1 USD", "0.2 USD"]),
        ("$0.1-0.2", ["$0.1", "$0.2"]),
        ("5 .. 10 USD/month", ["5 USD/month", "10 USD/month"]),
        ("5 USD - 10 USD", ["5 USD", "10 USD"]),
        ("1 to 2 to 3 ms", ["1 ms", "2 ms", "3 ms"]),
        ("5-10%", ["5 %", "10%"]),
    ],
)
def test_an_end_without_a_unit_has_that_of_the_other(text: str, ends: list[str]) -> None:
    assert ranges.ends_of(text, {}) == ends


@pytest.mark.parametrize("text", ["1e-3 s", "-5 USD", "USD -5", "20 GB-month", "12 W"])
def test_a_hyphen_that_is_not_between_two_numbers_makes_no_range(text: str) -> None:
    assert ranges.ends_of(text, {}) == [text]


def test_a_mapping_shares_its_unit_too() -> None:
    assert ranges.ends_of("", {"low": "1", "high": "2 USD"}) == []
    assert ranges.ends_of({}, {"low": "1", "high": "2 USD"}) == ["1 USD", "2 USD"]


def test_one_end_is_no_range() -> None:
    with pytest.raises(InvalidRequest, match="both ends"):
        ranges.ends_of({}, {"low": "1 USD"})


@pytest.mark.parametrize(
    ("text", "value", "quantile"),
    [
        ("100 ms at p95", "100 ms", "p95"),
        ("100 ms (p99)", "100 ms", "p99"),
        ("p99.9: 50 ms", "50 ms", "p99.9"),
        ("p99 < 50 ms", "50 ms", "p99"),
        ("50 ms for 99 %", "50 ms", "99 %"),
        ("50 ms", "50 ms", ""),
    ],
)
def test_a_quantile_may_stand_beside_a_latency(text: str, value: str, quantile: str) -> None:
    assert ranges.without_quantile(text) == (value, quantile)


def test_a_text_that_is_too_long_for_a_quantity_is_not_taken_apart() -> None:
    text = "1-" * 200

    assert ranges.ends_of(text, {}) == [text]
    assert ranges.without_quantile(text) == (text, "")
