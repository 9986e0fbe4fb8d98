"""From a client's tensors to a client's tensors: check, preprocess, infer, postprocess, predict.

The one path that evaluation, the golden test and serving share. `infer` is an engine's function;
this module does not know which engine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ganglion.core import steps
from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import Manifest, TensorSpec
from ganglion.core.steps import Tensors

Infer: TypeAlias = Callable[[Tensors], Tensors]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row's answer in words: the label, how sure the model is, and the distance to the next label."""

    label: str
    confidence: float
    margin: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The declared outputs, and one prediction per row when the manifest says how to make one."""

    outputs: Tensors
    predictions: tuple[Prediction, ...]


class Pipeline:
    """A manifest and an engine, ready to answer."""

    def __init__(self, manifest: Manifest, infer: Infer) -> None:
        self.manifest = manifest
        self._infer = infer
        self._inputs: Mapping[str, TensorSpec] = {spec.name: spec for spec in manifest.inputs}

    def answer(self, inputs: Tensors) -> Answer:
        """Answer one request. Raises: InvalidRequest: the inputs are not the declared ones."""
        self.check(inputs)
        return self.answer_checked(inputs)

    def answer_checked(self, inputs: Tensors) -> Answer:
        """Answer a request whose inputs `check` accepted."""
        feeds = steps.apply(self.manifest.preprocess, inputs)
        outputs = steps.apply(self.manifest.postprocess, self._infer(feeds))
        declared = {spec.name: outputs[spec.name] for spec in self.manifest.outputs}
        return Answer(outputs=declared, predictions=self._predict(outputs))

    def check(self, inputs: Tensors) -> None:
        """Compare names, types and shapes with the manifest. Raises: InvalidRequest."""
        if inputs.keys() != self._inputs.keys():
            raise InvalidRequest(f"inputs are {sorted(inputs)}, this model takes {sorted(self._inputs)}")
        for name, tensor in inputs.items():
            self._check_tensor(self._inputs[name], tensor)

    def _check_tensor(self, spec: TensorSpec, tensor: steps.Tensor) -> None:
        if tensor.dtype != steps.DTYPES[spec.datatype]:
            raise InvalidRequest(f"input {spec.name!r} must be {spec.datatype}, not {tensor.dtype}")
        fits = len(tensor.shape) == len(spec.shape) and all(
            declared in (-1, size) for declared, size in zip(spec.shape, tensor.shape, strict=True)
        )
        if not fits or 0 in tensor.shape:
            raise InvalidRequest(f"input {spec.name!r} has shape {list(tensor.shape)}, declared is {list(spec.shape)}")
        batch_max = self.manifest.limits.batch_max
        if spec.shape and spec.shape[0] == -1 and tensor.shape[0] > batch_max:
            raise InvalidRequest(f"input {spec.name!r} has {tensor.shape[0]} rows, at most {batch_max} are allowed")

    def _predict(self, outputs: Tensors) -> tuple[Prediction, ...]:
        rule = self.manifest.prediction
        if rule is None:
            return ()
        scores = outputs[rule.output]
        labels = self.manifest.labels
        best = np.argmax(scores, axis=1).tolist()
        ordered = np.sort(scores, axis=1)
        top = ordered[:, -1].tolist()
        second = ordered[:, -2].tolist() if scores.shape[1] > 1 else [0.0] * len(top)
        return tuple(
            Prediction(label=labels[i] if i < len(labels) else str(i), confidence=first, margin=first - next_)
            for i, first, next_ in zip(best, top, second, strict=True)
        )
