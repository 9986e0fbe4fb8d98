"""Figures and texts as people read them: ages, counts, moments, shares, commands."""

import re
from datetime import UTC, datetime

from markupsafe import Markup, escape

_COMMAND = re.compile(r"`([^`]+)`")
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def age(seconds: float | None) -> str:
    """Return how long ago, in its largest unit; clocks that differ a little make no future."""
    if seconds is None:
        return "never"
    whole = max(int(seconds), 0)
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if whole >= 2 * unit_s:
            return f"{whole // unit_s} {unit}"
    return f"{whole} s"


def count(number: int) -> str:
    """Return a count with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f")


def moment(at_s: float) -> str:
    """Return a time of day, UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%H:%M:%S UTC")


def day_moment(at_s: float | None) -> str:
    """Return a day and a time of day, UTC; of no time nothing."""
    return "" if at_s is None else datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def commands(text: str) -> Markup:
    """Return a text as HTML, with what stands in backticks set as code."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped right here


def share(value: float) -> str:
    """Return a share in whole percent."""
    return f"{value:.0%}"
