"""All methods, on a serving core made of fakes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tritonclient.grpc import service_pb2  # type: ignore[import-untyped]  # it ships no types

from ganglion.core.errors import NotFound
from ganglion.entrypoints.client_access.guard import Guard
from ganglion.entrypoints.grpc_api.calls import UnaryMethod
from ganglion.entrypoints.grpc_api.methods import inference_methods
from ganglion.entrypoints.inference_api.repository import Done
from unit.entrypoints.grpc_api.grpc_builders import RecordedCall
from unit.node.serving_builders import ServingWorld, version_of

SERVICE = "/inference.GRPCInferenceService"


@dataclass
class FakeLoop:
    """Calls back when the test says so."""

    due: list[Callable[[], None]] = field(default_factory=list)

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self.due.append(callback)

    def pass_time(self) -> None:
        due, self.due = self.due, []
        for callback in due:
            callback()


@dataclass
class FakeRepository:
    """Knows one model."""

    asked: list[str] = field(default_factory=list)

    def load(self, model: str, done: Done) -> None:
        self.asked.append(f"load {model}")
        done(None if model == "steer" else NotFound(f"there is no {model!r}"))

    def unload(self, model: str, done: Done) -> None:
        self.asked.append(f"unload {model}")
        done(None)


@dataclass
class World:
    """All methods on one loaded model, `steer`, and one that is expected, `coming`."""

    repository: FakeRepository | None = None
    is_stopping: bool = False
    guard: Guard | None = None
    loop: FakeLoop = field(default_factory=FakeLoop)
    serving: ServingWorld = field(default_factory=ServingWorld)

    def __post_init__(self) -> None:
        self.serving.add(version_of("1"))
        self.serving.table.expect("coming")
        self.methods = inference_methods(
            self.serving.serving,
            loop=self.loop,
            release="1.2.3",
            is_stopping=lambda: self.is_stopping,
            repository=self.repository,
            guard=self.guard,
        )

    def call(self, path: str, message: bytes = b"", *, is_local: bool = True, authorization: str = "") -> RecordedCall:
        method, call = self.methods[path], RecordedCall({"authorization": authorization}, is_local=is_local)
        assert isinstance(method, UnaryMethod)
        method.answer(message, call)
        return call

    def ask(self, name: str, /, **members: object) -> Any:
        """Ask an inference method with the reference client's messages."""
        request = getattr(service_pb2, f"{name}Request")(**members)
        answer = self.call(f"{SERVICE}/{name}", request.SerializeToString()).answer
        return getattr(service_pb2, f"{name}Response").FromString(answer)
