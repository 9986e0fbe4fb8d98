"""Text, BF16, and scores by class: what the binding does not take or give as it lies in memory.

Models without them pay nothing for this.
"""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # it ships no types

from ganglion.core import steps
from ganglion.core.errors import InvalidPackage, InvalidRequest
from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import Tensor, Tensors

Converter: TypeAlias = Callable[[Tensors], Tensors]
_BF16_KIND = 16  # onnx.TensorProto.BFLOAT16
SCORES_BY_CLASS = ("seq(map(string,tensor(float)))", "seq(map(int64,tensor(float)))")
"""Types of outputs that hold one map per row, as converters of scikit-learn's classifiers write them."""


def converter_for(
    session: Any,  # noqa: ANN401 - it ships no types
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
) -> Converter | None:
    """Return how to run a session whose tensors must be converted; None when none must.

    Raises: InvalidPackage: BF16 beside text or maps in one model, for which the binding has no call.
    """
    kinds = {spec.datatype for spec in (*inputs, *outputs)}
    has_python_values = "BYTES" in kinds or any(output.type in SCORES_BY_CLASS for output in session.get_outputs())
    if not (has_python_values or "BF16" in kinds):
        return None
    if has_python_values and "BF16" in kinds:
        raise InvalidPackage("a model with BF16 tensors beside text or maps cannot be served")
    run = _run_python_values if has_python_values else _run_bf16
    names = [spec.name for spec in outputs]
    brief = {spec.name for spec in inputs if spec.datatype == "BF16"}
    return lambda feeds: run(session, names, brief, feeds)


def _run_python_values(session: Any, names: list[str], _brief: set[str], feeds: Tensors) -> Tensors:  # noqa: ANN401 - untyped
    values = session.run(names, {name: _decoded(name, tensor) for name, tensor in feeds.items()})
    return {name: _encoded(value) for name, value in zip(names, values, strict=True)}


def _decoded(name: str, tensor: Tensor) -> Tensor:
    if tensor.dtype != object:
        return tensor
    text = np.empty(tensor.shape, object)
    try:
        text.ravel()[:] = [bytes(element).decode() for element in tensor.ravel()]
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"input {name!r} holds bytes that are no UTF-8 text: {error.reason}") from error
    return text


def _encoded(value: Tensor | list[dict[object, float]]) -> Tensor:
    if isinstance(value, list):
        return _scores(value)
    if value.dtype != object:
        return value
    elements = np.empty(value.shape, object)
    elements.ravel()[:] = [element.encode() for element in value.ravel()]
    return elements


def _scores(rows: list[dict[object, float]]) -> Tensor:
    """Return one row per map. The classes ascend, as in the maps of the runtime, and so the columns do."""
    return np.array([list(row.values()) for row in rows], np.float32)


def _run_bf16(session: Any, names: list[str], brief: set[str], feeds: Tensors) -> Tensors:  # noqa: ANN401 - untyped
    values = {name: _to_value(tensor, is_bf16=name in brief) for name, tensor in feeds.items()}
    results = session.run_with_ort_values(names, values)
    return {name: _from_value(result) for name, result in zip(names, results, strict=True)}


def _to_value(tensor: Tensor, *, is_bf16: bool) -> Any:  # noqa: ANN401 - it ships no types
    if not is_bf16:
        return onnxruntime.OrtValue.ortvalue_from_numpy(tensor)
    raw = np.frombuffer(steps.to_bytes(tensor, "BF16"), np.uint16).reshape(tensor.shape)
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(raw, _BF16_KIND)


def _from_value(value: Any) -> Tensor:  # noqa: ANN401 - it ships no types
    if value.data_type() != "tensor(bfloat16)":
        return np.asarray(value.numpy())
    # numpy has no such number, so the binding has no way out for it; the memory is the value's until it is gone.
    size_bytes = value.tensor_size_in_bytes()
    return steps.from_bytes(ctypes.string_at(value.data_ptr(), size_bytes), "BF16", tuple(value.shape()))
