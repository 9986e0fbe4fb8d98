"""From a request to its answer: the only module that knows both HTTP and the serving core."""

from collections.abc import Callable
from functools import partial

import msgspec
import structlog

from ganglion.core.errors import GanglionError, InvalidRequest, NotFound
from ganglion.entrypoints.inference_api import documents, oip_request, oip_response
from ganglion.entrypoints.inference_api.connection import Reply
from ganglion.entrypoints.inference_api.messages import Request, Response, json_response, problem_response
from ganglion.entrypoints.inference_api.oip_request import OutputChoice
from ganglion.entrypoints.inference_api.request_reader import HEADER_LENGTH
from ganglion.entrypoints.inference_api.routes import Action, Route, route_of
from ganglion.node.services.serving import InferRequest, Outcome, Serving

log = structlog.get_logger()

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _IndexRequest(msgspec.Struct, frozen=True):
    ready: bool = False


class InferenceApplication:
    """Answers the Open Inference Protocol from a serving core."""

    def __init__(self, serving: Serving, *, release: str, is_stopping: Callable[[], bool]) -> None:
        self._serving, self._is_stopping = serving, is_stopping
        self._actions: dict[Action, Callable[[Route, bytes], Response]] = {
            Action.SERVER_METADATA: lambda _route, _body: json_response(documents.server_metadata(release)),
            Action.LIVE: lambda _route, _body: json_response({"live": True}),
            Action.READY: lambda _route, _body: self._ready(),
            Action.MODEL_METADATA: lambda route, _body: self._model_metadata(route),
            Action.MODEL_READY: lambda route, _body: self._model_ready(route),
            Action.INDEX: lambda _route, body: self._index(body),
            Action.METRICS: lambda _route, _body: self._metrics(),
        }

    def answer(self, request: Request, reply: Reply) -> None:
        """Call `reply` once, now or when the model has answered."""
        route = route_of(request.target)
        try:
            if route.action is Action.INFER and request.method == b"POST":
                self._infer(route, request, reply)
                return
            response = self._tell(route, request)
        except GanglionError as error:
            response = problem_response(error)
        reply(response)

    def _infer(self, route: Route, request: Request, reply: Reply) -> None:
        decoded = oip_request.decode(request.body, request.headers.get(HEADER_LENGTH))
        self._serving.infer(
            InferRequest(route.model, route.version, decoded.request_id, decoded.inputs, decoded.outputs.names),
            partial(_reply_with, reply, decoded.outputs),
        )

    def _tell(self, route: Route, request: Request) -> Response:
        tell = self._actions.get(route.action)
        if route.action is Action.UNKNOWN:
            raise NotFound(f"there is nothing at {request.target[:120].decode('latin-1')!r}")
        if tell is None or request.method not in route.methods:
            return _method_refused(route)
        return tell(route, request.body)

    def _ready(self) -> Response:
        is_ready = not self._is_stopping()
        return json_response({"ready": is_ready}, status=200 if is_ready else 503)

    def _model_metadata(self, route: Route) -> Response:
        return json_response(documents.model_metadata(self._serving.manifest(route.model, route.version)))

    def _model_ready(self, route: Route) -> Response:
        manifest = self._serving.manifest(route.model, route.version)
        return json_response({"name": manifest.name, "version": manifest.version, "ready": True})

    def _index(self, body: bytes) -> Response:
        models = self._serving.table.models
        return json_response(documents.repository_index(models, only_ready=_wants_ready(body)))

    def _metrics(self) -> Response:
        text = documents.metrics(self._serving.table.models, self._serving.shed())
        return Response(200, (text.encode(),), _METRICS_TYPE)


def _reply_with(reply: Reply, choice: OutputChoice, outcome: Outcome) -> None:
    if isinstance(outcome, GanglionError):
        reply(problem_response(outcome))
        return
    try:
        response = oip_response.encode(outcome, choice)
    except Exception as error:
        log.exception("answer.unsendable", model=outcome.name.model, version=outcome.name.version)
        response = problem_response(GanglionError(f"the answer cannot be sent: {type(error).__name__}"))
    reply(response)


def _method_refused(route: Route) -> Response:
    methods = ", ".join(sorted(method.decode("latin-1") for method in route.methods))
    problem = problem_response(InvalidRequest(f"the method must be one of: {methods}"), status=405)
    return Response(problem.status, problem.parts, problem.content_type, (("Allow", methods),))


def _wants_ready(body: bytes) -> bool:
    if not body:
        return False
    try:
        return msgspec.json.decode(body, type=_IndexRequest).ready
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the request is not an index request: {error}") from error
