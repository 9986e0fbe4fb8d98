"""From a request to its answer: the only module that knows both HTTP and the serving core."""

from collections.abc import Callable, Mapping
from functools import partial

import structlog

from ganglion.adapters.shared_memory import SharedRegions
from ganglion.core import prediction_document
from ganglion.core.errors import GanglionError, InvalidRequest
from ganglion.entrypoints.client_access.guard import Guard, NoGuard
from ganglion.entrypoints.inference_api.application import Reply
from ganglion.entrypoints.inference_api.messages import Request, Response, json_response, problem_response
from ganglion.entrypoints.inference_api.oip_request import RequestDecoder
from ganglion.entrypoints.inference_api.oip_response import ResponseEncoder
from ganglion.entrypoints.inference_api.repository import Repository
from ganglion.entrypoints.inference_api.request_reader import (
    AUTHORIZATION,
    HEADER_LENGTH,
    KEY,
    TIMEOUT_MS,
    TIMING,
)
from ganglion.entrypoints.inference_api.routes import Action, Route, route_of
from ganglion.entrypoints.inference_api.telling import Telling, refuse_strangers
from ganglion.node.services.serving.answers import NEVER_S, Inferred, InferRequest, Outcome, Serving
from ganglion.node.services.serving.lane import Ticket
from ganglion.trust.client_tokens import Verb

log = structlog.get_logger()

_TIMEOUT_DIGITS_MAX = 9
_FOR_ALL = frozenset({Action.LIVE, Action.READY})
"""What load balancers ask, who have no token."""
_VERBS = {
    Action.INFER: Verb.INFER,
    Action.PREDICT: Verb.INFER,
    Action.LOAD: Verb.LOAD,
    Action.UNLOAD: Verb.LOAD,
}


class InferenceApplication:
    """Answers the Open Inference Protocol from a serving core. Without a repository no client can load or unload.

    `regions` are given by whoever shares them with another edge; the `guard` judges requests from other machines.
    """

    def __init__(
        self,
        serving: Serving,
        *,
        release: Callable[[], str],
        is_stopping: Callable[[], bool],
        repository: Repository | None = None,
        regions: SharedRegions | None = None,
        guard: Guard | None = None,
        is_shell_open: Callable[[], bool] = bool,
    ) -> None:
        self._guard = guard or NoGuard()
        regions = regions or SharedRegions()
        self._serving = serving
        self._decoder, self._encoder = RequestDecoder(regions), ResponseEncoder(regions)
        self._telling = Telling(serving, regions, repository, release, is_stopping, is_shell_open)

    def answer(self, request: Request, reply: Reply) -> Ticket | None:
        """Call `reply` once, now or when the model has answered. The ticket takes a request back that waits."""
        route = route_of(request.head.target)
        try:
            if not request.is_local and route.action not in _FOR_ALL:
                authorization = request.head.headers.get(AUTHORIZATION, b"")
                self._guard.check(
                    authorization, _VERBS.get(route.action, Verb.READ), route.model, certificate=request.certificate
                )
            if route.action is Action.INFER and request.head.method == b"POST":
                return self._infer(route, request, reply)
            if route.action is Action.PREDICT and request.head.method == b"POST":
                return self._predict(route, request, reply)
            self._telling.tell(route, request, reply)
        except GanglionError as error:
            reply(problem_response(error))
        return None

    def _infer(self, route: Route, request: Request, reply: Reply) -> Ticket | None:
        began_s = self._serving.now_s()
        headers = request.head.headers
        decoded = self._decoder.decode(request.body, headers.get(HEADER_LENGTH))
        manner = decoded.manner
        if manner.uses_memory:
            refuse_strangers(request)
        infer = InferRequest(
            route.model,
            route.version,
            decoded.request_id,
            decoded.inputs,
            manner.outputs.names,
            manner.form,
            began_s,
            _deadline_s(began_s, headers.get(TIMEOUT_MS), manner.timeout_us),
            manner.place,
            _key(headers) or manner.key,
        )
        encode = partial(self._encoder.encode, manner.outputs, manner.wants_timing or TIMING in headers)
        return self._serving.answer(infer, partial(_reply_with, reply, encode))

    def _predict(self, route: Route, request: Request, reply: Reply) -> Ticket | None:
        """Answer an encoded image in words. What it is, its first bytes say: curl calls every body a form."""
        began_s = self._serving.now_s()
        manifest = self._serving.manifest(route.model, route.version)
        infer = InferRequest(
            route.model,
            route.version,
            "",
            prediction_document.inputs_of(manifest, request.body),
            began_s=began_s,
            deadline_s=_deadline_s(began_s, request.head.headers.get(TIMEOUT_MS), 0),
            key=_key(request.head.headers),
        )
        return self._serving.answer(infer, partial(_reply_with, reply, _in_words))


def _reply_with(reply: Reply, encode: Callable[[Inferred], Response], outcome: Outcome) -> None:
    try:
        response = encode(outcome) if isinstance(outcome, Inferred) else problem_response(outcome)
    except GanglionError as error:
        response = problem_response(error)
    except Exception as error:
        log.exception("answer.unsendable")
        response = problem_response(GanglionError(f"the answer cannot be sent: {type(error).__name__}"))
    reply(response)


def _key(headers: Mapping[bytes, bytes]) -> str:
    """Return what chooses among versions that share the requests."""
    return headers[KEY].decode("latin-1") if KEY in headers else ""


def _in_words(inferred: Inferred) -> Response:
    name = inferred.name
    whose = {"model_name": name.model, "model_version": name.version, "id": name.request_id}
    return json_response(whose | prediction_document.document_of(inferred.manifest, inferred.answer))


def _deadline_s(began_s: float, timeout_ms: bytes | None, timeout_us: int) -> float:
    """Return when a request is no longer worth beginning, by the header or else by the parameter.

    Raises: InvalidRequest: the header holds no number.
    """
    if timeout_ms is None:
        return began_s + timeout_us / 1e6 if timeout_us else NEVER_S
    if not timeout_ms.isdigit() or len(timeout_ms) > _TIMEOUT_DIGITS_MAX:
        value = timeout_ms.decode("latin-1")[:40]
        raise InvalidRequest(f"X-Request-Timeout-Ms is {value!r}: send whole milliseconds")
    return began_s + int(timeout_ms) / 1e3
