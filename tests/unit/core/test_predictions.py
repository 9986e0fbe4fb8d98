"""Labels and confidences from outputs, by the three rules that a manifest may state."""

from typing import Any

import numpy as np
import pytest

from ganglion.core.errors import InvalidPackage
from ganglion.core.manifest import Anomaly, Classification, Detection, TensorSpec, check
from ganglion.core.predictions import NOTHING, predictor
from ganglion.core.steps import AnomalyScore, Tensors, ZScore
from unit.core.builders import a_manifest, rows

DETECTOR_OUTPUTS = (
    TensorSpec("boxes", "FP32", (-1, 2, 4)),
    TensorSpec("scores", "FP32", (-1, 2)),
    TensorSpec("labels", "INT64", (-1, 2)),
)
SCORE = (TensorSpec("score", "FP32", (-1,)),)
GOLDEN: dict[str, Any] = {"golden": None}


def predicted(outputs: Tensors, **changes: Any) -> list[tuple[str, object, object]]:
    predict = predictor(a_manifest(**changes))
    assert predict is not None
    return [(each.label, pytest.approx(each.confidence), pytest.approx(each.margin)) for each in predict(outputs)]


def test_without_a_rule_nothing_is_predicted() -> None:
    assert predictor(a_manifest(prediction=None)) is None


def test_the_best_class_speaks_for_its_row() -> None:
    outputs = {"scores": rows((0.1, 0.7, 0.2), (1.0, 0.0, 0.0))}

    assert predicted(outputs, prediction=Classification("scores")) == [("mid", 0.7, 0.5), ("low", 1.0, 1.0)]


def test_a_single_class_has_all_the_margin() -> None:
    assert predicted({"scores": rows((0.5,))}, prediction=Classification("scores")) == [("low", 0.5, 0.5)]


def test_the_best_box_speaks_for_its_image() -> None:
    outputs = {"scores": rows((0.9, 0.6), (0.0, 0.0)), "labels": np.array([[2, 0], [-1, -1]])}

    assert predicted(outputs, prediction=Detection()) == [("high", 0.9, 0.3), (NOTHING, 1.0, 1.0)]


def test_a_detector_of_one_box_has_all_the_margin() -> None:
    outputs = {"scores": rows((0.9,)), "labels": np.array([[7]])}

    assert predicted(outputs, prediction=Detection()) == [("7", 0.9, 0.9)]


def test_a_score_is_judged_by_its_threshold() -> None:
    outputs = {"score": np.array([0.0, 1.0, 2.0, 6.0], np.float32)}

    assert predicted(outputs, prediction=Anomaly(threshold=2.0)) == [
        ("normal", 1.0, 2.0),
        ("normal", 2 / 3, 1.0),
        ("normal", 0.5, 0.0),
        ("anomaly", 0.75, 4.0),
    ]


def test_a_score_that_is_no_number_is_an_anomaly_of_unknown_confidence() -> None:
    predict = predictor(a_manifest(prediction=Anomaly(threshold=2.0)))
    assert predict is not None

    (prediction,) = predict({"score": np.array([np.nan], np.float32)})

    assert prediction.label == "anomaly"
    assert np.isnan(prediction.confidence)


def test_a_negative_score_is_as_normal_as_can_be() -> None:
    assert predicted({"score": np.array([-5.0])}, prediction=Anomaly(threshold=2.0)) == [("normal", 1.0, 7.0)]


def test_two_labels_name_what_is_normal_and_what_is_not() -> None:
    changes = {"prediction": Anomaly(threshold=1.0), "labels": ("runs", "broken")}

    assert [label for label, _, _ in predicted({"score": np.array([0.0, 9.0])}, **changes)] == ["runs", "broken"]


def test_the_threshold_is_that_of_the_step_unless_the_rule_has_its_own() -> None:
    step = AnomalyScore("out", ZScore((0.0,), (1.0,)), threshold=3.0)
    outputs = {"score": np.array([2.0])}

    assert predicted(outputs, prediction=Anomaly(), postprocess=(step,))[0][0] == "normal"
    assert predicted(outputs, prediction=Anomaly(threshold=1.0), postprocess=(step,))[0][0] == "anomaly"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prediction": Detection(), "outputs": DETECTOR_OUTPUTS[:2]}, "'labels', which is not declared"),
        ({"prediction": Detection(boxes="frames"), "outputs": DETECTOR_OUTPUTS}, "'frames', which is not declared"),
        ({"prediction": Anomaly(threshold=1.0)}, "'score', which is not declared"),
        ({"prediction": Anomaly(), "outputs": SCORE}, "state the threshold"),
    ],
)
def test_a_rule_that_has_nothing_to_work_on_is_refused_with_the_manifest(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidPackage, match=reason):
        check(a_manifest(**changes, **GOLDEN))


def test_a_rule_that_has_what_it_needs_is_accepted() -> None:
    check(a_manifest(prediction=Detection(), outputs=DETECTOR_OUTPUTS, **GOLDEN))
    check(a_manifest(prediction=Anomaly(threshold=1.0), outputs=SCORE, **GOLDEN))
