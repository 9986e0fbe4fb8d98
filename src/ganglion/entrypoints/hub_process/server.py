"""The hub's server: it listens, ticks, and stops without leaving anybody waiting.

Stopping takes three steps: waiting long polls are answered first, because the server would wait for them
for ever; then requests in progress may finish until a deadline; then the caller closes the stores. A
process that is killed instead loses nothing acknowledged: the stores see to that.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import msgspec
import structlog
import uvicorn
from anyio import from_thread, to_thread

from ganglion.adapters.files import replace_file
from ganglion.core.errors import DiskUnusable, InvalidSettings, PortInUse
from ganglion.entrypoints.hub_api.app import create_app
from ganglion.entrypoints.hub_process.lines import HubConnection
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.wire.known_types import learn_types

log = structlog.get_logger()

_REACHED_AS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - looked up, never bound to
_BACKLOG = 2048
_LOOK_AGAIN_S = 0.02
_BREATH_S = 0.01
_FLUSH_S = 0.5
"""How long the last bytes of answers have to leave, and requests that were cut off to tidy up."""


class Listening(msgspec.Struct, frozen=True):
    """Where a hub listens: the content of DATA/run/hub.json while it does."""

    url: str
    pid: int
    ca_pin: str


class HubServer:
    """Serves one open hub. `run` returns when `stop` was called and everybody has an answer."""

    def __init__(self, hub: Hub, *, on_listening: Callable[[Listening], None]) -> None:
        """Listen; connections wait until `run`. Raises: PortInUse, InvalidSettings."""
        self._hub = hub
        self._on_listening = on_listening
        self._server = _Server(_config(hub))
        learn_types()
        self._socket = _listen(hub.settings)
        self.listening = _describe(self._socket, hub.tls.ca_pin)

    async def run(self) -> None:
        """Serve until stopped. Raises: DiskUnusable: the address could not be written down."""
        settings, hub = self._hub.settings, self._hub
        with _address_file(Path(settings.data_dir) / "run", self.listening):
            self._on_listening(self.listening)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_every, settings.tick_s, "rollouts.tick", hub.rollouts.tick)
                tasks.start_soon(_every, settings.tick_s, "experiments.tick", hub.organisation.experiments.tick)
                tasks.start_soon(_every, settings.alerts.look_s, "alerts.look", hub.alerting.looks.tick)
                tasks.start_soon(_every, settings.alerts.queue_look_s, "alerts.deliver", hub.alerting.delivery.step)
                tasks.start_soon(_every, settings.renewal_s, "trust.renew", self._renew)
                tasks.start_soon(_every, settings.retention.pause_s, "telemetry.age", hub.retention.step)
                hub.phase.name = "ready"
                await self._server.serve(sockets=[self._socket])
                tasks.cancel_scope.cancel()
        hub.waiters.detach()

    def stop(self) -> None:
        """Begin to stop; called again, do not wait for requests in progress. On the event loop's thread only."""
        self._hub.phase.name = "stopping"
        self._hub.waiters.close()
        self._server.force_exit = self._server.should_exit
        self._server.should_exit = True

    def _renew(self) -> None:
        """Sign and certify again what expires soon; connections made from now on see it."""
        tls, context = self._hub.renew(), self._server.config.ssl
        assert context is not None, "the configuration was loaded"
        # Where handshakes are made: changing a context under a handshake of another thread ends the process.
        from_thread.run_sync(context.load_cert_chain, tls.cert_path, tls.key_path)


class _Server(uvicorn.Server):
    """Uvicorn's server, which leaves signals to the process and waits for requests, not for idle connections."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: taken here, signals would end the process before the stores are closed."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the requests in progress until the deadline, then cut what is left.

        Clients keep connections open between requests, and do not answer when TLS is closed on them: waiting
        for connections, as uvicorn does, would make every stop as long as the deadline.
        """
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        state = self.server_state
        for connection in tuple(state.connections):
            connection.shutdown()
        await self._wait_while(lambda: bool(state.tasks), self.config.timeout_graceful_shutdown or 0)
        await _cancel(state.tasks)
        await self._wait_while(lambda: bool(state.connections), _FLUSH_S)
        for connection in tuple(state.connections):
            connection.transport.abort()

    async def _wait_while(self, busy: Callable[[], bool], deadline_s: float) -> None:
        with anyio.move_on_after(deadline_s):
            while busy() and not self.force_exit:  # noqa: ASYNC110 - uvicorn has sets to look at, and no event
                await anyio.sleep(_LOOK_AGAIN_S)


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    """Cut these tasks off, and let them tidy up."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(set(tasks), timeout=_FLUSH_S)


def _config(hub: Hub) -> uvicorn.Config:
    proxies = hub.settings.tls.proxies()
    config = uvicorn.Config(
        create_app(hub),
        # The other parser accepts headers without end.
        http=HubConnection,
        h11_max_incomplete_event_size=hub.settings.http.head_bytes_max,
        ws="none",
        lifespan="off",
        ssl_certfile=hub.tls.cert_path,
        ssl_keyfile=hub.tls.key_path,
        log_config=None,
        access_log=False,
        server_header=False,
        # Uvicorn believes every proxy on this machine unless it is told not to.
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_keep_alive=hub.settings.http.keep_alive_s,
        timeout_graceful_shutdown=hub.settings.http.drain_s,
    )
    config.load()
    return config


def _listen(settings: HubSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"another program listens on {place}") from error
        raise InvalidSettings(f"hub.host, hub.port: cannot listen on {place}: {error.strerror or error}") from error
    except OverflowError as error:
        raise InvalidSettings(f"hub.port: {error}") from error
    # Its connections inherit it. An answer is written in parts, and the second would wait for the client's ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _describe(listener: socket.socket, ca_pin: str) -> Listening:
    host, port = listener.getsockname()[:2]
    name = _REACHED_AS.get(host, f"[{host}]" if ":" in host else host)
    return Listening(f"https://{name}:{port}", os.getpid(), ca_pin)


@contextmanager
def _address_file(directory: Path, address: Listening) -> Iterator[None]:
    """Keep hub.json there as long as its content is true."""
    file = directory / "hub.json"
    try:
        directory.mkdir(exist_ok=True)
    except OSError as error:
        raise DiskUnusable(f"{directory} cannot be made: {error.strerror}") from error
    replace_file(file, msgspec.json.encode(address) + b"\n")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


async def _every(pause_s: float, name: str, work: Callable[[], object]) -> None:
    """Do `work` again and again in a thread of its own; an error is logged, and the next turn tries again.

    Work that returns True has not done everything: it goes on after a moment that lets others write.
    """
    limiter = anyio.CapacityLimiter(1)
    while True:
        try:
            while await to_thread.run_sync(work, limiter=limiter) is True:  # noqa: ASYNC110 - it waits for nothing
                await anyio.sleep(_BREATH_S)
        except Exception:
            # The outermost edge of this task: were it to end, rollouts would stand still without a word.
            log.exception("turn.failed", turn=name)
        await anyio.sleep(pause_s)
