"""What serving writes into the journal: results before the answer, comparisons and samples after it."""

import msgspec
import structlog

from ganglion.core.errors import GanglionError
from ganglion.core.steps import DATATYPES, Tensor, Tensors, size_bytes, to_bytes
from ganglion.node.domain.sampling import ByteBudget, Choice, SampleReason, choose, is_doubtful, requests_until_random
from ganglion.node.services.serving_runs import Run
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.journal import JournalSink
from ganglion.wire.desired import CollectionSettings
from ganglion.wire.records import ComparisonRecord, RecordClass, ResultRecord, SampleRecord, SampleTensor

log = structlog.get_logger()

_COMPLAINT_S = 30.0
"""At most this often does a full journal show in the log; the counts tell the rest."""
_SPENT_S_MAX = 1.0
"""How long a spent budget is not asked again: smaller inputs may come."""


class RequestName(msgspec.Struct, frozen=True, gc=False):
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
        self._until_random = self._next_random()
        self._requested = 0
        """How many of the next inputs somebody asked for."""
        self._spent_until_s = 0.0
        """Until then the budget has no room for the last sample that was refused, and is not asked."""
        self._complained_s: float | None = None
        self._encode = msgspec.msgpack.Encoder().encode

    def collect(self, settings: CollectionSettings) -> None:
        """Keep samples by these settings from now on."""
        self._collection = settings
        self._budget = self._budget.resized(settings.bytes_per_hour, now_s=self._clock.monotonic_s())
        self._until_random, self._spent_until_s = self._next_random(), 0.0

    def request(self, count: int) -> None:
        """Keep so many of the next inputs, one row of each, within the budget."""
        self._requested, self._spent_until_s = count, 0.0

    def result(self, name: RequestName, run: Run, *, at_ns: int) -> None:
        """Journal what came of a request. To be called before the answer is written."""
        record = ResultRecord(
            request_id=name.request_id,
            model=name.model,
            version=name.version,
            latency_us=run.latency_us,
            labels=run.labels,
            confidences=run.confidences,
            error=run.outcome.code if isinstance(run.outcome, GanglionError) else "",
        )
        self._append(RecordClass.RESULT, at_ns, self._encode(record))

    def comparison(self, record: ComparisonRecord) -> None:
        """Journal what the previous version made of the same request."""
        self._append(RecordClass.SUMMARY, self._clock.utc_ns(), self._encode(record))

    def consider_sample(self, name: RequestName, inputs: Tensors, run: Run) -> None:
        """Keep one row of the inputs if it is worth it and the budget allows. Nearly always it is not: then fast."""
        if self._requested:
            self._keep_sample(name, inputs, run, random_row=None)
            return
        if self._until_random > 0:
            self._until_random -= 1
            if is_doubtful(self._collection, run.confidences):
                self._keep_sample(name, inputs, run, random_row=None)
            return
        self._until_random = self._next_random()
        self._keep_sample(name, inputs, run, random_row=self._chance.share())

    def _next_random(self) -> float:
        return requests_until_random(self._collection.random_share, self._chance.share())

    def _keep_sample(self, name: RequestName, inputs: Tensors, run: Run, *, random_row: float | None) -> None:
        now_s = self._clock.monotonic_s()
        if now_s < self._spent_until_s:
            return
        size_bytes = _row_bytes(inputs)
        if not self._budget.has(size_bytes, now_s=now_s):
            self._spent_until_s = now_s + min(self._budget.wait_s(size_bytes), _SPENT_S_MAX)
            return
        choice = Choice(0, SampleReason.REQUESTED) if self._requested else None
        choice = choice or choose(self._collection, run.confidences, rows=rows_of(inputs), random_row=random_row)
        if choice is None:
            return
        record = SampleRecord(
            model=name.model,
            version=name.version,
            request_id=name.request_id,
            reason=choice.reason.value,
            label=run.labels[choice.row] if run.labels else "",
            confidence=run.confidences[choice.row] if run.labels else 0.0,
            inputs={key: _row(tensor, choice.row) for key, tensor in inputs.items()},
        )
        payload = self._encode(record)
        if self._budget.take(len(payload), now_s=now_s):
            self._requested = max(0, self._requested - 1)
            self._append(RecordClass.SAMPLE, self._clock.utc_ns(), payload)

    def shed(self) -> dict[str, int]:
        """Return how many records the journal did not take, by class name."""
        return self._journal.shed()

    def _append(self, record_class: RecordClass, at_ns: int, payload: bytes) -> None:
        if self._journal.append(record_class, at_ns, payload):
            return
        now_s = self._clock.monotonic_s()
        if self._complained_s is None or now_s - self._complained_s >= _COMPLAINT_S:
            self._complained_s = now_s
            trouble = self._journal.trouble
            reason = trouble.message if trouble else "the journal is full: the agent does not keep up"
            log.warning("journal.record_shed", reason=reason, shed=self._journal.shed())


def rows_of(inputs: Tensors) -> int:
    """Return the number of rows, the first dimension of the first input; 1 for a model that takes no inputs."""
    first = next(iter(inputs.values()), None)
    return first.shape[0] if first is not None and first.ndim else 1


def _row_bytes(inputs: Tensors) -> int:
    """Return what a sample takes at the least, so that no record is made that the budget refuses anyway."""
    return sum([size_bytes(tensor) for tensor in inputs.values()]) // rows_of(inputs)


def _row(tensor: Tensor, row: int) -> SampleTensor:
    """Return one row as the client sent it; an input that has no such row is kept whole."""
    part = tensor[row : row + 1] if tensor.ndim and tensor.shape[0] > row else tensor
    return SampleTensor(datatype=DATATYPES[part.dtype], shape=part.shape, data=to_bytes(part))
