"""Which path means what. Pure, so that its answers can be remembered."""

import functools
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote


class Action(StrEnum):
    """What a request can ask for."""

    SERVER_METADATA = "server_metadata"
    LIVE = "live"
    READY = "ready"
    MODEL_METADATA = "model_metadata"
    MODEL_READY = "model_ready"
    INFER = "infer"
    PREDICT = "predict"
    STATISTICS = "statistics"
    INDEX = "index"
    LOAD = "load"
    UNLOAD = "unload"
    REGION_STATUS = "region_status"
    REGION_REGISTER = "region_register"
    REGION_UNREGISTER = "region_unregister"
    METRICS = "metrics"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Route:
    """A parsed target. `methods` are those that the path knows."""

    action: Action
    methods: frozenset[bytes] = frozenset()
    model: str = ""
    version: str = ""
    region: str = ""
    """Of shared memory; empty means all of them."""


_READ = frozenset({b"GET", b"HEAD"})
_POST = frozenset({b"POST"})
_FIXED = {
    "/v2": Route(Action.SERVER_METADATA, _READ),
    "/v2/health/live": Route(Action.LIVE, _READ),
    "/v2/health/ready": Route(Action.READY, _READ),
    "/healthz": Route(Action.LIVE, _READ),
    "/metrics": Route(Action.METRICS, _READ),
    "/v2/repository/index": Route(Action.INDEX, _POST),
    # A model called "stats" can be asked for everything but its metadata: as in other servers of the protocol.
    "/v2/models/stats": Route(Action.STATISTICS, _READ),
    "/v2/systemsharedmemory/status": Route(Action.REGION_STATUS, _READ),
    "/v2/systemsharedmemory/unregister": Route(Action.REGION_UNREGISTER, _POST),
}
_MODELS, _REPOSITORY, _REGIONS = "/v2/models/", "/v2/repository/models/", "/v2/systemsharedmemory/region/"
_ENDINGS = {
    "": (Action.MODEL_METADATA, _READ),
    "ready": (Action.MODEL_READY, _READ),
    "infer": (Action.INFER, _POST),
    "predict": (Action.PREDICT, _POST),
    "stats": (Action.STATISTICS, _READ),
}
_REPOSITORY_ENDINGS = {"load": Action.LOAD, "unload": Action.UNLOAD}
_REGION_ENDINGS = {
    "status": (Action.REGION_STATUS, _READ),
    "register": (Action.REGION_REGISTER, _POST),
    "unregister": (Action.REGION_UNREGISTER, _POST),
}
_REMEMBERED = 1024


@functools.lru_cache(maxsize=_REMEMBERED)
def route_of(target: bytes) -> Route:
    """Return what a request target asks for. Names have no characters that a URL escapes."""
    path = _path_of(target)
    if path in _FIXED:
        return _FIXED[path]
    if path.startswith(_REPOSITORY):
        model, _, ending = path.removeprefix(_REPOSITORY).partition("/")
        return Route(_REPOSITORY_ENDINGS.get(ending, Action.UNKNOWN), _POST, model)
    if path.startswith(_REGIONS):
        name, _, ending = path.removeprefix(_REGIONS).rpartition("/")
        action, methods = _REGION_ENDINGS.get(ending, (Action.UNKNOWN, frozenset()))
        return Route(action, methods, region=unquote(name)) if name else Route(Action.UNKNOWN)
    if not path.startswith(_MODELS):
        return Route(Action.UNKNOWN)
    model, *rest = path.removeprefix(_MODELS).split("/")
    version, rest = (rest[1], rest[2:]) if len(rest) > 1 and rest[0] == "versions" else ("", rest)
    action, methods = _ENDINGS.get("/".join(rest), (Action.UNKNOWN, frozenset()))
    return Route(action, methods, model, version)


def _path_of(target: bytes) -> str:
    text = target.decode("latin-1").partition("?")[0]
    if text.startswith("http://"):  # The absolute form, which every server must accept.
        text = "/" + text.removeprefix("http://").partition("/")[2]
    return text.rstrip("/")
