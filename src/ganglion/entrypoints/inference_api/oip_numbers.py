"""Tensors from JSON values, in every datatype of the protocol."""

import array
import contextlib
import math

import numpy as np
import orjson

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import DTYPES, Tensor, bytes_tensor, shaped

_KINDS = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}
"""Which kinds of JSON numbers a kind of element accepts: an integer is a float, never the reverse."""
_LIMITS = {dtype: float(np.finfo(dtype).max) for dtype in DTYPES.values() if dtype.kind == "f"}


def dtype_of(datatype: str, *, what: str) -> "np.dtype[np.generic]":
    """Return how a datatype lies in memory. Raises: InvalidRequest: there is no such datatype."""
    dtype = DTYPES.get(datatype)
    if dtype is None:
        raise InvalidRequest(f"{what}: datatype {datatype[:40]!r} is none of {', '.join(DTYPES)}")
    return dtype


def from_json(text: bytes | memoryview, datatype: str, shape: tuple[int, ...], *, what: str) -> Tensor:
    """Return the tensor in a JSON value, a nested or a flat list. Raises: InvalidRequest: with what does not fit."""
    dtype = dtype_of(datatype, what=what)
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"{what}: data is not JSON: {error}") from error
    if dtype.kind == "O":
        return _strings(values, shape, what)
    numbers = _regular(values, dtype, what)
    if numbers.dtype.kind not in _KINDS[dtype.kind]:
        raise InvalidRequest(f"{what}: data holds what is not {datatype}")
    if numbers.size != math.prod(shape) or (numbers.ndim != 1 and numbers.shape != shape):
        raise InvalidRequest(f"{what}: data has shape {list(numbers.shape)}, declared is {list(shape)}")
    if not _holds(dtype, numbers):
        raise InvalidRequest(f"{what}: data holds numbers that {datatype} cannot")
    return shaped(numbers.astype(dtype), shape)


def _regular(values: object, dtype: "np.dtype[np.generic]", what: str) -> Tensor:
    """Return the values as an array of whatever type holds them. Raises: InvalidRequest: they are no regular list."""
    if dtype.kind == "f" and isinstance(values, list) and values and isinstance(values[0], float):
        # A flat list of floats, nearly always: half the price of letting numpy find out.
        with contextlib.suppress(TypeError, OverflowError):
            return np.frombuffer(array.array("d", values))
    try:
        return np.array(values)
    except (ValueError, RecursionError, OverflowError) as error:
        raise InvalidRequest(f"{what}: data is not a regular list of numbers: {error}") from error


def _holds(dtype: "np.dtype[np.generic]", numbers: Tensor) -> bool:
    """Say whether an element type can hold these numbers: what does not fit is an error, never a wrap-around."""
    if dtype.kind != "f":
        return bool((numbers.astype(dtype) == numbers).all())
    limit = _LIMITS[dtype]
    # When the squares add up to little, no number is large: one cheap pass instead of two.
    if numbers.ndim == 1 and numbers.dtype.kind == "f":
        with np.errstate(over="ignore"):
            if numbers.dot(numbers) < limit:
                return True
    # An empty tensor is refused later, with a better reason.
    # Python's own numbers: the lowest integer of numpy has no magnitude that fits.
    return not numbers.size or bool(abs(numbers.max().item()) <= limit and abs(numbers.min().item()) <= limit)


def _strings(values: object, shape: tuple[int, ...], what: str) -> Tensor:
    elements: list[bytes] = []
    _gather(values, elements, shape, what)
    if len(elements) != math.prod(shape):
        raise InvalidRequest(f"{what}: data has {len(elements)} strings, declared is {list(shape)}")
    return shaped(bytes_tensor(elements), shape)


def _gather(values: object, elements: list[bytes], shape: tuple[int, ...], what: str) -> None:
    """Collect the strings of a list, flat or nested as the shape says."""
    if not isinstance(values, list):
        raise InvalidRequest(f"{what}: data is not a regular list of strings")
    is_nested = len(shape) > 1 and any(isinstance(value, list) for value in values)
    if is_nested and len(values) != shape[0]:
        raise InvalidRequest(f"{what}: a list has {len(values)} members, declared is {list(shape)}")
    for value in values:
        if is_nested:
            _gather(value, elements, shape[1:], what)
        elif isinstance(value, str):
            elements.append(value.encode())
        else:
            raise InvalidRequest(f"{what}: data holds what is not BYTES: only strings are")
