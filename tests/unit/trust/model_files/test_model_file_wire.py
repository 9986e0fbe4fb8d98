"""The wire format, byte by byte: what two readers could take for two things is refused."""

import pytest

from ganglion.core.errors import InvalidPackage
from ganglion.trust.model_files.onnx_wire import (
    FIXED32,
    FIXED64,
    VARINT,
    Budget,
    Field,
    Schema,
    Value,
    count_fixed,
    count_varints,
    integers,
    read,
    text,
)

THING = Schema(
    "thing",
    {
        1: Field("number", VARINT),
        2: Field("name"),
        3: Field("sizes", VARINT, is_repeated=True),
        4: Field("parts", is_repeated=True),
        5: Field("weight", FIXED32),
        6: Field("wide", FIXED64),
    },
)


def fields(data: bytes, fields_max: int = 100) -> list[tuple[str, Value]]:
    return [
        (name, value if isinstance(value, int) else bytes(value))  # type: ignore[misc]  # bytes compare better than views
        for name, value in read(THING, memoryview(data), Budget(fields_max))
    ]


def test_fields_come_in_their_order() -> None:
    assert fields(b"\x08\x96\x01\x12\x02ab\x22\x00\x22\x01c\x2d1234\x3112345678") == [
        ("number", 150),
        ("name", b"ab"),
        ("parts", b""),
        ("parts", b"c"),
        ("weight", b"1234"),
        ("wide", b"12345678"),
    ]
    assert fields(b"") == []


def test_a_list_of_numbers_may_be_packed_or_not() -> None:
    assert fields(b"\x18\x05\x18\x06") == [("sizes", 5), ("sizes", 6)]
    assert integers(memoryview(b"\x05\xac\x02"), count_max=2) == [5, 300]
    assert integers(5, count_max=2) == [5]
    assert integers(memoryview(b"\xff" * 9 + b"\x01"), count_max=2) == [-1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x3a\x00", "no field 7"),
        (b"\x02\x00", "no field 0"),
        (b"\x0b\x0c", "written as another type"),
        (b"\x0a\x01a", "number is written as another type"),
        (b"\x10\x01", "name is written as another type"),
        (b"\x08\x01\x08\x02", "number stands twice"),
        (b"\x12\x05ab", "goes beyond the end"),
        (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "goes beyond the end"),
        (b"\x2d123", "goes beyond the end"),
        (b"\x08", "cut short"),
        (b"\x08\x80", "cut short"),
        (b"\x08" + b"\x80" * 10 + b"\x01", "too long"),
        (b"\x88\x80\x80\x80\x80\x00\x01", "too long"),
    ],
)
def test_what_is_ambiguous_or_damaged_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidPackage, match=reason):
        fields(data)


def test_every_field_costs() -> None:
    assert len(fields(b"\x22\x00" * 10, fields_max=10)) == 10
    with pytest.raises(InvalidPackage, match="more than 9 fields"):
        fields(b"\x22\x00" * 10, fields_max=9)


def test_numbers_are_counted_without_being_made() -> None:
    assert count_varints(memoryview(b"\x01\x80\x01" * 1_000_000)) == 2_000_000
    assert count_varints(7) == 1
    assert count_fixed(memoryview(bytes(12)), 4) == 3


def test_a_list_that_ends_inside_a_number_is_refused() -> None:
    with pytest.raises(InvalidPackage, match="ends inside a number"):
        count_varints(memoryview(b"\x01\x80"))
    with pytest.raises(InvalidPackage, match="ends inside a number"):
        count_fixed(memoryview(bytes(5)), 4)


def test_more_sizes_than_a_tensor_can_have_are_not_read() -> None:
    with pytest.raises(InvalidPackage, match="more than 3 sizes"):
        integers(memoryview(b"\x01" * 4), count_max=3)


def test_a_name_is_short_and_utf_8() -> None:
    assert text(memoryview("größe".encode())) == "größe"
    with pytest.raises(InvalidPackage, match="not UTF-8"):
        text(memoryview(b"\xff"))
    with pytest.raises(InvalidPackage, match="4097 bytes"):
        text(memoryview(b"a" * 4097))
