"""Authenticated requests to the hub: the CA is pinned, the node proves its key, every wait has a deadline."""

import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
import urllib3

from ganglion.adapters.https_link.connections import open_pool, send_over
from ganglion.adapters.https_link.replies import read_bounded, reason_of
from ganglion.adapters.https_link.tuf_client import TufLimits
from ganglion.core.errors import (
    Broken,
    GanglionError,
    HubUnreachable,
    InvalidRequest,
    Unavailable,
)
from ganglion.core.identity_errors import CaMismatch, Unauthenticated
from ganglion.ports.clock import Clock, utc_s
from ganglion.ports.node_keys import NodeKey, NodeKeys
from ganglion.trust import assertion, node_statements
from ganglion.trust.clock_floor import BUILT_AT_S
from ganglion.trust.node_statements import Measured, Rekey
from ganglion.wire import codec, paths
from ganglion.wire.identity import AccessReply, AccessRequest, Challenge, RekeyRequest
from ganglion.wire.problems import Problem, error_of

M = TypeVar("M")

_PATIENCE_S_MIN = 0.05
"""A deadline that has passed still needs a timeout that sockets accept."""
_UNAUTHORISED = 401
_RETRY_DIGITS_MAX = 6
_ERROR_FROM = 400


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


class LinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Deadlines and limits of the link."""

    connect_timeout_s: float = 20.0
    """How long making a connection may take, TLS with it: on a line that a fleet shares, no step of it is quick."""
    request_timeout_s: float = 20.0
    """How long the hub may be silent within one request, long polls apart."""
    reply_bytes_max: int = 8_000_000
    """Largest reply that is read, artifacts apart."""
    chunk_bytes: int = 262_144
    """How much of an artifact is read and written at a time."""
    rate_bytes_min: float = 200.0
    """An artifact that comes in more slowly than this, bytes per second, is given up for now, and resumed later."""
    rate_window_s: float = 30.0
    """Over which time the rate is measured."""
    metadata: TufLimits = TufLimits()
    """Limits of signed metadata."""
    bytes_per_s_max: int = 0
    """How fast an artifact may come, whatever the hub allows; 0: as fast as the line is."""
    pause: Callable[[float], object] = _pause
    """Waits for so many seconds."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is to the hub."""

    hub_url: str
    node_id: str
    audience: str
    keys: NodeKeys = field(repr=False)
    measure: Callable[[], Mapping[str, str]] = dict
    """What the node measures of itself, told with each proof."""


