"""Time zones by name, and the machine's own, from the operating system's tables."""

from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ganglion.core.errors import NotFound

_OWN = Path("/etc/localtime")


def time_zone(name: str) -> tzinfo:
    """Return the zone of this IANA name; the empty name is the machine's own, or UTC where the machine has none.

    Raises: NotFound: this machine's tables do not have it.
    """
    if not name:
        return _own()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise NotFound(f"this machine knows no time zone {name[:80]!r}") from error


def _own() -> tzinfo:
    try:
        with _OWN.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (ValueError, OSError):
        return UTC
