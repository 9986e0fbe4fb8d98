"""Golden inputs for a package that is being built: from the user's file, or made up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import DATATYPES, DTYPES, Tensor, Tensors
from ganglion.factory.steps.data_file import read_arrays

ROWS = 4
ROWS_MAX = 16
_SEED = 0
_ELEMENTS_MAX = 50_000_000


@dataclass(frozen=True, slots=True)
class GoldenInputs:
    """The tensors, and how a client's tensors are declared."""

    specs: tuple[TensorSpec, ...]
    tensors: Tensors
    are_made_up: bool


def inputs(declared: tuple[TensorSpec, ...], file: Path | None, *, is_described: bool) -> GoldenInputs:
    """Return golden inputs for a model that declares these inputs.

    With preprocessing (`is_described`) clients send what the file holds, not what the model takes: types and shapes
    are then the file's. Raises: NotFound, InvalidRequest.
    """
    if file is None:
        return GoldenInputs(declared, make_up(declared), are_made_up=True)
    arrays = read_arrays(file)
    missing = [spec.name for spec in declared if spec.name not in arrays]
    if missing:
        raise InvalidRequest(f"{file} has no array named {missing[0]!r}; it holds {', '.join(sorted(arrays))}")
    if is_described:
        declared = tuple(_described(spec, arrays[spec.name]) for spec in declared)
    return GoldenInputs(declared, _fitted(declared, arrays), are_made_up=False)


def make_up(specs: Sequence[TensorSpec]) -> Tensors:
    """Return the same made-up rows every time. A size that a spec leaves open is 1, the batch a few rows."""
    rows = ROWS if all(spec.shape[:1] == (-1,) for spec in specs) else 1
    random = np.random.default_rng(_SEED)
    return {spec.name: _made_up(spec, rows, random) for spec in specs}


def _made_up(spec: TensorSpec, rows: int, random: np.random.Generator) -> Tensor:
    shape = tuple((rows if index == 0 else 1) if size == -1 else size for index, size in enumerate(spec.shape))
    if int(np.prod(shape, dtype=np.int64)) > _ELEMENTS_MAX:
        raise InvalidRequest(f"input {spec.name!r} is {list(shape)}: too large to be made up; use --golden INPUTS.npz")
    dtype = DTYPES[spec.datatype]
    if dtype.kind == "f":
        return random.random(shape).astype(dtype)
    if spec.datatype == "UINT8":
        return random.integers(0, 256, shape, dtype)
    # Other whole numbers may be indices or lengths, for which only 0 is always allowed.
    return np.zeros(shape, dtype)


def _described(spec: TensorSpec, array: NDArray[np.generic]) -> TensorSpec:
    datatype = DATATYPES.get(array.dtype)
    if datatype is None or array.ndim == 0:
        raise InvalidRequest(f"golden input {spec.name!r} is {array.dtype} {list(array.shape)}: that cannot be sent")
    batch = -1 if spec.shape[:1] == (-1,) else array.shape[0]
    return TensorSpec(spec.name, datatype, (batch, *array.shape[1:]))


def _fitted(specs: tuple[TensorSpec, ...], arrays: Mapping[str, NDArray[np.generic]]) -> Tensors:
    tensors = {}
    for spec in specs:
        array, dtype = arrays[spec.name], DTYPES[spec.datatype]
        if not np.can_cast(array.dtype, dtype, "same_kind"):
            raise InvalidRequest(f"golden input {spec.name!r} is {array.dtype}, the model takes {spec.datatype}")
        rows = array[:ROWS_MAX] if spec.shape[:1] == (-1,) else array
        tensors[spec.name] = np.asarray(rows, dtype, order="C")
    return tensors
