"""A request that waits for the thread, alone."""

from collections.abc import Callable
from functools import partial

from ganglion.node.services.serving.lane import Lane, Ticket
from ganglion.node.services.serving.requests import Accepted, expired
from ganglion.node.services.serving.runs import Run, run
from ganglion.ports.clock import Clock


class Pending:
    """An accepted request in the lane's queue. Implements `Ticket`."""

    __slots__ = ("_accepted", "_finish_with", "_ticket")

    def __init__(self, accepted: Accepted, finish: Callable[[Accepted, Run], None]) -> None:
        self._accepted, self._finish_with = accepted, finish
        self._ticket: Ticket | None = None

    def queue(self, lane: Lane, clock: Clock) -> "Pending":
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
        self._finish_with(self._accepted, result)

    def _expire(self) -> None:
        self._accepted.version.count_expired()
        self._accepted.version.leave()
        self._accepted.reply(expired())
