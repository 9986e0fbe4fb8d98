"""One client connection: answers in the order of the requests, back-pressure, time limits, and an end that is heard.

No tasks and no futures: the parser, the model and the socket call each other, so that a short request costs one turn
of the loop.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import structlog

from ganglion.core.errors import GanglionError, Overloaded
from ganglion.entrypoints.inference_api.application import Application, Slot
from ganglion.entrypoints.inference_api.limits import BodyBudget, HttpLimits
from ganglion.entrypoints.inference_api.messages import (
    HttpRefusal,
    Request,
    Response,
    problem_response,
    refusal,
    render,
)
from ganglion.entrypoints.inference_api.peer import CONTINUE, PROBE_S, certificate_of, is_trusted, was_reset
from ganglion.entrypoints.inference_api.request_reader import KnownHeads, RequestReader

log = structlog.get_logger()

_WRITE_BUFFER_BYTES = 1_000_000
_KNOWN_HEADS_MAX = 512


@dataclass(slots=True)
class Shared:
    """What all connections of a server have in common."""

    limits: HttpLimits
    budget: BodyBudget
    known: KnownHeads = field(default_factory=lambda: KnownHeads(_KNOWN_HEADS_MAX))
    connections: "set[Connection]" = field(default_factory=set)
    trusts_loopback: bool = True
    is_stopping: bool = False
    emptied: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the last connection of a stopping server has gone."""


