"""Authenticated requests to the hub: the CA is pinned, the node proves its key, every wait has a deadline."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
import urllib3

from ganglion.core.errors import (
    Broken,
    CaMismatch,
    DataCorrupt,
    GanglionError,
    HubUnreachable,
    InvalidSettings,
    TooLarge,
    Unauthenticated,
)
from ganglion.ports.clock import Clock
from ganglion.trust import assertion
from ganglion.wire import codec, paths
from ganglion.wire.messages import AccessReply, AccessRequest, Challenge
from ganglion.wire.problems import Problem, error_of

M = TypeVar("M")

_CLOCK_FLOOR_NS = 1_767_225_600 * 1_000_000_000
"""2026-01-01. A machine that believes in an earlier date has no idea what time it is."""
_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module does not name."""
_UNAUTHORISED = 401
_ERROR_FROM = 400


class LinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Deadlines and limits of the link."""

    connect_timeout_s: float = 5.0
    """How long making a connection may take."""
    request_timeout_s: float = 20.0
    """How long the hub may be silent within one request, long polls apart."""
    reply_bytes_max: int = 8_000_000
    """Largest reply that is read, artifacts apart."""
    chunk_bytes: int = 262_144
    """How much of an artifact is read and written at a time."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is to the hub. The key is not shown when this is printed."""

    hub_url: str
    node_id: str
    audience: str
    private_key: bytes = field(repr=False)


class Session:
    """Requests with a bearer token that is renewed when the hub does not accept it any more."""

    def __init__(self, *, identity: Identity, ca_pem: bytes, clock: Clock, settings: LinkSettings) -> None:
        self.settings = settings
        self._identity, self._clock = identity, clock
        self._pool = _open_pool(identity.hub_url, ca_pem, clock)
        self._token = ""

    def ask(self, method: str, path: str, *, body: bytes | None = None, kind: str = codec.JSON_TYPE) -> bytes:
        """Send a request and return the reply's body. Raises: HubUnreachable, and whatever error the hub states."""
        response = self.open(method, path, body=body, headers={"Content-Type": kind})
        return self.read(response)

    def open(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
    ) -> urllib3.BaseHTTPResponse:
        """Send a request and return the reply, unread, when its status is below 400.

        A refused token is renewed once. Raises: HubUnreachable, CaMismatch, and whatever error the hub states.
        """
        for attempt in range(2):
            if not self._token:
                self._token = self._prove()
            sent = {"Authorization": f"Bearer {self._token}", **(headers or {})}
            response = self._send(method, path, body=body, headers=sent, wait_s=wait_s)
            if response.status != _UNAUTHORISED or attempt:
                break
            self._token = ""
            response.drain_conn()
        if response.status >= _ERROR_FROM:
            raise self._error(response)
        return response

    def _prove(self) -> str:
        """Sign the hub's challenge with the enrolled key and return the access token."""
        challenge = self._exchange(paths.CHALLENGE, b"{}", Challenge)
        payload = assertion.compose(
            node_id=self._identity.node_id,
            audience=self._identity.audience,
            nonce=challenge.nonce,
            issued_at_s=challenge.issued_at_s,
        )
        signature = assertion.sign(self._identity.private_key, payload)
        request = codec.encode_json(AccessRequest(assertion=payload, signature=signature))
        return self._exchange(paths.ACCESS, request, AccessReply).access_token

    def _exchange(self, path: str, body: bytes, kind: type[M]) -> M:
        response = self._send("POST", path, body=body, headers={"Content-Type": codec.JSON_TYPE})
        if response.status >= _ERROR_FROM:
            raise self._error(response)
        return codec.decode_json(self.read(response), kind)

    def _send(
        self, method: str, path: str, *, body: bytes | None, headers: Mapping[str, str], wait_s: float = 0.0
    ) -> urllib3.BaseHTTPResponse:
        timeout = urllib3.Timeout(
            connect=self.settings.connect_timeout_s, read=self.settings.request_timeout_s + wait_s
        )
        try:
            return self._pool.request(
                method, path, body=body, headers=dict(headers), timeout=timeout, preload_content=False, redirect=False
            )
        except urllib3.exceptions.SSLError as error:
            raise CaMismatch(f"{self._identity.hub_url} does not present a certificate of the pinned CA") from error
        except urllib3.exceptions.HTTPError as error:
            raise HubUnreachable(f"{self._identity.hub_url}: {reason_of(error)}") from error

    def read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """Return the body of a reply, up to the limit. Raises: HubUnreachable, TooLarge."""
        limit = self.settings.reply_bytes_max
        try:
            data = response.read(limit + 1)
        except urllib3.exceptions.HTTPError as error:
            raise HubUnreachable(f"the reply broke off: {reason_of(error)}") from error
        if len(data) > limit:
            response.close()
            raise TooLarge(f"the hub's reply is larger than {limit} bytes")
        response.drain_conn()
        return data

    def _error(self, response: urllib3.BaseHTTPResponse) -> GanglionError:
        data = self.read(response)
        try:
            error = error_of(msgspec.json.decode(data, type=Problem))
        except msgspec.DecodeError:
            kind = Unauthenticated if response.status == _UNAUTHORISED else HubUnreachable
            return kind(f"{self._identity.hub_url} answered with status {response.status}")
        if isinstance(error, Broken) or type(error) is GanglionError:
            # The hub's disk is meant, not this node's: to this node the hub is away until it is repaired.
            return HubUnreachable(f"{self._identity.hub_url} reports {error.code}: {error.message}")
        return error


def reason_of(error: Exception) -> str:
    """Return why a request failed, without the object addresses that urllib3 prints."""
    cause = error.__cause__ or error.__context__ or error
    return str(cause).rsplit(": ", maxsplit=1)[-1] or type(cause).__name__


def _open_pool(url: str, ca_pem: bytes, clock: Clock) -> urllib3.HTTPSConnectionPool:
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
    if clock.utc_ns() < _CLOCK_FLOOR_NS:
        # The pin still holds; only the dates are not judged, so that the node can report and be helped.
        context.verify_flags |= _NO_CHECK_TIME
    return urllib3.HTTPSConnectionPool(
        parts.hostname, parts.port or 443, ssl_context=context, maxsize=4, block=False, retries=False
    )
