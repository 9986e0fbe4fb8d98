"""Answers requests: finds the version, runs it, journals the result, replies, and then looks at what else it can learn.

The order is a promise: when a client has its answer, the record of it is in the journal.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

import msgspec
import structlog

from ganglion.core.errors import DeadlineExceeded, GanglionError, InputUnusable, InvalidRequest, ModelFailed
from ganglion.core.manifest import Manifest
from ganglion.core.pipeline import Answer
from ganglion.core.steps import Tensors
from ganglion.node.domain.sequences import SequencePlace
from ganglion.node.services.serving_comparison import Answered, Comparisons
from ganglion.node.services.serving_lane import Lane, Ticket
from ganglion.node.services.serving_records import Recorder, RequestName, rows_of
from ganglion.node.services.serving_runs import Package, Run, run
from ganglion.node.services.serving_statistics import Moments, Stages
from ganglion.node.services.serving_versions import LoadedVersion, ServedModel, ServingTable
from ganglion.ports.clock import Chance, Clock

log = structlog.get_logger()

NEVER_S = math.inf
_NOT_MEASURED_S = -1.0
_PORTION = 16
"""Short requests that are run in a row before the first of them is answered."""


class InferLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one request may cost, and where it runs."""

    inline_us_max: int = 200
    """A request that takes no longer than this, as measured, runs on the event loop; others wait for the thread."""
    request_id_len_max: int = 256
    """Characters of a request's own id."""


class Form:
    """What a request looks like apart from its numbers: names, element types, shapes, and the outputs it wants.

    An edge that recognises the form of a request gives equal forms the same object: then the form is checked once.
    """

    __slots__ = ("accepted_by", "expected_us", "rows")

    def __init__(self) -> None:
        self.accepted_by: object = None
        """The token of the version that checked it, never the version itself: that must not live as long."""
        self.expected_us = math.inf
        self.rows = 0


class InferRequest(msgspec.Struct, frozen=True, gc=False):
    """A request whose tensors are decoded. `version` and `request_id` may be empty; `outputs` empty means all."""

    model: str
    version: str
    request_id: str
    inputs: Tensors
    outputs: tuple[str, ...] = ()
    form: Form | None = None
    began_s: float = _NOT_MEASURED_S
    """When the edge began to decode it, by the monotonic clock."""
    deadline_s: float = NEVER_S
    """When it is no longer worth beginning, by the monotonic clock."""
    place: SequencePlace | None = None
    """Its place in a sequence of requests that build on each other; means nothing to a model without state."""


class Inferred(msgspec.Struct, frozen=True, gc=False):
    """A model's answer, who gave it, and when."""

    name: RequestName
    answer: Answer
    moments: Moments
    manifest: Manifest
    """Of the version that answered."""

    @property
    def stages(self) -> Stages:
        """Return where the time went."""
        return self.moments.stages()


Outcome: TypeAlias = Inferred | GanglionError
Reply: TypeAlias = Callable[[Outcome], None]


