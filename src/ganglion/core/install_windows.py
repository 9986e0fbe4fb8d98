"""When a version may begin to answer: times of the week or of one date, as people write them. Pure.

`mon-fri 22:00-05:00`, `sun`, `daily 02:00-04:00`, `2026-12-24 00:00-06:00`: days, and a time of the day; without a time
the whole day. Where the end is not behind the beginning, it is the next day's; the days say when a window begins. All
times are those of the clock on the wall. An hour that a change of the clocks leaves out opens no window, and one that
comes twice opens it twice.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from ganglion.core.errors import InvalidRequest

WINDOWS_MAX: Final = 32
_TEXT_MAX = 60
_YEARS = range(1970, 9999)
"""At the ends of the calendar a day has no time in every zone."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EVERY_DAY = "daily"
_WEEK_DAYS = 7
_DAY_MINUTES = 24 * 60
_GAP_MINUTES = 3 * 60
"""No change of the clocks leaves out more."""
_TIMES = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes of some days: those of the week, or one date."""

    days: frozenset[int]
    """0 is Monday; empty when it is about one date."""
    on: date | None
    begin: int
    """Minute of the day."""
    end: int
    """Minute counted from the same midnight, and above `begin`: up to two days."""

    def begins_on(self, day: date) -> bool:
        """Say whether the window begins on this day."""
        return day == self.on if self.on else day.weekday() in self.days


def parse(text: str) -> Window:
    """Read one window. Raises: InvalidRequest: it cannot be read."""
    words = text.strip().lower().split()
    if len(text) > _TEXT_MAX or len(words) not in (1, 2):
        raise _unreadable(text)
    on = _date(words[0])
    days = frozenset[int]() if on else _days(words[0], text)
    begin, end = _minutes(words[1], text) if len(words) > 1 else (0, _DAY_MINUTES)
    return Window(days, on, begin, end)


def checked(texts: Iterable[str]) -> tuple[Window, ...]:
    """Read all windows. Raises: InvalidRequest: one cannot be read, or there are too many."""
    windows = tuple(parse(text) for text in texts)
    if len(windows) > WINDOWS_MAX:
        raise InvalidRequest(f"there are {len(windows)} windows, and at most {WINDOWS_MAX} may be named")
    return windows


def problems(texts: Iterable[str]) -> Iterator[str]:
    """Yield why each text that is no window is none."""
    for text in texts:
        try:
            parse(text)
        except InvalidRequest as error:
            yield error.message


def is_open(windows: Sequence[Window], now: datetime) -> bool:
    """Say whether any window is open at `now`, an aware time in the zone that is meant. Without windows: always."""
    return not windows or any(_is_inside(window, now) for window in windows)


def next_opening(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return when the first window after `now` opens, in the zone of `now`; None when none ever will."""
    openings = (_opening(window, now) for window in windows)
    return min((each for each in openings if each is not None), default=None, key=lambda each: each.astimezone(UTC))


def _is_inside(window: Window, now: datetime) -> bool:
    minute = now.hour * 60 + now.minute
    # A window is two days long at most, so it began today, or the day before.
    return any(
        window.begins_on(now.date() - timedelta(days=back))
        and window.begin <= minute + back * _DAY_MINUTES < window.end
        for back in (0, 1)
    )


def _opening(window: Window, now: datetime) -> datetime | None:
    """Look at every day that a window may begin on: a week and a day more, in case one lies in a missing hour."""
    near = (now.date() + timedelta(days=ahead) for ahead in range(_WEEK_DAYS + 2))
    candidates = [window.on] if window.on else [day for day in near if window.begins_on(day)]
    for day in candidates:
        for fold in (0, 1):
            opening = _first_moment(window, day, now, fold)
            if opening is not None and opening.astimezone(UTC) > now.astimezone(UTC):
                return opening
    return None


def _first_moment(window: Window, day: date, now: datetime, fold: int) -> datetime | None:
    """Return when a window of a day opens: the clocks may leave out its first minutes, or all of it."""
    midnight = datetime.combine(day, time(0), tzinfo=now.tzinfo)
    for minute in range(window.begin, min(window.end, window.begin + _GAP_MINUTES)):
        wall = (midnight + timedelta(minutes=minute)).replace(fold=fold)
        seen = wall.astimezone(UTC).astimezone(now.tzinfo)
        if seen.replace(tzinfo=None) == wall.replace(tzinfo=None):
            return seen
    return None


def _date(word: str) -> date | None:
    try:
        found = date.fromisoformat(word) if len(word) == len("2026-12-24") else None
    except ValueError:
        return None
    return found if found and found.year in _YEARS else None


def _days(word: str, text: str) -> frozenset[int]:
    if word == _EVERY_DAY:
        return frozenset(range(_WEEK_DAYS))
    found: set[int] = set()
    for part in word.split(","):
        first, dash, last = part.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise _unreadable(text)
        begin = _DAYS.index(first)
        length = (_DAYS.index(last) - begin) % _WEEK_DAYS if dash else 0
        found |= {(begin + ahead) % _WEEK_DAYS for ahead in range(length + 1)}
    return frozenset(found)


def _minutes(word: str, text: str) -> tuple[int, int]:
    match = _TIMES.fullmatch(word)
    if match is None:
        raise _unreadable(text)
    begin, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if end > _DAY_MINUTES or begin == end:
        raise _unreadable(text)
    return begin, end if end > begin else end + _DAY_MINUTES


def _unreadable(text: str) -> InvalidRequest:
    return InvalidRequest(
        f"{text[:_TEXT_MAX]!r} is no window: write it as 'mon-fri 22:00-05:00', 'sun', 'daily 02:00-04:00' or "
        "'2026-12-24 00:00-06:00'"
    )
