"""Whatever a client writes: the request is what protobuf reads in it, or it is refused. Answers read back the same."""

import numpy as np
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2  # type: ignore[import-untyped]  # it ships no types

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.grpc_api import message_bytes
from ganglion.entrypoints.grpc_api.infer_request import GrpcRequest, GrpcRequestDecoder

NAMES = st.text(max_size=3)
ROW = np.array([[0.25, 0.75]], np.float32)


def item(name: str) -> service_pb2.ModelInferRequest.InferInputTensor:
    return service_pb2.ModelInferRequest.InferInputTensor(name=name, datatype="FP32", shape=[1, 2])


FIELDS = st.one_of(
    st.builds(lambda name: message_bytes.field(1, name.encode()), NAMES),
    st.builds(lambda version: message_bytes.field(2, version.encode()), NAMES),
    st.builds(lambda request_id: message_bytes.field(3, request_id.encode()), NAMES),
    st.builds(lambda value: message_bytes.parameters(4, {"timeout": value}), st.integers(0, 9)),
    st.builds(lambda name: message_bytes.field(5, item(name).SerializeToString()), st.sampled_from("xy")),
    st.builds(lambda name: message_bytes.field(6, message_bytes.text(1, name)), st.sampled_from("pq")),
    st.builds(lambda data: message_bytes.field(7, data), st.binary(min_size=8, max_size=8)),
    st.builds(lambda data: message_bytes.field(9, data), st.binary(max_size=3)),
    st.just(b"\x1a\x01\xff"),  # An id that is no text.
    st.just(b"\x9a\x80\x00\x01i"),  # An id whose tag is written longer than it must be.
    st.just(b"\x3a\x88\x00" + ROW.tobytes()),  # A raw tensor whose length is written longer than it must be.
)
"""Fields of a request, each one valid, in any number and order."""
PLAIN = (
    message_bytes.field(1, b"m")
    + message_bytes.field(5, item("x").SerializeToString())
    + message_bytes.field(7, bytes(8))
)


def check(decoder: GrpcRequestDecoder, message: bytes) -> None:
    """Fail unless the decoder sees what protobuf sees, or refuses."""
    try:
        decoded = decoder.decode(message)
    except InvalidRequest:
        return
    check_same(decoded, service_pb2.ModelInferRequest.FromString(message))


def check_same(decoded: GrpcRequest, read: service_pb2.ModelInferRequest) -> None:
    assert (decoded.model, decoded.version, decoded.request_id) == (read.model_name, read.model_version, read.id)
    assert list(decoded.inputs) == [each.name for each in read.inputs]
    assert [tensor.shape for tensor in decoded.inputs.values()] == [tuple(each.shape) for each in read.inputs]
    if read.raw_input_contents:
        assert [tensor.tobytes() for tensor in decoded.inputs.values()] == list(read.raw_input_contents)
    assert decoded.manner.timeout_us == read.parameters["timeout"].int64_param
    assert list(decoded.manner.outputs.names) == [each.name for each in read.outputs]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.lists(FIELDS, max_size=7).map(b"".join), min_size=1, max_size=4))
def test_fields_in_any_order_mean_what_protobuf_says(messages: list[bytes]) -> None:
    decoder = GrpcRequestDecoder()

    for message in [PLAIN, *messages, *messages, PLAIN]:
        check(decoder, message)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_damaged_request_means_what_protobuf_says_or_is_refused(data: st.DataObject) -> None:
    decoder = GrpcRequestDecoder()
    whole = PLAIN.replace(b"\x2a", b"\x1a\x02id\x2a", 1)
    check(decoder, whole)
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))

    check(decoder, bytes(damaged))
    check(decoder, whole)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(message: bytes) -> None:
    check(GrpcRequestDecoder(), message)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_what_protobuf_refuses_is_refused(message: bytes) -> None:
    try:
        service_pb2.ModelInferRequest.FromString(PLAIN + message)
    except DecodeError:
        decoder = GrpcRequestDecoder()
        decoder.decode(PLAIN)
        try:
            decoder.decode(PLAIN + message)
        except InvalidRequest:
            return
        raise AssertionError("it was accepted") from None


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=5), st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=5)), max_size=3
    )
)
def test_parameters_are_read_back_as_they_were(values: dict[str, bool | int | str]) -> None:
    read = service_pb2.ModelInferResponse.FromString(message_bytes.parameters(4, values)).parameters

    chosen = {name: parameter.WhichOneof("parameter_choice") for name, parameter in read.items()}
    assert {name: getattr(read[name], field) for name, field in chosen.items()} == values
