import msgspec
import pytest

from ganglion.core.batching_rules import EVERY_MODEL, BatchingRules
from ganglion.core.errors import InvalidSettings
from ganglion.entrypoints.cli.serve_options import advice_of, batching_of, split_of


@pytest.mark.parametrize(
    ("text", "model", "size", "delay_us"),
    [("32", EVERY_MODEL, 32, 0), ("gate=8", "gate", 8, 0), ("gate=8:2000", "gate", 8, 2000), ("1", EVERY_MODEL, 1, 0)],
)
def test_batching_is_rows_and_a_delay_of_a_model_or_of_all(text: str, model: str, size: int, delay_us: int) -> None:
    assert batching_of([text]) == {model: {"max_size": size, "max_delay_us": delay_us}}


@pytest.mark.parametrize("text", ["", "gate", "gate=", "8:x", "-8", "8:1:2", "٨", "8.5"])
def test_what_is_no_batching_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidSettings, match="gate=32:2000"):
        batching_of([text])


def test_the_last_word_about_a_model_counts() -> None:
    assert batching_of(["8", "gate=2", "4"]) == {
        EVERY_MODEL: {"max_size": 4, "max_delay_us": 0},
        "gate": {"max_size": 2, "max_delay_us": 0},
    }


def test_a_package_advises_for_itself_or_not_at_all() -> None:
    assert advice_of("8:2000") == BatchingRules(max_size=8, max_delay_us=2000)
    assert advice_of("") is msgspec.UNSET


@pytest.mark.parametrize("text", ["gate=8", "0", "99999999", "eight"])
def test_advice_that_no_package_can_give_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettings, match="--batching"):
        advice_of(text)


def test_a_split_is_weights_by_model_and_version() -> None:
    assert split_of(["gate=1:90,2:10", "door=a.b-c:0.5"]) == {"gate": {"1": 90.0, "2": 10.0}, "door": {"a.b-c": 0.5}}


@pytest.mark.parametrize("text", ["", "gate", "gate=", "gate=1", "gate=1:x", "=1:1", "gate=1:1,", "gate=:5"])
def test_what_is_no_split_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidSettings, match="gate=1:90,2:10"):
        split_of([text])
