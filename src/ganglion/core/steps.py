"""Declarative pre- and postprocessing: the same numpy code in evaluation and on the node.

Each step rewrites one named tensor. A step that a release does not know is an error when the
manifest is parsed, never a silent skip.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, assert_never

import msgspec
import numpy as np
from numpy.typing import NDArray

from ganglion.core.errors import InvalidRequest

Tensor: TypeAlias = NDArray[Any]
"""Steps change the element type, so a tensor's is not static; `TensorSpec.datatype` states it at the edges."""
Tensors: TypeAlias = Mapping[str, Tensor]
Datatype: TypeAlias = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64"
]
"""Names of the Open Inference Protocol v2."""


class _Base(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step"):
    tensor: str


class Scale(_Base, frozen=True, tag="scale"):
    """value * factor + offset, as FP32."""

    factor: float
    offset: float = 0.0


class Normalise(_Base, frozen=True, tag="normalise"):
    """(value - mean) / std along `axis`, as FP32."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    axis: int = -1


class Clip(_Base, frozen=True, tag="clip"):
    """Limit values to [low, high]."""

    low: float
    high: float


class Cast(_Base, frozen=True, tag="cast"):
    """Convert the element type."""

    datatype: Datatype


class Reshape(_Base, frozen=True, tag="reshape"):
    """Give every row this shape; the batch dimension stays."""

    row: tuple[int, ...]


class Transpose(_Base, frozen=True, tag="transpose"):
    """Reorder the dimensions."""

    axes: tuple[int, ...]


class Softmax(_Base, frozen=True, tag="softmax"):
    """Turn scores into probabilities along the last axis."""


class Sigmoid(_Base, frozen=True, tag="sigmoid"):
    """Turn scores into independent probabilities."""


Step: TypeAlias = Scale | Normalise | Clip | Cast | Reshape | Transpose | Softmax | Sigmoid

DATATYPES: dict[np.dtype[Any], Datatype] = {
    np.dtype("?"): "BOOL",
    np.dtype("<u1"): "UINT8",
    np.dtype("<u2"): "UINT16",
    np.dtype("<u4"): "UINT32",
    np.dtype("<u8"): "UINT64",
    np.dtype("<i1"): "INT8",
    np.dtype("<i2"): "INT16",
    np.dtype("<i4"): "INT32",
    np.dtype("<i8"): "INT64",
    np.dtype("<f2"): "FP16",
    np.dtype("<f4"): "FP32",
    np.dtype("<f8"): "FP64",
}
DTYPES: dict[str, np.dtype[Any]] = {name: dtype for dtype, name in DATATYPES.items()}


def apply(steps: Sequence[Step], tensors: Tensors) -> Tensors:
    """Run `steps` in order and return the tensors after the last.

    Raises: InvalidRequest: a step names a tensor that is not there, or does not fit its shape.
    """
    if not steps:
        return tensors
    current = dict(tensors)
    for step in steps:
        if step.tensor not in current:
            raise InvalidRequest(f"step {type(step).__name__.lower()}: there is no tensor {step.tensor!r}")
        try:
            current[step.tensor] = _apply_one(step, current[step.tensor])
        except (ValueError, KeyError) as error:
            raise InvalidRequest(f"step {type(step).__name__.lower()} on {step.tensor!r}: {error}") from error
    return current


def softmax(scores: Tensor) -> Tensor:
    """Return probabilities along the last axis; safe for large scores."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _apply_one(step: Step, tensor: Tensor) -> Tensor:  # noqa: PLR0911 - one return per kind of step
    match step:
        case Scale():
            return tensor.astype(np.float32) * np.float32(step.factor) + np.float32(step.offset)
        case Normalise():
            return _normalise(step, tensor)
        case Clip():
            return np.clip(tensor, step.low, step.high)
        case Cast():
            return tensor.astype(DTYPES[step.datatype])
        case Reshape():
            return tensor.reshape(tensor.shape[0], *step.row)
        case Transpose():
            return np.ascontiguousarray(tensor.transpose(step.axes))
        case Softmax():
            return softmax(tensor)
        case Sigmoid():
            return np.asarray(1.0 / (1.0 + np.exp(-tensor)))
        case _:
            assert_never(step)


def _normalise(step: Normalise, tensor: Tensor) -> Tensor:
    shape = [1] * tensor.ndim
    shape[step.axis] = len(step.mean)
    mean = np.asarray(step.mean, np.float32).reshape(shape)
    std = np.asarray(step.std, np.float32).reshape(shape)
    return np.asarray((tensor.astype(np.float32) - mean) / std)
