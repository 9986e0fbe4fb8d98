import numpy as np
import pytest

from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import Anomaly, Detection, TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.serving_errors import InputUnusable, ModelFailed
from ganglion.core.steps import (
    AnomalyScore,
    DecodeImage,
    Detect,
    Keep,
    Reconstruction,
    Resize,
    Scale,
    Softmax,
    Tensor,
    Tensors,
    bytes_tensor,
)
from unit.core.builders import a_manifest, a_pipeline, one_hot, rows
from unit.core.pictures import colours, png


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
        ({"x": np.zeros((0, 3), np.float32)}, "no size may be 0"),
        ({"x": np.zeros((5, 3), np.float32)}, "at most 4"),
    ],
)
def test_inputs_that_are_not_the_declared_ones_are_refused(inputs: dict[str, Tensor], reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        a_pipeline().answer(inputs)


def test_a_size_left_open_accepts_any() -> None:
    pipeline = a_pipeline(inputs=(TensorSpec("x", "FP32", (1, -1)),))

    assert pipeline.answer({"x": rows((1, 0, 0, 0, 0))}).outputs["scores"].shape == (1, 5)


# --- what steps of one request know of each other -------------------------------------------------


def a_detector(*, batch: int = -1) -> Pipeline:
    """Return a detector that always sees one thing, in the upper left quarter of its image."""

    def infer(feeds: Tensors) -> Tensors:
        count = len(feeds["image"])
        box = np.array([0, 0, 0.5, 0.5], np.float32)
        return {"scores": np.ones((count, 1, 1), np.float32), "boxes": np.tile(box, (count, 1, 1))}

    manifest = a_manifest(
        inputs=(TensorSpec("image", "BYTES", (batch,)),),
        outputs=(
            TensorSpec("boxes", "FP32", (batch, 1, 4)),
            TensorSpec("scores", "FP32", (batch, 1)),
            TensorSpec("labels", "INT64", (batch, 1)),
        ),
        preprocess=(DecodeImage("image"), Resize("image", height=8, width=8)),
        postprocess=(Detect("scores", limit=1),),
        prediction=Detection(),
    )
    return Pipeline(manifest, infer)


def test_each_row_has_its_boxes_in_its_own_image() -> None:
    files = bytes_tensor([png(colours(20, 40)), png(colours(100, 10))])

    answer = a_detector().answer({"image": files})

    assert answer.outputs["boxes"].tolist() == [[[0, 0, 20, 10]], [[0, 0, 5, 50]]]
    assert [prediction.label for prediction in answer.predictions] == ["low", "low"]


def test_requests_know_nothing_of_each_other() -> None:
    detector = a_detector()
    detector.answer({"image": bytes_tensor([png(colours(20, 40))])})

    answer = detector.answer({"image": bytes_tensor([png(colours(4, 4))])})

    assert answer.outputs["boxes"].tolist() == [[[0, 0, 2, 2]]]


def test_an_autoencoder_is_judged_by_what_it_was_given() -> None:
    pipeline = Pipeline(
        a_manifest(
            outputs=(TensorSpec("score", "FP32", (-1,)), TensorSpec("is_anomaly", "BOOL", (-1,))),
            preprocess=(Keep("x", "original"), Scale("x", 2.0)),
            postprocess=(AnomalyScore("scores", Reconstruction("original"), threshold=1.0),),
            prediction=Anomaly(),
        ),
        one_hot,
    )

    answer = pipeline.answer({"x": rows((1, 0, 0), (3, 0, 0))})

    assert answer.outputs["score"].tolist() == pytest.approx([1 / 3, 3.0])
    assert [prediction.label for prediction in answer.predictions] == ["normal", "anomaly"]


def test_an_input_that_no_step_can_use_is_the_clients_fault() -> None:
    with pytest.raises(InputUnusable, match="decode_image on 'image': image 0: it is neither JPEG nor PNG"):
        a_detector().answer({"image": bytes_tensor([b"hello"])})


def test_outputs_that_no_step_can_use_are_the_packages_fault() -> None:
    pipeline = a_pipeline(postprocess=(Detect("scores"),))

    with pytest.raises(ModelFailed, match="do not fit the package: step detect"):
        pipeline.answer({"x": rows((1, 2, 3))})


def test_a_model_that_takes_files_says_so() -> None:
    assert a_detector().takes_files
    assert not a_pipeline().takes_files


def test_a_batch_of_files_is_limited_as_any_other() -> None:
    with pytest.raises(InvalidRequest, match="at most 4 are allowed"):
        a_detector().answer({"image": bytes_tensor([b""] * 5)})
