"""From a client's tensors to a client's tensors: check, preprocess, infer, postprocess, predict.

The one path that evaluation, the golden test and serving share. `infer` is an engine's function;
this module does not know which engine.
"""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from ganglion.core import steps
from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import Manifest, TensorSpec
from ganglion.core.predictions import Prediction, predictor
from ganglion.core.serving_errors import InputUnusable, ModelFailed
from ganglion.core.steps import Context, Programme, Tensor, Tensors

__all__ = ["Answer", "Infer", "Pipeline", "Prediction"]

Infer: TypeAlias = Callable[[Tensors], Tensors]


class Answer(msgspec.Struct, frozen=True):
    """The declared outputs, and one prediction per row when the manifest says how to make one."""

    outputs: Tensors
    predictions: tuple[Prediction, ...]


class Pipeline:
    """A manifest and an engine, ready to answer. Making one raises MissingExtra when a step needs an extra."""

    def __init__(self, manifest: Manifest, infer: Infer) -> None:
        self.manifest = manifest
        self._infer = infer
        self._inputs = {spec.name: (spec, steps.DTYPES[spec.datatype]) for spec in manifest.inputs}
        self._outputs = tuple([spec.name for spec in manifest.outputs])
        self._before, self._after = Programme(manifest.preprocess), Programme(manifest.postprocess)
        self._has_steps = bool(self._before or self._after)
        self._predict = predictor(manifest)
        self.takes_files = any(spec.datatype == "BYTES" for spec in manifest.inputs)
        """Two requests of one shape may then cost very different times."""

    def answer(self, inputs: Tensors) -> Answer:
        """Answer one request. Raises: InvalidRequest: the inputs are not the declared ones. ModelFailed."""
        self.check(inputs)
        return self.answer_checked(inputs)

    def answer_checked(self, inputs: Tensors) -> Answer:
        """Answer a request whose inputs `check` accepted.

        Raises: InputUnusable: a step cannot use what they hold. ModelFailed. Whatever the engine raises.
        """
        if self._has_steps:
            context = self.prepare(inputs)
            return self.conclude(self._infer(context.feeds), context)
        outputs = self._infer(inputs)
        declared = {name: outputs[name] for name in self._outputs}
        return Answer(declared, self._predict(declared) if self._predict else ())

    def check(self, inputs: Tensors) -> None:
        """Compare names, types and shapes with the manifest. Raises: InvalidRequest."""
        if inputs.keys() != self._inputs.keys():
            raise InvalidRequest(f"inputs are {sorted(inputs)}, this model takes {sorted(self._inputs)}")
        for name, tensor in inputs.items():
            spec, dtype = self._inputs[name]
            if tensor.dtype != dtype:
                raise InvalidRequest(f"input {name!r} must be {spec.datatype}, not {tensor.dtype}")
            self._check_shape(spec, tensor)

    def _check_shape(self, spec: TensorSpec, tensor: Tensor) -> None:
        shape = tensor.shape
        fits = len(shape) == len(spec.shape) and all(map(_fits, spec.shape, shape))
        if not fits or 0 in shape:
            reason = "no size may be 0" if fits else f"declared is {list(spec.shape)}"
            raise InvalidRequest(f"input {spec.name!r} has shape {list(shape)}, {reason}")
        batch_max = self.manifest.limits.batch_max
        if spec.has_batch and shape[0] > batch_max:
            raise InvalidRequest(f"input {spec.name!r} has {shape[0]} rows, at most {batch_max} are allowed")

    def prepare(self, inputs: Tensors) -> Context:
        """Run the steps before the model on checked inputs; `feeds` of the result are for the engine.

        With `infer` and `conclude` this is `answer_checked` in parts, for a caller that joins requests in the middle.
        Raises: InputUnusable: a step cannot use what they hold.
        """
        context = Context(labels=self.manifest.labels)
        if not self._has_steps:
            context.feeds = inputs
            return context
        try:
            context.feeds = self._before.run(inputs, context)
        except InvalidRequest as error:
            raise InputUnusable(error.message) from error
        return context

    def infer(self, feeds: Tensors) -> Tensors:
        """Run the engine, without any step. Raises: whatever the engine raises."""
        return self._infer(feeds)

    def conclude(self, outputs: Tensors, context: Context) -> Answer:
        """Run the steps after the model, and predict. Raises: ModelFailed: the outputs do not fit the package."""
        try:
            results = self._after.run(outputs, context) if self._has_steps else outputs
        except InvalidRequest as error:
            raise ModelFailed(f"the outputs do not fit the package: {error.message}") from error
        declared = {name: results[name] for name in self._outputs}
        return Answer(declared, self._predict(declared) if self._predict else ())


def _fits(declared: int, size: int) -> bool:
    return declared in (-1, size)
