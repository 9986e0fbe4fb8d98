"""A model's outputs in words: one label and one confidence per row, by the rule that the manifest states."""

import math
from collections.abc import Callable
from typing import TypeAlias, assert_never

import msgspec
import numpy as np

from ganglion.core.manifest import Anomaly, Classification, Detection, Manifest, anomaly_threshold
from ganglion.core.steps import Tensor, Tensors, label_of

NOTHING = "(nothing)"
"""The label of an image in which a detector found no box."""
NORMAL, ANOMALOUS = "normal", "anomaly"
_FEW_CLASSES = 64
"""For one row of so few scores, lists are faster than numpy."""


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """One row's answer in words: the label, how sure the model is, and the distance to the next label."""

    label: str
    confidence: float
    margin: float


Predict: TypeAlias = Callable[[Tensors], tuple[Prediction, ...]]


def predictor(manifest: Manifest) -> Predict | None:
    """Return the function from outputs to predictions, one per row; None when the manifest has no rule for it."""
    rule = manifest.prediction
    match rule:
        case None:
            return None
        case Classification():
            return _classifier(rule, manifest.labels)
        case Detection():
            return _detector(rule, manifest.labels)
        case Anomaly():
            return _anomaly_detector(rule.output, anomaly_threshold(manifest), anomaly_words(manifest))
        case _:
            assert_never(rule)


def anomaly_words(manifest: Manifest) -> tuple[str, str]:
    """Return how rows are called that are normal, and those that are not: the manifest's two labels if it has two."""
    match manifest.labels:
        case (normal, anomalous):
            return normal, anomalous
        case _:
            return NORMAL, ANOMALOUS


def _classifier(rule: Classification, labels: tuple[str, ...]) -> Predict:
    name, known = rule.output, len(labels)

    def predict(outputs: Tensors) -> tuple[Prediction, ...]:
        scores = outputs[name]
        if scores.shape[0] == 1 and scores.shape[1] <= _FEW_CLASSES:
            prediction = _of_one_row(scores[0].tolist(), labels)
            if prediction is not None:
                return (prediction,)
        best = scores.argmax(axis=1).tolist()
        ordered = np.sort(scores, axis=1)
        top = ordered[:, -1].tolist()
        second = ordered[:, -2].tolist() if scores.shape[1] > 1 else [0.0] * len(top)
        return tuple(
            [
                Prediction(labels[index] if index < known else str(index), first, first - next_)
                for index, first, next_ in zip(best, top, second, strict=True)
            ]
        )

    return predict


def _of_one_row(scores: list[float], labels: tuple[str, ...]) -> Prediction | None:
    """Return what numpy would say of one row, at a third of its price; None for a row that holds what is no number."""
    first = max(scores, default=math.nan)
    if not math.isfinite(sum(scores)) or not math.isfinite(first):
        return None
    index = scores.index(first)
    scores[index] = -math.inf
    second = max(scores) if len(scores) > 1 else 0.0
    return Prediction(labels[index] if index < len(labels) else str(index), first, first - second)


def _detector(rule: Detection, labels: tuple[str, ...]) -> Predict:
    """The best box speaks for its image. Where there is none the model is sure of that, as far as it can say."""

    def predict(outputs: Tensors) -> tuple[Prediction, ...]:
        best = outputs[rule.labels][:, 0].tolist()
        top = outputs[rule.scores][:, 0].tolist()
        second = _second(outputs[rule.scores])
        return tuple(
            [
                Prediction(NOTHING, 1.0, 1.0)
                if index < 0
                else Prediction(label_of(labels, index), first, first - next_)
                for index, first, next_ in zip(best, top, second, strict=True)
            ]
        )

    return predict


def _second(scores: Tensor) -> list[float]:
    second: list[float] = scores[:, 1].tolist() if scores.shape[1] > 1 else [0.0] * len(scores)
    return second


def _anomaly_detector(name: str, threshold: float, words: tuple[str, str]) -> Predict:
    def predict(outputs: Tensors) -> tuple[Prediction, ...]:
        return tuple([_judged(score, threshold, words) for score in outputs[name].ravel().tolist()])

    return predict


def _judged(score: float, threshold: float, words: tuple[str, str]) -> Prediction:
    """Confidence is 1/2 at the threshold and nears 1 far from it, on either side. What is no number is not normal."""
    is_normal = score <= threshold
    larger = threshold if is_normal else score
    return Prediction(words[0 if is_normal else 1], larger / (threshold + max(score, 0.0)), abs(score - threshold))
