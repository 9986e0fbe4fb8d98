"""Inputs of samples: numbers and files."""

import numpy as np
import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import bytes_tensor, to_bytes
from ganglion.hub.domain.records import datasets, sample_inputs
from ganglion.hub.domain.records.datasets import LabelledSample
from ganglion.wire.records import SampleTensor

FILE = SampleTensor(datatype="BYTES", shape=(1,), data=to_bytes(bytes_tensor([b"\xff\xd8\xff"])))
ROW = SampleTensor(datatype="FP32", shape=(1, 2), data=np.array([1, np.nan], np.float32).tobytes())


def test_a_file_is_one_element() -> None:
    assert sample_inputs.array_of("image", FILE).tolist() == [b"\xff\xd8\xff"]


def test_people_see_numbers_but_no_bytes() -> None:
    assert sample_inputs.view_of("x", ROW, values_max=2).values == [1.0, 0.0]
    assert sample_inputs.view_of("x", ROW, values_max=1).values == []
    assert sample_inputs.view_of("image", FILE, values_max=2).values == []


def test_files_become_a_data_set_as_numbers_do() -> None:
    stacked = datasets.stack([LabelledSample(str(index), "cat", {"image": FILE}) for index in range(2)])

    assert stacked["image"].tolist() == [b"\xff\xd8\xff"] * 2
    assert datasets.describe(stacked["image"], "0" * 64).datatype == "BYTES"


@pytest.mark.parametrize(
    "tensor",
    [
        SampleTensor(datatype="FP32", shape=(1, 3), data=bytes(8)),
        SampleTensor(datatype="FP32", shape=(2, 1), data=bytes(8)),
        SampleTensor(datatype="FP32", shape=(1, -2), data=bytes(8)),
        SampleTensor(datatype="TEXT", shape=(1,), data=b""),
        SampleTensor(datatype="BYTES", shape=(1,), data=b"\x05\0\0\0abc"),
    ],
)
def test_a_tensor_that_is_not_what_it_says_is_refused_by_name(tensor: SampleTensor) -> None:
    with pytest.raises(InvalidRequest, match="input 'x'"):
        sample_inputs.check({"x": tensor})
