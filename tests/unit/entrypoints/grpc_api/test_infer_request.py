"""Decoding a request: raw tensors, elements one by one, shared memory, and what is refused."""

import numpy as np
import pytest
from tritonclient.grpc import service_pb2  # type: ignore[import-untyped]  # it ships no types

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import bytes_tensor, to_bytes
from ganglion.entrypoints.grpc_api.infer_request import GrpcRequest, GrpcRequestDecoder
from ganglion.node.domain.serving.sequences import SequencePlace
from unit.entrypoints.grpc_api.grpc_builders import raw_request, typed_request

ROW = np.array([[0.25, 0.75]], np.float32)


def decode(request: service_pb2.ModelInferRequest) -> GrpcRequest:
    return GrpcRequestDecoder().decode(request.SerializeToString())


def test_a_raw_tensor_arrives_unchanged() -> None:
    decoded = decode(raw_request(ROW, model_version="3", id="r1"))

    assert (decoded.model, decoded.version, decoded.request_id) == ("steer", "3", "r1")
    assert np.array_equal(decoded.inputs["x"], ROW)


def test_a_repeated_request_shares_its_manner_but_neither_id_nor_numbers() -> None:
    decoder = GrpcRequestDecoder()
    first = decoder.decode(raw_request(ROW, id="one").SerializeToString())

    second = decoder.decode(raw_request(ROW * 2, id="two").SerializeToString())

    assert second.manner is first.manner
    assert second.request_id == "two"
    assert np.array_equal(second.inputs["x"], ROW * 2)


def test_another_shape_is_another_manner() -> None:
    decoder = GrpcRequestDecoder()
    first = decoder.decode(raw_request(ROW).SerializeToString())

    second = decoder.decode(raw_request(np.vstack([ROW, ROW])).SerializeToString())

    assert second.manner is not first.manner
    assert second.inputs["x"].shape == (2, 2)


def test_what_stands_behind_the_tensors_counts_each_time() -> None:
    decoder, request = GrpcRequestDecoder(), raw_request(ROW).SerializeToString()
    behind = request + service_pb2.ModelInferRequest(model_name="other").SerializeToString()

    assert [decoder.decode(each).model for each in (behind, request, behind)] == ["other", "steer", "other"]


def test_a_large_tensor_is_aligned_wherever_it_stands() -> None:
    decoder, values = GrpcRequestDecoder(), np.arange(5000, dtype=np.float64)[None]

    for request_id in ("", "a", "ab", "abc", "abcd", "abcde"):
        tensor = decoder.decode(raw_request(values, "FP64", id=request_id).SerializeToString()).inputs["x"]
        assert tensor.flags.aligned
        assert np.array_equal(tensor, values)


@pytest.mark.parametrize(
    ("field", "elements", "datatype", "dtype"),
    [
        ("bool_contents", [True, False], "BOOL", "?"),
        ("int_contents", [-128, 127], "INT8", "i1"),
        ("int_contents", [-(2**15), 7], "INT16", "i2"),
        ("int_contents", [-(2**31), 7], "INT32", "i4"),
        ("int64_contents", [-(2**63), 7], "INT64", "i8"),
        ("uint_contents", [255, 7], "UINT8", "u1"),
        ("uint_contents", [2**16 - 1, 7], "UINT16", "u2"),
        ("uint_contents", [2**32 - 1, 7], "UINT32", "u4"),
        ("uint64_contents", [2**64 - 1, 7], "UINT64", "u8"),
        ("fp32_contents", [0.1, float("inf")], "FP32", "f4"),
        ("fp64_contents", [0.1, -0.0], "FP64", "f8"),
    ],
)
def test_elements_one_by_one(field: str, elements: list[object], datatype: str, dtype: str) -> None:
    decoded = decode(typed_request(field, elements, datatype, [1, 2]))

    expected = np.array([elements], np.dtype(dtype))
    assert decoded.inputs["x"].dtype == expected.dtype
    assert decoded.inputs["x"].tobytes() == expected.tobytes()


