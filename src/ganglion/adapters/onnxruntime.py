"""ONNX Runtime on the CPU: sessions with a stated number of threads, and its exceptions as ours.

A package holds one ONNX file with its weights inside. The file is loaded by path, never from bytes:
then the runtime itself refuses weights in files outside the package's directory, and the package
holds no file that its manifest does not list.
"""

from pathlib import Path
from typing import Any

import onnxruntime  # type: ignore[import-untyped]  # it ships no types
from onnxruntime.capi import (  # type: ignore[import-untyped]  # it ships no types
    onnxruntime_pybind11_state as native,
)

from ganglion.core.errors import InvalidPackage, InvalidRequest, ModelFailed
from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import Datatype, Tensors

_PROVIDERS = ["CPUExecutionProvider"]
_FATAL_ONLY = 4  # whatever the runtime has to say is in the exception

_ERRORS: tuple[type[Exception], ...] = (
    *(kind for kind in vars(native).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    RuntimeError,
    ValueError,
    TypeError,
    MemoryError,
)

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
}


class OnnxEngine:
    """One session. Implements `ports.runtime.Engine`; safe to call from several threads."""

    def __init__(self, session: Any) -> None:  # noqa: ANN401 - it ships no types
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]

    def infer(self, feeds: Tensors) -> Tensors:
        """Return every output by name.

        Raises: InvalidRequest: the model does not take these tensors. ModelFailed: the runtime failed on them.
        """
        try:
            values = self._session.run(self._outputs, dict(feeds))
        except native.InvalidArgument as error:
            raise InvalidRequest(f"the model does not take this input: {_line(error)}") from error
        except _ERRORS as error:
            raise ModelFailed(f"ONNX Runtime failed: {_line(error)}") from error
        return dict(zip(self._outputs, values, strict=True))


class OnnxRuntime:
    """Implements `ports.runtime.Runtime`."""

    name = "onnxruntime"

    def load(self, path: Path, *, threads: int) -> OnnxEngine:
        """Load a model file. Raises: InvalidPackage: ONNX Runtime cannot run it."""
        return OnnxEngine(_open(path, threads))


def describe(path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return the inputs and outputs that a model file declares; a size that it leaves open is -1.

    Raises: InvalidPackage: ONNX Runtime cannot load it, or a value is not a tensor of numbers.
    """
    session = _open(path, threads=1)
    inputs = tuple(_spec(value, "input") for value in session.get_inputs())
    return inputs, tuple(_spec(value, "output") for value in session.get_outputs())


def _open(path: Path, threads: int) -> Any:  # noqa: ANN401 - it ships no types
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    # Idle threads that spin take the cores from the programs that the node was bought for.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=_PROVIDERS)
    except _ERRORS as error:
        reason = _line(error).replace(f"Load model from {path} failed:", "")
        hint = "; save the model as one file, with its weights inside" if "External data" in str(error) else ""
        raise InvalidPackage(f"ONNX Runtime cannot load {path.name}: {reason}{hint}") from error


def _spec(value: Any, what: str) -> TensorSpec:  # noqa: ANN401 - it ships no types
    datatype = _DATATYPES.get(value.type)
    if datatype is None:
        raise InvalidPackage(f"{what} {value.name!r} is a {value.type}: only tensors of numbers can be served")
    shape = tuple(size if isinstance(size, int) and size >= 0 else -1 for size in value.shape)
    return TensorSpec(name=value.name, datatype=datatype, shape=shape)


def _line(error: Exception) -> str:
    """Return the runtime's message in one line, without its prefix "[ONNXRuntimeError] : 1 : FAIL : "."""
    text = " ".join(str(error).split())
    return text.split(" : ", 3)[-1] if text.startswith("[ONNXRuntimeError]") else text
