"""Tensors and types inside an ONNX file: nothing outside the file, and no size that its bytes do not bear out."""

from collections import Counter
from typing import Final, NamedTuple

from ganglion.core.errors import InvalidPackage
from ganglion.trust.model_files import onnx_schema as schema
from ganglion.trust.model_files.limits import ModelFileLimits
from ganglion.trust.model_files.onnx_wire import (
    Budget,
    Value,
    count_fixed,
    count_varints,
    integer,
    integers,
    message,
    read,
    text,
)

RANK_MAX: Final = 64
_TYPE_DEPTH_MAX = 16
_SHOWN = 80


class _Element(NamedTuple):
    """How one kind of number is stored when it does not stand in `raw_data`."""

    bits: int
    field: str
    per_element: int = 1


_ELEMENTS: Final = {
    1: _Element(32, "float_data"),
    2: _Element(8, "int32_data"),
    3: _Element(8, "int32_data"),
    4: _Element(16, "int32_data"),
    5: _Element(16, "int32_data"),
    6: _Element(32, "int32_data"),
    7: _Element(64, "int64_data"),
    8: _Element(64, "string_data"),
    9: _Element(8, "int32_data"),
    10: _Element(16, "int32_data"),
    11: _Element(64, "double_data"),
    12: _Element(32, "uint64_data"),
    13: _Element(64, "uint64_data"),
    14: _Element(64, "float_data", 2),
    15: _Element(128, "double_data", 2),
    16: _Element(16, "int32_data"),
    **{kind: _Element(8, "int32_data") for kind in (17, 18, 19, 20, 24)},  # 8-bit floats
    **{kind: _Element(4, "int32_data") for kind in (21, 22, 23)},  # two to a byte
    **{kind: _Element(2, "int32_data") for kind in (25, 26)},  # four to a byte
}
_STRING = 8
_BYTE_BITS = 8
_FIXED_BYTES = {"float_data": 4, "double_data": 8}
_INSIDE = 0


