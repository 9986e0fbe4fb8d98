"""Who may ask a serving port: programs on this machine anything, those on others what their token is for.

Nothing here needs a network or a hub. Requests of this machine never come here: that costs them one look at a flag.
"""

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

from ganglion.core.errors import GanglionError, InvalidSettings
from ganglion.core.identity_errors import Forbidden, Unauthenticated
from ganglion.entrypoints.client_access.client_list import read_clients
from ganglion.ports.clock import Clock, utc_s
from ganglion.trust import bearer
from ganglion.trust.client_tokens import SCHEME, LocalClient, Verb

log = structlog.get_logger()

_LOOK_AGAIN_S = 1.0
_REMEMBERED_MAX = 1024


class Guard(Protocol):
    """Judges requests from other machines."""

    def check(self, authorization: bytes, verb: Verb, model: str | None, *, certificate: str = "") -> None:
        """Let it pass; None stands for a model that is not known yet.

        `certificate` is the SHA-256 of the one whose key the client has proved to own: nothing that a header says.
        Raises: Unauthenticated: no client is known by this. Forbidden: the client may not do it.
        """
        ...


class NoGuard:
    """Lets everybody pass: the operator said that the whole network may ask."""

    def check(self, authorization: bytes, verb: Verb, model: str | None, *, certificate: str = "") -> None:
        """Do nothing."""


class ClientGuard:
    """Lets holders of tokens and certificates pass. A change of the file is seen within a second."""

    def __init__(self, file: Path, *, clock: Clock) -> None:
        self._file, self._clock = file, clock
        self._known: dict[str, LocalClient] = {}
        self._by_header: dict[bytes, LocalClient] = {}
        self._by_certificate: dict[str, LocalClient] = {}
        self._stamp: object = None
        self._looked_at_s = float("-inf")

    def check(self, authorization: bytes, verb: Verb, model: str | None, *, certificate: str = "") -> None:
        """See `Guard`."""
        self._look_again()
        client = self._owner_of(certificate) if certificate else None
        # Whoever shows both is known by the certificate alone: a token may be copied, a key is proved.
        client = client or self._by_header.get(authorization) or self._recognise(authorization)
        if not client.is_good(utc_s(self._clock)):
            raise Unauthenticated(f"what the client {client.name} proves itself with has expired")
        if not client.permits(verb, model):
            raise Forbidden(f"the client {client.name} may not {verb} {model or ''}".rstrip())

    def _owner_of(self, certificate: str) -> LocalClient:
        client = self._by_certificate.get(certificate)
        if client is None:
            raise Unauthenticated("no client of this server has this certificate any more")
        return client

    def _recognise(self, authorization: bytes) -> LocalClient:
        scheme, token = authorization[: len(SCHEME)], authorization[len(SCHEME) :]
        if scheme.lower() != SCHEME.lower():
            raise Unauthenticated(
                "a request needs a client's token here (Authorization: Bearer TOKEN), or over TLS its certificate"
            )
        # By the hash, whose comparison tells nothing of the token.
        client = self._known.get(bearer.hash_secret(token.decode("latin-1")))
        if client is None:
            raise Unauthenticated("no client of this server has this token")
        if len(self._by_header) >= _REMEMBERED_MAX:
            self._by_header.clear()
        self._by_header[authorization] = client
        return client

    def _look_again(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_at_s < _LOOK_AGAIN_S:
            return
        self._looked_at_s = now_s
        stamp = _stamp_of(self._file)
        if stamp is not None and stamp == self._stamp:
            return
        self._stamp, self._by_header = stamp, {}
        try:
            listed = read_clients(self._file)
            clients = listed.clients if listed else ()
        except GanglionError as error:
            clients = ()
            log.error("clients.unreadable", code=error.code, reason=error.message)  # noqa: TRY400 - the reason says it
        self._known = {client.token_sha256: client for client in clients if client.token_sha256}
        self._by_certificate = {shown: client for client in clients for shown in client.certificates}


def guard_of(*, open_to_network: bool, clients: Path, clock: Clock) -> Guard:
    """Return what judges requests from other machines."""
    return NoGuard() if open_to_network else ClientGuard(clients, clock=clock)


def check_exposure(host: str, *, open_to_network: bool, clients: Path, where: Callable[[str], str] = str) -> None:
    """Refuse to listen for other machines without an answer to who may ask.

    Raises: InvalidSettings: `host` is not of this machine alone, no file of clients exists, and nobody said that the
    whole network may ask.
    """
    if open_to_network or is_loopback(host) or clients.exists():
        return
    raise InvalidSettings(
        f"{where('host')}: on {host} every machine that reaches this one could ask. Add clients with tokens "
        f"(`ganglion node client add NAME --file {clients}`), or let everybody ask with --open-to-network"
    )


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
