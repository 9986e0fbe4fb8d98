"""Messages come out as they went in, however they were cut; and nobody is given more memory than the budget has."""

import gzip
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganglion.entrypoints.grpc_api.calls import Status
from ganglion.entrypoints.grpc_api.message_reader import MessageReader
from ganglion.entrypoints.grpc_api.statuses import CallRefused
from ganglion.entrypoints.inference_api.limits import BodyBudget

ZIPPED = gzip.compress(b"a", mtime=0)

MAX = 1_000


def reader(*, is_gzip: bool = False, budget_bytes: int = 100_000) -> MessageReader:
    return MessageReader(BodyBudget(budget_bytes), MAX, is_gzip=is_gzip)


def framed(content: bytes, flag: int = 0) -> bytes:
    return struct.pack(">BL", flag, len(content)) + content


@given(st.lists(st.binary(max_size=50), max_size=6), st.data())
def test_messages_come_out_whatever_the_cuts(contents: list[bytes], data: st.DataObject) -> None:
    sent = b"".join(map(framed, contents))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    parts = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    messages = reader()

    assert [content for part in parts for content in messages.feed(part)] == contents
    assert messages.is_between_messages


@given(st.binary(max_size=60))
def test_any_bytes_are_messages_or_refused(sent: bytes) -> None:
    messages = reader(is_gzip=True)
    try:
        found = list(messages.feed(sent))
    except CallRefused:
        return

    assert sum(len(content) + 5 for content in found) <= len(sent)


def test_a_whole_message_is_seen_at_once() -> None:
    sent = b"##" + framed(b"abc") + b"#"

    assert reader().whole(sent, 2, len(sent) - 1) == b"abc"
    assert reader().whole(sent, 2, len(sent)) is None
    assert reader().whole(sent, 2, len(sent) - 2) is None


def test_a_message_beyond_the_limit_is_refused_by_its_length_alone() -> None:
    with pytest.raises(CallRefused) as caught:
        list(reader().feed(struct.pack(">BL", 0, MAX + 1)))

    assert caught.value.status is Status.RESOURCE_EXHAUSTED


def test_a_full_budget_refuses_and_what_is_discarded_fills_it_again() -> None:
    budget = BodyBudget(100)
    first, second = (MessageReader(budget, MAX, is_gzip=False) for _ in range(2))
    list(first.feed(struct.pack(">BL", 0, 90) + bytes(70)))

    with pytest.raises(CallRefused) as caught:
        list(second.feed(bytes(50)))
    first.discard()

    assert caught.value.status is Status.UNAVAILABLE
    assert list(second.feed(framed(bytes(50)))) == [bytes(50)]
    second.discard()
    assert budget.take(100)


def test_a_compressed_message_is_inflated() -> None:
    assert list(reader(is_gzip=True).feed(framed(gzip.compress(b"a" * 900, mtime=0), 1))) == [b"a" * 900]


def test_a_message_that_grows_beyond_the_limit_is_refused() -> None:
    with pytest.raises(CallRefused) as caught:
        list(reader(is_gzip=True).feed(framed(gzip.compress(bytes(10_000_000))[:900], 1)))

    assert caught.value.status is Status.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("content", [b"", b"no gzip", zlib.compress(b"a"), ZIPPED[:-1], ZIPPED + b"!"])
def test_what_is_no_gzip_is_an_invalid_argument(content: bytes) -> None:
    with pytest.raises(CallRefused) as caught:
        list(reader(is_gzip=True).feed(framed(content, 1)))

    assert caught.value.status is Status.INVALID_ARGUMENT


@pytest.mark.parametrize(("flag", "is_gzip"), [(1, False), (2, False), (2, True), (255, True)])
def test_a_flag_that_the_call_does_not_explain_is_an_internal_error(flag: int, is_gzip: bool) -> None:  # noqa: FBT001 - a parameter of the test
    with pytest.raises(CallRefused) as caught:
        list(reader(is_gzip=is_gzip).feed(framed(b"a", flag)))

    assert caught.value.status is Status.INTERNAL
