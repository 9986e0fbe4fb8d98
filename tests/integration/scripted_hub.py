"""A small real TLS server that answers as a test says, for tests of the client alone."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import msgspec

from ganglion.adapters.certificates import TlsFiles, open_authority
from ganglion.adapters.system import SystemClock
from ganglion.core.errors import GanglionError
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.settings.client import ClientSettings
from ganglion.ports.clock import utc_s
from ganglion.wire.problems import PROBLEM_TYPE, problem_of

PATIENCE = ClientSettings(timeout_s=5.0, connect_timeout_s=5.0, retry_delay_s=0.0)


@dataclass(frozen=True)
class Reply:
    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    announced_bytes: int | None = None
    """Content-Length, when it is not the true one."""
    retry_after: str = ""
    keeps_open: bool = False
    """The connection stays for the next request."""

    @classmethod
    def of(cls, value: object, status: int = 200) -> "Reply":
        return cls(msgspec.json.encode(value), status)

    @classmethod
    def refusing(cls, error: GanglionError) -> "Reply":
        problem = problem_of(error)
        return cls(msgspec.json.encode(problem), problem.status, PROBLEM_TYPE)


HANGS_UP = Reply(status=0)
"""Stands for no reply: the connection ends."""
IS_SILENT = Reply(status=-1)
"""Stands for no reply: the connection stays until the client ends it."""


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    line: int = 0
    """The connection that it came on."""


@dataclass
class ScriptedHub:
    """Replies by path, in order; the last one is repeated."""

    url: str
    tls: TlsFiles
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @property
    def ca_pem(self) -> bytes:
        return self.tls.ca_path.read_bytes()

    def answers(self, path: str, *replies: Reply) -> None:
        self.replies[path] = list(replies)

    def next_reply(self, path: str) -> Reply:
        waiting = self.replies.get(path.partition("?")[0], [Reply(b"lost", 404, "text/plain")])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


@contextmanager
def scripted_hub(directory: Path, *, hostnames: tuple[str, ...] = ("localhost",)) -> Iterator[ScriptedHub]:
    tls = open_authority(directory, hostnames=hostnames, now_s=utc_s(SystemClock()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.cert_path, tls.key_path)

    class Answering(_Answering):
        hub = ScriptedHub("", tls)

    with _Server(("127.0.0.1", 0), Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        Answering.hub.url = f"https://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Answering.hub
        finally:
            server.shutdown()
            thread.join()


def client_of(hub: ScriptedHub, *, settings: ClientSettings = PATIENCE, url: str = "") -> HubClient:
    return HubClient(url or hub.url, ca_pem=hub.ca_pem, token="account-token", settings=settings)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a client breaks a connection off: that is what some tests are about."""


class _Answering(BaseHTTPRequestHandler):
    hub: ClassVar[ScriptedHub]
    protocol_version = "HTTP/1.1"
    timeout = 5.0

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        line = self.client_address[1]
        self.hub.asked.append(Asked(self.command, self.path, dict(self.headers.items()), body, line))
        reply = self.hub.next_reply(self.path)
        if reply in (HANGS_UP, IS_SILENT):
            self.close_connection = True
            self.rfile.read(1 if reply == IS_SILENT else 0)
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        if reply.retry_after:
            self.send_header("Retry-After", reply.retry_after)
        size_bytes = len(reply.body) if reply.announced_bytes is None else reply.announced_bytes
        self.send_header("Content-Length", str(size_bytes))
        self.send_header("Connection", "keep-alive" if reply.keeps_open else "close")
        self.end_headers()
        self.wfile.write(reply.body)
        self.close_connection = not reply.keeps_open

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives it
        """Print nothing."""
