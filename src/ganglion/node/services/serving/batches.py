"""The batches of one loaded version: gathers requests, starts them together, and gives each its answer.

When a batch starts the domain decides (`node.domain.batching`). One batch of a version is under way at a time: what
arrives meanwhile makes up the next one.
"""

from collections.abc import Callable, Hashable
from functools import partial

import structlog

from ganglion.core.errors import Overloaded
from ganglion.core.steps import Tensors
from ganglion.node.domain.serving.batching import NEVER_S, Batch, Batching, Waiting
from ganglion.node.services.serving.batch_runs import BatchPlan, Together, run_together
from ganglion.node.services.serving.lane import Lane, Timer
from ganglion.node.services.serving.requests import Accepted, expired
from ganglion.node.services.serving.runs import Package, Run
from ganglion.ports.clock import Clock

log = structlog.get_logger()

_PORTION = 16
"""So many times what one request may take on the loop, a batch of as many may take there."""
_NEEDLESS_MAX = 3
"""After so many batches in a row that failed though each of their requests succeeds alone, no more are made."""


class Place:
    """A request's place among those that wait for a batch. Implements `Ticket`."""

    __slots__ = ("accepted", "batches", "flight")

    def __init__(self, batches: "Batches", accepted: Accepted) -> None:
        self.batches, self.accepted = batches, accepted
        self.flight: _Flight | None = None

    @property
    def form(self) -> Hashable:
        """Return what the requests of one batch have in common."""
        return self.accepted.form.layout

    def cancel(self) -> bool:
        """Take the request back, unless the model has begun."""
        if not self.batches.withdraw(self):
            return False
        self.accepted.version.count_cancelled()
        self.accepted.version.leave()
        return True

    def expire(self) -> None:
        """Tell the client that its time is over."""
        self.accepted.version.count_expired()
        self.accepted.version.leave()
        self.accepted.reply(expired())

    def refuse(self, error: Overloaded) -> None:
        """Tell the client that there is no room in the lane."""
        self.accepted.version.leave()
        self.accepted.reply(error)


class _Flight:
    """A batch that was started. In the lane's queue requests may still leave it: whoever takes one out, has it."""

    __slots__ = ("_package", "_waiting", "begun", "why")

    def __init__(self, batch: Batch[Place], package: Package) -> None:
        self._package, self._waiting, self.why = package, list(batch.items), batch.why
        self.begun: list[Place] = []

    @property
    def deadline_s(self) -> float:
        """Return when the first of the requests that have not begun is too late."""
        return min([place.accepted.request.deadline_s for place in tuple(self._waiting)], default=NEVER_S)

    def take_out(self, place: Place) -> bool:
        """Take a request out, unless it has begun."""
        try:
            self._waiting.remove(place)  # Places are compared by identity: nothing else runs in between.
        except ValueError:
            return False
        return True

    def take_late(self, now_s: float) -> list[Place]:
        """Take out what is not worth beginning any more."""
        late = [place for place in tuple(self._waiting) if place.accepted.request.deadline_s < now_s]
        return [place for place in late if self.take_out(place)]

    def run(self, clock: Clock) -> Together | None:
        """Run what is left, in the thread or on the loop. None: everything was taken out."""
        while self._waiting:
            try:
                self.begun.append(self._waiting.pop(0))
            except IndexError:
                break  # The loop took the last one out.
        if not self.begun:
            return None
        return run_together(self._package, [place.accepted.request.inputs for place in self.begun], clock)


