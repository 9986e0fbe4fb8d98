"""One session as an engine: names and types of its tensors, and its exceptions as ours."""

from typing import Any

from onnxruntime.capi import (  # type: ignore[import-untyped]  # it ships no types
    onnxruntime_pybind11_state as native,
)

from ganglion.adapters.onnxruntime import values
from ganglion.core.engine_options import Provider
from ganglion.core.errors import InvalidPackage, InvalidRequest
from ganglion.core.manifest import TensorSpec
from ganglion.core.serving_errors import ModelFailed
from ganglion.core.steps import Datatype, Tensors
from ganglion.ports.runtime import Unloaded, ignore_unload

ERRORS: tuple[type[Exception], ...] = (
    *(kind for kind in vars(native).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    RuntimeError,
    ValueError,
    TypeError,
    MemoryError,
)
# The binding looks for missing inputs itself, and says so with a ValueError.
_BAD_INPUT = (native.InvalidArgument, ValueError)

_DATATYPES: dict[str, Datatype] = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(bfloat16)": "BF16",
    "tensor(string)": "BYTES",
}


class OnnxEngine:
    """One session. Implements `ports.runtime.Engine`; calls run side by side."""

    is_parallel = True
    is_stateful = False

    def __init__(
        self,
        session: Any,  # noqa: ANN401 - it ships no types
        provider: Provider,
        unloaded: Unloaded = ignore_unload,
    ) -> None:
        self._session, self._unloaded = session, unloaded
        # What `InferenceSession.run` calls after it has looked at names, at WebGPU graphs and at who owns what: a
        # tenth of a small model's time, for questions that are answered here or that numpy arrays do not raise.
        self._run = session._sess.run  # noqa: SLF001 - the public way costs 2.5 us
        self._convert: values.Converter | None = None
        self.provider = provider
        self.inputs = tuple(_spec(value, "input") for value in session.get_inputs())
        self.outputs = tuple(_spec(value, "output") for value in session.get_outputs())
        self._names = {spec.name for spec in self.inputs}
        self._outputs = [output.name for output in self.outputs]
        self._convert = values.converter_for(session, self.inputs, self.outputs)

    def infer(self, feeds: Tensors) -> Tensors:
        """Return every output by name.

        Raises: InvalidRequest: the model does not take these tensors. ModelFailed: the runtime failed on them.
        """
        if feeds.keys() != self._names:
            raise InvalidRequest(f"the model does not take this input: {sorted(feeds)} are not {sorted(self._names)}")
        try:
            if self._convert:
                return self._convert(feeds)
            results = self._run(self._outputs, dict(feeds), None)
        except _BAD_INPUT as error:
            raise InvalidRequest(f"the model does not take this input: {line(error)}") from error
        except ERRORS as error:
            raise ModelFailed(f"ONNX Runtime failed: {line(error)}") from error
        return dict(zip(self._outputs, results, strict=True))

    def __del__(self) -> None:
        # The converter holds the session, too.
        self._session = self._convert = None
        self._unloaded()

    def open_sequence(self) -> "OnnxEngine":
        """Return itself: ONNX files keep nothing. One with a state takes it as an input and returns the next one."""
        return self

    def reset(self) -> None:
        """Do nothing: there is nothing to forget."""


def _spec(value: Any, what: str) -> TensorSpec:  # noqa: ANN401 - it ships no types
    if what == "output" and value.type in values.SCORES_BY_CLASS:
        return TensorSpec(name=value.name, datatype="FP32", shape=(-1, -1))
    datatype = _DATATYPES.get(value.type)
    if datatype is None:
        raise InvalidPackage(f"{what} {value.name!r} is a {value.type}: only tensors of numbers or text can be served")
    shape = tuple(size if isinstance(size, int) and size >= 0 else -1 for size in value.shape)
    return TensorSpec(name=value.name, datatype=datatype, shape=shape)


def line(error: Exception) -> str:
    """Return the runtime's message in one line, without its prefix "[ONNXRuntimeError] : 1 : FAIL : "."""
    text = " ".join(str(error).split())
    return text.split(" : ", 3)[-1] if text.startswith("[ONNXRuntimeError]") else text
