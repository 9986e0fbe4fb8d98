"""One file in, words out."""

import json
from typing import Any

import numpy as np
import pytest

from ganglion.core.errors import InvalidRequest, TooLarge
from ganglion.core.manifest import Anomaly, Detection, TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.prediction_document import VALUES_MAX, document_of, inputs_of
from ganglion.core.steps import Tensor, Tensors, bytes_tensor
from unit.core.builders import a_manifest, rows

A_FILE = (TensorSpec("image", "BYTES", (1,)),)


def document(outputs: Tensors, **changes: Any) -> Any:
    """Return the document of a model that answers `outputs`, as a client reads it."""
    specs = tuple(TensorSpec(name, "FP32", (-1,) * tensor.ndim) for name, tensor in outputs.items())
    manifest = a_manifest(inputs=A_FILE, outputs=specs, golden=None, **changes)
    answer = Pipeline(manifest, lambda feeds: outputs).answer({"image": bytes_tensor([b"x"])})
    return json.loads(json.dumps(document_of(manifest, answer), allow_nan=False))


# --- what a body stands for -----------------------------------------------------------------------


def test_a_body_is_the_only_input_of_a_model_that_takes_a_file() -> None:
    inputs = inputs_of(a_manifest(inputs=A_FILE), b"\xff\xd8\xff")

    assert inputs["image"].tolist() == [b"\xff\xd8\xff"]


@pytest.mark.parametrize(
    "specs",
    [
        (TensorSpec("x", "FP32", (1, 3)),),
        (TensorSpec("x", "BYTES", (1, 2)),),
        (TensorSpec("x", "BYTES", (1,)), TensorSpec("y", "BYTES", (1,))),
    ],
)
def test_a_model_that_takes_something_else_says_what(specs: tuple[TensorSpec, ...]) -> None:
    with pytest.raises(InvalidRequest, match=r"takes no encoded file but x \("):
        inputs_of(a_manifest(inputs=specs), b"file")


def test_an_empty_body_is_no_file() -> None:
    with pytest.raises(InvalidRequest, match="empty"):
        inputs_of(a_manifest(inputs=A_FILE), b"")


# --- what an answer says --------------------------------------------------------------------------


def test_a_classifier_names_its_best_classes() -> None:
    assert document({"scores": rows((0.1, 0.7, 0.2))}) == {
        "predictions": [
            {
                "label": "mid",
                "confidence": 0.7,
                "classes": [
                    {"label": "mid", "score": 0.7},
                    {"label": "high", "score": 0.2},
                    {"label": "low", "score": 0.1},
                ],
            }
        ]
    }


def test_no_more_than_five_classes_are_named() -> None:
    (prediction,) = document({"scores": rows(tuple(range(100)))})["predictions"]

    assert [each["label"] for each in prediction["classes"]] == ["99", "98", "97", "96", "95"]


def test_a_detector_lists_its_boxes() -> None:
    outputs = {
        "boxes": np.array([[[1, 2, 3.333, 4], [0, 0, 0, 0]]], np.float32),
        "scores": rows((0.9, 0.0)),
        "labels": np.array([[1, -1]]),
    }

    assert document(outputs, prediction=Detection())["predictions"] == [
        {
            "label": "mid",
            "confidence": 0.9,
            "count": 1,
            "boxes": [{"label": "mid", "score": 0.9, "box": [1.0, 2.0, 3.33, 4.0]}],
        }
    ]


def test_a_detector_that_finds_nothing_says_so() -> None:
    outputs = {"boxes": np.zeros((1, 2, 4)), "scores": np.zeros((1, 2)), "labels": np.full((1, 2), -1)}

    assert document(outputs, prediction=Detection())["predictions"] == [
        {"label": "(nothing)", "confidence": 1.0, "count": 0, "boxes": []}
    ]


def test_an_anomaly_comes_with_score_and_threshold() -> None:
    outputs = {"score": np.array([3.0, np.nan], np.float32)}

    assert document(outputs, prediction=Anomaly(threshold=1.0))["predictions"] == [
        {"label": "anomaly", "confidence": 0.75, "is_anomaly": True, "score": 3.0, "threshold": 1.0},
        {"label": "anomaly", "confidence": None, "is_anomaly": True, "score": None, "threshold": 1.0},
    ]


@pytest.mark.parametrize(
    ("tensor", "datatype", "data"),
    [
        (rows((1, float("nan"))), "FP32", [1.0, None]),
        (np.array([[True]]), "BOOL", [True]),
        (bytes_tensor([b"text", b"\xff"]), "BYTES", ["text", "\N{REPLACEMENT CHARACTER}"]),
    ],
)
def test_a_model_that_predicts_nothing_shows_its_outputs(tensor: Tensor, datatype: str, data: list[object]) -> None:
    assert document({"out": tensor}, prediction=None) == {
        "outputs": [{"name": "out", "datatype": datatype, "shape": list(tensor.shape), "data": data}]
    }


def test_outputs_that_nobody_wants_to_read_are_not_shown() -> None:
    with pytest.raises(TooLarge, match=r"use \.\.\./infer"):
        document({"out": np.zeros((1, VALUES_MAX + 1))}, prediction=None)
