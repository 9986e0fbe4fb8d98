"""Makes the tensors that a model declares from what a program has at hand: arrays, lists, files, texts.

A tensor that fits already is passed on as it is. Nothing is converted if that could change what it means: a
fraction never becomes a whole number, and a whole number never one that it does not fit into.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import DTYPES, OBJECT, Tensor, Tensors, bytes_tensor


class HasArray(Protocol):
    """What numpy can read although it is no array, as an image of Pillow's."""

    @property
    def __array_interface__(self) -> Mapping[str, object]: ...


Input: TypeAlias = ArrayLike | HasArray | bytes | bytearray | os.PathLike[str]
"""An array or whatever numpy makes one of. For an input of bytes: bytes, a text, a file, or a list of these."""
Inputs: TypeAlias = Input | Mapping[str, Input]
"""By name, when the model has several inputs."""


def named(inputs: Inputs, specs: Sequence[TensorSpec]) -> Tensors:
    """Return tensors by name, for the pipeline to check. Raises: InvalidRequest: it cannot be converted. NotFound."""
    if isinstance(inputs, Mapping):
        known = {spec.name: spec for spec in specs}
        if inputs.keys() != known.keys():
            raise InvalidRequest(f"inputs are {sorted(inputs)}, this model takes {sorted(known)}")
        return {name: fitted(known[name], value) for name, value in inputs.items()}
    if len(specs) != 1:
        names = ", ".join(repr(spec.name) for spec in specs)
        raise InvalidRequest(f"the model has {len(specs)} inputs, so give them by name: {names}")
    return {specs[0].name: fitted(specs[0], inputs)}


def fitted(spec: TensorSpec, value: Input) -> Tensor:
    """Return one tensor of the declared type, with a batch dimension. Raises: InvalidRequest, NotFound."""
    dtype, rank = DTYPES[spec.datatype], len(spec.shape)
    if isinstance(value, np.ndarray) and value.dtype == dtype and value.ndim == rank:
        return value
    if dtype == OBJECT:
        return _texts(spec, value)
    tensor = _numbers(spec, value)
    if tensor.ndim == rank - 1 and spec.shape[0] in (-1, 1):
        tensor = tensor[np.newaxis]
    return tensor if tensor.dtype == dtype else _converted(spec, tensor, dtype)


def _texts(spec: TensorSpec, value: object) -> Tensor:
    """Return a tensor of bytes: one row for one value, one row per value of a list."""
    if isinstance(value, list | tuple | np.ndarray):
        return bytes_tensor([_bytes(spec, each) for each in value])
    return bytes_tensor([_bytes(spec, value)])


def _bytes(spec: TensorSpec, value: object) -> bytes:
    match value:
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case str():
            return value.encode()
        case os.PathLike():
            return _content(Path(value))
        case _:
            raise InvalidRequest(f"input {spec.name!r} takes bytes, a text or a path, not {type(value).__name__}")


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}") from error


def _numbers(spec: TensorSpec, value: object) -> Tensor:
    try:
        tensor: Tensor = np.asarray(value)
    except ValueError as error:
        raise InvalidRequest(f"input {spec.name!r} cannot be made an array: {error}") from error
    if tensor.dtype.kind not in "biuf":
        raise InvalidRequest(f"input {spec.name!r} takes numbers ({spec.datatype}), not {type(value).__name__}")
    return tensor


def _converted(spec: TensorSpec, tensor: Tensor, dtype: np.dtype[Any]) -> Tensor:
    if dtype.kind == "f" or (dtype.kind in "iu" and _holds(dtype, tensor)):
        return tensor.astype(dtype)
    raise InvalidRequest(f"input {spec.name!r} takes {spec.datatype}; {tensor.dtype} would not keep its values")


def _holds(dtype: np.dtype[Any], tensor: Tensor) -> bool:
    """Whether an integer type holds every value."""
    if tensor.dtype.kind not in "iu" or not tensor.size:
        return tensor.dtype.kind in "biu"
    limits = np.iinfo(dtype)
    return int(tensor.min()) >= limits.min and int(tensor.max()) <= limits.max
