"""Everything that a client can ask for but inference: about the server, its models, the repository, shared memory."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import msgspec

from ganglion.adapters.shared_memory import SharedRegions
from ganglion.core.errors import GanglionError, InvalidRequest, NotFound
from ganglion.core.identity_errors import Forbidden
from ganglion.core.serving_errors import ModelNotReady
from ganglion.entrypoints.grpc_api import messages
from ganglion.entrypoints.grpc_api.calls import Call, Status, Unary
from ganglion.entrypoints.grpc_api.inference_service import refuse_strangers
from ganglion.entrypoints.grpc_api.model_config import model_config
from ganglion.entrypoints.grpc_api.statuses import status_of
from ganglion.entrypoints.inference_api import documents
from ganglion.entrypoints.inference_api.repository import Repository
from ganglion.entrypoints.inference_api.statistics_document import statistics
from ganglion.node.services.serving.answers import Serving

T = TypeVar("T", bound=msgspec.Struct)
_SIZE_MAX = 1 << 48


class Asked(msgspec.Struct, frozen=True):
    """The members of all requests that are answered with a document; each has some of them."""

    name: str = ""
    version: str = ""
    ready: bool = False


class _Change(msgspec.Struct, frozen=True):
    model_name: str = ""
    parameters: dict[str, dict[str, bool | int | str]] = {}


class _Region(msgspec.Struct, frozen=True):
    name: str = ""
    key: str = ""
    offset: int = 0
    byte_size: int = 0


@dataclass(frozen=True, slots=True)
class AboutService:
    """Answers from a serving core, the registered regions, and the repository if clients may use it."""

    serving: Serving
    regions: SharedRegions
    repository: Repository | None
    release: str
    is_stopping: Callable[[], bool]

    def methods(self) -> dict[str, Unary]:
        """Return what answers each method, by its name."""
        told: dict[str, Callable[[Asked], dict[str, object]]] = {
            "ServerLive": lambda _: {"live": True},
            "ServerReady": lambda _: {"ready": not self.is_stopping()},
            "ServerMetadata": lambda _: documents.server_metadata(self.release),
            "ModelReady": lambda asked: {"ready": self.is_ready(asked.name, asked.version)},
            "ModelMetadata": lambda asked: documents.model_metadata(
                self.serving.manifest(asked.name, asked.version), self.serving.versions(asked.name)
            ),
            "ModelConfig": self._model_config,
            "ModelStatistics": lambda asked: statistics(self.serving.table.models, asked.name, asked.version),
            "RepositoryIndex": self._index,
        }
        return {
            **{method: partial(_tell, method, document) for method, document in told.items()},
            **{f"RepositoryModel{change}": partial(self._change, change) for change in ("Load", "Unload")},
            **{f"SystemSharedMemory{act}": partial(self._region, act) for act in ("Status", "Register", "Unregister")},
            **{
                f"CudaSharedMemory{act}": partial(
                    _refuse, "CUDA shared memory is not supported: use system shared memory"
                )
                for act in ("Status", "Register", "Unregister")
            },
            "TraceSetting": partial(_refuse, "there is no tracing to set"),
            "LogSettings": partial(_refuse, "logging is set where the server is started"),
        }

    def is_ready(self, model: str, version: str = "") -> bool:
        """Say whether a model would be answered now, or one version of it."""
        try:
            self.serving.manifest(model, version)
        except (NotFound, ModelNotReady):
            return False
        return True

    def _model_config(self, asked: Asked) -> dict[str, object]:
        _, loaded = self.serving.table.answering(asked.name, asked.version)
        rules = None if loaded.batching is None else loaded.batching.rules
        return {"config": model_config(loaded.pipeline.manifest, rules)}

    def _index(self, asked: Asked) -> dict[str, object]:
        return {"models": documents.repository_index(self.serving.table.models, only_ready=asked.ready)}

    def _change(self, change: str, message: bytes, call: Call) -> None:
        method = f"RepositoryModel{change}"
        if self.repository is None:
            raise Forbidden("this server's models come from its hub: roll a version out there, or use `ganglion serve`")
        wish = _read(method, message, _Change)
        if change == "Load" and wish.parameters:
            raise InvalidRequest("a model is loaded as its files say: parameters that change it are not accepted")
        act = self.repository.load if change == "Load" else self.repository.unload
        act(wish.model_name, partial(_done, method, call))

    def _region(self, act: str, message: bytes, call: Call) -> None:
        refuse_strangers(call)
        method = f"SystemSharedMemory{act}"
        wish = _read(method, message, _Region)
        document: dict[str, object] = {}
        if act == "Status":
            document["regions"] = {
                region.name: {
                    "name": region.name,
                    "key": region.key,
                    "offset": region.offset,
                    "byte_size": region.size_bytes,
                }
                for region in self.regions.status(wish.name)
            }
        elif act == "Register":
            if max(wish.offset, wish.byte_size) > _SIZE_MAX:
                raise InvalidRequest(f"offset and byte_size are at most {_SIZE_MAX}")
            self.regions.register(wish.name, wish.key, offset=wish.offset, size_bytes=wish.byte_size)
        elif wish.name:
            self.regions.unregister(wish.name)
        else:
            self.regions.unregister_all()
        _answer(method, document, call)


def _tell(method: str, document: Callable[[Asked], dict[str, object]], message: bytes, call: Call) -> None:
    _answer(method, document(_read(method, message, Asked)), call)


def _read(method: str, message: bytes, into: type[T]) -> T:
    return messages.read(f"inference.{method}Request", message, into)


def _answer(method: str, document: dict[str, object], call: Call) -> None:
    call.send(messages.write(f"inference.{method}Response", document))
    call.finish()


def _done(method: str, call: Call, failure: GanglionError | None) -> None:
    if failure is None:
        _answer(method, {}, call)
    else:
        call.finish(status_of(failure), failure.message)


def _refuse(reason: str, _message: bytes, call: Call) -> None:
    call.finish(Status.UNIMPLEMENTED, reason)
