"""What rows and lines of logs have in common: numbers, times, paths, failures, and how latencies are called."""

import re
from datetime import datetime

_IDS = re.compile(r"/(?:\d+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{16,})(?=/|$)")
_SERVER_ERROR = 500
_TOO_MANY = 429
LATENCY_WORDS = ("latency", "duration", "response_time", "elapsed", "took", "request_duration", "time_taken",
          "processing_time",
                  "total_time", "inference_time", "rt", "d")  # fmt: skip
LATENCY_UNITS = {"ms": 1.0, "s": 1000.0, "us": 0.001, "ns": 1e-6, "seconds": 1000.0, "milliseconds": 1.0,
                  "sec": 1000.0,
                  "millis": 1.0, "microseconds": 0.001}  # fmt: skip
SECONDS = {"request_time", "upstream_response_time"}
"""Names that mean seconds by the definition of the server that writes them."""
_EPOCH_SCALES = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (0.0, 1.0))


def is_failure(status: float) -> bool:
    """Tell whether a status of HTTP means that there was no answer."""
    return status >= _SERVER_ERROR or status == _TOO_MANY


def number_of(value: object) -> float | None:
    """Return a finite number, or None."""
    try:
        number = float(str(value).strip())
    except ValueError:
        return None
    return number if number == number and abs(number) != float("inf") else None  # noqa: PLR0124 - only NaN differs from itself


def moment(text: str) -> float | None:
    """Return seconds since 1970 of a time as logs write it, or None."""
    number = number_of(text)
    if number is not None:
        return next(number / scale for least, scale in _EPOCH_SCALES if abs(number) >= least)
    shorter = re.sub(r"(\.\d{6})\d+", r"\1", text.strip().replace("Z", "+00:00"))
    try:
        return datetime.fromisoformat(shorter).timestamp() if "+" in shorter[10:] else _naive(shorter)
    except ValueError:
        return None


def _naive(text: str) -> float:
    # Without an offset the times of one file compare with each other, and that is all that is asked of them.
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


def path_of(text: str) -> str:
    """Return a path without its query, with ids as {id}: requests that differ by an id are one workload."""
    if not text.startswith(("/", "http://", "https://")):
        return text
    bare = re.sub(r"^https?://[^/]+", "", text).partition("?")[0]
    return _IDS.sub("/{id}", bare) or "/"
