"""What serving writes into the journal: results before the answer, comparisons and samples after it."""

from collections import deque
from collections.abc import Mapping

import msgspec
import structlog

from ganglion.core.errors import GanglionError, InvalidRequest
from ganglion.core.pipeline import Answer
from ganglion.core.steps import DATATYPES, Tensor, Tensors, size_bytes, to_bytes
from ganglion.core.typicality import Typicality
from ganglion.node.domain.sending.sample_reasons import SampleReason
from ganglion.node.domain.sending.sampling import (
    Answered,
    ByteBudget,
    Choice,
    CloserLook,
    choose,
    is_doubtful,
    requests_until_random,
)
from ganglion.node.domain.sending.summaries import LookRecord
from ganglion.node.services.serving.runs import Run
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.journal import JournalSink
from ganglion.wire.desired import CollectionSettings
from ganglion.wire.records import ComparisonRecord, RecordClass, ResultRecord, SampleRecord, SampleTensor

log = structlog.get_logger()

_COMPLAINT_S = 30.0
"""At most this often does a full journal show in the log; the counts tell the rest."""
_SPENT_S_MAX = 1.0
"""How long a spent budget is not asked again: smaller inputs may come."""
_REMEMBERED = 16
"""So many requests that were kept are remembered: a later reason to keep one of them gives no second sample."""


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
        self._closer = CloserLook(CollectionSettings())
        self._kept: deque[RequestName] = deque(maxlen=_REMEMBERED)
        self._complained_s: float | None = None
        self._follow_rule()
        self._encode = msgspec.msgpack.Encoder().encode

    def collect(self, settings: CollectionSettings) -> None:
        """Keep samples by these settings from now on."""
        self._collection = settings
        self._budget = self._budget.resized(settings.bytes_per_hour, now_s=self._clock.monotonic_s())
        self._until_random, self._spent_until_s = self._next_random(), 0.0
        self._follow_rule()

    @property
    def collection(self) -> CollectionSettings:
        """By what samples are kept now."""
        return self._collection

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

    def look(self, record: LookRecord) -> None:
        """Journal what was measured of an input."""
        self._append(RecordClass.SUMMARY, self._clock.utc_ns(), self._encode(record))

    def consider_sample(
        self, name: RequestName, inputs: Tensors, run: Run, *, typicality: Typicality | None = None
    ) -> None:
        """Keep one row of the inputs if it is worth it and the budget allows. Nearly always it is not: then fast."""
        random_row: float | None = None
        if self._until_random > 0:
            self._until_random -= 1
            is_wanted = self._requested or self._closer.is_wanted or is_doubtful(self._collection, run.confidences)
            if not is_wanted:
                return
        else:
            self._until_random = self._next_random()
            random_row = self._chance.share()
        if not self._may_spend():
            return
        choice = self._choice(inputs, run, typicality, random_row)
        if choice is not None and self._has_room(inputs):
            self._keep_sample(name, inputs, run, choice)

    def _choice(
        self, inputs: Tensors, run: Run, typicality: Typicality | None, random_row: float | None
    ) -> Choice | None:
        if self._requested:
            return Choice(0, SampleReason.REQUESTED)
        settings, confidences = self._collection, run.confidences
        choice = choose(settings, confidences, rows=rows_of(inputs), random_row=random_row)
        if choice is None and self._closer.is_wanted:
            choice = self._closer.choose(_answered(inputs, run, typicality))
        return choice

    def consider_measured(
        self, name: RequestName, inputs: Tensors, run: Run, measures: Mapping[str, float], typicality: Typicality | None
    ) -> None:
        """Keep one row if the trigger rule asks about quality, and holds now that it is known."""
        if self._closer.asks_quality and not self._was_kept(name) and self._may_spend():
            choice = self._closer.choose_by_rule(_answered(inputs, run, typicality), measures)
            if choice is not None and self._has_room(inputs):
                self._keep_sample(name, inputs, run, choice)

    def consider_disagreement(self, name: RequestName, inputs: Tensors, run: Run, row: int) -> None:
        """Keep the row on which another version said something else."""
        if self._collection.disagreements and not self._was_kept(name) and self._may_spend() and self._has_room(inputs):
            self._keep_sample(name, inputs, run, Choice(row, SampleReason.DISAGREEMENT))

    def _follow_rule(self) -> None:
        """Look closer by the settings of now; a rule that this release cannot read keeps nothing, and is told."""
        try:
            self._closer = CloserLook(self._collection)
        except InvalidRequest as error:
            log.warning("sampling.rule_unreadable", reason=error.message)
            self._closer = CloserLook(msgspec.structs.replace(self._collection, keep_when=""))

    def _next_random(self) -> float:
        return requests_until_random(self._collection.random_share, self._chance.share())

    def _may_spend(self) -> bool:
        """Say whether it is worth asking the budget."""
        return not self._spent_until_s or self._clock.monotonic_s() >= self._spent_until_s

    def _was_kept(self, name: RequestName) -> bool:
        """Say whether this very request was kept; clients may well call all of theirs the same."""
        return any(kept is name for kept in self._kept)

    def _has_room(self, inputs: Tensors) -> bool:
        """Say whether the budget has room for one row. Cheap to ask while there is none."""
        size_bytes, now_s = _row_bytes(inputs), self._clock.monotonic_s()
        if self._budget.has(size_bytes, now_s=now_s):
            return True
        self._spent_until_s = now_s + min(self._budget.wait_s(size_bytes), _SPENT_S_MAX)
        return False

    def _keep_sample(self, name: RequestName, inputs: Tensors, run: Run, choice: Choice) -> None:
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
        if self._budget.take(len(payload), now_s=self._clock.monotonic_s()):
            self._kept.append(name)
            if choice.reason is SampleReason.REQUESTED:
                self._requested -= 1
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


def _answered(inputs: Tensors, run: Run, typicality: Typicality | None) -> Answered:
    predictions = run.outcome.predictions if isinstance(run.outcome, Answer) else ()
    return Answered(predictions, inputs, run.latency_us, typicality)


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
