"""What may be asked of a node's logs, as a person writes it and as an order carries it."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from ganglion.adapters.kept_logs import LogQuery
from ganglion.adapters.kept_logs.reader import LEVELS
from ganglion.core.errors import InvalidRequest

LINES_MAX = 5000
_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_TEXT_MAX = 120


def log_query(
    *, since: str = "", until: str = "", level: str = "debug", text: str = "", lines: int = 200, now_s: float
) -> LogQuery:
    """Return the query that these words mean. Times: `90s`, `15m`, `2h`, `3d` ago, or ISO 8601 with a time zone.

    Raises: InvalidRequest.
    """
    if level not in LEVELS:
        raise InvalidRequest(f"there is no level {level[:20]!r}; there are {', '.join(LEVELS)}")
    if not 1 <= lines <= LINES_MAX:
        raise InvalidRequest(f"between 1 and {LINES_MAX} lines can be read, not {lines}")
    if len(text) > _TEXT_MAX:
        raise InvalidRequest(f"the text to look for has at most {_TEXT_MAX} characters")
    return LogQuery(since=_time(since, now_s), until=_time(until, now_s), level=level, text=text, lines_max=lines)


def as_arguments(query: LogQuery) -> list[str]:
    """Return a query in the form in which an order takes it to a node."""
    said = {"since": query.since, "until": query.until, "level": query.level, "text": query.text}
    return [f"{name}={value}" for name, value in said.items() if value] + [f"lines={query.lines_max}"]


def from_arguments(arguments: Sequence[str], *, now_s: float) -> LogQuery:
    """Return the query that an order brought. Raises: InvalidRequest."""
    said = dict(each.partition("=")[::2] for each in arguments)
    unknown = said.keys() - {"since", "until", "level", "text", "lines"}
    count = said.get("lines", "1")
    if unknown or not (count.isascii() and count.isdecimal()):
        raise InvalidRequest("logs takes since=, until=, level=, text= and lines=NUMBER")
    lines = int(said.pop("lines", "200")[:6])
    return log_query(**said, lines=lines, now_s=now_s)


def _time(text: str, now_s: float) -> str:
    """Return a time as log lines carry it, which sort as text; nothing for nothing."""
    if not text:
        return ""
    ago = _AGO.fullmatch(text)
    if ago:
        at_s = now_s - int(ago[1]) * _SECONDS[ago[2]]
    else:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise InvalidRequest(
                f"{text[:40]!r} is no time; write 2h for two hours ago, or 2026-11-22T02:00Z"
            ) from None
        if at.tzinfo is None:
            raise InvalidRequest(f"{text[:40]!r} has no time zone; write 2026-11-22T02:00Z, or 2h for two hours ago")
        at_s = at.timestamp()
    try:
        return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        raise InvalidRequest(f"{text[:40]!r} is a time of which no calendar knows") from None
