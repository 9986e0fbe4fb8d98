import math

import pytest

from ganglion.core.behaviour import Behaviour
from ganglion.core.histogram import Histogram
from ganglion.hub.domain.records import ingest
from ganglion.hub.domain.records.ingest import BatchLimits, Unreadable
from ganglion.wire import codec
from ganglion.wire.records import Envelope, RecordClass, ResultRecord, SummaryRecord


def test_a_summary_counts_once_beside_the_records_that_were_sent() -> None:
    folded = Behaviour()
    folded.count_answers([100, 200], ["cat", "dog"], [0.9, 0.8])
    summary = SummaryRecord("m", "1", 60 * 10**9, 120 * 10**9, folded)
    result = ResultRecord("r", "m", "1", 300, ("cat",), (0.7,))

    counts = ingest.tally([(result, 60 * 10**9, 0), (summary, 999 * 10**9, 0)])

    ((minute, behaviour),) = counts.behaviours.items()
    assert (minute.minute, behaviour.requests, behaviour.classes) == (1, 3, {"cat": 2, "dog": 1})


@pytest.mark.parametrize(
    "spoilt",
    [
        {"requests": -1},
        {"errors": 5},
        {"agreed": 1},
        {"confidence": [0] * 3},
        {"classes": {str(number): 1 for number in range(300)}},
        {"quality": {"sharpness": [0] * 3}},
        {"inputs": {"pixels[0]": [0, 1]}},
        {"latency_us": Histogram({0: -1})},
        {"latency_us": Histogram({10**9: 1})},
        {"latency_us": Histogram(total=math.inf)},
    ],
)
def test_a_summary_with_counts_that_no_counting_makes_is_unreadable(spoilt: dict[str, object]) -> None:
    summary = SummaryRecord("m", "1", 0, 1, Behaviour(**spoilt))  # type: ignore[arg-type]  # one field at a time
    record = Envelope(1, RecordClass.SUMMARY, 0, codec.encode_packed(summary))

    assert isinstance(ingest.read(record, BatchLimits()), Unreadable)
