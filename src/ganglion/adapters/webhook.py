"""Bringing messages to a web address: implements `ports.notifier`.

An address can hold a secret, as those of chat services do: only its host is ever named. The pools of urllib3 set no end
to a whole attempt, and name whole addresses in their log, so a bare connection is used once for each.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

_TAKEN = range(200, 300)
_ELSEWHERE = range(300, 400)
_FAILURES = (http.client.HTTPException, OSError, ValueError, AttributeError)
"""What a line can end with; one that is cut while it is used ends with the last two as well."""


class Webhook:
    """One address. A redirect is not followed: the body and its signature are for nobody else."""

    def __init__(self, url: str, *, timeout_s: float, ca_file: str = "") -> None:
        """`timeout_s` is for all of an attempt; `ca_file` is in place of the system's certificates.

        Raises: ValueError, OSError: the address or the certificates cannot be read.
        """
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._timeout_s = timeout_s
        self._tls = ssl.create_default_context(cafile=ca_file or None) if parts.scheme == "https" else None

    @property
    def host(self) -> str:
        """Return the host, with its port where one is given."""
        return f"{self._host}:{self._port}" if self._port else self._host

    def send(self, body: bytes, headers: Mapping[str, str]) -> str:
        """See the port. What the other side says beyond its status is not read."""
        line, is_late = self._line(), threading.Event()
        # A time for each read alone would let the other side answer letter by letter for ever.
        overdue = threading.Timer(self._timeout_s, _cut, (line, is_late))
        overdue.daemon = True
        overdue.start()
        try:
            line.request("POST", self._target, body=body, headers=dict(headers))
            status = line.getresponse().status
        except _FAILURES as error:
            return f"{self.host} does not answer: {type(error).__name__}"
        finally:
            overdue.cancel()
            line.close()
        if is_late.is_set():
            # What was cut in the middle looks like an answer that is over.
            return f"{self.host} does not answer in time"
        if status in _TAKEN:
            return ""
        where = ", and redirects are not followed" if status in _ELSEWHERE else ""
        return f"{self.host} answered {status}{where}"

    def _line(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._tls)


def _cut(line: http.client.HTTPConnection, is_late: threading.Event) -> None:
    is_late.set()
    # The type says that there always is one; before the line is open there is none.
    open_socket: socket.socket | None = line.sock
    if open_socket is not None:
        with suppress(OSError):
            open_socket.shutdown(socket.SHUT_RDWR)
