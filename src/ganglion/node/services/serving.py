"""Answers requests: finds the version, runs it, journals the result, replies, and then looks at what else it can learn.

The order is a promise: when a client has its answer, the record of it is in the journal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import msgspec
import structlog

from ganglion.core.errors import GanglionError, InvalidRequest, ModelFailed
from ganglion.core.manifest import Manifest
from ganglion.core.pipeline import Answer
from ganglion.core.steps import Tensors
from ganglion.node.services.serving_comparison import Answered, Comparisons
from ganglion.node.services.serving_lane import Lane
from ganglion.node.services.serving_records import Recorder, RequestName
from ganglion.node.services.serving_runs import Run, run
from ganglion.node.services.serving_versions import LoadedVersion, ServedModel, ServingTable
from ganglion.ports.clock import Chance, Clock

log = structlog.get_logger()


class InferLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one request may cost, and where it runs."""

    inline_us_max: int = 200
    """A request that takes no longer than this, as measured, runs on the event loop; others wait for the thread."""
    request_id_len_max: int = 256
    """Characters of a request's own id."""


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request whose tensors are decoded. `version` and `request_id` may be empty; `outputs` empty means all."""

    model: str
    version: str
    request_id: str
    inputs: Tensors
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inferred:
    """A model's answer, and who gave it."""

    name: RequestName
    answer: Answer


Outcome: TypeAlias = Inferred | GanglionError
Reply: TypeAlias = Callable[[Outcome], None]


class Serving:
    """The request path. Belongs to one event loop, and never waits on it."""

    def __init__(
        self, *, table: ServingTable, lane: Lane, recorder: Recorder, clock: Clock, chance: Chance, limits: InferLimits
    ) -> None:
        self.table = table
        self._lane, self._recorder, self._clock, self._chance, self._limits = lane, recorder, clock, chance, limits
        self._comparisons = Comparisons(lane=lane, recorder=recorder, clock=clock)
        self._id_prefix = chance.token_bytes(6).hex()
        self._id_count = 0

    def infer(self, request: InferRequest, reply: Reply) -> None:
        """Answer `request` by calling `reply` once, on the loop, now or later."""
        try:
            served, version = self.table.answering(request.model, request.version)
            self._check(request, version)
            if self._runs_inline(version, request.inputs):
                version.enter()
                self._finish(request, served, version, reply, run(version.pipeline, request.inputs, self._clock))
            else:
                self._lane.submit(
                    partial(run, version.pipeline, request.inputs, self._clock),
                    partial(self._finish, request, served, version, reply),
                )
                version.enter()
        except GanglionError as error:
            reply(error)

    def manifest(self, model: str, version: str = "") -> Manifest:
        """Return the manifest of the version that answers. Raises: NotFound, ModelNotReady."""
        _, loaded = self.table.answering(model, version)
        return loaded.pipeline.manifest

    def shed(self) -> dict[str, int]:
        """Return how many records were shed, by class name."""
        return self._recorder.shed()

    def _check(self, request: InferRequest, version: LoadedVersion) -> None:
        if len(request.request_id) > self._limits.request_id_len_max:
            raise InvalidRequest(f"id has more than {self._limits.request_id_len_max} characters")
        version.pipeline.check(request.inputs)
        if request.outputs:
            declared = {spec.name for spec in version.pipeline.manifest.outputs}
            unknown = [name for name in request.outputs if name not in declared]
            if unknown:
                raise InvalidRequest(f"outputs {unknown} are not among those of this model: {sorted(declared)}")

    def _runs_inline(self, version: LoadedVersion, inputs: Tensors) -> bool:
        return version.expected_us(inputs) <= self._limits.inline_us_max

    def _finish(
        self, request: InferRequest, served: ServedModel, version: LoadedVersion, reply: Reply, result: Run
    ) -> None:
        version.leave()
        name = RequestName(request.request_id or self._new_id(), request.model, version.name)
        try:
            self._recorder.result(name, result)
        except Exception as error:
            # What cannot be recorded is not answered, but the client must hear something.
            log.exception("record.impossible", model=name.model, version=name.version)
            result = Run(ModelFailed(f"the answer cannot be recorded: {type(error).__name__}"), result.latency_us)
        version.count(result)
        if isinstance(result.outcome, GanglionError):
            reply(result.outcome)
            return
        reply(Inferred(name, result.outcome))
        self._learn(served, Answered(name, version, request.inputs, result.outcome))

    def _learn(self, served: ServedModel, answered: Answered) -> None:
        self._recorder.consider_sample(answered.name, answered.inputs, answered.answer)
        previous = served.compared
        is_due = previous is not None and served.active is answered.version
        if previous and is_due and self._chance.share() < served.compare_share:
            self._comparisons.offer(answered, previous, inline=self._runs_inline(previous, answered.inputs))

    def _new_id(self) -> str:
        self._id_count += 1
        return f"{self._id_prefix}-{self._id_count}"
