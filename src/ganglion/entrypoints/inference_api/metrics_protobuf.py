"""Counts and latencies in the protobuf format of Prometheus, which alone can carry native histograms.

The histograms of this platform have the buckets of schema 5, in microseconds. Told in seconds, every bucket moves by
the same whole number of places; a millionth lies between two places, so a bound is off by up to 0.4 %. Counts are
exact.
Source: `io.prometheus.client`, metrics.proto; each message after its length.
"""

import math
import struct
from collections.abc import Iterable, Iterator

from ganglion.core.histogram import SCALE, Histogram
from ganglion.entrypoints.inference_api.metric_families import Family, Labels

MEDIA_TYPE = "application/vnd.google.protobuf"
CONTENT_TYPE = f"{MEDIA_TYPE}; proto=io.prometheus.client.MetricFamily; encoding=delimited"

_US = 1e-6
# Their bucket i ends where ours begins, at base^i; and a microsecond is this many buckets below a second.
_SHIFT = 1 + round(math.log2(_US) * (1 << SCALE))
_ZERO_THRESHOLD = 2.0**-128
"""What monitors take for zero. It is not 0, because a native histogram without buckets is recognised by it."""
_TYPES = {"counter": 0, "gauge": 1, "histogram": 4}
_VALUE_FIELDS = {"counter": 3, "gauge": 2}

_VARINT, _FIXED64, _BYTES = 0, 1, 2


def metrics(families: Iterable[Family]) -> bytes:
    """Return all families, one message after the other."""
    messages = [_family(family) for family in families if family.series]
    return b"".join([_varint(len(message)) + message for message in messages])


def _family(family: Family) -> bytes:
    head = _text(1, family.name) + _text(2, family.text) + _unsigned(3, _TYPES[family.kind])
    return head + b"".join([_nested(4, _metric(family, labels, value)) for labels, value in family.series])


def _metric(family: Family, labels: Labels, value: float | Histogram) -> bytes:
    pairs = b"".join([_nested(1, _text(1, name) + _text(2, text)) for name, text in labels])
    if isinstance(value, Histogram):
        return pairs + _nested(7, _histogram(value))
    return pairs + _nested(_VALUE_FIELDS[family.kind], _double(1, value))


def _histogram(histogram_us: Histogram) -> bytes:
    indexes = sorted(histogram_us.buckets)
    counts = [histogram_us.buckets[index] for index in indexes]
    deltas = b"".join([_signed(count - before) for count, before in zip(counts, [0, *counts], strict=False)])
    spans = [_nested(12, _tag(1, _VARINT) + _signed(gap) + _unsigned(2, length)) for gap, length in _spans(indexes)]
    return b"".join(
        [
            _unsigned(1, histogram_us.count),
            _double(2, histogram_us.total * _US),
            _tag(5, _VARINT) + _signed(SCALE),
            _double(6, _ZERO_THRESHOLD),
            _unsigned(7, histogram_us.zeros),
            *spans,
            _nested(13, deltas) if deltas else b"",
        ]
    )


def _spans(indexes: list[int]) -> Iterator[tuple[int, int]]:
    """Yield rows of neighbouring buckets: how far each is from the end of the one before, and how long."""
    end = first = -_SHIFT
    length = 0
    for index in indexes:
        if index != first + length:
            if length:
                yield first - end, length
                end = first + length
            first, length = index, 0
        length += 1
    if length:
        yield first - end, length


# --- protobuf -------------------------------------------------------------------------------------


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _unsigned(number: int, value: int) -> bytes:
    return _tag(number, _VARINT) + _varint(value)


def _double(number: int, value: float) -> bytes:
    return _tag(number, _FIXED64) + struct.pack("<d", value)


def _text(number: int, text: str) -> bytes:
    return _nested(number, text.encode())


def _nested(number: int, content: bytes) -> bytes:
    return _tag(number, _BYTES) + _varint(len(content)) + content


def _signed(value: int) -> bytes:
    """Fold negative numbers between the positive ones, so that small ones stay short."""
    return _varint(value * 2 if value >= 0 else -value * 2 - 1)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits to a byte
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
