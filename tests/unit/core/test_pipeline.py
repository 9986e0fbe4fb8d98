import numpy as np
import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import Scale, Softmax, Tensor
from unit.core.builders import a_pipeline, rows


def test_a_row_is_answered_with_label_confidence_and_margin() -> None:
    answer = a_pipeline().answer({"x": rows((0.1, 0.7, 0.2), (1.0, 0.0, 0.0))})

    assert [prediction.label for prediction in answer.predictions] == ["mid", "low"]
    assert answer.predictions[0].confidence == pytest.approx(0.7)
    assert answer.predictions[0].margin == pytest.approx(0.5)


def test_preprocessing_comes_before_the_model_and_postprocessing_after() -> None:
    pipeline = a_pipeline(preprocess=(Scale("x", 0.0, 5.0),), postprocess=(Softmax("scores"),))

    outputs = pipeline.answer({"x": rows((1, 2, 3))}).outputs

    assert np.allclose(outputs["scores"], 1 / 3)


def test_without_a_prediction_rule_there_is_none() -> None:
    assert a_pipeline(prediction=None).answer({"x": rows((1, 0, 0))}).predictions == ()


def test_a_class_without_a_label_is_called_by_its_number() -> None:
    answer = a_pipeline(labels=("low",)).answer({"x": rows((0.0, 0.0, 1.0))})

    assert answer.predictions[0].label == "2"


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({}, "takes"),
        ({"y": rows((1, 2, 3))}, "takes"),
        ({"x": rows((1, 2, 3)), "y": rows((1,))}, "takes"),
        ({"x": np.zeros((1, 3))}, "must be FP32, not float64"),
        ({"x": rows((1, 2))}, "has shape"),
        ({"x": np.zeros(3, np.float32)}, "has shape"),
        ({"x": np.zeros((0, 3), np.float32)}, "has shape"),
        ({"x": np.zeros((5, 3), np.float32)}, "at most 4"),
    ],
)
def test_inputs_that_are_not_the_declared_ones_are_refused(inputs: dict[str, Tensor], reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        a_pipeline().answer(inputs)


def test_a_size_left_open_accepts_any() -> None:
    pipeline = a_pipeline(inputs=(TensorSpec("x", "FP32", (1, -1)),))

    assert pipeline.answer({"x": rows((1, 0, 0, 0, 0))}).outputs["scores"].shape == (1, 5)
