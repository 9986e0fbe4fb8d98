"""Read replies that nobody has verified yet: never more bytes, and never longer, than was granted."""

from collections.abc import Iterator
from contextlib import contextmanager

import urllib3

from ganglion.core.errors import HubUnreachable, TooLarge
from ganglion.ports.clock import Clock

_CHUNK_BYTES = 16_384


def read_bounded(response: urllib3.BaseHTTPResponse, *, bytes_max: int, clock: Clock, ends_at_s: float) -> bytes:
    """Return the body. `ends_at_s` is monotonic; a sender of one byte at a time does not move it.

    Raises: TooLarge: stopped within one chunk past `bytes_max`. HubUnreachable: broken off, or too slow.
    """
    data = bytearray()
    with to_its_end(response):
        # read1 hands over what has arrived: between two pieces the deadline is looked at.
        while piece := response.read1(_CHUNK_BYTES, decode_content=False):
            data += piece
            if len(data) > bytes_max:
                raise TooLarge(f"the reply is larger than {bytes_max} bytes")
            if clock.monotonic_s() >= ends_at_s:
                raise HubUnreachable(f"only {len(data)} bytes came in the time that was granted for the whole reply")
    return bytes(data)


@contextmanager
def to_its_end(response: urllib3.BaseHTTPResponse) -> Iterator[None]:
    """Hand the connection back after a reply that was read to its end. Raises: HubUnreachable: it broke off."""
    try:
        yield
    except BaseException as error:
        # What was not read must not be taken for the next reply on this connection.
        response.close()
        if isinstance(error, urllib3.exceptions.HTTPError):
            raise HubUnreachable(f"the reply broke off: {reason_of(error)}") from error
        raise
    response.release_conn()


def reason_of(error: Exception) -> str:
    """Return why a request failed, without the object addresses that urllib3 prints."""
    cause = error.__cause__ or error.__context__ or error
    return str(cause).rsplit(": ", maxsplit=1)[-1] or type(cause).__name__
