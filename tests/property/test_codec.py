import contextlib

from hypothesis import given
from hypothesis import strategies as st

from ganglion.core.errors import InvalidRequest, TooLarge
from ganglion.wire import codec
from ganglion.wire.records import Ack, Batch, Envelope

envelopes = st.builds(
    Envelope, st.integers(0, 2**62), st.integers(0, 4), st.integers(0, 2**62), st.binary(max_size=100)
)


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_decoding_gives_a_message_or_an_invalid_request(body: bytes) -> None:
    for decode in (codec.decode_json, codec.decode_packed):
        with contextlib.suppress(InvalidRequest):
            assert isinstance(decode(body, Ack), Ack)


@given(st.binary(max_size=200), st.integers(0, 100))
def test_no_body_unpacks_to_more_than_the_limit(body: bytes, size_max: int) -> None:
    for packed in (body, codec.compress(body)):
        with contextlib.suppress(InvalidRequest, TooLarge):
            assert len(codec.decompress(packed, size_max=size_max)) <= size_max


@given(st.lists(envelopes, max_size=20))
def test_a_batch_arrives_as_it_left(records: list[Envelope]) -> None:
    batch = Batch(id="b", sent_at_ns=1, epoch="e", records=tuple(records))

    body = codec.compress(codec.encode_packed(batch))

    assert codec.decode_packed(codec.decompress(body, size_max=100_000), Batch) == batch
