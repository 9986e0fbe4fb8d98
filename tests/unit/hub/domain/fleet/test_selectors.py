"""Which nodes a selector means."""

import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.hub.domain.fleet import selectors

NODE = {"line": "3", "canary": "yes", "site": "porto", "arch": "aarch64"}


@pytest.mark.parametrize(
    "text",
    ["", " ", "line=3", "line=3,site=porto", "line", "!old", "line!=4", "old!=1", "line=2|3", " line = 3 , canary "],
)
def test_a_node_that_meets_every_term_is_selected(text: str) -> None:
    assert selectors.parse(text).selects(NODE)


@pytest.mark.parametrize("text", ["line=4", "line=3,site=faro", "old", "!line", "line!=3", "line=4|5", "line!=2|3"])
def test_a_node_that_fails_one_term_is_not(text: str) -> None:
    assert not selectors.parse(text).selects(NODE)


@pytest.mark.parametrize(
    "text", ["=3", "line=", "line==3", "line=a b", "LINE=3", "line=3,,site", "!line=3", "!", "a|b"]
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        selectors.parse(text)


def test_a_selector_has_a_limit() -> None:
    with pytest.raises(InvalidRequest, match="at most 32 terms"):
        selectors.parse(",".join(["a"] * 33))


@pytest.mark.parametrize("labels", [{"site": "x"}, {"Line": "3"}, {"line": ""}, {"line": "a,b"}, {"": "x"}])
def test_labels_that_no_selector_could_name_are_refused(labels: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        selectors.checked_labels(labels)


@pytest.mark.parametrize("text", ["a=" + "|".join(["x"] * 101), "a=" + "x" * 8000])
def test_a_term_has_a_limit(text: str) -> None:
    with pytest.raises(InvalidRequest):
        selectors.parse(text)


def test_labels_are_set_and_taken_away() -> None:
    before = {"line": "3", "canary": "yes"}

    assert selectors.changed_labels(before, {"line": "4", "canary": None, "gone": None}) == {"line": "4"}
    assert before == {"line": "3", "canary": "yes"}


def test_a_node_has_a_limited_number_of_labels() -> None:
    with pytest.raises(InvalidRequest, match="at most 32 labels"):
        selectors.changed_labels({}, {f"l{number}": "x" for number in range(33)})


def test_labels_are_read_as_they_are_written() -> None:
    labels = {"line": "3", "canary": "yes"}

    assert selectors.parse_labels(selectors.written(labels)) == labels
    assert selectors.parse_labels(" ") == {}


@pytest.mark.parametrize("text", ["line", "line=", "line=3,line=4", "site=x", "=3"])
def test_labels_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        selectors.parse_labels(text)
