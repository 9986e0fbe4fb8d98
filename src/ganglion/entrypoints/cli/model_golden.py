"""Golden inputs for a package that is being built: from the user's file, or made up."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganglion.core import made_up
from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import (
    DATATYPES,
    DTYPES,
    DecodeImage,
    Resize,
    Step,
    Tensors,
    Window,
    bytes_tensor,
    sent_as,
)
from ganglion.factory.steps.data_file import read_arrays

ROWS = 4
ROWS_MAX = 16
_PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png"}
_ANY_SIZE: dict[type, frozenset[int]] = {Resize: frozenset({1, 2}), Window: frozenset({1})}
"""The dimensions that a first step accepts in any size, so that clients may send any."""


@dataclass(frozen=True, slots=True)
class GoldenInputs:
    """The tensors, and how a client's tensors are declared."""

    specs: tuple[TensorSpec, ...]
    tensors: Tensors
    are_made_up: bool


def inputs(model: tuple[TensorSpec, ...], file: Path | None, preprocess: tuple[Step, ...]) -> GoldenInputs:
    """Return golden inputs for a model that takes these inputs after preprocessing.

    With preprocessing clients send what the file holds, not what the model takes: types and shapes are then the
    file's. Raises: NotFound, InvalidRequest.
    """
    declared = tuple(_as_sent(spec, preprocess) for spec in model)
    if file is None:
        return GoldenInputs(declared, _made_up(declared), are_made_up=True)
    if file.is_dir() or file.suffix.lower() in _PICTURE_SUFFIXES:
        return GoldenInputs(declared, _pictures(declared, file), are_made_up=False)
    arrays = read_arrays(file)
    missing = [spec.name for spec in declared if spec.name not in arrays]
    if missing:
        raise InvalidRequest(f"{file} has no array named {missing[0]!r}; it holds {', '.join(sorted(arrays))}")
    if preprocess:
        declared = tuple(_described(spec, arrays[spec.name], preprocess) for spec in declared)
    return GoldenInputs(declared, _fitted(declared, arrays), are_made_up=False)


def _as_sent(spec: TensorSpec, preprocess: tuple[Step, ...]) -> TensorSpec:
    """Return what clients send for an input of the model: another name, or files instead of pixels."""
    name, working = sent_as(preprocess, spec.name)
    if any(isinstance(step, DecodeImage) for step in working):
        return TensorSpec(name, "BYTES", (spec.shape[0] if spec.shape else 1,))
    return spec if name == spec.name else TensorSpec(name, spec.datatype, spec.shape)


def _pictures(declared: tuple[TensorSpec, ...], path: Path) -> Tensors:
    """Return image files as rows: one file, or those of a folder in the order of their names."""
    if len(declared) != 1 or declared[0].datatype != "BYTES":
        raise InvalidRequest(f"{path}: only a model whose one input begins with decode_image takes image files")
    files = (
        sorted(each for each in path.iterdir() if each.suffix.lower() in _PICTURE_SUFFIXES) if path.is_dir() else [path]
    )
    rows_max = ROWS_MAX if declared[0].has_batch else 1
    try:
        pictures = [each.read_bytes() for each in files[:rows_max]]
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from error
    if not pictures:
        raise NotFound(f"{path} holds no image files ({', '.join(sorted(_PICTURE_SUFFIXES))})")
    return {declared[0].name: bytes_tensor(pictures)}


def _made_up(specs: tuple[TensorSpec, ...]) -> Tensors:
    try:
        return made_up.make_up(specs, rows=ROWS)
    except InvalidRequest as error:
        raise InvalidRequest(f"{error.message}; use --golden INPUTS.npz") from error


def _described(spec: TensorSpec, array: NDArray[np.generic], preprocess: tuple[Step, ...]) -> TensorSpec:
    datatype = "BYTES" if array.dtype.kind == "S" else DATATYPES.get(array.dtype)
    if datatype is None or array.ndim == 0:
        raise InvalidRequest(f"golden input {spec.name!r} is {array.dtype} {list(array.shape)}: that cannot be sent")
    batch = -1 if spec.shape[:1] == (-1,) else array.shape[0]
    first = next((step for step in preprocess if step.tensor == spec.name), None)
    is_open = _ANY_SIZE.get(type(first), frozenset())
    sizes = [-1 if axis in is_open else size for axis, size in enumerate(array.shape)]
    return TensorSpec(spec.name, datatype, (batch, *sizes[1:]))


def _fitted(specs: tuple[TensorSpec, ...], arrays: Mapping[str, NDArray[np.generic]]) -> Tensors:
    tensors = {}
    for spec in specs:
        array, dtype = arrays[spec.name], DTYPES[spec.datatype]
        if array.dtype.kind != "S" and not np.can_cast(array.dtype, dtype, "same_kind"):
            raise InvalidRequest(f"golden input {spec.name!r} is {array.dtype}, the model takes {spec.datatype}")
        rows = array[:ROWS_MAX] if spec.shape[:1] == (-1,) else array
        tensors[spec.name] = np.asarray(rows, dtype, order="C")
    return tensors
