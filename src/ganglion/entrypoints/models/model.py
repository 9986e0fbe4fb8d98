"""`ganglion.Model`: a model with its steps inside your own program, without a server in between.

    from ganglion import Model

    with Model.load("gate.onnx") as model:
        result = model.predict(rows)

The steps, the checks and the engine are those of the serving process.
"""

import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from ganglion.core.errors import Rejected
from ganglion.core.manifest import Manifest, TensorSpec
from ganglion.core.pipeline import Answer, Pipeline
from ganglion.core.steps import Tensors
from ganglion.entrypoints.models import array_inputs, bare_models, engines, local_packages
from ganglion.entrypoints.models.array_inputs import Inputs
from ganglion.entrypoints.models.cores import threads_of
from ganglion.entrypoints.models.pixel_inputs import PixelInput
from ganglion.ports.runtime import Engine


class Result:
    """What a model answered: its outputs by name and, when its package says how, one label per row."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @property
    def outputs(self) -> Tensors:
        """The declared outputs, by name."""
        return self._answer.outputs

    @property
    def labels(self) -> tuple[str, ...]:
        """The most likely class of each row; empty when the package declares no prediction."""
        return tuple([prediction.label for prediction in self._answer.predictions])

    @property
    def confidences(self) -> tuple[float, ...]:
        """How sure the model is of each label, from 0 to 1."""
        return tuple([prediction.confidence for prediction in self._answer.predictions])

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in self.outputs.items())
        return f"Result({shapes}; labels: {', '.join(self.labels)})" if self.labels else f"Result({shapes})"


class Model:
    """A loaded model. Any thread may call `predict` at any time; where the engine allows it, calls run side by side."""

    def __init__(self, manifest: Manifest, engine: Engine, resources: ExitStack) -> None:
        self.manifest = manifest
        self._engine: Engine | None = engine
        self._pipeline: Pipeline | None = Pipeline(manifest, engine.infer)
        self._decoded = PixelInput.of(manifest, engine.infer)
        self._resources = resources

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, threads: int = 0) -> Self:
        """Load a model file, or a package in either form. 0 threads leave one core to the rest of the machine.

        Raises: NotFound, InvalidPackage: nothing here can be loaded. TargetMismatch: not on this machine.
            MissingExtra: its runtime is not installed.
        """
        place, count = Path(path), threads_of(threads)
        if bare_models.is_model_file(place):
            bare = bare_models.load_bare(place, threads=count)
            return cls(bare.manifest, bare.engine, ExitStack())
        with ExitStack() as stack:
            package = stack.enter_context(local_packages.open_package(place))
            package.check_arch()
            package.pass_gate(bare_models.DEFAULT_GATE)
            file = package.directory / package.manifest.model
            engine = engines.load_engine(package.manifest.target, file, threads=count)
            return cls(package.manifest, engine, stack.pop_all())

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What it takes; a size of -1 is open."""
        return self.manifest.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What it gives."""
        return self.manifest.outputs

    def predict(self, inputs: Inputs) -> Result:
        """Answer an array, or several by name. One row may come without its batch dimension.

        A model that takes image files takes their bytes, a path, pixels [height, width, channels], or Pillow's images.
        Raises: InvalidRequest: the model does not take this. ModelFailed: it failed on it. Rejected: it is closed.
        """
        pipeline, decoded = self._pipeline, self._decoded
        if pipeline is None:
            raise _closed()
        if decoded is not None:
            pixels = decoded.pixels_in(inputs)
            if pixels is not None:
                return Result(decoded.pipeline.answer({decoded.spec.name: pixels}))
        return Result(pipeline.answer(array_inputs.named(inputs, self.manifest.inputs)))

    def open_sequence(self) -> Self:
        """Return the model with a memory of its own: each `predict` goes on from the one before.

        Without it a model that keeps state, as an LSTM may, begins each call from the state in its file. Raises:
        Rejected: it is closed. InvalidPackage: the file is not there any more.
        """
        if self._engine is None:
            raise _closed()
        return type(self)(self.manifest, self._engine.open_sequence(), ExitStack())

    def close(self) -> None:
        """Free the model, when the calls that run now have ended. Closing twice is fine."""
        self._engine = self._pipeline = self._decoded = None
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Model({self.manifest.name}:{self.manifest.version})"


def _closed() -> Rejected:
    return Rejected("the model is closed: load it again")
