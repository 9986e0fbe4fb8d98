"""Answers requests: finds the version, runs it, journals the result, replies, and then looks at what else it can learn.

The order is a promise: when a client has its answer, the record of it is in the journal.
"""

import math
from collections.abc import Callable, Iterator
from weakref import WeakKeyDictionary

import structlog

from ganglion.core.errors import GanglionError, InvalidRequest
from ganglion.core.manifest import Manifest
from ganglion.core.serving_errors import InputUnusable, ModelFailed
from ganglion.node.domain.serving import traffic
from ganglion.node.domain.serving.sequences import SequencePlace
from ganglion.node.domain.serving.traffic import TrafficSplit
from ganglion.node.services.serving.batches import Batches, layout_of
from ganglion.node.services.serving.comparison import Answered, Comparisons
from ganglion.node.services.serving.counts import Moments
from ganglion.node.services.serving.lane import Lane, Ticket
from ganglion.node.services.serving.looks import InputLooks
from ganglion.node.services.serving.pending import Pending
from ganglion.node.services.serving.records import Recorder, RequestName, rows_of
from ganglion.node.services.serving.requests import (
    NEVER_S,
    NOT_MEASURED_S,
    Accepted,
    Form,
    InferLimits,
    Inferred,
    InferRequest,
    Outcome,
    Reply,
    expired,
)
from ganglion.node.services.serving.runs import Package, Run, elements_of, run
from ganglion.node.services.serving.versions import LoadedVersion, ServedModel, ServingTable
from ganglion.ports.clock import Chance, Clock

__all__ = ["NEVER_S", "Form", "InferLimits", "InferRequest", "Inferred", "Outcome", "Reply", "Serving"]

log = structlog.get_logger()

_PORTION = 16
"""Short requests that are run in a row before the first of them is answered."""


class Serving:
    """The request path. Belongs to one event loop, and never waits on it.

    Every edge, HTTP or gRPC, calls `answer(request, reply)` on that loop: `request` is an `InferRequest`, `reply` is
    called once with `Inferred` or the error. A request that has to wait gives back a `Ticket` to cancel it with.
    """

    def __init__(
        self,
        *,
        table: ServingTable,
        lane: Lane,
        recorder: Recorder,
        clock: Clock,
        chance: Chance,
        limits: InferLimits,
        looks: InputLooks | None = None,
    ) -> None:
        self.table = table
        self._lane, self._recorder, self._clock, self._chance, self._limits = lane, recorder, clock, chance, limits
        self._comparisons = Comparisons(lane=lane, recorder=recorder, clock=clock)
        self._looks = looks
        self.now_s: Callable[[], float] = clock.monotonic_s
        """The clock of `began_s` and `deadline_s`."""
        self._batches: WeakKeyDictionary[LoadedVersion, Batches] = WeakKeyDictionary()
        self._round: list[Accepted] = []
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
            if served.split is not None and not request.version:
                version = self._share_out(served, served.split, request)
            form = request.form
            if form is None or form.accepted_by is not version.token:
                form = self._accept(request, version)
            accepted_s = self.now_s()
            if accepted_s > request.deadline_s:
                version.count_expired()
                raise expired()
            package = version.package
            if request.place is not None:
                package = _of_sequence(package, request.place, accepted_s)
            accepted = Accepted(request, reply, served, version, form.rows, accepted_s, package, form)
            if form.expected_us > self._limits.inline_us_max:
                return self._queue(accepted)
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

    def versions(self, model: str) -> tuple[str, ...]:
        """Return the versions that a client can ask for by name, the active one included."""
        served = self.table.models.get(model)
        return tuple([each.name for each in served.versions.values() if served.is_asked(each)]) if served else ()

    def shed(self) -> dict[str, int]:
        """Return how many records were shed, by class name."""
        return self._recorder.shed()

    def _share_out(self, served: ServedModel, split: TrafficSplit, request: InferRequest) -> LoadedVersion:
        """Choose by the request's key, or by chance. A sequence stays with the version that has its state."""
        key = request.place.sequence if request.place is not None else request.key
        if len(key) > self._limits.key_len_max:
            raise InvalidRequest(f"the key has more than {self._limits.key_len_max} characters")
        name = traffic.choose_by_key(split, key) if key else traffic.choose_by_chance(split, self._chance.share())
        return served.versions[name]

    def _queue(self, accepted: Accepted) -> Ticket:
        """Let a request wait for the thread, or for others that share its run. Raises: Overloaded."""
        version = accepted.version
        # A sequence has an engine of its own, which nobody shares.
        if version.batching is None or accepted.package is not version.package:
            return Pending(accepted, self.finish).queue(self._lane, self._clock)
        batches = self._batches.get(version)
        if batches is None:
            batches = self._batches[version] = Batches(
                version.batching,
                lane=self._lane,
                clock=self._clock,
                finish=self.finish,
                inline_us_max=self._limits.inline_us_max,
            )
        return batches.add(accepted)

    def _run_round(self) -> None:
        """Run everything that has arrived, then answer it.

        In this order the model's weights stay in the processor's caches from one request to the next, and so does
        our own code: under load that halves the price of a request.
        """
        arrived, self._round = self._round, []
        for some in [arrived] if len(arrived) <= _PORTION else _portions(arrived):
            results = [run(accepted.package, accepted.request.inputs, self._clock) for accepted in some]
            for accepted, result in zip(some, results, strict=True):
                accepted.version.leave()
                try:
                    self.finish(accepted, result)
                except Exception:
                    log.exception("answer.lost", model=accepted.request.model)

    def finish(self, accepted: Accepted, result: Run) -> None:
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
            accepted.at_s if request.began_s == NOT_MEASURED_S else request.began_s,
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
        self._recorder.consider_sample(name, request.inputs, result, typicality=version.typicality)
        if self._looks is not None and result.ended_s >= self._looks.due_s:
            self._looks.offer(name, version, request.inputs, result)
        # The previous version was not there when a sequence began, and would answer from another state.
        if accepted.served.compared is not None and request.place is None:
            self._compare(accepted.served, Answered(name, version, request.inputs, result))

    def _accept(self, request: InferRequest, version: LoadedVersion) -> Form:
        """Check the request's form, and note how long it should take. Raises: InvalidRequest."""
        self._check(request, version)
        form = request.form or Form()
        form.expected_us, form.rows = version.expected_us(request.inputs), rows_of(request.inputs)
        if version.batching is not None:
            form.expected_us = math.inf  # It waits for others, be it only for those of this turn of the loop.
            form.layout, form.row_elements = layout_of(request.inputs), elements_of(request.inputs) / form.rows
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


def _of_sequence(package: Package, place: SequencePlace, now_s: float) -> Package:
    """Return the package with the state that the request goes on from. Raises: InvalidRequest, Overloaded."""
    return package if package.sequences is None else package.sequences.take(place, now_s=now_s)


def _portions(arrived: list[Accepted]) -> Iterator[list[Accepted]]:
    """Cut a round so that the first answer does not wait for all of the others."""
    for start in range(0, len(arrived), _PORTION):
        yield arrived[start : start + _PORTION]
