"""Reads access logs: the common and the combined format, and what nginx, its ingress and Apache put behind them."""

import re
from datetime import datetime

from ganglion.advisor.assess.intake_words import (
    LATENCY_UNITS,
    LATENCY_WORDS,
    SECONDS,
    is_failure,
    moment,
    number_of,
    path_of,
)
from ganglion.advisor.assess.observations import Request

_ACCESS = re.compile(
    r"^(?P<host>\S+) \S+ (?P<user>.*?) \[(?P<at>[^\]]+)\]"
    r' "(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?P<bytes>\d+|-)'
    r'(?: "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*")?(?P<rest>.*)$'
)
_NAMED = re.compile(r"\b(?P<name>[a-z_]+)[=:]\s?\"?(?P<value>\d+(?:\.\d+)?)(?P<unit>ms|us|s)?\b")
_INGRESS = re.compile(r"^\s*(?P<bytes_in>\d+) (?P<seconds>\d+\.\d+) \[")
"""The length of the request and its seconds, and then the upstream in brackets: an ingress of Kubernetes."""


def is_access_log(text: str) -> bool:
    """Tell whether one of the first lines is one of an access log."""
    lines = [line for line in text[:20000].splitlines() if line.strip()][:20]
    return any(_ACCESS.match(line) for line in lines)


def lines(text: str) -> tuple[list[Request], int]:
    """Return the requests of an access log, and how many lines are none."""
    found, skipped = list[Request](), 0
    for line in text.splitlines():
        match = _ACCESS.match(line.strip())
        if match is None:
            skipped += bool(line.strip())
            continue
        words = match["request"].split(" ")
        status = int(match["status"])
        found.append(
            Request(
                workload=path_of(words[1] if len(words) > 1 else match["request"]),
                at_s=_clf_time(match["at"]),
                latency_ms=_after_line(match["rest"]),
                bytes_in=_request_length(match["rest"]),
                bytes_out=number_of(match["bytes"]),
                failed=is_failure(status),
            )
        )
    return found, skipped


def _clf_time(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z").timestamp()
    except ValueError:
        return moment(text)


def _after_line(rest: str) -> float | None:
    """Return the latency behind a line: 0.123 is seconds, as nginx writes it, and 4321 microseconds, as Apache does."""
    for match in _NAMED.finditer(rest):
        name, unit = match["name"], match["unit"]
        head, _, tail = name.rpartition("_")
        if name in {*SECONDS, "rt"} and not unit:
            return float(match["value"]) * 1000
        if tail in LATENCY_UNITS and head in LATENCY_WORDS:
            return float(match["value"]) * LATENCY_UNITS[tail]
        if unit and name in LATENCY_WORDS:
            return float(match["value"]) * LATENCY_UNITS[unit]
    ingress = _INGRESS.match(rest)
    if ingress is not None:
        return float(ingress["seconds"]) * 1000
    bare = re.search(r"(?:^|\s)\"?(\d+(?:\.\d+)?)\"?\s*$", rest)
    if bare is None:
        return None
    return float(bare.group(1)) * 1000 if "." in bare.group(1) else float(bare.group(1)) / 1000


def _request_length(rest: str) -> float | None:
    ingress = _INGRESS.match(rest)
    return None if ingress is None else float(ingress["bytes_in"])