class Connection(asyncio.Protocol):
    """See the module docstring. `sweep` is called about once a second."""

    def __init__(self, shared: Shared, application: Application, loop: asyncio.AbstractEventLoop) -> None:
        self._shared, self._application, self._loop = shared, application, loop
        self._reader = RequestReader(
            shared.limits, shared.budget, shared.known, deliver=self._deliver, on_expect=self._continue_when_free
        )
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Request | Response] = deque()
        """Requests that are not begun, and at the end the refusal of what cannot be read."""
        self._slots: deque[Slot] = deque()
        """Requests that are begun."""
        self._is_deaf = self._is_pumping = self._is_continue_due = self._is_write_blocked = False
        self._is_reading, self._has_answered = True, False
        self._free_since_s = self._began_s = self._blocked_since_s = loop.time()
        self._linger_until_s: float | None = None

    # --- called by the loop ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or tell the client that there are too many."""
        # Not asserted: uvloop's transports are no subclasses of asyncio's.
        stream = cast("asyncio.Transport", transport)
        self._transport = stream
        self._reader.is_local = is_trusted(stream, trusts_loopback=self._shared.trusts_loopback)
        self._reader.certificate = certificate_of(stream)
        stream.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        if len(self._shared.connections) < self._shared.limits.connections_max:
            self._shared.connections.add(self)
            return
        self._is_deaf = True
        response = problem_response(Overloaded("too many connections are open"))
        stream.write(render(response, True, False))
        stream.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop's signature
        """Forget everything; what waits for a model is taken back."""
        self._shared.connections.discard(self)
        if self._shared.is_stopping and not self._shared.connections:
            self._shared.emptied.set()
        self._transport = None
        self._reader.discard()
        self._drop_waiting()
        self._take_back()

    def data_received(self, data: bytes) -> None:
        """Read on; what cannot be read is refused after the answers before it."""
        if self._is_deaf:
            return
        if not self._slots and not self._waiting and not self._is_write_blocked:
            request = self._reader.recognise(data)
            if request is not None:
                self._is_pumping = True  # Nothing else waits, so an answer given at once has nothing to pump.
                self._begin(request)
                self._is_pumping = False
                if len(self._slots) >= self._shared.limits.pipelined_max or self._is_write_blocked:
                    self._steer()
                return
        was_receiving = self._reader.is_receiving
        try:
            self._reader.feed(data)
        except HttpRefusal as error:
            self._refuse(error.response)
        if self._reader.is_receiving and not was_receiving:
            self._began_s = self._loop.time()
        if self._waiting and not self._is_pumping:
            self._pump()

    def eof_received(self) -> bool:
        """Let a client that has said everything hear its answers."""
        if self._reader.is_receiving and not self._is_deaf:
            self._refuse(refusal(400, "the request ends in the middle").response)
        self._is_deaf = True
        if self._slots and not self._slots[0].is_last and self._transport is not None:
            self._transport.write(CONTINUE)
            self._loop.call_later(PROBE_S, self._look_for_peer)
        # TLS knows no client that only listens: there the loop closes whatever is said here.
        can_answer = self._transport is not None and self._transport.can_write_eof()
        return can_answer and bool(self._slots or self._waiting)

    def pause_writing(self) -> None:
        """Begin no more requests until the client has read its answers."""
        self._is_write_blocked, self._blocked_since_s = True, self._loop.time()

    def resume_writing(self) -> None:
        """Go on."""
        self._is_write_blocked = False
        self._pump()

    # --- called by the server -------------------------------------------------------------------------

    def sweep(self, now_s: float) -> None:
        """End what takes too long."""
        if self._has_answered:
            self._has_answered, self._free_since_s = False, now_s
        if self._transport is None:
            return
        if self._linger_until_s is not None:
            is_over = now_s > self._linger_until_s
        else:
            is_over = self._is_write_blocked and now_s - self._blocked_since_s > self._shared.limits.write_s
        if is_over:
            self._transport.abort()
        elif self._is_free and self._linger_until_s is None and not self._is_write_blocked:
            self._sweep_free(self._transport, now_s)
        elif self._is_deaf:
            self._look_for_peer()

    def _sweep_free(self, transport: asyncio.Transport, now_s: float) -> None:
        limits = self._shared.limits
        if self._reader.is_receiving:
            if now_s - max(self._began_s, self._free_since_s) > limits.request_s:
                self._refuse(refusal(408, f"the request was not complete after {limits.request_s:g} s").response)
                self._pump()
        elif now_s - self._free_since_s > limits.idle_s:
            transport.close()

    def stop(self) -> None:
        """Close now if nothing is under way; otherwise after the last answer that is."""
        if self._is_free and self._transport is not None and self._linger_until_s is None:
            self._transport.close()

    def give_up(self, response: Response) -> None:
        """Answer everything that is begun with `response`; what the model still says will be heard by nobody."""
        for slot in [slot for slot in self._slots if slot.response is None]:
            self._take_answer(slot, response)

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # --------------------------------------------------------------------------------------------------

    @property
    def _is_free(self) -> bool:
        return not self._slots and not self._waiting

    def _deliver(self, request: Request) -> None:
        self._waiting.append(request)
        self._is_continue_due = False

    def _refuse(self, response: Response) -> None:
        self._reader.discard()
        self._is_deaf = True
        self._waiting.append(response)
        if not self._is_pumping:
            self._pump()

    def _continue_when_free(self) -> None:
        if self._is_free and self._transport is not None:
            self._transport.write(CONTINUE)
        else:
            self._is_continue_due = True

    def _pump(self) -> None:
        """Begin waiting requests, some at a time: other connections want their turn of the loop too."""
        self._is_pumping = True
        limit = self._shared.limits.pipelined_max
        for _ in range(limit):
            if not self._waiting or len(self._slots) >= limit or self._is_write_blocked or self._transport is None:
                break
            self._begin(self._waiting.popleft())
        else:
            if self._waiting:
                self._loop.call_soon(self._pump)
        self._is_pumping = False
        self._steer()

    def _begin(self, item: Request | Response) -> None:
        if isinstance(item, Response):
            self._slots.append(Slot(is_last=True, without_body=False, response=item))
            self._flush()
            return
        slot = Slot(is_last=item.head.is_last, without_body=item.head.method == b"HEAD", body_bytes=len(item.body))
        self._slots.append(slot)
        reply = partial(self._take_answer, slot)
        try:
            slot.ticket = self._application.answer(item, reply)
        except Exception as error:
            log.exception("request.failed")
            if slot.response is None:
                reply(problem_response(GanglionError(f"the server failed: {type(error).__name__}")))

    def _take_answer(self, slot: Slot, response: Response) -> None:
        assert slot.response is None, "a request has one answer"
        slot.response, slot.ticket = response, None
        self._shared.budget.give_back(slot.body_bytes)
        self._has_answered = True
        if self._slots and self._slots[0] is slot:
            self._flush()
            if not self._is_pumping and (self._waiting or not self._is_reading):
                self._pump()

    def _flush(self) -> None:
        """Write the answers that are ready, up to the first that is not."""
        transport = self._transport
        while transport is not None and self._slots and self._slots[0].response is not None:
            slot = self._slots.popleft()
            is_last = slot.is_last or (self._shared.is_stopping and self._is_free)
            assert slot.response is not None
            whole = slot.response.whole
            transport.write(whole if whole and not is_last else render(slot.response, is_last, slot.without_body))
            if is_last:
                self._end(transport)
                return
        if (self._is_deaf or self._is_continue_due) and transport is not None and self._is_free:
            self._rest(transport)

    def _rest(self, transport: asyncio.Transport) -> None:
        """Everything read is answered: do what had to wait for that."""
        if self._is_deaf:
            transport.close()
        elif self._is_continue_due:
            self._is_continue_due = False
            transport.write(CONTINUE)

    def _end(self, transport: asyncio.Transport) -> None:
        """Close after the answer; a client that may still be sending is heard out for a while, into the void."""
        self._drop_waiting()
        self._take_back()
        self._slots.clear()
        if self._is_deaf and transport.can_write_eof():
            self._linger_until_s = self._loop.time() + self._shared.limits.linger_s
            transport.write_eof()
        else:
            transport.close()

    def _look_for_peer(self) -> None:
        """Let go of a client that has said everything and will not hear its answers either."""
        if self._transport is not None and was_reset(self._transport.get_extra_info("socket")):
            self._transport.abort()

    def _take_back(self) -> None:
        """Let no model run for a client that has gone; one that runs already ends in vain."""
        for slot in self._slots:
            # Forgotten in any case: a ticket knows its slot, and the two would keep each other and the tensors alive.
            ticket, slot.ticket = slot.ticket, None
            if ticket is not None and ticket.cancel():
                self._shared.budget.give_back(slot.body_bytes)

    def _drop_waiting(self) -> None:
        bodies = [item.body for item in self._waiting if isinstance(item, Request)]
        self._shared.budget.give_back(sum(map(len, bodies)))
        self._waiting.clear()

    def _steer(self) -> None:
        """Read only while this connection's requests find room; what a deaf connection reads takes none."""
        limit = self._shared.limits.pipelined_max
        is_full = bool(self._waiting) or self._is_write_blocked or len(self._slots) >= limit
        wants_reading = self._is_deaf or not is_full
        transport = self._transport
        if wants_reading == self._is_reading or transport is None or transport.is_closing():
            return
        self._is_reading = wants_reading
        if wants_reading:
            transport.resume_reading()
        else:
            transport.pause_reading()
