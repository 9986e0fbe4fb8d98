"""OTLP/JSON traces as requests: spans of servers, or those without a parent."""

from collections.abc import Iterator, Mapping, Sequence

from ganglion.advisor.assess.observations import Request

_SERVER = {2, "SPAN_KIND_SERVER"}
_ERROR = {2, "STATUS_CODE_ERROR"}
_SERVER_ERROR = 500


def spans(document: Mapping[str, object]) -> list[Request]:
    """Return the requests of an export. Spans that are part of another one's work are left out."""
    found = [(service, span) for service, span in _all(document)]
    served = [(service, span) for service, span in found if span.get("kind") in _SERVER]
    roots = [(service, span) for service, span in found if not span.get("parentSpanId")]
    return [_request(service, span) for service, span in served or roots or found]


def _all(document: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    for resource in _list(document, "resourceSpans", "resource_spans"):
        about = resource.get("resource")
        service = str(_attributes(about if isinstance(about, dict) else {}).get("service.name", ""))
        for scope in _list(resource, "scopeSpans", "scope_spans", "instrumentationLibrarySpans"):
            for span in _list(scope, "spans"):
                yield service, span


def _request(service: str, span: Mapping[str, object]) -> Request:
    attributes = _attributes(span)
    start, end = _nanoseconds(span.get("startTimeUnixNano")), _nanoseconds(span.get("endTimeUnixNano"))
    status = span.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    http = _number(attributes.get("http.response.status_code", attributes.get("http.status_code")))
    tokens = [
        number
        for name in ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
        if (number := _number(attributes.get(name))) is not None
    ]
    name = str(attributes.get("http.route") or span.get("name") or "")
    return Request(
        workload=" ".join(part for part in (service, name) if part) or "trace",
        at_s=None if start is None else start / 1e9,
        latency_ms=None if start is None or end is None or end < start else (end - start) / 1e6,
        bytes_in=_number(attributes.get("http.request.body.size", attributes.get("http.request_content_length"))),
        bytes_out=_number(attributes.get("http.response.body.size", attributes.get("http.response_content_length"))),
        failed=code in _ERROR or (http is not None and http >= _SERVER_ERROR),
        tokens=sum(tokens) if tokens else None,
    )


def _attributes(of: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for each in _list(of, "attributes"):
        value = each.get("value")
        if isinstance(value, dict) and value:
            found[str(each.get("key"))] = next(iter(value.values()))
    return found


def _list(of: Mapping[str, object], *names: str) -> Sequence[Mapping[str, object]]:
    value = next((of[name] for name in names if name in of), [])
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _nanoseconds(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None
