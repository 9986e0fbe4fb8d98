"""An address that is told, and what becomes of addresses that do not play along."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from ganglion.adapters.system import SystemClock
from ganglion.adapters.webhook import Webhook
from integration.alert_receiver import receiver

TIMEOUT_S = 0.3


@contextmanager
def speaking(first: bytes, again: bytes = b"") -> Iterator[str]:
    """Serve one connection that says `first`, and then `again` and again; return its address."""
    ends = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            with suppress(OSError):
                line, _ = listener.accept()
                with line:
                    line.recv(65_536)
                    line.sendall(first)
                    while again and not ends.wait(0.02):
                        line.sendall(again)

        thread = threading.Thread(target=speak)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/k3y"
        finally:
            ends.set()
            thread.join()


def test_a_body_arrives_as_it_is_with_its_headers() -> None:
    with receiver() as told:
        trouble = Webhook(f"{told.url}/hook?key=k3y", timeout_s=5.0).send(b'{"a":1}', {"ganglion-id": "m1"})

    ((body, headers),) = told.taken
    assert (trouble, body, headers["ganglion-id"], told.asked) == ("", b'{"a":1}', "m1", ["/hook?key=k3y"])


@pytest.mark.parametrize(("status", "says"), [(201, ""), (500, "answered 500"), (404, "404"), (307, "not followed")])
def test_only_success_is_success(status: int, says: str) -> None:
    with receiver() as told:
        told.answers = [status]
        trouble = Webhook(told.url, timeout_s=5.0).send(b"{}", {})

    assert (says in trouble, bool(trouble)) == (True, bool(says))
    assert told.asked == ["/"]


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"", b""),
        (b"SSH-2.0-OpenSSH\r\n", b""),
        (b"HTTP/1.1 200 OK\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n", b""),
    ],
    ids=["nothing", "another protocol", "a line without end", "headers without end", "a huge header"],
)
def test_an_address_that_speaks_no_http_ends_in_time_and_is_not_named_in_full(first: bytes, again: bytes) -> None:
    with speaking(first, again) as url:
        began_s = SystemClock.monotonic_s()
        trouble = Webhook(url, timeout_s=TIMEOUT_S).send(b"{}", {})
        took_s = SystemClock.monotonic_s() - began_s

    assert "does not answer" in trouble
    assert "k3y" not in trouble
    # Whoever is not cut off goes on for ever: how far behind the limit a busy machine is does not matter.
    assert took_s < 30.0


def test_an_address_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert "does not answer" in Webhook(f"http://127.0.0.1:{port}/k3y", timeout_s=TIMEOUT_S).send(b"{}", {})


def test_an_address_whose_certificate_nobody_vouches_for_is_told_nothing() -> None:
    with speaking(b"HTTP/1.1 200 OK\r\n\r\n") as url:
        trouble = Webhook(url.replace("http:", "https:"), timeout_s=TIMEOUT_S).send(b"{}", {})

    assert "does not answer" in trouble