class Batches:
    """Belongs to the event loop. Does not hold the version: its memory must come back with its last request."""

    def __init__(
        self,
        plan: BatchPlan,
        *,
        lane: Lane,
        clock: Clock,
        finish: Callable[[Accepted, Run], None],
        inline_us_max: int,
    ) -> None:
        self._plan, self._lane, self._clock = plan, lane, clock
        self._finish, self._inline_us_max = finish, inline_us_max
        self._waiting: Batching[Place] = Batching(plan.rules)
        self._flight: _Flight | None = None
        self._is_deciding = False
        self._timer: Timer | None = None
        self._needless = 0

    def add(self, accepted: Accepted) -> Place:
        """Let a request wait for a batch. Raises: Overloaded."""
        place = Place(self, accepted)
        deadline_s = accepted.request.deadline_s
        self._waiting.arrive(Waiting(place, accepted.rows, place.form, accepted.at_s, deadline_s))
        accepted.version.enter()
        if not self._is_deciding:
            # Not now: what has arrived in the same turn of the loop belongs into the same batch.
            self._is_deciding = True
            self._lane.end_of_turn(self._decide)
        return place

    def withdraw(self, place: Place) -> bool:
        """Take a request out, wherever it waits. False: the model has begun, or is done."""
        if place.flight is not None:
            return place.flight.take_out(place)
        return self._waiting.withdraw(place, place.form)

    def _decide(self) -> None:
        self._is_deciding = False
        while True:
            now_s = self._clock.monotonic_s()
            decision = self._waiting.decide(now_s, is_free=self._flight is None)
            late = self._flight.take_late(now_s) if self._flight is not None else []
            for place in (*decision.expired, *late):
                place.expire()
            if decision.batch is not None:
                self._start(decision.batch)
            if decision.batch is None or not len(self._waiting):
                break
        wake_s = decision.wake_s if len(self._waiting) else NEVER_S
        in_flight_s = self._flight.deadline_s if self._flight is not None else NEVER_S
        self._wake_at(min(wake_s, in_flight_s), now_s)

    def _wake_at(self, at_s: float, now_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at_s < NEVER_S:
            self._timer = self._lane.after(max(0.0, at_s - now_s), self._decide)

    def _start(self, batch: Batch[Place]) -> None:
        accepted = batch.items[0].accepted
        flight = _Flight(batch, accepted.package)
        # As many short requests would otherwise run on the loop in a row, and take longer.
        inline_us = self._inline_us_max * min(len(batch.items), _PORTION)
        if self._plan.expected_us(batch.rows, accepted.form.row_elements) <= inline_us:
            self._answer(flight, flight.run(self._clock))
            return
        try:
            self._lane.submit(partial(flight.run, self._clock), partial(self._land, flight))
        except Overloaded as error:
            for place in batch.items:
                place.refuse(error)
            return
        for place in batch.items:
            place.flight = flight
        self._flight = flight

    def _land(self, flight: _Flight, together: Together | None) -> None:
        self._flight = None
        # The next batch first: the engine works on it while this one is answered.
        self._decide()
        self._answer(flight, together)

    def _answer(self, flight: _Flight, together: Together | None) -> None:
        if together is None:
            return
        version = flight.begun[0].accepted.version
        rows = sum([place.accepted.rows for place in flight.begun])
        version.count_batch(together, requests=len(flight.begun), rows=rows, why=flight.why)
        for place, result in zip(flight.begun, together.runs, strict=True):
            place.flight = None  # Each would keep the other, and the version with them: the collector comes seldom.
            place.accepted.version.leave()
            try:
                self._finish(place.accepted, result)
            except Exception:
                log.exception("answer.lost", model=place.accepted.request.model)
        self._learn(flight, together)

    def _learn(self, flight: _Flight, together: Together) -> None:
        if len(flight.begun) == 1:
            return
        self._needless = self._needless + 1 if together.was_needless else 0
        accepted = flight.begun[0].accepted
        if self._needless == _NEEDLESS_MAX:
            accepted.version.stop_batching()
            log.warning("batching.stopped", model=accepted.request.model, version=accepted.version.name)


def layout_of(inputs: Tensors) -> Hashable:
    """Return what requests must have in common to share a run: everything but the number of rows."""
    return tuple(sorted([(name, tensor.dtype.str, tensor.shape[1:]) for name, tensor in inputs.items()]))
