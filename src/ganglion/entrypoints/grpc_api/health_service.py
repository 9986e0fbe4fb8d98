"""`grpc.health.v1.Health`: whether this server, the inference service, or a model can be asked now."""

from collections.abc import Callable
from enum import IntEnum
from functools import partial

import msgspec

from ganglion.core.errors import NotFound
from ganglion.entrypoints.grpc_api import message_bytes, messages
from ganglion.entrypoints.grpc_api.calls import Call, Status
from ganglion.entrypoints.grpc_api.rounds import CanCallLater, Rounds

_REQUEST = "grpc.health.v1.HealthCheckRequest"
_STATUS_TAG = b"\x08"


class Health(IntEnum):
    """The answers of the health protocol."""

    SERVING = 1
    NOT_SERVING = 2
    SERVICE_UNKNOWN = 3


class _Asked(msgspec.Struct, frozen=True):
    service: str = ""


class HealthService:
    """Answers by a function that says how a service is, and looks at it again and again while somebody watches."""

    def __init__(
        self, health_of: Callable[[str], Health], loop: CanCallLater, *, is_stopping: Callable[[], bool]
    ) -> None:
        self._health_of, self._is_stopping = health_of, is_stopping
        self._watchers: Rounds[_Watcher] = Rounds(self._look, loop)

    def check(self, message: bytes, call: Call) -> None:
        """Answer once. Raises: NotFound: there is no such service."""
        service = messages.read(_REQUEST, message, _Asked).service
        health = self._health_of(service)
        if health is Health.SERVICE_UNKNOWN:
            raise NotFound(f"there is no service {service[:80]!r}")
        call.send(_answer(health))
        call.finish()

    def watch(self, message: bytes, call: Call) -> None:
        """Answer now, and whenever the answer has changed, until the client goes."""
        watcher = _Watcher(messages.read(_REQUEST, message, _Asked).service, call)
        call.on_end(partial(self._watchers.discard, watcher))
        watcher.look(self._health_of)
        self._watchers.add(watcher)

    def _look(self, watcher: "_Watcher") -> bool:
        watcher.look(self._health_of)
        if self._is_stopping():
            # Who watches has heard it now, and would hold the server up for as long as it may take.
            watcher.call.finish(Status.UNAVAILABLE, "the server ends")
        return not watcher.call.is_over


class _Watcher:
    """Who wants to hear of one service, and what it has heard."""

    __slots__ = ("_heard", "call", "service")

    def __init__(self, service: str, call: Call) -> None:
        self.service, self.call = service, call
        self._heard: Health | None = None

    def look(self, health_of: Callable[[str], Health]) -> None:
        """Tell the client what has changed."""
        health = health_of(self.service)
        if health is not self._heard:
            self._heard = health
            self.call.send(_answer(health))


def _answer(health: Health) -> bytes:
    return _STATUS_TAG + message_bytes.varint(health)
