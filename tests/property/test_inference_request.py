"""Whatever bytes come, decoding gives tensors of the declared shape or a refusal: never a crash, never other bytes."""

import contextlib
import json
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import DTYPES, bytes_tensor, to_bytes
from ganglion.entrypoints.inference_api.oip_request import RequestDecoder

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def check_decoded_or_refused(body: bytes, header_length: bytes | None) -> None:
    """Fail on every other exception, and on tensors that the body has no bytes for."""
    with contextlib.suppress(InvalidRequest):
        decoded = RequestDecoder().decode(body, header_length)
        assert decoded.inputs
        assert sum(tensor.size for tensor in decoded.inputs.values()) <= len(body)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200), st.one_of(st.none(), st.binary(max_size=6), st.integers(0, 250).map(lambda n: b"%d" % n))
)
def test_any_bytes_are_decoded_or_refused(body: bytes, header_length: bytes | None) -> None:
    check_decoded_or_refused(body, header_length)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_request_is_decoded_or_refused(data: st.DataObject) -> None:
    blob = bytes(8)
    item = {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    head = json.dumps({"id": "r", "inputs": [item], "outputs": [{"name": "y"}]}).encode()
    body = bytearray(head + blob)
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))

    check_decoded_or_refused(bytes(body), str(len(head)).encode())


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(DTYPES.keys() - {"BYTES", "BF16"})), SHAPES, st.integers(0, 2**32), st.integers(0, 7))
def test_tensors_sent_as_bytes_arrive_unchanged(datatype: str, shape: list[int], seed: int, padding: int) -> None:
    dtype = DTYPES[datatype]
    sent = np.random.default_rng(seed).bytes(math.prod(shape) * dtype.itemsize)
    if datatype == "BOOL":
        sent = bytes(byte & 1 for byte in sent)
    item = {"name": "x", "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(sent)}}
    head = json.dumps({"inputs": [item]}).encode() + b" " * padding

    tensor = RequestDecoder().decode(head + sent, str(len(head)).encode()).inputs["x"]

    assert tensor.dtype == dtype
    assert tensor.shape == tuple(shape)
    assert tensor.flags.aligned
    assert tensor.tobytes() == sent


@settings(max_examples=100, deadline=None)
@given(SHAPES, st.data())
def test_numbers_sent_as_json_arrive_unchanged(shape: list[int], data: st.DataObject) -> None:
    size = math.prod(shape)
    numbers = data.draw(
        st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=size, max_size=size)
    )
    item = {"name": "x", "shape": shape, "datatype": "FP32", "data": numbers}

    tensor = RequestDecoder().decode(json.dumps({"inputs": [item]}).encode(), None).inputs["x"]

    assert tensor.shape == tuple(shape)
    assert tensor.ravel().tolist() == numbers


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=12), min_size=1, max_size=6), st.integers(0, 7))
def test_strings_sent_as_bytes_arrive_unchanged(elements: list[bytes], padding: int) -> None:
    blob = to_bytes(bytes_tensor(elements))
    parameters = {"binary_data_size": len(blob)}
    item = {"name": "x", "shape": [len(elements)], "datatype": "BYTES", "parameters": parameters}
    head = json.dumps({"inputs": [item]}).encode() + b" " * padding

    tensor = RequestDecoder().decode(head + blob, str(len(head)).encode()).inputs["x"]

    assert tensor.tolist() == elements


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 4), st.binary(max_size=40))
def test_any_bytes_are_strings_or_refused(count: int, blob: bytes) -> None:
    parameters = {"binary_data_size": len(blob)}
    item = {"name": "x", "shape": [count], "datatype": "BYTES", "parameters": parameters}
    head = json.dumps({"inputs": [item]}).encode()

    check_decoded_or_refused(head + blob, str(len(head)).encode())


class Zeros:
    """Shared memory of 64 zeros in one region."""

    def read(self, region: str, offset: int, size_bytes: int) -> bytes:
        if region != "r" or offset + size_bytes > 64:
            raise InvalidRequest("not in the region")
        return bytes(size_bytes)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([*sorted(DTYPES), "FP8"]),
    st.lists(st.integers(0, 5), max_size=3),
    st.integers(0, 80),
    st.integers(0, 80),
)
def test_regions_give_tensors_of_the_declared_shape_or_a_refusal(
    datatype: str, shape: list[int], offset: int, size: int
) -> None:
    place = {"shared_memory_region": "r", "shared_memory_offset": offset, "shared_memory_byte_size": size}
    document = {"inputs": [{"name": "x", "shape": shape, "datatype": datatype, "parameters": place}]}

    with contextlib.suppress(InvalidRequest):
        decoded = RequestDecoder(Zeros()).decode(json.dumps(document).encode(), None)
        assert decoded.manner.uses_memory
        assert decoded.inputs["x"].shape == tuple(shape)


# --- what is remembered ---------------------------------------------------------------------------

KEYS = st.permutations(["name", "shape", "datatype", "data"])
NUMBERS = st.lists(
    st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**70), 2**70), st.booleans(), st.none()),
    min_size=2,
    max_size=2,
)
SPACES = st.sampled_from([None, 1])
TWISTS = st.sampled_from(
    [{}, {"extra": {"data": [7]}}, {"parameters": {"timing": True}}, {'x"data': [1]}, {"outputs": [{"name": "y"}]}]
)


def outcome_of(decoder: RequestDecoder, body: bytes, header_length: bytes | None) -> object:
    try:
        decoded = decoder.decode(body, header_length)
    except InvalidRequest:
        return "refused"
    manner = decoded.manner
    tensors = {name: (tensor.dtype.str, tensor.shape, tensor.tobytes()) for name, tensor in decoded.inputs.items()}
    return decoded.request_id, tensors, manner.outputs, manner.wants_timing, manner.timeout_us, manner.place


@settings(max_examples=300, deadline=None)
@given(KEYS, st.lists(NUMBERS, min_size=2, max_size=4), TWISTS, SPACES, st.sampled_from(["FP32", "FP64", "INT8"]))
def test_a_decoder_that_remembers_says_the_same_as_one_that_does_not(
    keys: list[str], rows: list[list[object]], twist: dict[str, object], indent: int | None, datatype: str
) -> None:
    remembering = RequestDecoder()
    for row in ([0.5, 1.5], *rows):
        item = {"name": "x", "shape": [1, 2], "datatype": datatype, "data": row}
        document = {**twist, "inputs": [{key: item[key] for key in keys}]}
        body = json.dumps(document, indent=indent).encode()

        assert outcome_of(remembering, body, None) == outcome_of(RequestDecoder(), body, None)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_request_is_the_same_to_a_decoder_that_remembers(data: st.DataObject) -> None:
    item = {"name": "x", "shape": [1, 2], "datatype": "FP32"}
    in_json = json.dumps({"inputs": [{**item, "data": [0.5, 1.5]}]}).encode()
    head = json.dumps({"inputs": [{**item, "parameters": {"binary_data_size": 8}}]}).encode()
    body, length = data.draw(st.sampled_from([(in_json, None), (head + bytes(8), b"%d" % len(head))]))
    remembering = RequestDecoder()
    remembering.decode(body, length)

    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))

    assert outcome_of(remembering, bytes(damaged), length) == outcome_of(RequestDecoder(), bytes(damaged), length)
