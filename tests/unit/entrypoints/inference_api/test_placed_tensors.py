"""Tensors that come as bytes: what no shape can hold is the client's mistake, whatever the engine would say."""

import numpy as np
import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.entrypoints.inference_api.oip_document import InputItem
from ganglion.entrypoints.inference_api.oip_request import RequestDecoder
from ganglion.entrypoints.inference_api.placed_tensors import view


@pytest.mark.parametrize("datatype", ["FP32", "BOOL", "BF16", "BYTES"])
def test_an_absurd_size_beside_a_zero_is_refused(datatype: str) -> None:
    item = InputItem("x", (2**62, 2**62, 0), datatype)

    with pytest.raises(InvalidRequest, match="no tensor has the shape"):
        view(item, b"", 0, 0)


def test_such_a_shape_is_refused_over_http() -> None:
    head = b'{"inputs":[{"name":"x","shape":[%d,%d,0],"datatype":"FP32","parameters":{"binary_data_size":0}}]}'
    body = head % (2**62, 2**62)

    with pytest.raises(InvalidRequest, match="no tensor has the shape"):
        RequestDecoder().decode(body, str(len(body)).encode())


@pytest.mark.parametrize("datatype", ["FP32", "BYTES"])
def test_such_a_shape_is_refused_in_json(datatype: str) -> None:
    body = b'{"inputs":[{"name":"x","shape":[%d,%d,0],"datatype":"%b","data":[]}]}'

    with pytest.raises(InvalidRequest, match="no tensor has the shape"):
        RequestDecoder().decode(body % (2**62, 2**62, datatype.encode()), None)


@pytest.mark.parametrize("offset", [0, 1, 3])
def test_a_tensor_is_aligned_wherever_it_stands(offset: int) -> None:
    values = np.arange(3, dtype=np.float32)

    tensor = view(InputItem("x", (3,), "FP32"), bytes(offset) + values.tobytes(), offset, values.nbytes)

    assert tensor.flags.aligned
    assert np.array_equal(tensor, values)