def test_strings_one_by_one_and_raw() -> None:
    words = bytes_tensor([b"a", b""]).reshape(1, 2)
    raw = raw_request(np.zeros(0), "BYTES")
    raw.inputs[0].shape[:] = [1, 2]
    raw.raw_input_contents[0] = to_bytes(words)

    for request in (raw, typed_request("bytes_contents", [b"a", b""], "BYTES", [1, 2])):
        assert decode(request).inputs["x"].tolist() == words.tolist()


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (typed_request("int_contents", [300], "INT8", [1]), "numbers that INT8 cannot"),
        (typed_request("uint_contents", [256], "UINT8", [1]), "numbers that UINT8 cannot"),
        (typed_request("fp32_contents", [1.0], "FP32", [1, 2]), "has 1 elements"),
        (typed_request("fp64_contents", [1.0], "FP32", [1]), "stand in fp32_contents, not in fp64_contents"),
        (typed_request("fp32_contents", [1.0], "FP16", [1]), "send it in raw_input_contents"),
        (typed_request("fp32_contents", [1.0], "FP8", [1]), "datatype 'FP8' is none of"),
        (typed_request("fp32_contents", [1.0], "FP32", [-1]), "not an inference request"),
        (typed_request("fp32_contents", [1.0], "FP32", [1] * 40), "not an inference request"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(request_: service_pb2.ModelInferRequest, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        decode(request_)


def test_raw_tensors_must_be_as_many_as_inputs() -> None:
    request = raw_request(ROW)
    request.raw_input_contents.append(b"more")

    with pytest.raises(InvalidRequest, match="raw_input_contents has 2 tensors, 1 inputs"):
        decode(request)


def test_a_raw_tensor_of_another_size_is_refused() -> None:
    request = raw_request(ROW)
    request.raw_input_contents[0] = b"abc"

    with pytest.raises(InvalidRequest, match="its size is 3 bytes, its shape and datatype make 8"):
        decode(request)


def test_raw_and_elements_exclude_each_other() -> None:
    request = raw_request(ROW)
    request.inputs[0].contents.fp32_contents.extend([1.0, 2.0])

    with pytest.raises(InvalidRequest, match="contents beside raw_input_contents"):
        decode(request)


def test_an_input_stands_once() -> None:
    request = raw_request(ROW)
    request.inputs.append(request.inputs[0])
    request.raw_input_contents.append(ROW.tobytes())

    with pytest.raises(InvalidRequest, match="'x' stands twice"):
        decode(request)


def test_parameters_say_what_they_say_over_http() -> None:
    request = raw_request(ROW)
    request.parameters["timeout"].int64_param = 5000
    request.parameters["timing"].bool_param = True
    request.parameters["sequence_id"].uint64_param = 7
    request.parameters["sequence_start"].bool_param = True
    request.parameters["priority"].uint64_param = 1
    request.parameters["nothing"].SetInParent()
    output = request.outputs.add(name="probabilities")
    output.parameters["classification"].int64_param = 2

    manner = decode(request).manner

    assert (manner.timeout_us, manner.wants_timing) == (5000, True)
    assert manner.place == SequencePlace("7", is_first=True, is_last=False)
    assert [(name, wish.classes) for name, wish in manner.outputs.wishes] == [("probabilities", 2)]


def test_a_parameter_of_the_wrong_kind_is_refused() -> None:
    request = raw_request(ROW)
    request.parameters["timeout"].string_param = "soon"

    with pytest.raises(InvalidRequest, match="timeout"):
        decode(request)


def test_unknown_fields_are_ignored() -> None:
    request = raw_request(ROW).SerializeToString()
    unknown = b"\xf8\x07\x01" + b"\xfa\x07\x02hi"

    for message in (unknown + request, request + unknown):
        assert np.array_equal(GrpcRequestDecoder().decode(message).inputs["x"], ROW)


def test_a_cut_message_is_refused() -> None:
    message = raw_request(ROW, id="r1").SerializeToString()

    for size in range(1, len(message)):
        try:
            decoded = GrpcRequestDecoder().decode(message[:size])
        except InvalidRequest:
            continue
        # Cut between two fields it is a shorter message, and its inputs do not fit the model.
        assert not decoded.inputs


class FakeMemory:
    """One region with eight bytes."""

    def read(self, region: str, offset: int, size_bytes: int) -> bytes:
        assert region == "both"
        return ROW.tobytes()[offset : offset + size_bytes]


def test_an_input_in_shared_memory_takes_no_raw_tensor() -> None:
    request = service_pb2.ModelInferRequest(model_name="steer")
    item = request.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    item.parameters["shared_memory_region"].string_param = "both"
    item.parameters["shared_memory_byte_size"].int64_param = 8
    beside = request.inputs.add(name="y", datatype="FP32", shape=[1, 2])
    assert beside.name == "y"
    request.raw_input_contents.append((ROW * 2).tobytes())

    decoded = GrpcRequestDecoder(FakeMemory()).decode(request.SerializeToString())

    assert decoded.manner.uses_memory
    assert np.array_equal(decoded.inputs["x"], ROW)
    assert np.array_equal(decoded.inputs["y"], ROW * 2)
