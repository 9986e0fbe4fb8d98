"""A connection to a server that nobody has verified yet: from the handshake to the end of a reply it has one deadline.

A timeout of a socket begins anew with each byte; a server of one byte at a time would hold whoever asks for days.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class TimedLine(http.client.HTTPSConnection):
    """Is cut `seconds` after it was opened with `opened`, whatever goes on."""

    def __init__(self, host: str, port: int, *, seconds: float, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=seconds, context=context)
        self._seconds, self._tls = seconds, context
        self._held: socket.socket | None = None
        """Stays known here: the base class forgets it where a reply is to end with the connection."""

    def connect(self) -> None:
        """Connect, and only then begin what the server can drag out: by then the line can be cut."""
        http.client.HTTPConnection.connect(self)
        self._held = secure = self._tls.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock = secure
        secure.do_handshake()

    @contextmanager
    def opened(self) -> Iterator["TimedLine"]:
        """Hold the line for as long as is granted, and close it. Raises: TimeoutError: the time was over."""
        is_late = threading.Event()
        ending = threading.Timer(self._seconds, self._cut, [is_late])
        ending.daemon = True
        ending.start()
        try:
            yield self
        except (OSError, http.client.HTTPException) as error:
            if is_late.is_set():
                raise TimeoutError(f"it was not done within {self._seconds:g} s") from error
            raise
        finally:
            ending.cancel()
            self._shut()
            self.close()
        if is_late.is_set():
            # What was cut looks like the end of a reply.
            raise TimeoutError(f"it was not done within {self._seconds:g} s")

    def _cut(self, is_late: threading.Event) -> None:
        is_late.set()
        self._shut()

    def _shut(self) -> None:
        if self._held is not None:
            with suppress(OSError):
                # The base class's own: that of an SSL socket would pull the layer from under the thread that reads.
                socket.socket.shutdown(self._held, socket.SHUT_RDWR)
