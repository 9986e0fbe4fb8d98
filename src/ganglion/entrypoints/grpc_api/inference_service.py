"""`ModelInfer` and `ModelStreamInfer`: from a message to its answer, by way of the serving core."""

from collections import deque
from collections.abc import Callable
from functools import partial

import msgspec
import structlog

from ganglion.core.errors import GanglionError, Overloaded
from ganglion.core.identity_errors import Forbidden
from ganglion.entrypoints.client_access.guard import Guard
from ganglion.entrypoints.grpc_api.calls import Call, Status
from ganglion.entrypoints.grpc_api.guarding import authorization_of
from ganglion.entrypoints.grpc_api.infer_request import GrpcRequest, GrpcRequestDecoder
from ganglion.entrypoints.grpc_api.infer_response import GrpcResponseEncoder, stream_error
from ganglion.entrypoints.grpc_api.rounds import Rounds
from ganglion.entrypoints.grpc_api.statuses import status_of
from ganglion.node.services.serving.answers import Inferred, InferRequest, Outcome, Reply, Serving
from ganglion.node.services.serving.lane import Ticket
from ganglion.trust.client_tokens import Verb

log = structlog.get_logger()

_KEY = "ganglion-key"
"""Metadata: requests with the same one get the same version where versions share the requests."""
_ENDS_ON_ERROR = "triton_grpc_error"
_PLACES_MAX = 4096
"""Requests of one stream that are not answered; beyond it the call ends, since its client does not wait."""


class InferenceService:
    """Answers inference requests from a serving core."""

    def __init__(
        self,
        serving: Serving,
        decoder: GrpcRequestDecoder,
        encoder: GrpcResponseEncoder,
        streams: "Rounds[InferStream]",
        guard: Guard,
    ) -> None:
        self._guard = guard
        self._serving, self._decoder, self.encoder, self._streams = serving, decoder, encoder, streams

    def infer(self, message: bytes, call: Call) -> None:
        """Answer one request. Raises: GanglionError: it cannot be read."""
        self._check_known(call)
        began_s = self._serving.now_s()
        request = self._decoder.decode(message)
        manner = request.manner
        encode = partial(self.encoder.encode, manner.outputs, manner.wants_timing)
        ticket = self.submit(request, began_s, call, partial(_finish, call, encode))
        if ticket is not None:
            call.on_end(partial(_give_up, ticket))

    def open_stream(self, call: Call) -> "InferStream":
        """Begin a call that brings any number of requests. Raises: Unauthenticated, Forbidden."""
        self._check_known(call)
        stream = InferStream(self, call)
        self._streams.add(stream)
        call.on_end(partial(self._streams.discard, stream))
        return stream

    def decode(self, message: bytes) -> tuple[GrpcRequest, float]:
        """Return a request, and when its decoding began. Raises: GanglionError."""
        began_s = self._serving.now_s()
        return self._decoder.decode(message), began_s

    def _check_known(self, call: Call) -> None:
        """Refuse a stranger before anything that it sent is decoded."""
        if not call.is_local:
            self._guard.check(authorization_of(call), Verb.INFER, None, certificate=call.certificate)

    def submit(self, request: GrpcRequest, began_s: float, call: Call, reply: Reply) -> Ticket | None:
        """Hand a request to the serving core.

        Raises: Unauthenticated, Forbidden: the client is on another machine, and may not ask, or names shared memory.
        """
        manner = request.manner
        if not call.is_local:
            self._guard.check(authorization_of(call), Verb.INFER, request.model, certificate=call.certificate)
        if manner.uses_memory:
            refuse_strangers(call)
        deadline_s = call.deadline_s
        if manner.timeout_us:
            deadline_s = min(deadline_s, began_s + manner.timeout_us / 1e6)
        infer = InferRequest(
            request.model,
            request.version,
            request.request_id,
            request.inputs,
            manner.outputs.names,
            manner.form,
            began_s,
            deadline_s,
            manner.place,
            call.metadata.get(_KEY, "") or manner.key,
        )
        return self._serving.answer(infer, reply)


def refuse_strangers(call: Call) -> None:
    """Raises: Forbidden: the client is on another machine, and shares no memory with this one."""
    if not call.is_local:
        raise Forbidden("shared memory is for clients on the same machine, by way of loopback or a Unix socket")


