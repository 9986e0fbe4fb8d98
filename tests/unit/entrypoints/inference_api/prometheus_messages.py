"""An independent reader of Prometheus' protobuf format: the schema is stated once more, for Google's own decoder."""

from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.decoder import _DecodeVarint32  # type: ignore[attr-defined]  # all that splits messages

_PACKAGE = "io.prometheus.client"
_DOUBLE, _UINT64, _STRING, _MESSAGE, _UINT32, _SINT32, _SINT64, _INT32 = 1, 4, 9, 11, 13, 17, 18, 5
_MANY = "*"
_SCHEMA: dict[str, dict[str, tuple[int, int | str, str]]] = {
    "LabelPair": {"name": (1, _STRING, ""), "value": (2, _STRING, "")},
    "Gauge": {"value": (1, _DOUBLE, "")},
    "Counter": {"value": (1, _DOUBLE, "")},
    "BucketSpan": {"offset": (1, _SINT32, ""), "length": (2, _UINT32, "")},
    "Histogram": {
        "sample_count": (1, _UINT64, ""),
        "sample_sum": (2, _DOUBLE, ""),
        "schema": (5, _SINT32, ""),
        "zero_threshold": (6, _DOUBLE, ""),
        "zero_count": (7, _UINT64, ""),
        "positive_span": (12, "BucketSpan", _MANY),
        "positive_delta": (13, _SINT64, _MANY),
    },
    "Metric": {
        "label": (1, "LabelPair", _MANY),
        "gauge": (2, "Gauge", ""),
        "counter": (3, "Counter", ""),
        "histogram": (7, "Histogram", ""),
    },
    "MetricFamily": {
        "name": (1, _STRING, ""),
        "help": (2, _STRING, ""),
        "type": (3, _INT32, ""),
        "metric": (4, "Metric", _MANY),
    },
}


def decoded(data: bytes) -> dict[str, Any]:
    """Return the families in `data` by name."""
    kind = _family_class()
    return {family.name: family for family in (kind.FromString(part) for part in _parts(data))}


def buckets_of(histogram: Any) -> dict[int, int]:
    """Return the counts of a native histogram by the index of their bucket, as a monitor reads them."""
    buckets: dict[int, int] = {}
    place = count = 0
    deltas = iter(histogram.positive_delta)
    for span in histogram.positive_span:
        place += span.offset
        for _ in range(span.length):
            count += next(deltas)
            buckets[place] = count
            place += 1
    assert next(deltas, None) is None, "spans and deltas belong together"
    return buckets


def _parts(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size, at = _DecodeVarint32(data, at)
        yield data[at : at + size]
        at += size


def _family_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="told.proto", package=_PACKAGE, syntax="proto2")
    for message, fields in _SCHEMA.items():
        proto = file.message_type.add(name=message)
        for name, (number, kind, many) in fields.items():
            told: Any = proto.field.add(name=name, number=number, label=3 if many else 1)
            told.type = kind if isinstance(kind, int) else _MESSAGE
            if isinstance(kind, str):
                told.type_name = f".{_PACKAGE}.{kind}"
    pool: Any = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.MetricFamily"))
