"""Points in time as people write them: `2026-11-22T02:00Z`, or `+2h` from now."""

import re
from datetime import datetime

from ganglion.core.errors import InvalidRequest

_FROM_NOW = re.compile(r"\+([0-9]{1,6})([smhd])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
HELP = "2026-11-22T02:00Z, or with another offset, or from now: +30m, +2h, +1d"


def point(text: str | None, *, option: str, now_s: float) -> float | None:
    """Return seconds since 1970; None for nothing. Raises: InvalidRequest: it cannot be read, or says no time zone."""
    if not text:
        return None
    later = _FROM_NOW.fullmatch(text.strip())
    if later:
        return now_s + int(later.group(1)) * _SECONDS[later.group(2)]
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidRequest(f"{option} {text[:80]!r} cannot be read; write {HELP}") from None
    if at.tzinfo is None:
        # A time without a zone means another moment on each machine.
        raise InvalidRequest(f"{option} {text[:80]!r} has no time zone; write {HELP}")
    return at.timestamp()
