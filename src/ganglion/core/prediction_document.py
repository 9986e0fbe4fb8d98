"""One encoded image in, labels and boxes out: the convenience beside the Open Inference Protocol.

Pure: from the bytes of a body to a model's inputs, and from its answer to a document that any JSON encoder writes.
"""

import math
from collections.abc import Callable
from typing import TypeAlias, assert_never

from ganglion.core.errors import InvalidRequest, TooLarge
from ganglion.core.manifest import Anomaly, Classification, Detection, Manifest, anomaly_threshold
from ganglion.core.pipeline import Answer
from ganglion.core.predictions import Prediction
from ganglion.core.steps import DATATYPES, OBJECT, Tensor, Tensors, bytes_tensor, label_of

MEDIA_TYPES = frozenset({"image/jpeg", "image/png", "application/octet-stream"})
"""What a body may be called. Which of the formats it is, its first bytes say."""
CLASSES_SHOWN_MAX = 5
VALUES_MAX = 10_000
"""Values per output of a model that makes no predictions; `infer` sends more."""

Document: TypeAlias = dict[str, object]


def inputs_of(manifest: Manifest, body: bytes) -> Tensors:
    """Return the inputs that a body without any further words stands for.

    Raises: InvalidRequest: the model does not take exactly one encoded file, or the body is empty.
    """
    specs = manifest.inputs
    if len(specs) != 1 or specs[0].datatype != "BYTES" or len(specs[0].shape) != 1:
        takes = ", ".join(f"{spec.name} ({spec.datatype} {list(spec.shape)})" for spec in specs)
        raise InvalidRequest(f"this model takes no encoded file but {takes or 'no inputs at all'}: ask .../infer")
    if not body:
        raise InvalidRequest("the body is empty: send the bytes of an image")
    return {specs[0].name: bytes_tensor([body])}


def document_of(manifest: Manifest, answer: Answer) -> Document:
    """Return an answer in words: one prediction per row, or the outputs of a model that makes none.

    What is no number is None: JSON has no NaN. Raises: TooLarge: outputs are too long for a document.
    """
    rule = manifest.prediction
    match rule:
        case None:
            return {"outputs": [_output(name, tensor) for name, tensor in answer.outputs.items()]}
        case Classification():
            details = _classification(rule, manifest, answer.outputs)
        case Detection():
            details = _detection(rule, manifest, answer.outputs)
        case Anomaly():
            details = _anomaly(rule, manifest, answer.outputs)
        case _:
            assert_never(rule)
    return {"predictions": [_words(each) | details(row) for row, each in enumerate(answer.predictions)]}


def _words(prediction: Prediction) -> Document:
    return {"label": prediction.label, "confidence": _number(prediction.confidence)}


def _classification(rule: Classification, manifest: Manifest, outputs: Tensors) -> Callable[[int], Document]:
    def details(row: int) -> Document:
        scores = outputs[rule.output][row]
        best = (-scores).argsort(kind="stable")[:CLASSES_SHOWN_MAX].tolist()
        shown = [{"label": label_of(manifest.labels, each), "score": _number(float(scores[each]))} for each in best]
        return {"classes": shown}

    return details


def _detection(rule: Detection, manifest: Manifest, outputs: Tensors) -> Callable[[int], Document]:
    def details(row: int) -> Document:
        found = zip(
            outputs[rule.labels][row].tolist(),
            outputs[rule.scores][row].tolist(),
            outputs[rule.boxes][row].tolist(),
            strict=True,
        )
        boxes = [
            {
                "label": label_of(manifest.labels, label),
                "score": _number(score),
                "box": [round(side, 2) for side in box],
            }
            for label, score, box in found
            if label >= 0
        ]
        return {"count": len(boxes), "boxes": boxes}

    return details


def _anomaly(rule: Anomaly, manifest: Manifest, outputs: Tensors) -> Callable[[int], Document]:
    threshold = anomaly_threshold(manifest)
    scores = outputs[rule.output].ravel().tolist()
    return lambda row: {
        "is_anomaly": not scores[row] <= threshold,
        "score": _number(scores[row]),
        "threshold": threshold,
    }


def _output(name: str, tensor: Tensor) -> Document:
    if tensor.size > VALUES_MAX:
        raise TooLarge(f"output {name!r} has {tensor.size} values, at most {VALUES_MAX} are shown here: use .../infer")
    values = tensor.ravel().tolist()
    if tensor.dtype == OBJECT:
        values = [bytes(value).decode("utf-8", errors="replace") for value in values]
    elif tensor.dtype.kind == "f":
        values = [_number(value) for value in values]
    return {"name": name, "datatype": DATATYPES[tensor.dtype], "shape": list(tensor.shape), "data": values}


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
