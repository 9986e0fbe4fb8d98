"""What a version has done and how long each stage took: counted in heaps, because counting one by one costs more.

A request leaves one small tuple; a few hundred of them become histograms at a time, or whenever somebody asks.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter

import msgspec

from ganglion.core.behaviour import Behaviour
from ganglion.core.histogram import Histogram
from ganglion.node.domain.serving.batching import Why
from ganglion.node.services.serving.batch_runs import Together

_HEAP = 256
_ROWS = itemgetter(0)


class Stages(msgspec.Struct, frozen=True, gc=False):
    """Where the time of one request went, in microseconds."""

    queue_us: int
    """Waiting for its turn."""
    decode_us: int
    """From bytes to tensors, and all checks."""
    pre_us: int
    """Steps before the model."""
    infer_us: int
    """The engine."""
    post_us: int
    """Steps after the model, and predictions."""

    @property
    def total_us(self) -> int:
        """Return the time from the first look at the request to the end of the run."""
        return self.queue_us + self.decode_us + self.pre_us + self.infer_us + self.post_us


STAGES = ("queue", "decode", "pre", "infer", "post")
"""In the order of the fields of `Stages`."""


class Moments(msgspec.Struct, frozen=True, gc=False):
    """When each stage of a request began, by the monotonic clock."""

    decode_s: float
    queue_s: float
    pre_s: float
    infer_s: float
    post_s: float
    ended_s: float

    def stages(self) -> Stages:
        """Return how long each stage took."""
        return Stages(
            queue_us=_us(self.pre_s - self.queue_s),
            decode_us=_us(self.queue_s - self.decode_s),
            pre_us=_us(self.infer_s - self.pre_s),
            infer_us=_us(self.post_s - self.infer_s),
            post_us=_us(self.ended_s - self.post_s),
        )


def _us(span_s: float) -> int:
    return round(span_s * 1e6)


class Counted(msgspec.Struct, frozen=True, gc=False):
    """What is kept of an answered request until the heap is counted."""

    latency_us: int
    labels: tuple[str, ...]
    confidences: tuple[float, ...]
    moments: Moments
    rows: int
    is_shared: bool = False
    """It was answered by a run for several requests."""


class BatchSize(msgspec.Struct):
    """Runs of the engine with the same number of rows."""

    count: int = 0
    pre_us: int = 0
    infer_us: int = 0
    post_us: int = 0


_BATCH_SIZES_MAX = 256


class Statistics(msgspec.Struct, kw_only=True):
    """Counts of one loaded version since it was loaded. A reader adds; nobody resets."""

    success: Histogram = msgspec.field(default_factory=Histogram)
    """Microseconds from the first look at the request to its answer."""
    failed: int = 0
    failed_us: int = 0
    expired: int = 0
    """Requests that were given up in the queue because their time was over."""
    cancelled: int = 0
    """Requests whose clients had gone before their turn came."""
    rows: int = 0
    stages: dict[str, Histogram] = msgspec.field(default_factory=lambda: {stage: Histogram() for stage in STAGES})
    executions: int = 0
    """Successful runs of the engine; fewer than requests where some share a run."""
    batches: dict[int, BatchSize] = msgspec.field(default_factory=dict)
    """Those runs, by their rows."""
    batches_started: dict[str, int] = msgspec.field(default_factory=dict)
    """Batches by the reason for which they started. Empty where requests never share a run."""
    batches_rerun: int = 0
    """Batches that failed as a whole; their requests were run again one by one."""
    last_utc_ns: int = 0

    @property
    def requests(self) -> int:
        """Return how many requests reached the model."""
        return self.success.count + self.failed


class Tally:
    """A version's counts. Behaviour starts again with every switch to the version, statistics never."""

    def __init__(self) -> None:
        self._heap: list[Counted] = []
        self._behaviour, self._statistics = Behaviour(), Statistics()

    @property
    def behaviour(self) -> Behaviour:
        """Counts since the last switch to this version."""
        self._count()
        return self._behaviour

    @property
    def statistics(self) -> Statistics:
        """Counts since the version was loaded."""
        self._count()
        return self._statistics

    def add(self, counted: Counted, *, at_ns: int) -> None:
        """Count one answered request."""
        self._heap.append(counted)
        self._statistics.last_utc_ns = at_ns
        if len(self._heap) >= _HEAP:
            self._count()

    def add_batch(self, together: Together, *, requests: int, rows: int, why: Why) -> None:
        """Count one batch, whatever became of its requests."""
        statistics = self._statistics
        statistics.batches_started[why.value] = statistics.batches_started.get(why.value, 0) + 1
        if together.is_shared:
            statistics.executions += 1
            _add_batch(statistics.batches, rows, 1, (together.pre_us, together.infer_us, together.post_us))
        elif requests > 1:
            statistics.batches_rerun += 1

    def add_failure(self, latency_us: int) -> None:
        """Count one request that the model could not answer."""
        self._behaviour.count_error()
        self._statistics.failed += 1
        self._statistics.failed_us += latency_us

    def restart_behaviour(self) -> None:
        """Begin the behaviour of a new switch."""
        self._count()
        self._behaviour = Behaviour()

    def _count(self) -> None:
        heap, self._heap = self._heap, []
        if not heap:
            return
        self._behaviour.count_answers(
            [counted.latency_us for counted in heap],
            [label for counted in heap for label in counted.labels],
            [confidence for counted in heap for confidence in counted.confidences],
        )
        self._count_stages(heap)

    def _count_stages(self, heap: list[Counted]) -> None:
        statistics, moments = self._statistics, [counted.moments for counted in heap]
        # As `Moments.stages`, stage by stage: one by one it takes a tenth of all the time that a short request does.
        queue_us = [round((each.pre_s - each.queue_s) * 1e6) for each in moments]
        decode_us = [round((each.queue_s - each.decode_s) * 1e6) for each in moments]
        pre_us = [round((each.infer_s - each.pre_s) * 1e6) for each in moments]
        infer_us = [round((each.post_s - each.infer_s) * 1e6) for each in moments]
        post_us = [round((each.ended_s - each.post_s) * 1e6) for each in moments]
        stages = (queue_us, decode_us, pre_us, infer_us, post_us)
        for stage, values in zip(STAGES, stages, strict=True):
            _add(statistics.stages[stage], values)
        _add(statistics.success, map(sum, zip(*stages, strict=True)))
        rows = [counted.rows for counted in heap]
        statistics.rows += sum(rows)
        runs = zip(rows, pre_us, infer_us, post_us, heap, strict=True)
        alone = [(size, *times) for size, *times, counted in runs if not counted.is_shared]
        statistics.executions += len(alone)
        for size, same in groupby(sorted(alone, key=_ROWS), key=_ROWS):
            sizes, *times_us = zip(*same, strict=True)
            _add_batch(statistics.batches, size, len(sizes), [sum(times) for times in times_us])


def _add(histogram: Histogram, values: Iterable[int]) -> None:
    for value, count in Counter(values).items():
        histogram.add(value, count)


def _add_batch(batches: dict[int, BatchSize], rows: int, count: int, times_us: Sequence[int]) -> None:
    """Add runs of so many rows, and their times in all: before the model, in it and after it."""
    batch = batches.get(rows)
    if batch is None:
        if len(batches) >= _BATCH_SIZES_MAX:
            return
        batch = batches[rows] = BatchSize()
    batch.count += count
    batch.pre_us += times_us[0]
    batch.infer_us += times_us[1]
    batch.post_us += times_us[2]
