"""The few bytes that are written by hand are those that protobuf writes."""

import pytest
from tritonclient.grpc import service_pb2  # type: ignore[import-untyped]  # it ships no types

from ganglion.entrypoints.grpc_api import message_bytes


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**31, 2**63 - 1, -1])
def test_a_number_is_written_as_protobuf_writes_it(number: int) -> None:
    expected = service_pb2.InferParameter(int64_param=number).SerializeToString()

    assert b"\x10" + message_bytes.varint(number) == expected


def test_parameters_are_written_as_protobuf_writes_them() -> None:
    values: dict[str, bool | int | str] = {"a": True, "b": False, "c": 7, "d": "text", "e": ""}

    read = service_pb2.ModelInferResponse.FromString(message_bytes.parameters(4, values)).parameters

    chosen = {name: parameter.WhichOneof("parameter_choice") for name, parameter in read.items()}
    assert {name: getattr(read[name], field) for name, field in chosen.items()} == values


@pytest.mark.parametrize("length", [0, 127, 128, 70_000])
def test_a_length_is_read_as_it_was_written(length: int) -> None:
    data = b"?" + message_bytes.varint(length) + b"!"

    assert message_bytes.length_at(data, 1) == (length, len(data) - 1)


def test_a_length_that_does_not_end_is_refused() -> None:
    with pytest.raises(IndexError):
        message_bytes.length_at(b"\xff\xff", 0)
    with pytest.raises(ValueError, match="0"):
        message_bytes.length_at(b"\xff" * 20, 0)


def test_empty_text_is_left_out() -> None:
    assert message_bytes.text(1, "") == b""
    assert message_bytes.shape(3, ()) == b""
