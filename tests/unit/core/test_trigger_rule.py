from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.errors import InvalidRequest
from ganglion.core.trigger_rule import COMPARISONS_MAX, TEXT_MAX, Facts, parse

FEEDS = {"temperature": [20.0, 85.0]}


def facts(label: str = "person", **numbers: float) -> Facts:
    def feed(name: str) -> Iterator[float]:
        yield from FEEDS.get(name, [])

    return Facts(
        label, {"confidence": 0.5, **{name.replace("__", "."): value for name, value in numbers.items()}}, feed
    )


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("label=person", True),
        ("label == person", True),
        ("label!=person", False),
        ('label="person"', True),
        ("label=car", False),
        ("confidence<0.6", True),
        ("confidence <= 0.5", True),
        ("confidence>0.5", False),
        ("confidence!=0.5", False),
        ("label=person and confidence<0.6", True),
        ("label=person and confidence<0.4", False),
        ("label=car or confidence<0.6", True),
        ("label=car and confidence<0.6 or confidence>=0.5", True),
        ("label=person or label=car and confidence<0.1", True),
        ("feed.temperature>80", True),
        ("feed.temperature>90", False),
        ("quality.sharpness<1e-3", True),
    ],
)
def test_a_rule_holds_when_all_comparisons_of_one_alternative_do(text: str, *, holds: bool) -> None:
    assert parse(text).holds(facts(quality__sharpness=1e-5)) is holds


@pytest.mark.parametrize("text", ["margin<1", "feed.pressure<1", "quality.sharpness<1", "out_of_distribution>=0"])
def test_what_is_not_known_is_never_true(text: str) -> None:
    assert not parse(text).holds(facts())


def test_what_is_no_number_is_neither_small_nor_large() -> None:
    strange = facts(margin=float("nan"))

    assert not parse("margin<1").holds(strange)
    assert not parse("margin>=0").holds(strange)


@pytest.mark.parametrize("text", ["", "   "])
def test_the_empty_rule_never_holds(text: str) -> None:
    assert not parse(text).holds(facts())


def test_a_rule_says_whether_it_asks_about_quality() -> None:
    assert parse("confidence<1 and quality.sharpness<0.1").asks_quality
    assert not parse("confidence<1").asks_quality


@pytest.mark.parametrize(
    "text",
    [
        "label",
        "label=",
        "label<person",
        "=person",
        "label=person and",
        "label=person and and label=car",
        "label=person label=car",
        "label=person, confidence<0.6",
        "confidence<low",
        "confidence<nan",
        "size<3",
        "feed.<3",
        "quality.<3",
        "__class__=1",
        '"label',
        "confidence<0.6 or",
        " and ".join(["confidence<1"] * (COMPARISONS_MAX + 1)),
        "label=" + "x" * TEXT_MAX,
    ],
)
def test_what_is_no_rule_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse(text)


@given(st.text(max_size=TEXT_MAX))
def test_whatever_is_written_is_a_rule_or_refused(text: str) -> None:
    try:
        rule = parse(text)
    except InvalidRequest:
        return
    assert rule.holds(facts()) in (True, False)
