"""Which path means what. Pure, so that its answers can be remembered."""

import functools
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What a request can ask for."""

    SERVER_METADATA = "server_metadata"
    LIVE = "live"
    READY = "ready"
    MODEL_METADATA = "model_metadata"
    MODEL_READY = "model_ready"
    INFER = "infer"
    INDEX = "index"
    METRICS = "metrics"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Route:
    """A parsed target. `methods` are those that the path knows."""

    action: Action
    methods: frozenset[bytes] = frozenset()
    model: str = ""
    version: str = ""


_READ = frozenset({b"GET", b"HEAD"})
_POST = frozenset({b"POST"})
_FIXED = {
    "/v2": Route(Action.SERVER_METADATA, _READ),
    "/v2/health/live": Route(Action.LIVE, _READ),
    "/v2/health/ready": Route(Action.READY, _READ),
    "/healthz": Route(Action.LIVE, _READ),
    "/metrics": Route(Action.METRICS, _READ),
    "/v2/repository/index": Route(Action.INDEX, _POST),
}
_MODELS = "/v2/models/"
_ENDINGS = {
    "": (Action.MODEL_METADATA, _READ),
    "ready": (Action.MODEL_READY, _READ),
    "infer": (Action.INFER, _POST),
}
_REMEMBERED = 1024


@functools.lru_cache(maxsize=_REMEMBERED)
def route_of(target: bytes) -> Route:
    """Return what a request target asks for. Names have no characters that a URL escapes."""
    path = _path_of(target)
    if path in _FIXED:
        return _FIXED[path]
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
