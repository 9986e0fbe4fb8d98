"""Whoever answers byte by byte, at whatever step, holds nobody for longer than was granted."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from ganglion.adapters.certificates import TlsFiles, open_authority
from ganglion.adapters.system import SystemClock
from ganglion.entrypoints.hub_client.timed_line import TimedLine
from ganglion.ports.clock import utc_s

SECONDS = 0.5
PAUSE_S = 0.02
Answer = Callable[[socket.socket], object]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return open_authority(tmp_path_factory.mktemp("tls"), hostnames=("localhost",), now_s=utc_s(SystemClock()))


@contextmanager
def a_server(answer: Answer) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            accepted, _ = server.accept()
            with accepted, suppress(OSError):
                answer(accepted)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def dribble(out: socket.socket, begin: bytes) -> None:
    never = threading.Event()
    out.sendall(begin)
    while not never.wait(PAUSE_S):
        out.sendall(b"x")


def in_the_handshake(_tls: TlsFiles, line: socket.socket) -> None:
    # The head of a record of 16 kB.
    dribble(line, b"\x16\x03\x03\x40\x00\x02")


@contextmanager
def asked(tls: TlsFiles, line: socket.socket) -> Iterator[socket.socket]:
    """Speak TLS, and hear a request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.cert_path, tls.key_path)
    with context.wrap_socket(line, server_side=True) as secure:
        secure.recv(4096)
        yield secure


def spoken(tls: TlsFiles, line: socket.socket, begin: bytes) -> None:
    with asked(tls, line) as secure:
        dribble(secure, begin)


def in_the_head(tls: TlsFiles, line: socket.socket) -> None:
    spoken(tls, line, b"HTTP/1.1 200 OK\r\nX: ")


def in_the_body(tls: TlsFiles, line: socket.socket) -> None:
    spoken(tls, line, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")


def without_a_length(tls: TlsFiles, line: socket.socket) -> None:
    spoken(tls, line, b"HTTP/1.1 200 OK\r\n\r\n")


def read_to_the_end(held: TimedLine) -> None:
    with held.opened() as line:
        line.request("GET", "/")
        line.getresponse().read(1_000_000)


@pytest.mark.parametrize("where", [in_the_handshake, in_the_head, in_the_body, without_a_length])
def test_a_server_that_answers_byte_by_byte_is_left_when_the_time_is_over(
    tls: TlsFiles, where: Callable[[TlsFiles, socket.socket], None]
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(tls.ca_path)

    with a_server(lambda line: where(tls, line)) as port:
        held = TimedLine("localhost", port, seconds=SECONDS, context=context)
        with pytest.raises(TimeoutError, match="not done within"):
            read_to_the_end(held)


def test_what_was_answered_in_time_is_read_to_its_end(tls: TlsFiles) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(tls.ca_path)

    def answer(line: socket.socket) -> None:
        with asked(tls, line) as secure:
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with a_server(answer) as port, TimedLine("localhost", port, seconds=20.0, context=context).opened() as line:
        line.request("GET", "/")
        assert line.getresponse().read() == b"ok"
