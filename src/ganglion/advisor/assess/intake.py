"""Reads what a team already has: access logs, CSV, JSON rows, OTLP traces, Prometheus ranges and pages.

The form is found from the content. A line that cannot be read is counted, never guessed.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ganglion.advisor.assess import intake_access, intake_metrics, intake_traces
from ganglion.advisor.assess.intake_words import (
    LATENCY_UNITS,
    LATENCY_WORDS,
    SECONDS,
    is_failure,
    moment,
    number_of,
    path_of,
)
from ganglion.advisor.assess.observations import Counted, Request
from ganglion.advisor.given import normal
from ganglion.core.errors import InvalidRequest

_NAMES = {
    "workload": ("workload", "model", "model_name", "endpoint", "route", "path", "url", "uri", "request_uri",
    "operation", "service",
                 "name", "handler"),
    "at": ("at_s", "timestamp", "time", "at", "ts", "date", "datetime", "start", "time_local", "time_iso8601", "msec"),
    "failed": ("failed", "error", "is_error"),
    "status": ("status", "status_code", "code", "http_status", "response_code"),
    "bytes_out": ("bytes_out", "response_bytes", "response_size", "body_bytes_sent", "bytes_sent", "bytes", "size",
                  "response_body_bytes"),
    "bytes_in": ("bytes_in", "request_bytes", "request_size", "request_length", "payload_bytes", "payload_size",
    "input_bytes",
                 "request_body_bytes"),
    "tokens": ("tokens", "total_tokens"),
    "tokens_in": ("contexttokens", "context_tokens", "prompt_tokens", "input_tokens", "tokens_in"),
    "tokens_out": ("generatedtokens", "generated_tokens", "completion_tokens", "output_tokens", "tokens_out"),
}  # fmt: skip
_TRUE = {"true", "1", "yes"}


@dataclass(slots=True)
class Intake:
    """What was read of one or more files."""

    requests: list[Request] = field(default_factory=list)
    counted: list[Counted] = field(default_factory=list)
    skipped: int = 0
    formats: list[str] = field(default_factory=list)
    bare_latency: bool = False
    """Whether a column has latencies without a unit: they were not used."""


def read(text: str, name: str, *, latency_unit: str = "") -> Intake:
    """Return what a file holds; `name` stands in for a workload where the file names none.

    `latency_unit` is that of a column that does not name its unit. Raises: InvalidRequest: no known form.
    """
    found = Intake()
    head = text.lstrip("\ufeff \r\n\t")[:1]
    if not head:
        raise InvalidRequest(f"{name} is empty")
    if head in "{[":
        _json(text, name, found, latency_unit)
    elif intake_metrics.is_page(text):
        found.counted += intake_metrics.page(text)
        found.formats.append("prometheus page")
    elif intake_access.is_access_log(text):
        found.formats.append("access log")
        found.requests, found.skipped = intake_access.lines(text)
    else:
        _csv(text, name, found, latency_unit)
    if not found.requests and not found.counted:
        raise InvalidRequest(f"{name}: no request could be read ({_why_empty(found)})")
    return found


def _why_empty(found: Intake) -> str:
    if "prometheus range" in found.formats:
        return "its series need names that end in _bucket, _count, _sum or _total"
    return f"{found.skipped} lines were of no known form"


def _json(text: str, name: str, found: Intake, unit: str) -> None:
    documents: list[object] = []
    try:
        whole = json.loads(text)
        documents = whole if isinstance(whole, list) else [whole]
    except ValueError:
        for line in text.splitlines():
            try:
                documents += [json.loads(line)] if line.strip() else []
            except ValueError:
                found.skipped += 1
    except RecursionError as error:
        raise InvalidRequest(f"{name} is nested too deeply") from error
    for document in documents:
        if not isinstance(document, dict):
            found.skipped += 1
        elif "resourceSpans" in document or "resource_spans" in document:
            found.requests += intake_traces.spans(document)
            found.formats.append("otlp traces")
        elif isinstance(document.get("data"), dict) and "result" in document["data"]:
            found.counted += intake_metrics.ranges(document["data"])
            found.formats.append("prometheus range")
        else:
            inner = next(
                (each for each in document.values() if isinstance(each, list) and each and isinstance(each[0], dict)),
                None,
            )
            rows = inner if inner is not None and len(document) <= 3 else [document]  # noqa: PLR2004 - an envelope, not a row
            _rows((each for each in rows if isinstance(each, dict)), name, found, unit)
            found.formats.append("json rows")
    found.formats = list(dict.fromkeys(found.formats))


def _csv(text: str, name: str, found: Intake, unit: str) -> None:
    sample = text[:4096]
    delimiter = max(",;\t", key=sample.partition("\n")[0].count)
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    try:
        names = rows.fieldnames or []
        if len(names) < 2 and "," not in sample:  # noqa: PLR2004 - one column is no table
            found.skipped = text.count("\n") + 1
            return
        _rows(
            ({key: value for key, value in row.items() if key and isinstance(value, str)} for row in rows),
            name,
            found,
            unit,
        )
    except csv.Error as error:
        raise InvalidRequest(f"{name}: no table that can be read, nor another known form") from error
    found.formats.append("csv")


def _rows(rows: Iterator[dict[str, object]], name: str, found: Intake, unit: str) -> None:
    for row in rows:
        named = _flat(row)
        latency, is_bare = _latency(named, unit)
        found.bare_latency = found.bare_latency or is_bare
        workload = str(_first(named, "workload") or "") or name
        request = Request(
            workload=path_of(workload),
            at_s=moment(str(_first(named, "at") or "")),
            latency_ms=latency,
            bytes_in=number_of(_first(named, "bytes_in")),
            bytes_out=number_of(_first(named, "bytes_out")),
            failed=_failed(named),
            tokens=_tokens(named),
        )
        if (request.at_s, latency, request.bytes_out, request.failed, request.tokens) == (None,) * 5:
            found.skipped += 1
        else:
            found.requests.append(request)


def _flat(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row with what stands under `request` beside the rest: {request: {uri: …}, status: …}."""
    inner = row.get("request")
    whole = {**inner, **row} if isinstance(inner, dict) else row
    return {
        normal(str(key)): value
        for key, value in whole.items()
        if value is not None and not isinstance(value, dict | list)
    }


