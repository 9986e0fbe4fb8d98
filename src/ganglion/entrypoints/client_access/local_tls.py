"""TLS of a serving port: contexts that verify certificates of clients, and take a new one of their own meanwhile."""

import asyncio
import ssl
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

from ganglion.core.errors import DataCorrupt, GanglionError
from ganglion.entrypoints.client_access.local_authority import LocalAuthority
from ganglion.entrypoints.settings.local_tls import LocalTlsSettings
from ganglion.ports.clock import Clock, utc_s

log = structlog.get_logger()

_LOOK_AGAIN_S = 3600.0


@dataclass(frozen=True, slots=True)
class EdgeContexts:
    """What each edge speaks TLS with: they differ in the protocol that they agree on."""

    http: ssl.SSLContext
    grpc: ssl.SSLContext


@contextmanager
def edge_contexts(settings: LocalTlsSettings, clients: Path, *, clock: Clock) -> Iterator[EdgeContexts]:
    """Return contexts that stay good while the context is open, on the running event loop.

    Raises: InvalidSettings: a hostname cannot stand in a certificate. DataCorrupt, DiskUnusable.
    """
    files = _Files(settings, LocalAuthority(clients), clock)
    contexts = EdgeContexts(files.context("http/1.1"), files.context("h2"))
    timer = _Timer(files, contexts)
    timer.start()
    try:
        yield contexts
    finally:
        timer.stop()


class BoundedContext(ssl.SSLContext):
    """Begins no more conversations than it may hold, those included whose client has said nothing yet.

    Connections are counted further on only when their handshake is over: whoever merely connects would otherwise use
    up the process's descriptors, those for the programs of this machine too.
    """

    def __new__(cls, protocol: int, *, lines_max: int) -> Self:
        """Make the context; further connections beyond `lines_max` are closed."""
        made = super().__new__(cls, protocol)
        made._lines_max, made._lines = lines_max, weakref.WeakSet[ssl.SSLObject]()
        return made

    _lines_max: int
    _lines: "weakref.WeakSet[ssl.SSLObject]"

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - the signature of the standard library
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a conversation. Raises: ssl.SSLError: there are too many."""
        if len(self._lines) >= self._lines_max:
            raise ssl.SSLError("too many connections are open")
        line = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        self._lines.add(line)
        return line


@dataclass(frozen=True, slots=True)
class _Files:
    settings: LocalTlsSettings
    authority: LocalAuthority
    clock: Clock

    def context(self, protocol: str) -> ssl.SSLContext:
        context = BoundedContext(ssl.PROTOCOL_TLS_SERVER, lines_max=self.settings.connections_max)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED if self.settings.certificates_only else ssl.CERT_OPTIONAL
        context.set_alpn_protocols([protocol])
        self.load_into(context)
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        tls = self.authority.server_files(self.settings.hostnames, now_s=utc_s(self.clock))
        try:
            context.load_cert_chain(tls.cert_path, tls.key_path)
            context.load_verify_locations(tls.ca_path)
        except (ssl.SSLError, OSError) as error:
            raise DataCorrupt(f"{self.authority.directory} holds no usable certificate: {error}") from error


class _Timer:
    """Looks once an hour whether a certificate was made anew: it lives for a year, a process may live for longer."""

    def __init__(self, files: _Files, contexts: EdgeContexts) -> None:
        self._files, self._contexts = files, contexts
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, self._look)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _look(self) -> None:
        # On the loop's thread, because a context must not change during a handshake. It reads four small files.
        try:
            for context in (self._contexts.http, self._contexts.grpc):
                self._files.load_into(context)
        except GanglionError as error:
            log.error("certificate.unusable", code=error.code, reason=error.message)  # noqa: TRY400 - the reason says it
        self.start()