class Session:
    """Requests with a bearer token that is renewed when the hub does not accept it any more."""

    def __init__(self, *, identity: Identity, ca_pem: bytes, clock: Clock, settings: LinkSettings) -> None:
        self.settings, self.clock = settings, clock
        self._identity = identity
        self._pool = open_pool(identity.hub_url, ca_pem, clock, dates_count=True)
        self._timeless = open_pool(identity.hub_url, ca_pem, clock, dates_count=False)
        self._token = ""
        self._hub_time: tuple[float, float] | None = None

    def hub_time_s(self) -> float | None:
        """Return what the hub's clock says now, as far as it has told; the node's own may be wrong."""
        if self._hub_time is None:
            return None
        said_s, heard_at_s = self._hub_time
        return said_s + self.clock.monotonic_s() - heard_at_s

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        kind: str = codec.JSON_TYPE,
        is_safe_twice: bool = False,
    ) -> bytes:
        """Send a request and return the reply's body. Raises: HubUnreachable, and whatever error the hub states."""
        response = self.open(method, path, body=body, headers={"Content-Type": kind}, is_safe_twice=is_safe_twice)
        return self.read(response)

    def open(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
        within_s: float = float("inf"),
        is_safe_twice: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """Send a request and return the reply, unread, when its status is below 400.

        Its head is granted the time of a request and `wait_s` more, but not more than `within_s`.
        A refused token is renewed once. `is_safe_twice`: see `connections.send_over`.
        Raises: HubUnreachable, CaMismatch, and whatever error the hub states.
        """
        for attempt in range(2):
            if not self._token:
                self._token = self._prove()
            sent = {"Authorization": f"Bearer {self._token}", **(headers or {})}
            patience_s = min(self.settings.request_timeout_s + wait_s, within_s)
            response = self._send(
                method, path, body=body, headers=sent, patience_s=patience_s, is_safe_twice=is_safe_twice
            )
            if response.status != _UNAUTHORISED or attempt:
                break
            self._token = ""
            response.drain_conn()
        if response.status >= _ERROR_FROM:
            raise self._error(response)
        return response

    def _prove(self) -> str:
        """Sign the hub's challenge with the enrolled key and return the access token.

        While the key is being changed, the next one is tried first: the hub makes it the present one by that.
        """
        keys = self._identity.keys
        with keys.alone():
            upcoming = keys.upcoming()
            if upcoming is not None:
                with suppress(Unauthenticated):
                    token = self._prove_with(upcoming)
                    keys.adopt()
                    return token
            return self._prove_with(keys.current())

    def rekey(self, replaced: str) -> bool:
        """Change the key if it is the one that is to be `replaced`. False: it is not, any more.

        To be repeated after any failure: until the hub has used the next key both are good.
        Raises: HubUnreachable, Unauthenticated, KeyStoreUnusable, and whatever error the hub states.
        """
        keys, identity = self._identity.keys, self._identity
        self._token = self._prove()
        with keys.alone():
            current = keys.current()
            if current.public_key != replaced:
                return False
            upcoming = keys.prepare()
        statement = Rekey(
            node_id=identity.node_id,
            audience=identity.audience,
            nonce=self._exchange(paths.CHALLENGE, b"{}", Challenge).nonce,
            public_key=upcoming.public_key,
        )
        payload = node_statements.encode(statement)
        signed = node_statements.signed_bytes(Rekey, payload)
        request = RekeyRequest(payload, current.sign(signed), upcoming.sign(signed))
        self.ask("POST", paths.REKEY, body=codec.encode_json(request))
        self._token = self._prove()
        return True

    def _prove_with(self, key: NodeKey) -> str:
        challenge = self._exchange(paths.CHALLENGE, b"{}", Challenge)
        self._hub_time = (challenge.issued_at_s, self.clock.monotonic_s()) if challenge.issued_at_s else None
        payload = assertion.compose(
            node_id=self._identity.node_id,
            audience=self._identity.audience,
            nonce=challenge.nonce,
            issued_at_s=challenge.issued_at_s,
        )
        told, told_signature = self._measured(key, challenge.nonce)
        signature = key.sign(assertion.signed_bytes(payload))
        request = codec.encode_json(AccessRequest(payload, signature, told, told_signature))
        return self._exchange(paths.ACCESS, request, AccessReply).access_token

    def _measured(self, key: NodeKey, nonce: str) -> tuple[bytes, bytes]:
        facts = dict(self._identity.measure())
        if not facts:
            return b"", b""
        statement = Measured(node_id=self._identity.node_id, audience=self._identity.audience, nonce=nonce, facts=facts)
        payload = node_statements.encode(statement)
        return payload, key.sign(node_statements.signed_bytes(Measured, payload))

    def _exchange(self, path: str, body: bytes, kind: type[M]) -> M:
        headers, patience_s = {"Content-Type": codec.JSON_TYPE}, self.settings.request_timeout_s
        # A challenge that was lost is none the worse for another; the answer to one is good once.
        is_safe_twice = path == paths.CHALLENGE
        response = self._send(
            "POST", path, body=body, headers=headers, patience_s=patience_s, is_safe_twice=is_safe_twice
        )
        if response.status >= _ERROR_FROM:
            raise self._error(response)
        return codec.decode_json(self.read(response), kind)

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        patience_s: float,
        is_safe_twice: bool,
    ) -> urllib3.BaseHTTPResponse:
        patience_s = max(_PATIENCE_S_MIN, patience_s)
        timeout = urllib3.Timeout(connect=min(self.settings.connect_timeout_s, patience_s), read=patience_s)
        # A machine that believes in a date before this release was made has no idea what time it is.
        pools = (self._pool, self._timeless) if utc_s(self.clock) >= BUILT_AT_S else (self._timeless,)
        try:
            return send_over(
                pools, method, path, body=body, headers=headers, timeout=timeout, is_safe_twice=is_safe_twice
            )
        except urllib3.exceptions.SSLError as error:
            if _is_cut(error):
                raise HubUnreachable(f"{self._identity.hub_url}: it ended the connection") from error
            raise CaMismatch(f"{self._identity.hub_url} does not present a certificate of the pinned CA") from error
        except urllib3.exceptions.HTTPError as error:
            raise HubUnreachable(f"{self._identity.hub_url}: {reason_of(error)}") from error

    def read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """Return the body of a reply, up to the limits. Raises: HubUnreachable, TooLarge."""
        ends_at_s = self.clock.monotonic_s() + self.settings.request_timeout_s
        return read_bounded(response, bytes_max=self.settings.reply_bytes_max, clock=self.clock, ends_at_s=ends_at_s)

    def _error(self, response: urllib3.BaseHTTPResponse) -> GanglionError:
        data = self.read(response)
        try:
            error = error_of(codec.decode_json(data, Problem))
        except InvalidRequest:
            kind = Unauthenticated if response.status == _UNAUTHORISED else HubUnreachable
            error = kind(f"{self._identity.hub_url} answered with status {response.status}")
        if isinstance(error, Broken) or type(error) is GanglionError:
            # The hub's disk is meant, not this node's: to this node the hub is away until it is repaired.
            error = HubUnreachable(f"{self._identity.hub_url} reports {error.code}: {error.message}")
        if isinstance(error, Unavailable):
            error.retry_after_s = _retry_after_s(response.headers.get("Retry-After", ""))
        return error


def _is_cut(error: urllib3.exceptions.SSLError) -> bool:
    """Say whether the connection just ended, as it does with a hub that stops: nobody has shown a wrong certificate."""
    cause = error.args[0] if error.args else error
    return isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)


def _retry_after_s(text: str) -> float | None:
    """Return the seconds of a Retry-After header; a date, which no hub sends, and nonsense say nothing."""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= _RETRY_DIGITS_MAX else None
