"""The wire format of Protocol Buffers, read strictly and in place.

Reading never copies more than a name, never goes beyond the bytes given, and every field costs from a
budget. What two parsers could understand differently is refused: unknown fields, fields of another
type, a singular field that stands twice, groups.
Source: https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from ganglion.core.errors import InvalidPackage

Value: TypeAlias = int | memoryview
"""A varint as an unsigned number; everything else as its bytes."""

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5

_FIXED_BYTES: Final = {FIXED64: 8, FIXED32: 4}
_TAG_BYTES_MAX, _VARINT_BYTES_MAX = 5, 10
_SIGN, _WRAP = 1 << 63, 1 << 64
_CONTINUES = 0x80
"""The bit of a byte which says that the number goes on."""
_CHUNK_BYTES = 1 << 20
_CONTINUED = bytes(range(_CONTINUES, 0x100))
_TEXT_BYTES_MAX = 4096


class Field(NamedTuple):
    """One field of a message."""

    name: str
    wire: int = LENGTH
    is_repeated: bool = False


class Schema(NamedTuple):
    """A kind of message: its name in reasons, and its fields by number."""

    name: str
    fields: Mapping[int, Field]


class Budget:
    """How many fields may still be read, of all messages together."""

    __slots__ = ("fields_left", "fields_max")

    def __init__(self, fields_max: int) -> None:
        self.fields_max = self.fields_left = fields_max


def read(schema: Schema, data: memoryview, budget: Budget) -> Iterator[tuple[str, Value]]:
    """Yield the fields of one message in their order. Raises: InvalidPackage."""
    fields, seen = schema.fields, set[int]()
    position, end = 0, len(data)
    while position < end:
        budget.fields_left -= 1
        if budget.fields_left < 0:
            raise InvalidPackage(f"it has more than {budget.fields_max} fields: fields_max is the limit")
        tag = data[position]
        if tag < _CONTINUES:
            position += 1
        else:
            tag, position = _varint(data, position, _TAG_BYTES_MAX)
        number, wire = tag >> 3, tag & 7
        field = fields.get(number)
        if field is None or (wire != field.wire and not (field.is_repeated and wire == LENGTH)):
            raise InvalidPackage(_why_not(schema, number))
        if not field.is_repeated:
            if number in seen:
                raise InvalidPackage(f"{schema.name}.{field.name} stands twice")
            seen.add(number)
        if wire == VARINT:
            value, position = _varint(data, position, _VARINT_BYTES_MAX)
            yield field.name, value
            continue
        size = _FIXED_BYTES.get(wire, -1)
        if size < 0:
            size, position = _varint(data, position, _VARINT_BYTES_MAX)
        if size > end - position:
            raise InvalidPackage(f"{schema.name}.{field.name} goes beyond the end: it was cut short or made up")
        yield field.name, data[position : position + size]
        position += size


def integers(value: Value, *, count_max: int) -> list[int]:
    """Return one or many packed int64. Raises: InvalidPackage: malformed, or more than `count_max`."""
    if isinstance(value, int):
        return [_signed(value)]
    numbers, position = list[int](), 0
    while position < len(value):
        if len(numbers) == count_max:
            raise InvalidPackage(f"it lists more than {count_max} sizes of one tensor")
        number, position = _varint(value, position, _VARINT_BYTES_MAX)
        numbers.append(_signed(number))
    return numbers


def integer(value: Value) -> int:
    """Return a varint as int64."""
    assert isinstance(value, int)
    return _signed(value)


def message(value: Value) -> memoryview:
    """Return the bytes of a nested message."""
    assert isinstance(value, memoryview)
    return value


def text(value: Value) -> str:
    """Return a name. Raises: InvalidPackage: not UTF-8, or no name that anybody would give."""
    data = message(value)
    if len(data) > _TEXT_BYTES_MAX:
        raise InvalidPackage(f"a name of {len(data)} bytes, at most {_TEXT_BYTES_MAX} are allowed")
    try:
        return bytes(data).decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidPackage(f"a name is not UTF-8: {error}") from error


def count_varints(value: Value) -> int:
    """Return how many numbers stand in a packed field, without making them. Raises: InvalidPackage: the last is cut."""
    if isinstance(value, int):
        return 1
    if len(value) and value[-1] >= _CONTINUES:
        raise InvalidPackage("a list of numbers ends inside a number")
    starts = range(0, len(value), _CHUNK_BYTES)
    return sum(len(bytes(value[start : start + _CHUNK_BYTES]).translate(None, _CONTINUED)) for start in starts)


def count_fixed(value: Value, size_bytes: int) -> int:
    """Return how many numbers of `size_bytes` stand in a field. Raises: InvalidPackage: the last is cut."""
    data = message(value)
    if len(data) % size_bytes:
        raise InvalidPackage("a list of numbers ends inside a number")
    return len(data) // size_bytes


def _why_not(schema: Schema, number: int) -> str:
    field = schema.fields.get(number)
    if field is None:
        return f"{schema.name} has no field {number}: this is no ONNX, or a newer one than is known here"
    return f"{schema.name}.{field.name} is written as another type"


def _varint(data: memoryview, position: int, bytes_max: int) -> tuple[int, int]:
    """Return the number at `position`, and where the next begins."""
    end = len(data)
    if position < end and data[position] < _CONTINUES:
        return data[position], position + 1
    number, shift = 0, 0
    for place in range(position, min(end, position + bytes_max)):
        byte = data[place]
        number |= (byte & 0x7F) << shift
        if byte < _CONTINUES:
            return number, place + 1
        shift += 7
    raise InvalidPackage("a number is cut short or too long: this is no ONNX, or a damaged one")


def _signed(number: int) -> int:
    number %= _WRAP
    return number - _WRAP if number >= _SIGN else number