class _Place(msgspec.Struct, gc=False, eq=False):
    """The place of one answer in the order of answers."""

    answer: bytes | None = None
    failure: GanglionError | None = None
    """What `answer` tells of, if it is no good news."""
    ticket: Ticket | None = None


class InferStream:
    """One `ModelStreamInfer` call: an answer for each request, in their order.

    An error ends its request alone, or the whole call if its client asked for that.
    """

    def __init__(self, service: InferenceService, call: Call) -> None:
        self._service, self._call = service, call
        self._places: deque[_Place] = deque()
        self._has_heard_all = False
        self._ends_on_error = call.metadata.get(_ENDS_ON_ERROR) == "true"
        call.on_end(self._give_up)

    def receive(self, message: bytes) -> None:
        """Take the next request. Raises: Overloaded: too many of this stream are not answered."""
        if len(self._places) >= _PLACES_MAX:
            raise Overloaded(f"{_PLACES_MAX} requests of this stream are not answered: wait for answers")
        place = _Place()
        self._places.append(place)
        model = request_id = ""
        try:
            request, began_s = self._service.decode(message)
            model, request_id = request.model, request.request_id
            manner = request.manner
            encode = partial(self._service.encoder.encode_in_stream, manner.outputs, manner.wants_timing)
            reply = partial(self._take_outcome, place, request, encode)
            place.ticket = self._service.submit(request, began_s, self._call, reply)
        except GanglionError as error:
            self._fail(place, error, model=model, request_id=request_id)

    def end(self) -> None:
        """Hear that the client has sent everything."""
        self._has_heard_all = True
        self._flush()

    @property
    def is_over(self) -> bool:
        """The call has ended."""
        return self._call.is_over

    @property
    def is_idle(self) -> bool:
        """Everything that came is answered."""
        return not self._places

    def finish(self, status: Status, text: str) -> None:
        """End the call though its client might go on."""
        self._call.finish(status, text)

    def _take_outcome(
        self, place: _Place, request: GrpcRequest, encode: Callable[[Inferred], bytes], outcome: Outcome
    ) -> None:
        answer = encoded(encode, outcome)
        if isinstance(answer, GanglionError):
            self._fail(place, answer, model=request.model, request_id=request.request_id)
            return
        place.answer, place.ticket = answer, None
        self._flush()

    def _fail(self, place: _Place, failure: GanglionError, *, model: str, request_id: str) -> None:
        place.answer = stream_error(failure.message, model=model, request_id=request_id)
        place.failure, place.ticket = failure, None
        self._flush()

    def _flush(self) -> None:
        """Send the answers that are ready, up to the first that is not."""
        while self._places and (answer := self._places[0].answer) is not None:
            failure = self._places.popleft().failure
            if failure is not None and self._ends_on_error:
                self._give_up()
                self._call.finish(status_of(failure), failure.message)
                return
            self._call.send(answer)
        if self._has_heard_all and not self._places and not self._call.is_over:
            self._call.finish()

    def _give_up(self) -> None:
        places, self._places = self._places, deque()
        for place in places:
            if place.ticket is not None:
                place.ticket.cancel()


def end_if_idle(is_stopping: Callable[[], bool], stream: InferStream) -> bool:
    """End a stream without open requests when the server ends: it would hold the server up for nothing.

    False: it has ended, and need not be looked at again.
    """
    if stream.is_idle and is_stopping():
        stream.finish(Status.UNAVAILABLE, "the server ends")
    return not stream.is_over


def encoded(encode: Callable[[Inferred], bytes], outcome: Outcome) -> bytes | GanglionError:
    """Return the bytes of an answer, or why there are none."""
    if not isinstance(outcome, Inferred):
        return outcome
    try:
        return encode(outcome)
    except GanglionError as error:
        return error
    except Exception as error:
        log.exception("answer.unsendable")
        return GanglionError(f"the answer cannot be sent: {type(error).__name__}")


def _finish(call: Call, encode: Callable[[Inferred], bytes], outcome: Outcome) -> None:
    answer = encoded(encode, outcome)
    if isinstance(answer, GanglionError):
        call.finish(status_of(answer), answer.message)
        return
    call.send(answer)
    call.finish(Status.OK)


def _give_up(ticket: Ticket) -> None:
    ticket.cancel()
