"""How many bytes may leave a node, and when: budgets per hour, day and month, and windows of the day. Pure.

Periods are those of the calendar in UTC, as mobile tariffs count. A batch is sent whole once it has begun, so that a
budget is overdrawn by at most one batch; what was overdrawn is missing in the same period only.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from ganglion.core.errors import InvalidSettings

Bytes = Annotated[int, msgspec.Meta(ge=0)]

_DAY_MINUTES = 24 * 60
_DECEMBER = 12


class EgressSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the link to the hub may carry. Reports and updates are not stopped by it, records wait."""

    hour_bytes_max: Bytes = 0
    """Compressed bytes of records in one hour; 0: no limit."""
    day_bytes_max: Bytes = 0
    """Compressed bytes of records in one day, UTC; 0: no limit."""
    month_bytes_max: Bytes = 0
    """Compressed bytes of records in one month, UTC; 0: no limit."""
    windows: tuple[str, ...] = ()
    """Times of the day, UTC, in which records leave, such as "22:00-05:30"; none: always."""
    metered: bool = False
    """The link is paid for by the byte: records wait for more company, so that fewer and fuller batches leave."""


class Spent(msgspec.Struct, frozen=True):
    """What has left in the present hour, day and month. A value: `after` returns the next one."""

    hour: str = ""
    hour_bytes: int = 0
    day: str = ""
    day_bytes: int = 0
    month: str = ""
    month_bytes: int = 0
    month_by_class: dict[str, int] = {}
    """The month's bytes by class of records: each has its share of the compressed batches that it was in."""

    def after(self, *, now_s: float, size_bytes: int, payload_bytes: Mapping[str, int] | None = None) -> "Spent":
        """Return the account after a batch of `size_bytes` left at `now_s`, the wall clock.

        `payload_bytes` is what each class had in it before compression.
        """
        hour, day, month = _periods(now_s)
        return Spent(
            hour=hour,
            hour_bytes=(self.hour_bytes if hour == self.hour else 0) + size_bytes,
            day=day,
            day_bytes=(self.day_bytes if day == self.day else 0) + size_bytes,
            month=month,
            month_bytes=(self.month_bytes if month == self.month else 0) + size_bytes,
            month_by_class=_shared_out(
                self.month_by_class if month == self.month else {}, size_bytes, payload_bytes or {}
            ),
        )


def wait_s(settings: EgressSettings, spent: Spent, *, now_s: float) -> float:
    """Return how long records have to wait from `now_s` on, in seconds; 0 means that they may leave.

    Raises: InvalidSettings: a window is not one.
    """
    hour, day, month = _periods(now_s)
    now = datetime.fromtimestamp(now_s, UTC)
    next_hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    waits = [_until_window_s(settings.windows, now)]
    if _is_spent(settings.hour_bytes_max, spent.hour_bytes if hour == spent.hour else 0):
        waits.append((next_hour - now).total_seconds())
    if _is_spent(settings.day_bytes_max, spent.day_bytes if day == spent.day else 0):
        waits.append((midnight + timedelta(days=1) - now).total_seconds())
    if _is_spent(settings.month_bytes_max, spent.month_bytes if month == spent.month else 0):
        waits.append((_next_month(midnight) - now).total_seconds())
    return max(waits)


def lower(one: int, other: int) -> int:
    """Return the lower of two limits; 0, and less, is none."""
    return min(one, other) if one > 0 and other > 0 else max(one, other, 0)


def check(settings: EgressSettings) -> None:
    """Raises: InvalidSettings: a window is not one."""
    for window in settings.windows:
        _bounds(window)


def _shared_out(known: Mapping[str, int], size_bytes: int, payload_bytes: Mapping[str, int]) -> dict[str, int]:
    total = sum(payload_bytes.values())
    shares = {name: round(size_bytes * count / total) for name, count in payload_bytes.items()} if total else {}
    return {name: known.get(name, 0) + shares.get(name, 0) for name in sorted(known.keys() | shares.keys())}


def _periods(now_s: float) -> tuple[str, str, str]:
    now = datetime.fromtimestamp(now_s, UTC)
    return now.strftime("%Y-%m-%dT%H"), now.strftime("%Y-%m-%d"), now.strftime("%Y-%m")


def _is_spent(limit: int, spent_bytes: int) -> bool:
    return limit > 0 and spent_bytes >= limit


def _next_month(day: datetime) -> datetime:
    year, month = (day.year + 1, 1) if day.month == _DECEMBER else (day.year, day.month + 1)
    return day.replace(year=year, month=month, day=1)


def _until_window_s(windows: tuple[str, ...], now: datetime) -> float:
    """Return how long it is until the next window opens; 0 inside one, and without any."""
    if not windows:
        return 0.0
    minute = now.hour * 60 + now.minute
    waits = []
    for begin, end in map(_bounds, windows):
        is_inside = begin <= minute < end if begin < end else minute >= begin or minute < end
        if is_inside:
            return 0.0
        waits.append((begin - minute) % _DAY_MINUTES)
    return min(waits) * 60.0 - now.second - now.microsecond / 1e6


def _bounds(window: str) -> tuple[int, int]:
    """Return the minutes of the day at which a window begins and ends. Raises: InvalidSettings."""
    begin, dash, end = window.partition("-")
    try:
        first, last = (datetime.strptime(text.strip(), "%H:%M") for text in (begin, end))  # noqa: DTZ007 - a time of day
    except ValueError as error:
        raise InvalidSettings(f"{window!r} is no window of the day: write it as 22:00-05:30, in UTC") from error
    if not dash or first == last:
        raise InvalidSettings(f"{window!r} is an empty window")
    return first.hour * 60 + first.minute, last.hour * 60 + last.minute
