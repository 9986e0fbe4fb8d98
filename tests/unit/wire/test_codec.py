import msgspec
import pytest

from ganglion.core.errors import InvalidRequest, TooLarge
from ganglion.wire import codec
from ganglion.wire.records import Ack, Batch, Envelope

BATCH = Batch(id="b1", sent_at_ns=1, epoch="e1", records=(Envelope(1, 2, 3, b"payload"),), shed={"sample": 4}, made=5)


def test_a_message_survives_both_encodings() -> None:
    assert codec.decode_json(codec.encode_json(BATCH), Batch) == BATCH
    assert codec.decode_packed(codec.encode_packed(BATCH), Batch) == BATCH


def test_a_field_that_is_not_known_yet_is_ignored() -> None:
    ack = codec.decode_json(b'{"epoch": "e1", "cursor": 7, "colour": "blue"}', Ack)

    assert ack == Ack(epoch="e1", cursor=7)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"epoch": "e1"}',
        b'{"epoch": "e1", "cursor": "7"}',
        b'{"epoch": "e1", "cursor": 7.5}',
        b'{"epoch": "e1", "cursor": NaN}',
        b'{"epoch": "\xff", "cursor": 7}',
        b'{"epoch": "e1", "cursor": 7} more',
        b"[" * 100_000,
    ],
)
def test_malformed_json_is_an_invalid_request_that_names_the_message(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"^Ack: "):
        codec.decode_json(body, Ack)


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x80", b"\x91" * 100_000, msgspec.msgpack.encode({"epoch": 1})])
def test_malformed_msgpack_is_an_invalid_request_that_names_the_message(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"^Ack: "):
        codec.decode_packed(body, Ack)


def test_compression_comes_back_whole_up_to_the_limit() -> None:
    data = b"x" * 10_000

    assert codec.decompress(codec.compress(data), size_max=10_000) == data
    assert len(codec.compress(data)) < 100


def test_a_body_that_unpacks_to_more_than_the_limit_is_refused() -> None:
    bomb = codec.compress(b"\0" * 10_000_000)

    with pytest.raises(TooLarge, match="more than 1000 bytes"):
        codec.decompress(bomb, size_max=1000)


def test_a_frame_that_is_cut_short_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="cut short"):
        codec.decompress(codec.compress(b"x" * 1000)[:-1], size_max=1000)


@pytest.mark.parametrize("body", [b"", b"not zstd at all", b"\x28\xb5\x2f\xfd"])
def test_a_body_that_is_not_zstd_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        codec.decompress(body, size_max=1000)


def test_bytes_behind_the_frame_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="behind"):
        codec.decompress(codec.compress(b"batch") + b"smuggled", size_max=1000)
