"""What serving writes into the journal: results before the answer, comparisons and samples after it."""

from dataclasses import dataclass

import msgspec
import structlog

from ganglion.core.errors import GanglionError
from ganglion.core.pipeline import Answer
from ganglion.core.steps import DATATYPES, Tensor, Tensors
from ganglion.node.domain.sampling import ByteBudget, choose
from ganglion.node.services.serving_runs import Run, words_of
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.journal import JournalSink
from ganglion.wire.messages import (
    CollectionSettings,
    ComparisonRecord,
    RecordClass,
    ResultRecord,
    SampleRecord,
    SampleTensor,
)

log = structlog.get_logger()

_COMPLAINT_S = 30.0
"""At most this often does a full journal show in the log; the counts tell the rest."""


@dataclass(frozen=True, slots=True)
class RequestName:
    """Which request, and which version answered it."""

    request_id: str
    model: str
    version: str


class Recorder:
    """Makes records and appends them. A record that is shed is never a reason to fail a request."""

    def __init__(
        self, *, journal: JournalSink, clock: Clock, chance: Chance, collection: CollectionSettings | None = None
    ) -> None:
        self._journal, self._clock, self._chance = journal, clock, chance
        self._collection = collection or CollectionSettings()
        self._budget = ByteBudget(self._collection.bytes_per_hour, now_s=clock.monotonic_s())
        self._complained_s: float | None = None
        self._encode = msgspec.msgpack.Encoder().encode

    def collect(self, settings: CollectionSettings) -> None:
        """Keep samples by these settings from now on."""
        self._collection = settings
        self._budget = self._budget.resized(settings.bytes_per_hour, now_s=self._clock.monotonic_s())

    def result(self, name: RequestName, run: Run) -> None:
        """Journal what came of a request. To be called before the answer is written."""
        labels: tuple[str, ...] = ()
        confidences: tuple[float, ...] = ()
        error = ""
        if isinstance(run.outcome, GanglionError):
            error = run.outcome.code
        else:
            labels, confidences = words_of(run.outcome)
        record = ResultRecord(
            request_id=name.request_id,
            model=name.model,
            version=name.version,
            latency_us=run.latency_us,
            labels=labels,
            confidences=confidences,
            error=error,
        )
        self._append(RecordClass.RESULT, self._encode(record))

    def comparison(self, record: ComparisonRecord) -> None:
        """Journal what the previous version made of the same request."""
        self._append(RecordClass.SUMMARY, self._encode(record))

    def consider_sample(self, name: RequestName, inputs: Tensors, answer: Answer) -> None:
        """Keep one row of the inputs if it is worth it and the budget allows."""
        predictions = answer.predictions
        choice = choose(self._collection, predictions, rows=rows_of(inputs), chance=self._chance.share())
        if choice is None or not self._budget.has(_row_bytes(inputs), now_s=self._clock.monotonic_s()):
            return
        prediction = predictions[choice.row] if predictions else None
        record = SampleRecord(
            model=name.model,
            version=name.version,
            request_id=name.request_id,
            reason=choice.reason.value,
            label=prediction.label if prediction else "",
            confidence=prediction.confidence if prediction else 0.0,
            inputs={key: _row(tensor, choice.row) for key, tensor in inputs.items()},
        )
        payload = self._encode(record)
        if self._budget.take(len(payload), now_s=self._clock.monotonic_s()):
            self._append(RecordClass.SAMPLE, payload)

    def shed(self) -> dict[str, int]:
        """Return how many records the journal did not take, by class name."""
        return self._journal.shed()

    def _append(self, record_class: RecordClass, payload: bytes) -> None:
        if self._journal.append(record_class, self._clock.utc_ns(), payload):
            return
        now_s = self._clock.monotonic_s()
        if self._complained_s is None or now_s - self._complained_s >= _COMPLAINT_S:
            self._complained_s = now_s
            trouble = self._journal.trouble
            reason = trouble.message if trouble else "the journal is full: the agent does not keep up"
            log.warning("journal.record_shed", reason=reason, shed=self._journal.shed())


def rows_of(inputs: Tensors) -> int:
    """Return the number of rows, the first dimension of the first input."""
    first = next(iter(inputs.values()))
    return first.shape[0] if first.ndim else 1


def _row_bytes(inputs: Tensors) -> int:
    """Return what a sample takes at the least, so that no record is made that the budget refuses anyway."""
    return sum([tensor.nbytes for tensor in inputs.values()]) // rows_of(inputs)


def _row(tensor: Tensor, row: int) -> SampleTensor:
    """Return one row as the client sent it; an input that has no such row is kept whole."""
    part = tensor[row : row + 1] if tensor.ndim and tensor.shape[0] > row else tensor
    return SampleTensor(datatype=DATATYPES[part.dtype], shape=part.shape, data=part.tobytes())
