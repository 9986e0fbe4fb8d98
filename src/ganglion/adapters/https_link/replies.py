"""Read replies that nobody has verified yet: never more bytes, and never longer, than was granted."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import urllib3
from urllib3.connection import HTTPSConnection

from ganglion.core.errors import HubUnreachable, TooLarge
from ganglion.ports.clock import Clock

_CHUNK_BYTES = 16_384


class PatientConnection(HTTPSConnection):
    """A connection whose timeout bounds the whole head of a reply, not only the pause between two of its bytes."""

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # urllib3's own class departs here
        """Return the reply when its head is complete."""
        sock, granted_s = self.sock, self.timeout
        if sock is None or not isinstance(granted_s, (int, float)):
            return super().getresponse()
        is_late = threading.Event()
        ending = threading.Timer(granted_s, _shut, [sock, is_late])
        ending.daemon = True
        ending.start()
        try:
            response = super().getresponse()
        finally:
            ending.cancel()
        if is_late.is_set():
            # What was shut looks like the end of a head, with nothing after it.
            response.close()
            raise TimeoutError("the head of the reply did not come in time")
        return response


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


def _shut(sock: socket.socket, is_late: threading.Event) -> None:
    is_late.set()
    with suppress(OSError):
        # The base class's own: that of an SSL socket would pull the layer from under the thread that reads.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
