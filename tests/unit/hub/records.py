"""Records and batches as nodes make them, with everything a test does not care about filled in."""

from collections.abc import Sequence

import numpy as np

from ganglion.core.steps import DATATYPES, Tensor
from ganglion.wire import codec
from ganglion.wire.records import (
    Batch,
    ComparisonRecord,
    Envelope,
    EventRecord,
    RecordClass,
    ResultRecord,
    SampleRecord,
    SampleTensor,
)

MINUTE_NS = 60_000_000_000
Record = ResultRecord | ComparisonRecord | EventRecord | SampleRecord
_CLASSES: dict[type, RecordClass] = {
    ResultRecord: RecordClass.RESULT,
    ComparisonRecord: RecordClass.SUMMARY,
    EventRecord: RecordClass.EVENT,
    SampleRecord: RecordClass.SAMPLE,
}


def result(*, version: str = "1", latency_us: int = 100, label: str = "7", error: str = "") -> ResultRecord:
    return ResultRecord("r", "digits", version, latency_us, (label,), (0.9,), error)


def comparison(
    *, compared: int = 1, agreed: int = 1, latency_us: int = 80, confidences: tuple[float, ...] = ()
) -> ComparisonRecord:
    return ComparisonRecord("r", "digits", "2", "1", compared, agreed, latency_us, confidences)


def sample(array: Tensor | None = None, *, model: str = "digits", confidence: float = 0.5) -> SampleRecord:
    return SampleRecord(
        model=model,
        version="1",
        request_id="r",
        reason="random",
        label="7",
        confidence=confidence,
        inputs={"image": tensor(array if array is not None else np.zeros((1, 4), np.float32))},
    )


def tensor(array: Tensor) -> SampleTensor:
    return SampleTensor(DATATYPES[array.dtype], array.shape, array.tobytes())


def envelope(seq: int, record: Record, *, at_ns: int = MINUTE_NS) -> Envelope:
    return Envelope(seq, _CLASSES[type(record)], at_ns, codec.encode_packed(record))


def batch(
    records: Sequence[Envelope], *, epoch: str = "e1", made: int = 0, shed: dict[str, int] | None = None
) -> Batch:
    return Batch(id="b", sent_at_ns=1, epoch=epoch, records=tuple(records), shed=shed or {}, made=made)