class TensorCheck:
    """Checks tensors and types of one file."""

    def __init__(self, limits: ModelFileLimits, budget: Budget) -> None:
        self._limits, self._budget = limits, budget

    def tensor(self, data: memoryview) -> None:
        """Check one tensor with its numbers. Raises: InvalidPackage."""
        name, kind, dims, held = "", 0, list[int](), Counter[str]()
        for field, value in read(schema.TENSOR, data, self._budget):
            match field:
                case "name":
                    name = text(value)
                case "data_type":
                    kind = integer(value)
                case "dims":
                    dims = _extended(dims, value)
                case "external_data" | "data_location" | "segment":
                    self._refuse_outside(field, value)
                case "doc_string" | "metadata_props":
                    pass
                case _:
                    held[field] += _count(field, value)
        _check_size(f"tensor {name[:_SHOWN]!r}", kind, dims, held)

    def sparse(self, data: memoryview) -> None:
        """Check a tensor that lists its values that are not zero: an engine makes it whole. Raises: InvalidPackage."""
        dims: list[int] = []
        for field, value in read(schema.SPARSE_TENSOR, data, self._budget):
            if field == "dims":
                dims = _extended(dims, value)
            else:
                self.tensor(message(value))
        self._check_declared(dims, bits=64)

    def value(self, data: memoryview) -> None:
        """Check the declared type of an input, an output, or a value between operators. Raises: InvalidPackage."""
        for field, value in read(schema.VALUE, data, self._budget):
            if field == "type":
                self.type(message(value))

    def type(self, data: memoryview, depth: int = 1) -> None:
        """Check a type. Raises: InvalidPackage: sizes that nobody has, or types in types in types."""
        if depth > _TYPE_DEPTH_MAX:
            raise InvalidPackage(f"types are nested deeper than {_TYPE_DEPTH_MAX}")
        for field, value in read(schema.TYPE, data, self._budget):
            match field:
                case "tensor_type" | "sparse_tensor_type":
                    self._tensor_type(message(value))
                case "sequence_type" | "optional_type" | "map_type":
                    kind = schema.MAP_TYPE if field == "map_type" else schema.SEQUENCE_TYPE
                    for inner, nested in read(kind, message(value), self._budget):
                        if inner != "key_type":
                            self.type(message(nested), depth + 1)
                case "opaque_type":
                    raise InvalidPackage("it uses an opaque type, which only a native library knows")

    def _tensor_type(self, data: memoryview) -> None:
        bits, dims = 64, list[int]()
        for field, value in read(schema.TENSOR_TYPE, data, self._budget):
            if field == "elem_type":
                bits = _element(integer(value), "a value").bits if value else bits
            else:
                dims = self._shape(message(value))
        self._check_declared(dims, bits=bits)

    def _shape(self, data: memoryview) -> list[int]:
        dims: list[int] = []
        for _, dimension in read(schema.SHAPE, data, self._budget):
            for field, value in read(schema.DIMENSION, message(dimension), self._budget):
                if field == "dim_value":
                    dims = _extended(dims, value)
        return dims

    def _check_declared(self, dims: list[int], *, bits: int) -> None:
        """Sizes that are left open, written as -1 or 0, count as one."""
        size_bytes = bits // _BYTE_BITS or 1
        for size in dims:
            if size < -1:
                raise InvalidPackage(f"a tensor has the size {size}")
            size_bytes *= max(size, 1)
        if size_bytes > self._limits.tensor_bytes_max:
            raise InvalidPackage(
                f"a tensor of {_short(dims)} would take {size_bytes:.3g} bytes; "
                f"tensor_bytes_max allows {self._limits.tensor_bytes_max}"
            )

    def _refuse_outside(self, field: str, value: Value) -> None:
        if field == "segment":
            raise InvalidPackage("it holds parts of a tensor, which no engine reads")
        if field == "data_location" and value == _INSIDE:
            return
        location = ""
        if field == "external_data":
            entry = {key: text(part) for key, part in read(schema.ENTRY, message(value), self._budget)}
            location = f" ({entry.get('key', '')} {entry.get('value', '')[:_SHOWN]!r})"
        raise InvalidPackage(
            f"it keeps weights in another file{location}: save the model as one file, with its weights inside"
        )


def _extended(dims: list[int], value: Value) -> list[int]:
    longer = dims + integers(value, count_max=RANK_MAX)
    if len(longer) > RANK_MAX:
        raise InvalidPackage(f"a tensor has more than {RANK_MAX} dimensions")
    return longer


def _count(field: str, value: Value) -> int:
    """Return how many numbers a field holds; of raw data, how many bytes."""
    if field == "raw_data":
        return len(message(value))
    if field == "string_data":
        return 1
    size_bytes = _FIXED_BYTES.get(field)
    return count_fixed(value, size_bytes) if size_bytes else count_varints(value)


def _check_size(what: str, kind: int, dims: list[int], held: Counter[str]) -> None:
    element, elements = _element(kind, what), 1
    for size in dims:
        if size < 0:
            raise InvalidPackage(f"{what} has the size {size}")
        elements *= size
    packed_bytes = -(-elements * element.bits // _BYTE_BITS)
    typed = packed_bytes if element.bits < _BYTE_BITS else elements * element.per_element
    allowed = {element.field: typed} if kind == _STRING else {element.field: typed, "raw_data": packed_bytes}
    present = {field: count for field, count in held.items() if count}
    if len(present) > 1 or any(allowed.get(field) != count for field, count in present.items()):
        raise InvalidPackage(f"{what} declares {_short(dims)} and holds {present or 'nothing'}: the sizes do not agree")
    if elements and not present:
        raise InvalidPackage(f"{what} declares {_short(dims)} and holds no numbers")


def _element(kind: int, what: str) -> _Element:
    element = _ELEMENTS.get(kind)
    if element is None:
        raise InvalidPackage(f"{what} has the element type {kind}, which is not known here")
    return element


def _short(dims: list[int]) -> str:
    return f"[{', '.join(map(str, dims))}]"[:_SHOWN]
