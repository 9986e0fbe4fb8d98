"""When is a node well? Worked cases of each check."""

import pytest

from ganglion.node.domain import health
from ganglion.node.domain.health import HealthFacts, HealthLimits, ModelFacts
from ganglion.wire.diagnosis import Verdict

LIMITS = HealthLimits()
OK, WARN, BAD = Verdict


def verdicts(**facts: object) -> dict[str, Verdict]:
    found = health.checks(HealthFacts(**facts), LIMITS)  # type: ignore[arg-type]  # each case names its own fields
    return {check.name: check.verdict for check in found}


@pytest.mark.parametrize(
    ("facts", "name", "verdict"),
    [
        ({"disk_free_bytes": 5e9}, "disk", OK),
        ({"disk_free_bytes": 1e9}, "disk", WARN),
        ({"disk_free_bytes": 1e8}, "disk", BAD),
        ({"memory_free_bytes": 1e9}, "memory", OK),
        ({"memory_free_bytes": 1e8}, "memory", WARN),
        ({"memory_free_bytes": 0.0}, "memory", BAD),
        ({"temperature_c": 79.9}, "thermal", OK),
        ({"temperature_c": 80.0}, "thermal", WARN),
        ({"temperature_c": 99.0}, "thermal", BAD),
        ({"outbox_bytes": 10, "outbox_bytes_max": 100}, "outbox", OK),
        ({"outbox_bytes": 60, "outbox_bytes_max": 100}, "outbox", WARN),
        ({"outbox_bytes": 99, "outbox_bytes_max": 100}, "outbox", BAD),
        ({"silent_s": 60.0}, "link", OK),
        ({"silent_s": 3600.0}, "link", WARN),
        ({"silent_s": 90_000.0}, "link", BAD),
        ({"refused": "revision 7 is of another hub"}, "desired state", BAD),
        ({"clock_error_s": -5.0}, "clock", OK),
        ({"clock_error_s": 40.0}, "clock", WARN),
        ({"clock_error_s": -1.7e9}, "clock", BAD),
        ({"metadata_left_s": 200_000.0}, "trust", OK),
        ({"metadata_left_s": 3600.0}, "trust", WARN),
        ({"metadata_left_s": -1.0}, "trust", BAD),
        ({"serving": False}, "serving", BAD),
        ({"shell": "open by ada (admin) until 10:00:00 UTC: a reason"}, "shell", WARN),
        ({"restarts": 1}, "restarts", OK),
        ({"restarts": 4}, "restarts", WARN),
        ({"restarts": 12}, "restarts", BAD),
        ({"models": {"gate": ModelFacts("1", "1", 1000, 3)}}, "model gate", OK),
        ({"models": {"gate": ModelFacts("1", "1", 1000, 50)}}, "model gate", WARN),
        ({"models": {"gate": ModelFacts("1", "1", 1000, 500)}}, "model gate", BAD),
        ({"models": {"gate": ModelFacts("1", "1", 0, 0, "2 was rolled back: too slow")}}, "model gate", WARN),
        ({"models": {"gate": ModelFacts("1", "")}}, "model gate", BAD),
        ({"models": {"gate": ModelFacts("", "")}}, "model gate", WARN),
    ],
)
def test_a_fact_is_judged_by_its_limits(facts: dict[str, object], name: str, verdict: Verdict) -> None:
    assert verdicts(**facts)[name] is verdict


def test_what_is_not_known_is_not_judged() -> None:
    assert health.checks(HealthFacts(), LIMITS) == []
    assert health.worst([]) is OK


def test_the_worst_check_speaks_for_the_node() -> None:
    found = health.checks(HealthFacts(disk_free_bytes=1e9, temperature_c=20.0, serving=False), LIMITS)

    assert health.worst(found) is BAD
    assert health.worst(found[:2]) is WARN


def test_whatever_is_not_well_says_what_to_do_and_whatever_is_does_not() -> None:
    ill = HealthFacts(
        disk_free_bytes=0,
        memory_free_bytes=0,
        temperature_c=100,
        outbox_bytes=1,
        outbox_bytes_max=1,
        silent_s=1e9,
        clock_error_s=1e9,
        metadata_left_s=-1e9,
        serving=False,
        restarts=99,
        refused="no",
        models={"gate": ModelFacts("1", "")},
    )
    well = HealthFacts(disk_free_bytes=1e12, memory_free_bytes=1e12, temperature_c=20, silent_s=0, clock_error_s=0)

    assert all(check.remedy and check.verdict is BAD for check in health.checks(ill, LIMITS))
    assert not any(check.remedy for check in health.checks(well, LIMITS))


def test_the_words_hold_the_figures() -> None:
    facts = HealthFacts(
        outbox_bytes=60, outbox_bytes_max=100, oldest_waiting_s=7300.0, shed={"sample": 3}, clock_error_s=-200.0
    )

    said = {check.name: check.fact for check in health.checks(facts, LIMITS)}

    assert said == {
        "outbox": "60% of its bytes used, the oldest record 2 hours old; shed so far: 3 sample",
        "clock": "3 minutes behind the hub's",
    }
