"""Header blocks: read with the dynamic table that each connection has, written without one.

The tables of the format (static entries, Huffman code) come from the package `hpack`. Its decoder is not used: a client
that names a deadline sends another block with each call, and those took most of the time of a call.
Source: RFC 7541.
"""

from collections import deque
from typing import Final, TypeAlias

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from ganglion.entrypoints.grpc_api.frames import ConnectionFault, ErrorCode

Field: TypeAlias = tuple[str, str]

TABLE_BYTES: Final = 4096
"""The size of the dynamic table that clients may use, and of the one that they assume here."""
ENTRY_BYTES: Final = 32
"""What every entry counts besides its name and value."""
EMPTY_TABLE: Final = b"\x20"
"""Says that this side's dynamic table has no bytes from now on."""

_STATIC: Final[tuple[Field, ...]] = tuple(
    (name.decode("ascii"), value.decode("ascii")) for name, value in HeaderTable.STATIC_TABLE
)
_STATIC_LEN: Final = len(_STATIC)
_SHIFT_MAX: Final = 28
"""Integers of more than five bytes stand for nothing that a header block could hold."""


class HeaderDecoder:
    """Reads the header blocks of one connection, in their order.

    `generation` grows whenever the dynamic table changes: the same bytes mean the same fields within one generation.
    """

    __slots__ = ("_entries", "_list_bytes_max", "_table_bytes", "_table_bytes_max", "generation", "is_too_large")

    def __init__(self, list_bytes_max: int) -> None:
        self._entries: deque[Field] = deque()
        """Newest first."""
        self._table_bytes, self._table_bytes_max = 0, TABLE_BYTES
        self._list_bytes_max = list_bytes_max
        self.generation = 0
        self.is_too_large = False
        """The last block held more than `list_bytes_max`; what was beyond it is not among the fields."""

    def decode(self, block: bytes) -> list[Field]:
        """Return the fields of a block. Raises: ConnectionFault: the table is lost, and with it the connection."""
        try:
            return self._decode(block)
        except IndexError as error:
            raise _broken("a header block ends inside a field") from error
        except HPACKDecodingError as error:
            raise _broken("a string is not in the Huffman code") from error

    def _decode(self, block: bytes) -> list[Field]:
        fields: list[Field] = []
        at, end, left = 0, len(block), self._list_bytes_max
        has_fields = False
        while at < end:
            first = block[at]
            if first >= 0x80:  # noqa: PLR2004 - the first bits of a field say what it is; so below
                index, at = _integer(block, at, 0x7F)
                field = self._entry(index)
            elif first & 0xE0 == 0x20:  # noqa: PLR2004
                if has_fields:
                    raise _broken("the size of the table changes after a field")
                size, at = _integer(block, at, 0x1F)
                self._resize(size)
                continue
            else:
                is_kept = first >= 0x40  # noqa: PLR2004
                index, at = _integer(block, at, 0x3F if is_kept else 0x0F)
                if index:
                    name = self._entry(index)[0]
                else:
                    name, at = _string(block, at)
                value, at = _string(block, at)
                field = (name, value)
                if is_kept:
                    self._keep(field)
            has_fields = True
            left -= len(field[0]) + len(field[1]) + ENTRY_BYTES
            if left >= 0:
                fields.append(field)
        self.is_too_large = left < 0
        return fields

    def _entry(self, index: int) -> Field:
        if 0 < index <= _STATIC_LEN:
            return _STATIC[index - 1]
        index -= _STATIC_LEN + 1
        if not 0 <= index < len(self._entries):
            raise _broken("a field is not in the table")
        return self._entries[index]

    def _keep(self, field: Field) -> None:
        self._entries.appendleft(field)
        self._table_bytes += len(field[0]) + len(field[1]) + ENTRY_BYTES
        self._evict()

    def _resize(self, size_bytes: int) -> None:
        if size_bytes > TABLE_BYTES:
            raise _broken(f"the table may have {TABLE_BYTES} bytes")
        self._table_bytes_max = size_bytes
        self._evict()

    def _evict(self) -> None:
        while self._table_bytes > self._table_bytes_max:
            name, value = self._entries.pop()
            self._table_bytes -= len(name) + len(value) + ENTRY_BYTES
        self.generation += 1


def literal(name: str, value: str) -> bytes:
    """Return a field that no table has and none gets. Raises: UnicodeEncodeError: it is not ASCII."""
    parts = [part.encode("ascii") for part in (name, value)]
    return b"\x00" + b"".join([_length(len(part)) + part for part in parts])


def indexed(name: str, value: str) -> bytes:
    """Return a field that is in the static table. Raises: ValueError: it is not."""
    return bytes([0x80 | _STATIC.index((name, value)) + 1])


def _length(number: int) -> bytes:
    if number < 0x7F:  # noqa: PLR2004 - what fits beside the Huffman bit
        return bytes([number])
    number -= 0x7F
    parts = bytearray([0x7F])
    while number >= 0x80:  # noqa: PLR2004 - seven bits in each byte
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """Return an integer whose first bits are under `mask`, and where the rest of the block begins."""
    number = block[at] & mask
    at += 1
    if number < mask:
        return number, at
    for shift in range(0, _SHIFT_MAX + 1, 7):
        byte = block[at]
        at += 1
        number += (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follows
            return number, at
    raise _broken("an integer is too long")


def _string(block: bytes, at: int) -> tuple[str, int]:
    is_huffman = block[at] & 0x80
    length, at = _integer(block, at, 0x7F)
    end = at + length
    if end > len(block):
        raise _broken("a header block ends inside a string")
    text = block[at:end]
    if is_huffman:
        text = decode_huffman(text)
    return text.decode("latin-1"), end


def _broken(reason: str) -> ConnectionFault:
    return ConnectionFault(ErrorCode.COMPRESSION_ERROR, reason)
