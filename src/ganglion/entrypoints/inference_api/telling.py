"""Everything that a client can ask for but inference: about the server, its models, the repository, shared memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

import msgspec

from ganglion.adapters.shared_memory import Region, SharedRegions
from ganglion.core.errors import GanglionError, InvalidRequest, NotFound
from ganglion.core.identity_errors import Forbidden
from ganglion.entrypoints.inference_api import documents, metrics_protobuf, metrics_text
from ganglion.entrypoints.inference_api.accepted import prefers
from ganglion.entrypoints.inference_api.application import Reply
from ganglion.entrypoints.inference_api.messages import Request, Response, json_response, problem_response
from ganglion.entrypoints.inference_api.metric_families import families
from ganglion.entrypoints.inference_api.repository import Done, Repository
from ganglion.entrypoints.inference_api.request_reader import ACCEPT
from ganglion.entrypoints.inference_api.routes import Action, Route
from ganglion.entrypoints.inference_api.statistics_document import statistics
from ganglion.node.services.serving.answers import Serving

T = TypeVar("T", bound=msgspec.Struct)
_DELIMITED = ("proto=io.prometheus.client.MetricFamily", "encoding=delimited")
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 48)]


class _IndexRequest(msgspec.Struct, frozen=True):
    ready: bool = False


class _LoadRequest(msgspec.Struct, frozen=True):
    parameters: dict[str, msgspec.Raw] = {}


class _RegisterRequest(msgspec.Struct, frozen=True):
    key: str
    byte_size: Size
    offset: Size = 0


@dataclass(frozen=True, slots=True)
class Telling:
    """Answers from a serving core, the registered regions, and the repository if clients may use it."""

    serving: Serving
    regions: SharedRegions
    repository: Repository | None
    release: Callable[[], str]
    """The number of the installed release; looked for only when somebody asks."""
    is_stopping: Callable[[], bool]
    is_shell_open: Callable[[], bool] = bool

    def tell(self, route: Route, request: Request, reply: Reply) -> None:
        """Call `reply` once, now or, for loading and unloading, later. Raises: GanglionError."""
        if route.action is Action.UNKNOWN:
            raise NotFound(f"there is nothing at {request.head.target[:120].decode('latin-1')!r}")
        if request.head.method not in route.methods:
            reply(_method_refused(route))
        elif route.action in {Action.LOAD, Action.UNLOAD}:
            self._change_repository(route, request, reply)
        else:
            reply(self._document(route, request))

    def _document(self, route: Route, request: Request) -> Response:  # noqa: PLR0911 - one return per kind of document
        match route.action:
            case Action.SERVER_METADATA:
                return json_response(documents.server_metadata(self.release()))
            case Action.LIVE:
                return json_response({"live": True})
            case Action.READY:
                is_ready = not self.is_stopping()
                return json_response({"ready": is_ready}, status=200 if is_ready else 503)
            case Action.MODEL_METADATA:
                manifest = self.serving.manifest(route.model, route.version)
                return json_response(documents.model_metadata(manifest, self.serving.versions(route.model)))
            case Action.MODEL_READY:
                manifest = self.serving.manifest(route.model, route.version)
                return json_response({"name": manifest.name, "version": manifest.version, "ready": True})
            case Action.STATISTICS:
                return json_response(statistics(self.serving.table.models, route.model, route.version))
            case Action.INDEX:
                wish = _read(request, _IndexRequest)
                return json_response(documents.repository_index(self.serving.table.models, only_ready=wish.ready))
            case Action.METRICS:
                return self._metrics(request.head.headers.get(ACCEPT, b""))
            case Action.REGION_STATUS | Action.REGION_REGISTER | Action.REGION_UNREGISTER:
                return self._region(route, request)
            case _:
                return _method_refused(route)

    def _metrics(self, accept: bytes) -> Response:
        """Answer Prometheus in text, or in protobuf if it prefers that: only there are native histograms."""
        told = families(self.serving.table.models, self.serving.shed(), is_shell_open=self.is_shell_open())
        if prefers(accept, metrics_protobuf.MEDIA_TYPE, parameters=_DELIMITED, default="text/plain"):
            return Response(200, (metrics_protobuf.metrics(told),), metrics_protobuf.CONTENT_TYPE)
        return Response(200, (metrics_text.metrics(told).encode(),), metrics_text.CONTENT_TYPE)

    def _region(self, route: Route, request: Request) -> Response:
        refuse_strangers(request)
        match route.action:
            case Action.REGION_STATUS:
                return json_response([_region_entry(region) for region in self.regions.status(route.region)])
            case Action.REGION_REGISTER:
                wish = _read(request, _RegisterRequest)
                self.regions.register(route.region, wish.key, offset=wish.offset, size_bytes=wish.byte_size)
            case _ if route.region:
                self.regions.unregister(route.region)
            case _:
                self.regions.unregister_all()
        return json_response({})

    def _change_repository(self, route: Route, request: Request, reply: Reply) -> None:
        if self.repository is None:
            raise Forbidden("this server's models come from its hub: roll a version out there, or use `ganglion serve`")
        wish = _read(request, _LoadRequest)
        if route.action is Action.LOAD and wish.parameters:
            raise InvalidRequest("a model is loaded as its files say: parameters that change it are not accepted")
        act = self.repository.load if route.action is Action.LOAD else self.repository.unload
        act(route.model, _done(reply))


def refuse_strangers(request: Request) -> None:
    """Raises: Forbidden: the client is on another machine, and shares no memory with this one."""
    if not request.is_local:
        raise Forbidden("shared memory is for clients on the same machine, by way of loopback or a Unix socket")


def _done(reply: Reply) -> Done:
    def done(failure: GanglionError | None) -> None:
        reply(json_response({}) if failure is None else problem_response(failure))

    return done


def _region_entry(region: Region) -> dict[str, object]:
    return {"name": region.name, "key": region.key, "offset": region.offset, "byte_size": region.size_bytes}


def _method_refused(route: Route) -> Response:
    methods = ", ".join(sorted(method.decode("latin-1") for method in route.methods))
    problem = problem_response(InvalidRequest(f"the method must be one of: {methods}"), status=405)
    return Response(problem.status, problem.parts, problem.content_type, (("Allow", methods),))


def _read(request: Request, kind: type[T]) -> T:
    """Decode a body; an empty one says nothing. Raises: InvalidRequest."""
    try:
        return msgspec.json.decode(request.body or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not what this path takes: {error}") from error
