"""Header blocks are read as the reference decoder reads them, and what is broken is a broken connection."""

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.entrypoints.grpc_api.frames import ConnectionFault, ErrorCode
from ganglion.entrypoints.grpc_api.hpack import HeaderDecoder, indexed, literal

names = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz-"), min_size=1, max_size=40)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=300)
field_lists = st.lists(st.tuples(names, values), max_size=8)


@given(st.lists(st.tuples(field_lists, st.booleans()), max_size=6), st.sampled_from([0, 100, 4096]))
def test_blocks_of_the_reference_encoder_are_read_in_their_order(
    blocks: list[tuple[list[tuple[str, str]], bool]], table_bytes: int
) -> None:
    encoder, decoder = hpack.Encoder(), HeaderDecoder(1_000_000)
    encoder.header_table_size = table_bytes

    for fields, huffman in blocks:
        assert decoder.decode(encoder.encode(fields, huffman=huffman)) == fields


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_a_fault_as_the_reference_decoder_says(block: bytes) -> None:
    ours, reference = HeaderDecoder(1_000_000), hpack.Decoder()
    try:
        expected = [(bytes(name), bytes(value)) for name, value in reference.decode(block, raw=True)]
    except (hpack.HPACKError, IndexError):
        expected = None
    try:
        came = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in ours.decode(block)]
    except ConnectionFault:
        came = None

    assert came == expected


@pytest.mark.parametrize(
    ("block", "what"),
    [
        (b"\x80", "index 0"),
        (b"\xbe", "an index beyond the table"),
        (b"\xff\xff\xff\xff\xff\xff\x0f", "an integer without end"),
        (b"\x82\x20", "a new table size after a field"),
        (b"\x3f\xe2\x1f", "a table of more than 4096 bytes"),
        (b"\x00\x05ab", "a string that is cut off"),
        (b"\x00\x81\xff\x00", "a Huffman string that is padding only"),
        (b"\x00\x81\x18\x00", "a Huffman string padded with zeros"),
        (b"\x00\x84\xff\xff\xff\xff\x00", "the end of a Huffman string inside it"),
        (b"\x40", "a field that is cut off"),
    ],
)
def test_a_broken_block_is_a_compression_error(block: bytes, what: str) -> None:
    with pytest.raises(ConnectionFault) as caught:
        HeaderDecoder(1_000_000).decode(block)

    assert caught.value.code is ErrorCode.COMPRESSION_ERROR, what


def test_entries_that_do_not_fit_are_pushed_out_oldest_first() -> None:
    decoder = HeaderDecoder(1_000_000)
    big = b"\x40\x01a\x7f\xd1\x0e" + b"x" * 2000
    decoder.decode(big + big.replace(b"\x01a", b"\x01b") + big.replace(b"\x01a", b"\x01c"))

    assert decoder.decode(b"\xbe\xbf") == [("c", "x" * 2000), ("b", "x" * 2000)]
    with pytest.raises(ConnectionFault):
        decoder.decode(b"\xc0")


def test_a_list_that_is_too_long_is_told_and_leaves_the_table_right() -> None:
    decoder = HeaderDecoder(200)
    encoder = hpack.Encoder()

    kept = decoder.decode(encoder.encode([("a", "x" * 100), ("b", "y" * 100), ("c", "z")]))

    assert decoder.is_too_large
    assert kept == [("a", "x" * 100)]
    assert decoder.decode(encoder.encode([("c", "z")])) == [("c", "z")]
    assert not decoder.is_too_large


def test_the_generation_changes_with_the_table_and_only_then() -> None:
    decoder, encoder = HeaderDecoder(1_000), hpack.Encoder()
    decoder.decode(encoder.encode([("a", "b")]))
    once = decoder.generation

    decoder.decode(encoder.encode([("a", "b")]))
    assert decoder.generation == once

    decoder.decode(encoder.encode([("a", "c")]))
    assert decoder.generation != once


@given(names, values)
def test_written_fields_are_read_by_the_reference_decoder_and_change_no_table(name: str, value: str) -> None:
    decoder = hpack.Decoder()

    fields = [tuple(field) for field in decoder.decode(literal(name, value), raw=True)]
    assert fields == [(name.encode(), value.encode())]
    assert len(decoder.header_table.dynamic_entries) == 0


def test_a_field_of_the_static_table_is_one_byte() -> None:
    assert indexed(":status", "200") == b"\x88"
