import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.histogram import Histogram
from ganglion.entrypoints.inference_api import metrics_protobuf
from ganglion.entrypoints.inference_api.metric_families import Family
from unit.entrypoints.inference_api.prometheus_messages import buckets_of, decoded

LABELS = (("model", 'a"b\\c'), ("version", "1"))
BASE = 2 ** (2**-5)


def told(histogram: Histogram) -> Any:
    """Return a histogram as a monitor decodes it."""
    family = Family("latency_seconds", "histogram", "How long.", ((LABELS, histogram),))
    return decoded(metrics_protobuf.metrics([family]))["latency_seconds"].metric[0].histogram


def histogram_of(*values_us: float) -> Histogram:
    histogram = Histogram()
    for value_us in values_us:
        histogram.add(value_us)
    return histogram


def test_counters_and_gauges_keep_names_labels_and_values() -> None:
    families = [
        Family("asked_total", "counter", "How many.", ((LABELS, 7), ((("model", "é"),), 0))),
        Family("active", "gauge", "Which.", (((), 1.0),)),
    ]

    read = decoded(metrics_protobuf.metrics(families))

    asked, active = read["asked_total"], read["active"]
    assert (asked.type, asked.help) == (0, "How many.")
    assert [[(pair.name, pair.value) for pair in metric.label] for metric in asked.metric] == [
        list(LABELS),
        [("model", "é")],
    ]
    assert [metric.counter.value for metric in asked.metric] == [7, 0]
    assert (active.type, active.metric[0].gauge.value) == (1, 1.0)


def test_a_family_without_series_is_not_told() -> None:
    assert metrics_protobuf.metrics([Family("none_total", "counter", "Nothing.", ())]) == b""


def test_a_histogram_keeps_count_sum_and_zeros() -> None:
    read = told(histogram_of(0.0, 0.0, 100.0, 250.0))

    assert (read.sample_count, read.zero_count, read.schema) == (4, 2, 5)
    assert read.sample_sum == pytest.approx(350e-6)


def test_an_empty_histogram_is_recognised_as_a_native_one() -> None:
    read = told(Histogram())

    assert read.sample_count == 0
    assert read.zero_threshold > 0


@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 1e15)), max_size=60))
def test_every_value_is_in_a_bucket_whose_bounds_hold_it(values_us: list[float]) -> None:
    read = told(histogram_of(*values_us))

    buckets = buckets_of(read)
    assert sum(buckets.values()) + read.zero_count == read.sample_count == len(values_us)
    for value_us in filter(None, values_us):
        index = math.log(value_us * 1e-6, BASE)
        # A bucket i holds what lies between base^(i-1) and base^i, and ours are moved by less than a fifth of one.
        assert any(abs(place - 0.5 - index) <= 0.7 for place in buckets)


@given(st.dictionaries(st.integers(-1280, 2048), st.integers(1, 2**40), max_size=40))
def test_gaps_between_buckets_lose_no_count(counts: dict[int, int]) -> None:
    buckets = buckets_of(told(Histogram(buckets=counts)))

    assert [count for _, count in sorted(buckets.items())] == [count for _, count in sorted(counts.items())]
    moved = {place - index for place, index in zip(sorted(buckets), sorted(counts), strict=True)}
    assert len(moved) <= 1
