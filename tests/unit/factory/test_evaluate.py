import pytest

from ganglion.core.behaviour import CONFIDENCE_BINS
from ganglion.core.errors import InvalidRequest
from ganglion.factory.domain.rows import make_rows
from ganglion.factory.steps.evaluate import drift_reference, evaluate
from unit.core.builders import a_pipeline, rows
from unit.factory.builders import an_evaluation


def test_every_row_is_asked_also_when_they_are_more_than_a_batch() -> None:
    x = rows((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 0), (0.6, 0.4, 0), (0, 0, 1))
    held_out = make_rows(x, ["low", "mid", "high", "low", "low", "high"], ["low", "mid", "high"])

    evaluation = evaluate(a_pipeline(), held_out)

    assert evaluation.predicted == ("low", "mid", "high", "mid", "low", "high")
    assert evaluation.accuracy == pytest.approx(5 / 6)
    assert evaluation.confidences[4] == pytest.approx(0.6)


def test_a_model_without_a_prediction_cannot_be_evaluated() -> None:
    held_out = make_rows(rows((1, 0, 0)), ["low"])

    with pytest.raises(InvalidRequest, match="prediction"):
        evaluate(a_pipeline(prediction=None), held_out)


def test_the_drift_reference_counts_confidences_and_predicted_classes() -> None:
    reference = drift_reference(an_evaluation("aab", "abb", [0.97, 0.52, 0.99]), ("a", "b", "c"), {})

    assert reference.classes == {"a": 1, "b": 2, "c": 0}
    assert sum(reference.confidence.counts) == 3
    assert reference.confidence.counts[-1] == 2
    assert (reference.confidence.edges[0], reference.confidence.edges[-1]) == (0.0, 1.0)
    assert len(reference.confidence.edges) == CONFIDENCE_BINS + 1
