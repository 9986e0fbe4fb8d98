import pytest

from ganglion.ports.clock import Clock, utc_s
from ganglion.testing.clock import FakeClock


def test_both_times_advance_together(clock: FakeClock) -> None:
    started_utc_s, started_s = utc_s(clock), clock.monotonic_s()

    clock.advance(1.5)

    assert utc_s(clock) - started_utc_s == pytest.approx(1.5)
    assert clock.monotonic_s() - started_s == 1.5


def test_a_jump_of_the_wall_clock_leaves_durations_alone(clock: FakeClock) -> None:
    before_utc_ns, before_s = clock.utc_ns(), clock.monotonic_s()

    clock.jump(-3600)

    assert clock.utc_ns() == before_utc_ns - 3_600_000_000_000
    assert clock.monotonic_s() == before_s


def test_time_stands_still_by_itself(clock: FakeClock) -> None:
    assert clock.utc_ns() == clock.utc_ns()


def test_time_cannot_be_advanced_backwards(clock: FakeClock) -> None:
    with pytest.raises(AssertionError, match="jump"):
        clock.advance(-1)


def test_the_fake_is_a_clock(clock: FakeClock) -> None:
    port: Clock = clock

    assert port.utc_ns() > 0
