from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core import install_windows
from ganglion.core.errors import InvalidRequest

LISBON = ZoneInfo("Europe/Lisbon")
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23, tzinfo=LISBON)


def is_open(text: str, now: datetime) -> bool:
    return install_windows.is_open(install_windows.checked([text]), now)


def opens(text: str, now: datetime) -> datetime | None:
    return install_windows.next_opening(install_windows.checked([text]), now)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("daily 02:00-04:00", "2026-11-23T02:00", "2026-11-23T04:00"),
        ("mon-fri 22:00-05:00", "2026-11-28T04:59", "2026-11-28T22:00"),
        ("mon-fri 22:00-05:00", "2026-11-23T22:00", "2026-11-23T04:00"),
        ("fri-mon 01:00-02:00", "2026-11-22T01:30", "2026-11-24T01:30"),
        ("sun", "2026-11-22T23:59", "2026-11-23T00:00"),
        ("MON,wed 08:00-24:00", "2026-11-25T23:59", "2026-11-26T00:00"),
        ("2026-12-24 00:00-06:00", "2026-12-24T05:59", "2026-12-25T05:59"),
        ("2026-12-24 22:00-05:00", "2026-12-25T04:00", "2026-12-26T04:00"),
    ],
)
def test_a_window_is_open_at_its_times_alone(text: str, inside: str, outside: str) -> None:
    assert is_open(text, datetime.fromisoformat(inside).replace(tzinfo=LISBON))
    assert not is_open(text, datetime.fromisoformat(outside).replace(tzinfo=LISBON))


def test_without_windows_it_is_always_open() -> None:
    assert install_windows.is_open((), MONDAY)


@pytest.mark.parametrize(
    "text",
    ["", "never", "monday 10:00-11:00", "mon 25:00-26:00", "mon 10:00-10:00", "mon 10:00", "mon 1:00-2:00",
     "2026-13-01 00:00-01:00", "mon-xyz", "daily 00:00-24:30", "mon 10:00-11:00 utc", "sun" + " " * 100,
     "0001-01-01", "9999-12-31 23:00-05:00"],
)  # fmt: skip
def test_what_is_no_window_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidRequest, match="mon-fri 22:00-05:00"):
        install_windows.parse(text)


def test_there_is_a_limit_to_their_number() -> None:
    with pytest.raises(InvalidRequest, match="at most 32"):
        install_windows.checked(["sun"] * 33)


def test_the_next_opening_is_the_nearest_of_all_windows() -> None:
    windows = install_windows.checked(["sun", "2026-11-24 10:00-11:00", "2020-01-01"])

    assert install_windows.next_opening(windows, MONDAY) == datetime(2026, 11, 24, 10, tzinfo=LISBON)


def test_a_date_that_is_over_opens_no_more() -> None:
    assert opens("2026-11-20", MONDAY) is None


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "UTC"])
@pytest.mark.parametrize("day", ["1970-01-01", "9998-12-31 23:59-23:58"])
def test_at_the_ends_of_the_calendar_a_window_has_a_time_in_every_zone(zone: str, day: str) -> None:
    now = datetime(2026, 11, 23, tzinfo=ZoneInfo(zone))

    opening = opens(day, now)

    assert (opening is not None) is day.startswith("9998")
    assert not is_open(day, now)


def test_a_window_in_the_hour_that_the_clocks_leave_out_opens_the_next_day() -> None:
    # On 29 March 2026 Berlin goes from 02:00 to 03:00.
    before = datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN)

    assert opens("daily 02:00-03:00", before) == datetime(2026, 3, 30, 2, tzinfo=BERLIN)


def test_a_window_whose_first_hour_is_left_out_opens_with_the_first_minute_that_there_is() -> None:
    before = datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN)

    opening = opens("daily 02:30-06:00", before)

    assert opening == datetime(2026, 3, 29, 3, tzinfo=BERLIN)
    assert is_open("daily 02:30-06:00", datetime(2026, 3, 29, 3, tzinfo=BERLIN))


def test_a_window_in_the_hour_that_comes_twice_opens_twice() -> None:
    # On 25 October 2026 Berlin goes from 03:00 back to 02:00.
    first = datetime(2026, 10, 25, 2, 15, tzinfo=BERLIN)
    after_first = datetime(2026, 10, 25, 2, 45, tzinfo=BERLIN)

    again = opens("daily 02:10-02:30", after_first)

    assert is_open("daily 02:10-02:30", first)
    assert is_open("daily 02:10-02:30", first.replace(fold=1))
    assert again is not None
    assert again.astimezone(UTC) - first.astimezone(UTC) == timedelta(minutes=55)


DAYS = ["daily", "sun", "mon-fri", "sat,mon", "fri-mon"]
MINUTES = st.integers(0, 23 * 60 + 59).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
TEXTS = st.builds("{} {}-{}".format, st.sampled_from(DAYS), MINUTES, MINUTES)
MOMENTS = st.integers(0, 366 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(TEXTS, MOMENTS)
def test_a_closed_window_is_open_at_its_next_opening_and_not_a_minute_before(text: str, moment: datetime) -> None:
    begin, _, end = text.split()[1].partition("-")
    now = moment.astimezone(BERLIN)
    if begin == end or is_open(text, now):
        return

    opening = opens(text, now)

    assert opening is not None
    assert is_open(text, opening)
    before = (opening.astimezone(UTC) - timedelta(minutes=1)).astimezone(BERLIN)
    assert not is_open(text, before)
