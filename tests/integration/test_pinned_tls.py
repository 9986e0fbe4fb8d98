import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ganglion.core.errors import HubUnreachable, InvalidRequest
from ganglion.core.identity_errors import CaMismatch
from ganglion.entrypoints.hub_client.pinned_tls import context_for, fetch_ca, parse_address
from ganglion.wire import paths
from integration.scripted_hub import Reply, ScriptedHub, scripted_hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ScriptedHub]:
    with scripted_hub(tmp_path / "tls") as scripted:
        yield scripted


def test_an_authority_with_the_pin_is_trusted(hub: ScriptedHub) -> None:
    hub.answers(paths.CA, Reply(hub.ca_pem))

    assert fetch_ca(hub.url, hub.tls.ca_pin.upper()) == hub.ca_pem
    assert "Authorization" not in hub.asked[0].headers


def test_an_authority_with_another_pin_is_refused(hub: ScriptedHub) -> None:
    hub.answers(paths.CA, Reply(hub.ca_pem))

    with pytest.raises(CaMismatch, match=hub.tls.ca_pin):
        fetch_ca(hub.url, "0" * 64)


def test_a_server_without_an_authority_is_no_hub(hub: ScriptedHub) -> None:
    hub.answers(paths.CA, Reply(b"welcome"))

    with pytest.raises(CaMismatch, match="did not send a CA"):
        fetch_ca(hub.url, hub.tls.ca_pin)


@pytest.mark.parametrize("host", ["hub..example", "x" * 64])
def test_what_cannot_be_the_name_of_a_machine_is_refused(host: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be the name"):
        fetch_ca(f"https://{host}:8443", "0" * 64)


def test_a_server_without_tls_is_no_hub() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        thread = threading.Thread(target=answer_plainly, args=(plain,))
        thread.start()

        with pytest.raises(HubUnreachable, match="no TLS is spoken there"):
            fetch_ca(f"https://127.0.0.1:{plain.getsockname()[1]}", "0" * 64)

        thread.join()


def answer_plainly(plain: socket.socket) -> None:
    accepted, _ = plain.accept()
    with accepted, suppress(ConnectionError):
        accepted.recv(1)
        accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        while accepted.recv(4096):
            pass


@pytest.mark.parametrize(
    "text", ["", "hub.example", "http://hub", "https://", "https://u:p@hub", "https://hub/x", "https://hub:99999"]
)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="https://HOST:PORT"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://hub.example/", "https://hub.example:443"),
        (" https://[::1]:8443", "https://[::1]:8443"),
        ("https://10.0.0.1:8443", "https://10.0.0.1:8443"),
    ],
)
def test_an_address_has_one_spelling(text: str, address: str) -> None:
    assert str(parse_address(text)) == address


@pytest.mark.parametrize("pem", [b"", b"\xff\xfe", b"no certificate"])
def test_a_damaged_certificate_file_never_means_that_every_authority_is_trusted(pem: bytes) -> None:
    with pytest.raises(CaMismatch, match="damaged"):
        context_for(pem)
