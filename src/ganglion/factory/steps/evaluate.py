"""Ask a model about held-out rows, through the same pipeline that answers on the node."""

from collections.abc import Mapping

from ganglion.core.behaviour import CONFIDENCE_BINS, confidence_bin
from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import DriftReference, HistogramReference
from ganglion.core.pipeline import Pipeline, Prediction
from ganglion.factory.domain.evaluation import Evaluation
from ganglion.factory.domain.rows import LabelledRows


def evaluate(pipeline: Pipeline, rows: LabelledRows) -> Evaluation:
    """Return what the model says of every row. Raises: InvalidRequest: it takes no such rows, or predicts nothing."""
    if len(pipeline.manifest.inputs) != 1 or pipeline.manifest.prediction is None:
        raise InvalidRequest("evaluation needs a model with one input and a prediction")
    name, step = pipeline.manifest.inputs[0].name, pipeline.manifest.limits.batch_max
    predictions: list[Prediction] = []
    for start in range(0, len(rows), step):
        predictions.extend(pipeline.answer({name: rows.x[start : start + step]}).predictions)
    return Evaluation(
        expected=rows.y,
        predicted=tuple(prediction.label for prediction in predictions),
        confidences=tuple(prediction.confidence for prediction in predictions),
    )


def drift_reference(
    evaluation: Evaluation, labels: tuple[str, ...], inputs: Mapping[str, HistogramReference]
) -> DriftReference:
    """Return how confidence and classes look on these rows, and inputs: what live ones are compared with."""
    counts = [0] * CONFIDENCE_BINS
    for confidence in evaluation.confidences:
        counts[confidence_bin(confidence)] += 1
    edges = tuple(index / CONFIDENCE_BINS for index in range(CONFIDENCE_BINS + 1))
    classes = {label: evaluation.predicted.count(label) for label in labels}
    return DriftReference(HistogramReference(edges, tuple(counts)), classes, dict(inputs))
