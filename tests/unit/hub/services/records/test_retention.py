from dataclasses import replace

import pytest

from contract.store_rows import event, record, sample
from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import DiskUnusable
from ganglion.hub.services.records.retention import Retention, RetentionLimits
from ganglion.ports.hub_store import LabelRow
from ganglion.ports.telemetry_store import RollupKey
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryControlStore, MemoryTelemetryStore

DAY_S = 86_400
LIMITS = RetentionLimits(
    records_days=10, minutes_days=2, hours_days=20, events_days=30, samples_days=5, step_rows_max=2
)


class World:
    """A hub that keeps things, and the time that passes."""

    def __init__(self) -> None:
        self.control, self.telemetry, self.clock = MemoryControlStore(), MemoryTelemetryStore(), FakeClock()
        self.seq = 0

    def retention(self, limits: RetentionLimits = LIMITS) -> Retention:
        return Retention(control=self.control, telemetry=self.telemetry, clock=self.clock, limits=limits)

    def add(self, count: int = 1) -> None:
        """Store records, a minute's counts, events and samples of now."""
        at_ns = self.clock.utc_ns()
        with self.telemetry.write() as tx:
            for _ in range(count):
                self.seq += 1
                tx.add_records([replace(record(self.seq), received_at_ns=at_ns)])
                tx.add_events([event(self.seq, at_ns=at_ns)])
                tx.add_samples([sample(f"s{self.seq}", at_ns=at_ns)])
            tx.merge_rollup(RollupKey("n1", "digits", "1", at_ns // 60_000_000_000), Behaviour(requests=count))

    def counts(self) -> tuple[int, int, int, int]:
        """Return how many records, counted requests, events and samples there are."""
        with self.telemetry.read() as tx:
            found = tx.behaviour(node_ids=["n1"], model="digits", version="1", since_minute=0)
            return (
                len(tx.records(node_id="n1", record_class=2, after=("", 0), limit=99)),
                found["n1"].requests if found else 0,
                len(tx.events()),
                len(tx.samples()),
            )


@pytest.fixture
def world() -> World:
    return World()


def sweep(retention: Retention) -> int:
    """Step until nothing is left to do, and return in how many steps."""
    steps = 1
    while retention.step():
        steps += 1
        assert steps < 100, "it goes on and on"
    return steps


def test_what_is_young_stays(world: World) -> None:
    world.add(3)

    assert sweep(world.retention()) <= 2
    assert world.counts() == (3, 3, 3, 3)


def test_each_kind_goes_at_its_own_age(world: World) -> None:
    world.add(3)
    retention = world.retention()

    world.clock.advance(6 * DAY_S)
    sweep(retention)
    assert world.counts() == (3, 3, 3, 0)

    world.clock.advance(6 * DAY_S)
    sweep(retention)
    assert world.counts() == (0, 3, 3, 0)

    world.clock.advance(12 * DAY_S)
    sweep(retention)
    assert world.counts() == (0, 0, 3, 0)

    world.clock.advance(12 * DAY_S)
    sweep(retention)
    assert world.counts() == (0, 0, 0, 0)
    assert retention.kept.removed == {"samples": 3, "minutes": 1, "records": 3, "hours": 1, "events": 3}


def test_much_goes_in_many_small_steps(world: World) -> None:
    world.add(9)
    world.clock.advance(12 * DAY_S)

    assert sweep(world.retention()) >= 4


def test_a_labelled_sample_stays_and_holds_up_no_other(world: World) -> None:
    world.add(5)
    with world.control.write() as tx:
        tx.add_label(LabelRow("s1", "7", "ada", 1.0))
        tx.add_label(LabelRow("s2", "7", "ada", 1.0))
    world.clock.advance(6 * DAY_S)

    sweep(world.retention())

    with world.telemetry.read() as tx:
        assert {row.sample_id for row in tx.samples()} == {"s1", "s2"}


def test_no_days_mean_for_ever(world: World) -> None:
    world.add(2)
    world.clock.advance(3000 * DAY_S)

    sweep(world.retention(RetentionLimits(records_days=0, minutes_days=0, hours_days=0, events_days=0, samples_days=0)))

    assert world.counts() == (2, 2, 2, 2)


def test_too_many_bytes_take_the_oldest_records_and_then_samples_with_them(world: World) -> None:
    world.add(6)
    with world.telemetry.read() as tx:
        used_bytes = tx.used_bytes()

    sweep(world.retention(RetentionLimits(bytes_max=used_bytes - 1, step_rows_max=2)))
    assert world.counts() == (4, 6, 6, 6)

    sweep(world.retention(RetentionLimits(bytes_max=1, step_rows_max=2)))
    assert world.counts() == (0, 6, 6, 0)


def test_labelled_samples_alone_that_are_too_much_end_the_sweep(world: World) -> None:
    world.add(2)
    with world.control.write() as tx:
        for name in ("s1", "s2"):
            tx.add_label(LabelRow(name, "7", "ada", 1.0))

    sweep(world.retention(RetentionLimits(bytes_max=1, step_rows_max=2)))

    assert world.counts()[3] == 2


def test_labelled_samples_do_not_shield_others_from_a_limit_in_bytes(world: World) -> None:
    world.add(7)
    with world.control.write() as tx:
        for name in ("s1", "s2", "s3", "s4"):
            tx.add_label(LabelRow(name, "7", "ada", 1.0))

    sweep(world.retention(RetentionLimits(bytes_max=1, step_rows_max=2)))

    with world.telemetry.read() as tx:
        assert {row.sample_id for row in tx.samples()} == {"s1", "s2", "s3", "s4"}


def test_a_full_disk_is_said_and_the_next_look_goes_on(world: World) -> None:
    world.add(1)
    world.clock.advance(12 * DAY_S)
    retention = world.retention()
    world.telemetry.disk_full = True
    with pytest.raises(DiskUnusable):
        retention.step()

    world.telemetry.disk_full = False
    sweep(retention)

    assert world.counts()[0] == 0


def test_a_hub_whose_clock_stands_in_1970_removes_nothing(world: World) -> None:
    world.add(2)
    world.clock.jump(-1_700_000_000 + 10)

    sweep(world.retention())

    assert world.counts() == (2, 2, 2, 2)


def test_audit_records_stay_longer_than_results_and_their_bytes_push_none_out(world: World) -> None:
    with world.telemetry.write() as tx:
        tx.add_records([replace(record(1), record_class=0, received_at_ns=world.clock.utc_ns())])
        tx.add_records([replace(record(2), received_at_ns=world.clock.utc_ns())])
    limits = RetentionLimits(records_days=10, audit_days=200, bytes_max=1)

    def kept() -> list[int]:
        with world.telemetry.read() as tx:
            rows = (tx.record("n1", "e1", seq) for seq in (1, 2))
            return [row.seq for row in rows if row]

    sweep(world.retention(limits))
    assert kept() == [1]

    world.clock.advance(199 * DAY_S)
    sweep(world.retention(limits))
    assert kept() == [1]

    world.clock.advance(2 * DAY_S)
    sweep(world.retention(limits))
    assert kept() == []
