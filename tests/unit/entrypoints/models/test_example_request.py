import json

import numpy as np
import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.serving_errors import ModelFailed
from ganglion.core.steps import Tensors, bytes_tensor
from ganglion.entrypoints.models.example_request import made_up_inputs, request_body
from unit.core.builders import a_manifest


def needs_even_length(feeds: Tensors) -> Tensors:
    if feeds["x"].shape[1] % 2:
        raise ModelFailed("an odd number of samples")
    return {"scores": np.zeros((1, 3), np.float32)}


def test_one_row_of_a_batch_is_asked_for() -> None:
    body = request_body(a_manifest(), {"x": np.eye(3, dtype=np.float32)})

    assert json.loads(body) == {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [1, 0, 0]}]}


def test_what_has_no_batch_is_sent_whole_and_a_scalar_has_no_dimensions() -> None:
    specs = (TensorSpec("state", "FP32", (2, 1)), TensorSpec("rate", "INT64", ()))

    body = request_body(
        a_manifest(inputs=specs), {"state": np.zeros((2, 1), np.float32), "rate": np.array(16000, np.int64)}
    )

    assert [(each["shape"], each["data"]) for each in json.loads(body)["inputs"]] == [([2, 1], [0, 0]), ([], [16000])]


def test_half_precision_is_written_as_numbers() -> None:
    specs = (TensorSpec("x", "FP16", (-1, 2)),)

    body = request_body(a_manifest(inputs=specs), {"x": np.array([[0.5, 0.25]], np.float16)})

    assert json.loads(body)["inputs"][0]["data"] == [0.5, 0.25]


def test_texts_are_written_and_files_are_not() -> None:
    manifest = a_manifest(inputs=(TensorSpec("x", "BYTES", (-1,)),))

    assert json.loads(request_body(manifest, {"x": bytes_tensor([b"yes"])}))["inputs"][0]["data"] == ["yes"]
    with pytest.raises(InvalidRequest, match="--data-binary"):
        request_body(manifest, {"x": bytes_tensor([b"\x89PNG"])})


def test_made_up_inputs_are_those_that_the_model_answers() -> None:
    manifest = a_manifest(inputs=(TensorSpec("x", "FP32", (-1, -1)),), prediction=None)

    inputs = made_up_inputs(Pipeline(manifest, needs_even_length))

    assert inputs is not None
    assert inputs["x"].shape == (1, 8)


def test_a_model_that_would_need_too_much_memory_is_not_tried() -> None:
    manifest = a_manifest(inputs=(TensorSpec("x", "FP32", (1, 1 << 40)),), prediction=None)

    assert made_up_inputs(Pipeline(manifest, needs_even_length)) is None
