"""What versions did, by hour: the same counts however many looks it took to read them."""

import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.hub.services.evidence.counts import Counts, Hours, Past
from ganglion.ports.telemetry_store import RollupKey
from ganglion.testing.memory_store import MemoryTelemetryStore

BEGAN = 60 * 100 + 50
"""Ten minutes before a full hour."""
NODES = [f"n{number:03}" for number in range(120)]
"""So many that minutes which are over are kept and not read again at each look."""


@pytest.fixture
def telemetry() -> MemoryTelemetryStore:
    return MemoryTelemetryStore()


def work(telemetry: MemoryTelemetryStore, node_id: str, minute: int, answers: int = 1) -> None:
    with telemetry.write() as tx:
        tx.merge_rollup(RollupKey(node_id, "meter", "2", minute), Behaviour(requests=answers))


def look(telemetry: MemoryTelemetryStore, counts: Counts, minute: int) -> dict[str, Hours]:
    with telemetry.read() as tx:
        return counts.read(tx, NODES, minute=minute)


def requests(found: dict[str, Hours], node_id: str) -> dict[int, int]:
    return {hour: behaviour.requests for hour, behaviour in found.get(node_id, {}).items()}


def counts_since_the_beginning() -> Counts:
    return Counts(model="meter", version="2", since_minute=BEGAN)


def test_counts_are_parted_by_the_hour_and_begin_with_the_minute_asked_for(telemetry: MemoryTelemetryStore) -> None:
    for minute in range(BEGAN - 5, BEGAN + 40):
        work(telemetry, "n000", minute)

    found = look(telemetry, counts_since_the_beginning(), BEGAN + 40)

    assert requests(found, "n000") == {100: 10, 101: 30}
    assert "n001" not in found


def test_counts_of_inputs_add_up_and_those_that_were_kept_are_not_changed(telemetry: MemoryTelemetryStore) -> None:
    counts = counts_since_the_beginning()
    looked_at = Behaviour(inputs={"x": [0, 1, 0]})

    for minute in range(BEGAN, BEGAN + 90):
        with telemetry.write() as tx:
            tx.merge_rollup(RollupKey("n000", "meter", "2", minute), looked_at)
        found = look(telemetry, counts, minute)
        look(telemetry, counts, minute)

    assert {hour: behaviour.inputs["x"] for hour, behaviour in found["n000"].items()} == {
        100: [0, 10, 0],
        101: [0, 60, 0],
        102: [0, 20, 0],
    }


def test_looking_minute_after_minute_finds_what_one_look_at_the_end_finds(telemetry: MemoryTelemetryStore) -> None:
    counts = counts_since_the_beginning()

    for minute in range(BEGAN, BEGAN + 90):
        work(telemetry, "n000", minute)
        work(telemetry, "n007", minute, answers=2)
        found = look(telemetry, counts, minute)

    assert requests(found, "n000") == {100: 10, 101: 60, 102: 20}
    assert requests(found, "n007") == {100: 20, 101: 120, 102: 40}


def test_records_that_come_late_are_found_after_some_looks(telemetry: MemoryTelemetryStore) -> None:
    counts = counts_since_the_beginning()
    for minute in range(BEGAN, BEGAN + 60):
        look(telemetry, counts, minute)
    work(telemetry, "n003", BEGAN + 1, answers=7)

    before = requests(look(telemetry, counts, BEGAN + 60), "n003")
    for _ in range(130):
        found = look(telemetry, counts, BEGAN + 60)

    assert before in ({}, {100: 7})
    assert requests(found, "n003") == {100: 7}


def test_what_many_nodes_did_is_read_by_parts_for_the_first_time(telemetry: MemoryTelemetryStore) -> None:
    for minute in range(BEGAN, BEGAN + 60):
        work(telemetry, "n003", minute)
        work(telemetry, NODES[-1], minute)
    by_parts, parts = counts_since_the_beginning(), 1

    with telemetry.read() as tx:
        while not by_parts.read_some(tx, NODES, minute=BEGAN + 60):
            parts += 1

    assert parts > 2
    assert look(telemetry, by_parts, BEGAN + 60) == look(telemetry, counts_since_the_beginning(), BEGAN + 60)


def test_an_hour_that_is_over_is_read_by_parts_and_once(telemetry: MemoryTelemetryStore) -> None:
    for node_id in (NODES[0], NODES[-1]):
        work(telemetry, node_id, BEGAN - 60, answers=3)
    work(telemetry, NODES[0], BEGAN)
    past, parts = Past(model="meter", version="2", since_minute=BEGAN - 60, until_minute=BEGAN), 1

    with telemetry.read() as tx:
        while not past.read_some(tx, NODES):
            parts += 1

    found = [past.of(node_id) for node_id in (NODES[0], NODES[1], NODES[-1])]
    assert parts > 2
    assert [each and each.requests for each in found] == [3, None, 3]


def test_what_was_read_before_does_not_change_when_more_comes_in(telemetry: MemoryTelemetryStore) -> None:
    counts = counts_since_the_beginning()
    for minute in range(BEGAN, BEGAN + 50):
        work(telemetry, "n000", minute)
        look(telemetry, counts, minute)
    first = look(telemetry, counts, BEGAN + 50)
    seen = requests(first, "n000")

    for minute in range(BEGAN + 50, BEGAN + 60):
        work(telemetry, "n000", minute)
        look(telemetry, counts, minute)

    assert requests(first, "n000") == seen
