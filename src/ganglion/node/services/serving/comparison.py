"""Asks the previous version what it would have said, after the client has its answer.

At most a few comparisons wait at a time, and none delays a request that waits for the thread: what finds
no room is not compared, which costs evidence and never latency.
"""

from dataclasses import dataclass
from functools import partial

from ganglion.core.agreement import compared_and_agreed
from ganglion.core.errors import GanglionError, InvalidRequest
from ganglion.core.pipeline import Answer
from ganglion.core.serving_errors import InputUnusable
from ganglion.core.steps import Tensors
from ganglion.node.services.serving.lane import Lane
from ganglion.node.services.serving.records import Recorder, RequestName
from ganglion.node.services.serving.runs import Run, run
from ganglion.node.services.serving.versions import LoadedVersion
from ganglion.ports.clock import Clock
from ganglion.wire.records import ComparisonRecord

_PENDING_MAX = 4


@dataclass(frozen=True, slots=True)
class Answered:
    """An answered request that may be compared."""

    name: RequestName
    version: LoadedVersion
    inputs: Tensors
    run: Run
    """It ended in an answer."""


class Comparisons:
    """Runs comparisons where the previous version's own requests would run."""

    def __init__(self, *, lane: Lane, recorder: Recorder, clock: Clock) -> None:
        self._lane, self._recorder, self._clock = lane, recorder, clock
        self._pending = 0

    def offer(self, answered: Answered, previous: LoadedVersion, *, inline: bool) -> None:
        """Compare unless enough comparisons wait already."""
        if self._pending >= _PENDING_MAX or (not inline and self._lane.waiting):
            return
        self._pending += 1
        previous.enter()
        job, done = partial(self._ask, answered, previous), partial(self._finish, answered, previous)
        if inline:
            self._lane.later(lambda: done(job()))
        else:
            self._lane.submit(job, done)

    def _ask(self, answered: Answered, previous: LoadedVersion) -> Run | None:
        try:
            previous.pipeline.check(answered.inputs)
        except InvalidRequest:
            return None  # The versions take different inputs: there is nothing to compare.
        return run(previous.package, answered.inputs, self._clock)

    def _finish(self, answered: Answered, previous: LoadedVersion, result: Run | None) -> None:
        self._pending -= 1
        previous.leave()
        if result is None or isinstance(result.outcome, InputUnusable):
            return
        if isinstance(result.outcome, GanglionError):
            answered.version.behaviour.compared_failed += 1
            return
        answer, labels = answered.run.outcome, answered.run.labels
        assert isinstance(answer, Answer), "a failure is compared with nothing"
        compared, agreed = compared_and_agreed(labels, result.labels, answer.outputs, result.outcome.outputs)
        if not compared:
            return
        if agreed < compared:
            row = next(
                (row for row, pair in enumerate(zip(labels, result.labels, strict=True)) if len(set(pair)) > 1), 0
            )
            self._recorder.consider_disagreement(answered.name, answered.inputs, answered.run, row)
        answered.version.behaviour.count_comparison(compared, agreed, result.latency_us)
        self._recorder.comparison(
            ComparisonRecord(
                request_id=answered.name.request_id,
                model=answered.name.model,
                version=answered.name.version,
                compared_with=previous.name,
                compared=compared,
                agreed=agreed,
                latency_us=result.latency_us,
                confidences=result.confidences,
            )
        )
