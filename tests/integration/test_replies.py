"""Replies that go on for ever, or slowly, read from a body that counts what was taken of it."""

import io

import pytest
import urllib3

from ganglion.adapters.https_link.replies import read_bounded
from ganglion.core.errors import HubUnreachable, TooLarge
from ganglion.testing.clock import FakeClock

LIMIT = 100_000
CHUNK = 16_384


class Body(io.RawIOBase):
    """Gives out bytes, `pause_s` apart, and no end of them unless there is one."""

    def __init__(self, clock: FakeClock, *, size_bytes: int | None = None, pause_s: float = 0.0) -> None:
        super().__init__()
        self.clock, self.left, self.pause_s = clock, size_bytes, pause_s
        self.taken = 0

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1) -> bytes:
        self.clock.advance(self.pause_s)
        given = min(size, 1 if self.pause_s else CHUNK, size if self.left is None else self.left)
        if self.left is not None:
            self.left -= given
        self.taken += given
        return bytes(given)

    def read(self, size: int = -1) -> bytes:
        return self.read1(size)


def read(body: Body, *, deadline_s: float = 60.0) -> bytes:
    response = urllib3.HTTPResponse(body=body, preload_content=False)
    return read_bounded(response, bytes_max=LIMIT, clock=body.clock, ends_at_s=body.clock.monotonic_s() + deadline_s)


def test_a_reply_within_its_limits_is_returned_whole(clock: FakeClock) -> None:
    assert read(Body(clock, size_bytes=LIMIT)) == bytes(LIMIT)


def test_an_endless_reply_is_stopped_within_one_chunk_past_the_limit(clock: FakeClock) -> None:
    body = Body(clock)

    with pytest.raises(TooLarge, match="larger than 100000"):
        read(body)

    assert body.taken <= LIMIT + CHUNK


def test_one_byte_at_a_time_is_abandoned_at_the_deadline(clock: FakeClock) -> None:
    body = Body(clock, pause_s=0.5)

    with pytest.raises(HubUnreachable, match="120 bytes"):
        read(body)

    assert clock.monotonic_s() == pytest.approx(60.0)
