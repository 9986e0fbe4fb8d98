"""Connections to the hub: its CA is pinned, the head of a reply has one deadline, and one that went stale is replaced.

A connection that was kept may be closed by the hub, or by something on the way, at the moment at which it is used
again. Then no byte of a reply comes, and what is safe to ask twice is asked again on another one.
"""

import io
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPSConnection

from ganglion.core.errors import DataCorrupt, InvalidSettings
from ganglion.ports.clock import Clock

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_KEPT_MAX = 6
"""Connections that wait for their next use."""
_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module does not name."""
_WRONG_DATE = frozenset({9, 10})
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""
_SAFE_TWICE = frozenset({"GET", "PUT"})


class _Stale(ConnectionError):
    """A connection that has served before ended without a byte of this reply."""


class PatientConnection(HTTPSConnection):
    """A connection whose timeout bounds the whole head of a reply, not only the pause between two of its bytes."""

    def __init__(self, host: str, port: int | None = None, *, clock: Clock, **more: Any) -> None:  # noqa: ANN401
        """`more` is urllib3's own, whatever that is in its next release: hence no types."""
        super().__init__(host, port, **more)
        self._clock, self._has_served = clock, False
        self._received: _Received | None = None
        # Only ever called.
        self.response_class = self._open_reply  # type: ignore[assignment]

    def request(self, *what: Any, **more: Any) -> None:  # noqa: ANN401 - passed on as it is
        """Send a request."""
        self._received = None
        with self._noticing_age():
            super().request(*what, **more)

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # urllib3's own class departs here
        """Return the reply when its head is complete."""
        with self._noticing_age():
            response = super().getresponse()
        self._has_served = self.sock is not None
        return response

    def close(self) -> None:
        """End it; what is opened next has served nothing yet."""
        self._has_served = False
        super().close()

    @contextmanager
    def _noticing_age(self) -> Iterator[None]:
        had_served = self._has_served
        try:
            yield
        except (ConnectionError, ssl.SSLEOFError) as error:
            if had_served and (self._received is None or not self._received.has_come):
                raise _Stale(str(error)) from error
            raise

    def _open_reply(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None) -> HTTPResponse:
        reply = _PunctualReply(sock, debuglevel, method, clock=self._clock)
        self._received = reply.received
        return reply


class _PunctualReply(HTTPResponse):
    """A reply that reads its head from a socket that is granted less time at each look."""

    def __init__(self, sock: socket.socket, debuglevel: int, method: str | None, *, clock: Clock) -> None:
        super().__init__(sock, debuglevel, method)
        self.received = _Received(self.fp.detach(), sock, clock)
        self.fp = io.BufferedReader(self.received)

    def begin(self) -> None:
        with self.received.in_time():
            super().begin()


class _Received(io.RawIOBase):
    """What comes out of a socket."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, clock: Clock) -> None:
        super().__init__()
        self._raw, self._sock, self._clock = raw, sock, clock
        self._ends_at_s: float | None = None
        self.has_come = False
        """At least one byte."""

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Grant the socket's timeout to all that is read here together."""
        granted_s = self._sock.gettimeout()
        self._ends_at_s = None if granted_s is None else self._clock.monotonic_s() + granted_s
        try:
            yield
        finally:
            self._ends_at_s = None
            self._sock.settimeout(granted_s)

    def readable(self) -> bool:
        return True

    def readinto(self, room: "WriteableBuffer") -> int | None:
        if self._ends_at_s is not None:
            left_s = self._ends_at_s - self._clock.monotonic_s()
            if left_s <= 0:
                raise TimeoutError("the head of the reply did not come in time")
            self._sock.settimeout(left_s)
        came = self._raw.readinto(room)
        self.has_come = self.has_come or bool(came)
        return came

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Pool(urllib3.HTTPSConnectionPool):
    ConnectionCls = PatientConnection


def open_pool(url: str, ca_pem: bytes, clock: Clock, *, dates_count: bool) -> urllib3.HTTPSConnectionPool:
    """Return connections that trust this CA alone. Raises: InvalidSettings, DataCorrupt: the CA's certificate."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise InvalidSettings(f"{url!r} is not an https address")
    # Not `create_default_context`, which trusts the system's authorities when it is given an empty file.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=ca_pem.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise DataCorrupt(
            "the stored certificate authority of the hub is damaged: restore it, or join again in a new directory"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not dates_count:
        context.verify_flags |= _NO_CHECK_TIME
    return _Pool(
        parts.hostname,
        parts.port or 443,
        ssl_context=context,
        maxsize=_KEPT_MAX,
        block=False,
        retries=False,
        clock=clock,
    )


def send_over(
    pools: Sequence[urllib3.HTTPSConnectionPool],
    method: str,
    path: str,
    *,
    body: bytes | None,
    headers: Mapping[str, str],
    timeout: urllib3.Timeout,
    is_safe_twice: bool = False,
) -> urllib3.BaseHTTPResponse:
    """Send to the first pool; where only the dates of the certificate displease it, to the next.

    The pin holds in each of them. A node whose clock is years ahead must still be able to say so, and be helped;
    what it installs is judged by signed metadata, and by the clock that `trust.clock_floor` believes.
    `is_safe_twice`: taking this in twice changes nothing, as with every GET and PUT.
    Raises: what urllib3 does.
    """
    tries_max = _KEPT_MAX + 1 if is_safe_twice or method in _SAFE_TWICE else 1
    for pool in pools[:-1]:
        try:
            return _request(pool, method, path, body=body, headers=headers, timeout=timeout, tries_max=tries_max)
        except urllib3.exceptions.SSLError as error:
            cause = error.args[0] if error.args else error
            if not isinstance(cause, ssl.SSLCertVerificationError) or cause.verify_code not in _WRONG_DATE:
                raise
    return _request(pools[-1], method, path, body=body, headers=headers, timeout=timeout, tries_max=tries_max)


def _request(
    pool: urllib3.HTTPSConnectionPool,
    method: str,
    path: str,
    *,
    body: bytes | None,
    headers: Mapping[str, str],
    timeout: urllib3.Timeout,
    tries_max: int,
) -> urllib3.BaseHTTPResponse:
    """Send; a kept connection that turns out to have ended is one less, and one that is new is never stale."""
    while True:
        tries_max -= 1
        try:
            return pool.request(
                method, path, body=body, headers=dict(headers), timeout=timeout, preload_content=False, redirect=False
            )
        except urllib3.exceptions.ProtocolError as error:
            if not tries_max or not isinstance(error.args[-1], _Stale):
                raise
