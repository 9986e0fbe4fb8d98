"""Whatever bytes come, decoding gives tensors of the declared shape or a refusal: never a crash, never other bytes."""

import contextlib
import json
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import DTYPES
from ganglion.entrypoints.inference_api import oip_request

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def check_decoded_or_refused(body: bytes, header_length: bytes | None) -> None:
    """Fail on every other exception, and on tensors that the body has no bytes for."""
    with contextlib.suppress(InvalidRequest):
        decoded = oip_request.decode(body, header_length)
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
@given(st.sampled_from(sorted(DTYPES)), SHAPES, st.integers(0, 2**32), st.integers(0, 7))
def test_tensors_sent_as_bytes_arrive_unchanged(datatype: str, shape: list[int], seed: int, padding: int) -> None:
    dtype = DTYPES[datatype]
    sent = np.random.default_rng(seed).bytes(math.prod(shape) * dtype.itemsize)
    if datatype == "BOOL":
        sent = bytes(byte & 1 for byte in sent)
    item = {"name": "x", "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(sent)}}
    head = json.dumps({"inputs": [item]}).encode() + b" " * padding

    tensor = oip_request.decode(head + sent, str(len(head)).encode()).inputs["x"]

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

    tensor = oip_request.decode(json.dumps({"inputs": [item]}).encode(), None).inputs["x"]

    assert tensor.shape == tuple(shape)
    assert tensor.ravel().tolist() == numbers