def _latency(row: Mapping[str, object], unit: str) -> tuple[float | None, bool]:
    """Return milliseconds, and whether there was a number without a unit."""
    is_bare = False
    for key, value in row.items():
        if key in SECONDS:
            number = number_of(str(value).split(",")[-1])
            return (None if number is None else number * 1000), False
        head, _, tail = key.rpartition("_")
        if tail in LATENCY_UNITS and head in LATENCY_WORDS:
            number = number_of(value)
            return (None if number is None else number * LATENCY_UNITS[tail]), False
        if key in LATENCY_WORDS and key != "d":
            match = re.fullmatch(r"\s*([\d.]+)\s*([a-zµ]*)\s*", str(value))
            scale = LATENCY_UNITS.get((match.group(2) if match else "") or unit)
            number = number_of(match.group(1)) if match else None
            if number is not None and scale is not None:
                return number * scale, False
            is_bare = is_bare or number is not None
    return None, is_bare


def _first(row: Mapping[str, object], what: str) -> object:
    return next((row[name] for name in _NAMES[what] if row.get(name) not in (None, "", "-")), None)


def _failed(row: Mapping[str, object]) -> bool | None:
    said, status = _first(row, "failed"), number_of(_first(row, "status"))
    if status is not None and status:
        return is_failure(status)
    if said is None and "error" in row:
        return False
    return (
        None
        if said is None
        else str(said).strip().lower() in _TRUE or str(said).strip().lower() not in {"false", "0", "no", "ok"}
    )


def _tokens(row: Mapping[str, object]) -> float | None:
    total = number_of(_first(row, "tokens"))
    parts = [number_of(_first(row, name)) for name in ("tokens_in", "tokens_out")]
    known = [each for each in parts if each is not None]
    return total if total is not None else sum(known) if known else None


def merged(parts: Sequence[Intake]) -> Intake:
    """Return several files as one."""
    whole = Intake()
    for each in parts:
        whole.requests += each.requests
        whole.counted += each.counted
        whole.skipped += each.skipped
        whole.formats += [name for name in each.formats if name not in whole.formats]
        whole.bare_latency = whole.bare_latency or each.bare_latency
    return whole
