"""A call that remembers what it was answered, and messages as the reference client writes them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tritonclient.grpc import service_pb2  # type: ignore[import-untyped]  # it ships no types

from ganglion.entrypoints.grpc_api.calls import Status


@dataclass
class RecordedCall:
    """A call whose client takes everything at once, until `leave`."""

    metadata: Mapping[str, str] = field(default_factory=dict)
    deadline_s: float = math.inf
    is_local: bool = True
    certificate: str = ""
    sent: list[bytes] = field(default_factory=list)
    status: Status | None = None
    text: str = ""
    has_left: bool = False
    acts: list[Callable[[], None]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.has_left or self.status is not None

    def on_end(self, act: Callable[[], None]) -> None:
        self.acts.append(act)

    def send(self, message: bytes) -> None:
        if not self.is_over:
            self.sent.append(message)

    def finish(self, status: Status = Status.OK, text: str = "") -> None:
        if not self.is_over:
            self.status, self.text = status, text

    def leave(self) -> None:
        """Act as a client that cancels."""
        self.has_left = True
        for act in self.acts:
            act()

    @property
    def answer(self) -> bytes:
        """The one message of a call that went well."""
        assert self.status is Status.OK, self.text
        (message,) = self.sent
        return message


def raw_request(
    values: "np.ndarray[Any, Any]", datatype: str = "FP32", *, model: str = "steer", **members: object
) -> Any:
    """Return a `ModelInferRequest` of the reference client with one raw tensor `x`."""
    request = service_pb2.ModelInferRequest(model_name=model, **members)
    item = request.inputs.add(name="x", datatype=datatype)
    item.shape.extend(values.shape)
    request.raw_input_contents.append(values.tobytes())
    return request


def typed_request(
    field_name: str, elements: list[Any], datatype: str, shape: list[int], *, model: str = "steer"
) -> Any:
    """Return a `ModelInferRequest` of the reference client whose tensor `x` has its elements one by one."""
    request = service_pb2.ModelInferRequest(model_name=model)
    item = request.inputs.add(name="x", datatype=datatype)
    item.shape.extend(shape)
    getattr(item.contents, field_name).extend(elements)
    return request
