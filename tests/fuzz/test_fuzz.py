"""A short campaign of each target; `make fuzz` is the long one. A finding is printed with its seed and its bytes."""

import pytest

from fuzz.campaign import Outcome, run_campaign
from fuzz.targets import TARGETS

CASES = 400
SOCKET_CASES = 200
SEED = 20


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "sockets"])
def test_no_bad_input_breaks_the_program_or_the_answers_of_others(name: str) -> None:
    check(name, CASES)


@pytest.mark.e2e
def test_no_bad_input_breaks_a_real_server() -> None:
    check("sockets", SOCKET_CASES)


def check(name: str, cases: int) -> None:
    outcome = run_campaign(name, TARGETS[name].make, seed=SEED, cases=cases)

    assert outcome.failures == []
    assert outcome.cases == cases
    assert outcome.grown_files == 0
    assert_both_ends_were_reached(outcome)


def assert_both_ends_were_reached(outcome: Outcome) -> None:
    """A campaign that is always refused, or never, tries nothing."""
    accepted = sum(count for word, count in outcome.counts.items() if word.endswith(("200", "read", "status 0")))
    assert 0 < accepted < outcome.cases
