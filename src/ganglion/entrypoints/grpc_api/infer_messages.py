"""What is read of a `ModelInferRequest`: its fields, as protobuf gives them."""

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from ganglion.entrypoints.grpc_api import messages

_NAME = "inference.ModelInferRequest"


class Parameter(Protocol):
    """An `InferParameter`."""

    def WhichOneof(self, oneof_group: str) -> str | None:  # noqa: N802 - protobuf's name
        """Return the name of the field that is set."""
        ...


class Contents(Protocol):
    """An `InferTensorContents`."""

    bool_contents: Sequence[bool]
    int_contents: Sequence[int]
    int64_contents: Sequence[int]
    uint_contents: Sequence[int]
    uint64_contents: Sequence[int]
    fp32_contents: Sequence[float]
    fp64_contents: Sequence[float]
    bytes_contents: Sequence[bytes]

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """Return the message as bytes."""
        ...


class Input(Protocol):
    """An `InferInputTensor`."""

    name: str
    datatype: str
    shape: Sequence[int]
    parameters: Mapping[str, Parameter]
    contents: Contents

    def HasField(self, field_name: str) -> bool:  # noqa: N802 - protobuf's name
        """Say whether a message field was sent."""
        ...


class Output(Protocol):
    """An `InferRequestedOutputTensor`."""

    name: str
    parameters: Mapping[str, Parameter]


class Request(Protocol):
    """A `ModelInferRequest`."""

    model_name: str
    model_version: str
    id: str
    parameters: Mapping[str, Parameter]
    inputs: Sequence[Input]
    outputs: Sequence[Output]
    raw_input_contents: Sequence[bytes]


def parse_request(data: bytes) -> Request:
    """Return the request in these bytes. Raises: InvalidRequest: they are none."""
    return cast("Request", messages.parse(_NAME, data))


def values_of(parameters: Mapping[str, Parameter]) -> dict[str, object]:
    """Return parameters by name; one without a value says nothing."""
    chosen = {name: parameter.WhichOneof("parameter_choice") for name, parameter in parameters.items()}
    return {name: getattr(parameters[name], field) for name, field in chosen.items() if field is not None}
