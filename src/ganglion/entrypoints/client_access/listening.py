"""Listens on a port and on a Unix socket, sweeps out what takes too long, and stops when everything is answered."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeAlias

import anyio

from ganglion.core.errors import InvalidSettings, PortInUse

_SWEEP_S = 1.0
_RETRY_S = 0.1
_BACKLOG = 512
_HANDSHAKE_S = 10.0

Factory: TypeAlias = Callable[[], asyncio.Protocol]


@dataclass(frozen=True, slots=True)
class TlsPlace:
    """Where to listen for TLS. Port 0 takes a free one."""

    host: str
    port: int
    context: ssl.SSLContext


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 takes a free one; `wait_s` is how long a taken place may become free."""

    host: str
    port: int | None
    """None: on no port, only on the Unix socket."""
    wait_s: float = 0.0
    uds: Path | None = None
    """A Unix socket to listen on besides."""
    uds_mode: int = 0o660
    """Who may connect to the Unix socket: by default its user and its group."""
    tls: TlsPlace | None = None
    """A place to listen for TLS besides."""
    trusts_loopback: bool = True
    """Whether programs that come over loopback need no proof of who they are."""


def uds_of(setting: str) -> Path | None:
    """Return the path of a Unix socket as a setting names it; None for an empty one."""
    return Path(setting).expanduser().absolute() if setting else None


class OpenConnection(Protocol):
    """A client's connection, as its server sees it."""

    def sweep(self, now_s: float) -> None:
        """End what takes too long."""
        ...

    def stop(self) -> None:
        """Close after the last answer that is under way."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


class SharedState(Protocol):
    """What the connections of a server tell it."""

    is_stopping: bool

    @property
    def connections(self) -> AbstractSet[OpenConnection]:
        """Those that are open."""
        ...

    @property
    def emptied(self) -> asyncio.Event:
        """Set when the last connection of a stopping server has gone."""
        ...


class ListeningServer:
    """A listening server."""

    def __init__(self, listening: Sequence[asyncio.Server], shared: SharedState, address: Address) -> None:
        self._listening, self._shared = listening, shared
        self.host, self.port = ("", 0) if address.port is None else _name_of(listening[0])
        """0: it listens on a Unix socket alone, or for TLS."""
        self.tls_port = 0 if address.tls is None else _name_of(listening[-1])[1]
        """0: it speaks no TLS."""

    def begin_stop(self) -> None:
        """Accept nothing more, and end every connection after its answers."""
        self._shared.is_stopping = True
        for server in self._listening:
            server.close()
        for connection in list(self._shared.connections):
            connection.stop()

    async def finish(self, *, within_s: float) -> bool:
        """Wait for the answers under way, then close what is left. False: some were cut off."""
        with anyio.move_on_after(within_s):
            if self._shared.connections:
                await self._shared.emptied.wait()
        was_clean = not self._shared.connections
        for connection in list(self._shared.connections):
            connection.abort()
        return was_clean

    async def sweep(self) -> None:
        """Look at every connection once a second, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await anyio.sleep(_SWEEP_S)
            for connection in list(self._shared.connections):
                connection.sweep(loop.time())


async def listen(address: Address, factory: Factory) -> list[asyncio.Server]:
    """Listen on every place that `address` names. Raises: PortInUse, InvalidSettings."""
    listening: list[asyncio.Server] = []
    try:
        if address.port is not None:
            tcp = partial(_listen_tcp, address.host, address.port, factory)
            listening.append(await _patiently(tcp, address.wait_s))
        if address.uds is not None:
            uds = partial(_listen_uds, address.uds, factory, address.uds_mode)
            listening.append(await _patiently(uds, address.wait_s))
        if address.tls is not None:
            tls = partial(_listen_tls, address.tls, factory)
            listening.append(await _patiently(tls, address.wait_s))
    except BaseException:
        for server in listening:
            server.close()
        raise
    return listening


def _name_of(server: asyncio.Server) -> tuple[str, int]:
    host, port = server.sockets[0].getsockname()[:2]
    return str(host), int(port)


async def _patiently(listen: Callable[[], Awaitable[asyncio.Server]], wait_s: float) -> asyncio.Server:
    with anyio.move_on_after(wait_s):
        while True:
            try:
                return await listen()
            except PortInUse:
                await anyio.sleep(_RETRY_S)
    return await listen()


async def _listen_tls(place: TlsPlace, factory: Factory) -> asyncio.Server:
    return await _listen_tcp(place.host, place.port, factory, place.context)


async def _listen_tcp(host: str, port: int, factory: Factory, context: ssl.SSLContext | None = None) -> asyncio.Server:
    create = partial(
        asyncio.get_running_loop().create_server, factory, host, port, backlog=_BACKLOG, reuse_address=True
    )
    try:
        if context is None:
            return await create()
        return await create(ssl=context, ssl_handshake_timeout=_HANDSHAKE_S)
    except socket.gaierror as error:
        raise InvalidSettings(f"{host!r} is not an address of this machine: {error.strerror}") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"another program listens on {host}:{port} already") from error
        raise InvalidSettings(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


async def _listen_uds(path: Path, factory: Factory, mode: int) -> asyncio.Server:
    listening = _bind_uds(path, mode)
    return await asyncio.get_running_loop().create_unix_server(factory, sock=listening, backlog=_BACKLOG)


def _bind_uds(path: Path, mode: int) -> socket.socket:
    """Return a bound Unix socket; one that a killed process left behind is replaced."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            _check_deserted(path)
            path.unlink()
        # Nobody is let in between the binding and the change of mode: the socket does not listen yet.
        listening.bind(str(path))
        path.chmod(mode)
    except OSError as error:
        listening.close()
        raise InvalidSettings(f"cannot listen on {path}: {error.strerror or error}") from error
    except PortInUse:
        listening.close()
        raise
    return listening


def _check_deserted(path: Path) -> None:
    """Raises: PortInUse: somebody listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
    raise PortInUse(f"another program listens on {path} already")
