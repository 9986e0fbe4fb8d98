"""Inputs that nobody gave: what a model is warmed up, tried and shown with when it comes without golden inputs.

The same specs give the same tensors every time. What a model does with them proves nothing.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.made_up_picture import picture
from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import DTYPES, OBJECT, Tensor, Tensors, bytes_tensor

_ELEMENTS_MAX = 50_000_000
_OPEN_SIZES = (1, 8, 32, 128, 224, 256, 512)
"""What open dimensions are tried with: series, windows of audio, and pictures mostly take one of these."""


def make_up(specs: Sequence[TensorSpec], *, rows: int, open_size: int = 1) -> Tensors:
    """Return `rows` rows of made-up inputs, or one row of a model that takes no batches.

    Raises: InvalidRequest: they would be too large.
    """
    count = rows if all(spec.has_batch for spec in specs) else 1
    return {
        spec.name: _tensor(spec, _shape(spec, count, open_size), place * _ELEMENTS_MAX)
        for place, spec in enumerate(specs)
    }


def candidates(specs: Sequence[TensorSpec]) -> Iterator[Tensors]:
    """Yield single rows to try in turn: a model seldom says which sizes it takes in the dimensions that it leaves open.

    Raises: InvalidRequest: they would be too large.
    """
    is_open = any(-1 in spec.shape[1 if spec.has_batch else 0 :] for spec in specs)
    for size in _OPEN_SIZES if is_open else _OPEN_SIZES[:1]:
        yield make_up(specs, rows=1, open_size=size)


def _shape(spec: TensorSpec, rows: int, open_size: int) -> tuple[int, ...]:
    if spec.has_batch:
        return (rows, *(open_size if size == -1 else size for size in spec.shape[1:]))
    # Inside a tensor that is no batch, as a recurrent state [layers, batch, units], what is open is the batch.
    is_state = len(spec.shape) > 1
    return tuple((1 if is_state else open_size) if size == -1 else size for size in spec.shape)


def _tensor(spec: TensorSpec, shape: tuple[int, ...], begin: int) -> Tensor:
    if int(np.prod(shape, dtype=np.float64)) > _ELEMENTS_MAX:
        raise InvalidRequest(f"input {spec.name!r} is {list(shape)}: too large to be made up")
    dtype = DTYPES[spec.datatype]
    if dtype == OBJECT:
        # Bytes are mostly a picture; a model that takes others refuses it, and is not warmed up.
        return bytes_tensor([picture()] * int(np.prod(shape))).reshape(shape)
    if dtype.kind == "f":
        # 53 bits are all that a number of 64 bits holds.
        # Without `asarray` a tensor of no dimensions would become a number, which no engine takes.
        return np.asarray(np.ldexp((_noise(shape, begin) >> np.uint64(11)).astype(np.float64), -53)).astype(dtype)
    if spec.datatype == "UINT8":
        return np.asarray(_noise(shape, begin) >> np.uint64(56)).astype(dtype)
    # Other whole numbers may be indices or lengths, for which only 0 is always allowed.
    return np.zeros(shape, dtype)


def _noise(shape: tuple[int, ...], begin: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint64]]":
    """Return 64 random bits per element, without numpy's generators: to import them takes a serving process 9 ms.

    Source: SplitMix64, in G. L. Steele, D. Lea, C. H. Flood, Fast Splittable Pseudorandom Number Generators, 2014.
    """
    bits = np.arange(begin + 1, begin + 1 + math.prod(shape), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits ^= bits >> np.uint64(shift)
        bits *= np.uint64(factor)
    bits ^= bits >> np.uint64(31)
    return bits.reshape(shape)