class Serving:
    """The request path. Belongs to one event loop, and never waits on it.

    Every edge, HTTP or gRPC, calls `answer(request, reply)` on that loop: `request` is an `InferRequest`, `reply` is
    called once with `Inferred` or the error. A request that has to wait gives back a `Ticket` to cancel it with.
    """

    def __init__(
        self, *, table: ServingTable, lane: Lane, recorder: Recorder, clock: Clock, chance: Chance, limits: InferLimits
    ) -> None:
        self.table = table
        self._lane, self._recorder, self._clock, self._chance, self._limits = lane, recorder, clock, chance, limits
        self._comparisons = Comparisons(lane=lane, recorder=recorder, clock=clock)
        self.now_s: Callable[[], float] = clock.monotonic_s
        """The clock of `began_s` and `deadline_s`."""
        self._round: list[_Accepted] = []
        """Short requests that arrived in this turn of the loop."""
        self._id_prefix = chance.token_bytes(6).hex()
        self._id_count = 0

    def answer(self, request: InferRequest, reply: Reply) -> Ticket | None:
        """Answer `request` by calling `reply` once, on the loop, now or later.

        The ticket of a request that waits takes it back: `reply` is not called then, and the model does not run.
        """
        try:
            if len(request.request_id) > self._limits.request_id_len_max:
                raise InvalidRequest(f"id has more than {self._limits.request_id_len_max} characters")
            served, version = self.table.answering(request.model, request.version)
            form = request.form
            if form is None or form.accepted_by is not version.token:
                form = self._accept(request, version)
            accepted_s = self.now_s()
            if accepted_s > request.deadline_s:
                version.count_expired()
                raise _expired()
            package = version.package
            if request.place is not None:
                package = _of_sequence(package, request.place, accepted_s)
            accepted = _Accepted(request, reply, served, version, form.rows, accepted_s, package)
            if form.expected_us > self._limits.inline_us_max:
                return _Pending(self, accepted).queue(self._lane, self._clock)
        except GanglionError as error:
            reply(error)
            return None
        version.enter()
        self._round.append(accepted)
        if len(self._round) == 1:
            self._lane.end_of_turn(self._run_round)
        return None

    def manifest(self, model: str, version: str = "") -> Manifest:
        """Return the manifest of the version that answers. Raises: NotFound, ModelNotReady."""
        _, loaded = self.table.answering(model, version)
        return loaded.pipeline.manifest

    def shed(self) -> dict[str, int]:
        """Return how many records were shed, by class name."""
        return self._recorder.shed()

    def _run_round(self) -> None:
        """Run everything that has arrived, then answer it.

        In this order the model's weights stay in the processor's caches from one request to the next, and so does
        our own code: under load that halves the price of a request.
        """
        arrived, self._round = self._round, []
        for some in _portions(arrived):
            results = [run(accepted.package, accepted.request.inputs, self._clock) for accepted in some]
            for accepted, result in zip(some, results, strict=True):
                accepted.version.leave()
                try:
                    self.finish(accepted, result)
                except Exception:
                    log.exception("answer.lost", model=accepted.request.model)

    def finish(self, accepted: "_Accepted", result: Run) -> None:
        """Record, count, reply, and learn, in this order."""
        request, version = accepted.request, accepted.version
        if request.place is not None and version.package.sequences is not None:
            version.package.sequences.end(request.place, accepted.package)
        if isinstance(result.outcome, InputUnusable):
            accepted.reply(result.outcome)  # As any malformed request, it says nothing about the model.
            return
        name = RequestName(request.request_id or self._new_id(), request.model, version.name)
        at_ns = self._clock.utc_ns()
        try:
            self._recorder.result(name, result, at_ns=at_ns)
        except Exception as error:
            # What cannot be recorded is not answered, but the client must hear something.
            log.exception("record.impossible", model=name.model, version=name.version)
            result = Run(ModelFailed(f"the answer cannot be recorded: {type(error).__name__}"), result.latency_us)
        moments = Moments(
            accepted.at_s if request.began_s == _NOT_MEASURED_S else request.began_s,
            accepted.at_s,
            result.began_s,
            result.infer_began_s,
            result.infer_ended_s,
            result.ended_s,
        )
        # Counted after the answer has left: nobody can ask for the counts before this turn of the loop is over.
        if isinstance(result.outcome, GanglionError):
            accepted.reply(result.outcome)
            version.count(result, moments, rows=accepted.rows, at_ns=at_ns)
            return
        accepted.reply(Inferred(name, result.outcome, moments, version.pipeline.manifest))
        version.count(result, moments, rows=accepted.rows, at_ns=at_ns)
        self._recorder.consider_sample(name, request.inputs, result)
        # The previous version was not there when a sequence began, and would answer from another state.
        if accepted.served.compared is not None and request.place is None:
            self._compare(accepted.served, Answered(name, version, request.inputs, result.labels))

    def _accept(self, request: InferRequest, version: LoadedVersion) -> Form:
        """Check the request's form, and note how long it should take. Raises: InvalidRequest."""
        self._check(request, version)
        form = request.form or Form()
        form.expected_us, form.rows = version.expected_us(request.inputs), rows_of(request.inputs)
        form.accepted_by = version.token
        return form

    def _check(self, request: InferRequest, version: LoadedVersion) -> None:
        version.pipeline.check(request.inputs)
        if request.outputs:
            declared = {spec.name for spec in version.pipeline.manifest.outputs}
            unknown = [name for name in request.outputs if name not in declared]
            if unknown:
                raise InvalidRequest(f"outputs {unknown} are not among those of this model: {sorted(declared)}")

    def _compare(self, served: ServedModel, answered: Answered) -> None:
        """Ask the previous version too, for a share of the requests."""
        previous = served.compared
        if previous and served.active is answered.version and self._chance.share() < served.compare_share:
            is_inline = previous.expected_us(answered.inputs) <= self._limits.inline_us_max
            self._comparisons.offer(answered, previous, inline=is_inline)

    def _new_id(self) -> str:
        self._id_count += 1
        return f"{self._id_prefix}-{self._id_count:08d}"


class _Accepted(msgspec.Struct, frozen=True, gc=False):
    """A request that was checked, and the version that answers it."""

    request: InferRequest
    reply: Reply
    served: ServedModel
    version: LoadedVersion
    rows: int
    at_s: float
    package: Package
    """The version's, or that of a sequence."""


class _Pending:
    """An accepted request that waits for the thread."""

    __slots__ = ("_accepted", "_serving", "_ticket")

    def __init__(self, serving: Serving, accepted: _Accepted) -> None:
        self._serving, self._accepted = serving, accepted
        self._ticket: Ticket | None = None

    def queue(self, lane: Lane, clock: Clock) -> "_Pending":
        """Wait for the thread. Raises: Overloaded."""
        request, version = self._accepted.request, self._accepted.version
        job = partial(run, self._accepted.package, request.inputs, clock)
        within_s = request.deadline_s - self._accepted.at_s
        self._ticket = lane.submit(job, self._finish, within_s=within_s, expired=self._expire)
        version.enter()
        return self

    def cancel(self) -> bool:
        """Take the request back, unless the model has begun."""
        assert self._ticket is not None, "only a queued request has a ticket"
        if not self._ticket.cancel():
            return False
        self._accepted.version.count_cancelled()
        self._accepted.version.leave()
        return True

    def _finish(self, result: Run) -> None:
        self._accepted.version.leave()
        self._serving.finish(self._accepted, result)

    def _expire(self) -> None:
        self._accepted.version.count_expired()
        self._accepted.version.leave()
        self._accepted.reply(_expired())


def _of_sequence(package: Package, place: SequencePlace, now_s: float) -> Package:
    """Return the package with the state that the request goes on from. Raises: InvalidRequest, Overloaded."""
    return package if package.sequences is None else package.sequences.take(place, now_s=now_s)


def _portions(arrived: list[_Accepted]) -> Iterator[list[_Accepted]]:
    """Cut a round so that the first answer does not wait for all of the others."""
    for start in range(0, len(arrived), _PORTION):
        yield arrived[start : start + _PORTION]


def _expired() -> DeadlineExceeded:
    return DeadlineExceeded("the time for this request was over before the model's turn came")
