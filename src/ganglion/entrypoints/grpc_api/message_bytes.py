"""The little of protobuf's encoding that answers are written with, and by which a request is cut into its parts.

Everything else is read and written by protobuf itself: see `messages`.
Source: the Protocol Buffers encoding guide.
"""

from collections.abc import Mapping

_LENGTH_DELIMITED = 2
_MORE, _SEVEN_BITS = 0x80, 0x7F
_VARINT_BYTES_MAX = 10
_UNSIGNED = (1 << 64) - 1
_INT64_PARAM, _STRING_PARAM = 0x10, 0x1A
_TRUE_PARAM = b"\x08\x01"


def varint(number: int) -> bytes:
    """Return an integer in the form in which protobuf counts; a negative one as 64 bits."""
    if 0 <= number <= _SEVEN_BITS:
        return bytes((number,))
    left, out = number & _UNSIGNED, bytearray()
    while left > _SEVEN_BITS:
        out.append(left & _SEVEN_BITS | _MORE)
        left >>= 7
    out.append(left)
    return bytes(out)


def field(number: int, value: bytes) -> bytes:
    """Return a field that holds text, bytes, a message or packed numbers."""
    return before(number, len(value)) + value


def before(number: int, size_bytes: int) -> bytes:
    """Return what stands before the value of such a field."""
    return varint(number << 3 | _LENGTH_DELIMITED) + varint(size_bytes)


def text(number: int, value: str) -> bytes:
    """Return a field that holds text; nothing for an empty one, as protobuf leaves it out."""
    return field(number, value.encode()) if value else b""


def shape(number: int, sizes: tuple[int, ...]) -> bytes:
    """Return a field that holds the sizes of dimensions."""
    return field(number, b"".join([varint(size) for size in sizes])) if sizes else b""


def parameters(number: int, values: Mapping[str, str | int | bool]) -> bytes:
    """Return a map from names to `InferParameter`."""
    return b"".join([field(number, text(1, name) + field(2, _parameter(value))) for name, value in values.items()])


def length_at(data: bytes, place: int) -> tuple[int, int]:
    """Return the length that stands at `place`, and where it ends.

    Raises: IndexError: the bytes end before it does. ValueError: it is longer than any.
    """
    number = shift = 0
    for index in range(place, place + _VARINT_BYTES_MAX):
        byte = data[index]
        number |= (byte & _SEVEN_BITS) << shift
        if byte < _MORE:
            return number, index + 1
        shift += 7
    raise ValueError(place)


def _parameter(value: str | int | bool) -> bytes:  # noqa: FBT001 - one of the kinds of value that it writes
    if isinstance(value, bool):
        return _TRUE_PARAM if value else b"\x08\x00"
    if isinstance(value, int):
        return bytes((_INT64_PARAM,)) + varint(value)
    raw = value.encode()
    return bytes((_STRING_PARAM,)) + varint(len(raw)) + raw
