"""The server around the routes: how it stops, and what keeps running when something fails."""

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from anyio import to_thread
from anyio.from_thread import start_blocking_portal
from structlog.testing import capture_logs

from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.core.errors import DataInUse, InvalidSettings
from ganglion.entrypoints.hub_process import server as hub_server
from ganglion.entrypoints.hub_process.server import HubServer
from ganglion.entrypoints.hub_wiring.hub import open_hub
from ganglion.entrypoints.settings.hub import HttpSettings, HubSettings
from ganglion.hub.services.rollouts.rollouts import Rollouts
from ganglion.testing.waiting import wait_until
from ganglion.wire import paths
from integration.hub_api_world import ServedHub, make_package, serving

SOON_S = 10.0
LONG_DRAIN = HttpSettings(drain_s=600)
looks: list[int] = []


def seen() -> type[int]:
    """Stand in an annotation, and note each time that somebody looks at it."""
    looks.append(1)
    return int


def begin_upload(hub: ServedHub, size_bytes: int) -> bytes:
    """Return the head of a package upload."""
    lines = [
        f"POST {paths.RELEASES} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {hub.token}",
        f"Content-Length: {size_bytes}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_message_types_are_taken_apart_before_requests_are_answered_side_by_side(tmp_path: Path) -> None:
    class Told(msgspec.Struct):
        number: "seen()"  # type: ignore[valid-type]

    with serving(HubSettings(data_dir=str(tmp_path), port=0)):
        looks.pop()
        told = msgspec.json.decode(b'{"number": 1}', type=Told)

    assert told == Told(1)
    assert not looks


def test_an_idle_connection_does_not_hold_the_hub_back(tmp_path: Path) -> None:
    with contextlib.ExitStack() as later, serving(HubSettings(data_dir=str(tmp_path), port=0, http=LONG_DRAIN)) as hub:
        line = later.enter_context(contextlib.closing(hub.connect()))
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")

        assert line.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_connection_on_which_nobody_asks_anything_is_closed_after_its_time(tmp_path: Path) -> None:
    brief = HttpSettings(keep_alive_s=1)
    with (
        serving(HubSettings(data_dir=str(tmp_path), port=0, http=brief)) as hub,
        contextlib.closing(hub.connect()) as line,
    ):
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")

        # Without an end of the connection this raises when the line's own patience is over.
        answer = b"".join(iter(lambda: line.recv(1000), b""))

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" not in answer.lower()


def test_no_answer_waits_for_the_acknowledgement_of_its_first_part(tmp_path: Path) -> None:
    settings = HubSettings(data_dir=str(tmp_path), port=0)

    with (
        contextlib.closing(hub_server._listen(settings)) as listener,
        contextlib.closing(socket.create_connection(listener.getsockname())),
        contextlib.closing(listener.accept()[0]) as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_request_in_progress_is_finished_before_the_hub_stops(tmp_path: Path) -> None:
    package = make_package(tmp_path / "package").read_bytes()
    settings = HubSettings(data_dir=str(tmp_path / "hub"), port=0, http=LONG_DRAIN)

    def finish() -> bytes:
        wait_until(lambda: hub.hub.phase.name == "stopping", what="the hub to stop", timeout_s=SOON_S)
        line.sendall(package[100:])
        return line.recv(65_536)

    with ThreadPoolExecutor(1) as threads, contextlib.ExitStack() as later:
        with serving(settings) as hub:
            line = later.enter_context(contextlib.closing(hub.connect()))
            line.sendall(begin_upload(hub, len(package)) + package[:100])
            wait_until(lambda: list(hub.hub.uploads.iterdir()), what="the upload to begin", timeout_s=SOON_S)
            answer = threads.submit(finish)

        assert answer.result(timeout=SOON_S).startswith(b"HTTP/1.1 201 ")

    with serving(settings) as hub:
        assert hub.hub.releases.list("digits")


def test_stopping_twice_waits_for_nobody(tmp_path: Path) -> None:
    with contextlib.ExitStack() as later, serving(HubSettings(data_dir=str(tmp_path), port=0, http=LONG_DRAIN)) as hub:
        line = later.enter_context(contextlib.closing(hub.connect()))
        line.sendall(begin_upload(hub, 1000))
        wait_until(lambda: list(hub.hub.uploads.iterdir()), what="the upload to begin", timeout_s=SOON_S)

        hub.stop()

    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_hub_that_stops_is_not_ready(tmp_path: Path) -> None:
    with serving(HubSettings(data_dir=str(tmp_path), port=0)) as hub:
        ready = hub.call("GET", "/readyz")
        hub.hub.phase.name = "stopping"
        stopping = hub.call("GET", "/readyz")

    assert ready.status == 200
    assert (stopping.status, stopping.code) == (503, "unavailable")


def test_a_look_at_the_rollouts_that_fails_is_logged_and_the_next_one_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Rollouts] = []

    def fail(rollouts: Rollouts) -> None:
        looks.append(rollouts)
        raise ZeroDivisionError

    monkeypatch.setattr(Rollouts, "tick", fail)
    with capture_logs() as logged, serving(HubSettings(data_dir=str(tmp_path), port=0, tick_s=0.01)) as hub:
        wait_until(lambda: len(looks) > 1, what="a second look", timeout_s=SOON_S)

        assert hub.call("GET", "/readyz").status == 200
    assert "turn.failed" in {entry["event"] for entry in logged}


class NotingContext:
    """A TLS context that notes which thread changes it."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def load_cert_chain(self, _certificate: Path, _key: Path) -> None:
        self.threads.append(threading.get_ident())


def test_a_renewed_certificate_is_taken_by_the_thread_that_makes_handshakes(tmp_path: Path) -> None:
    settings, context = HubSettings(data_dir=str(tmp_path), port=0), NotingContext()
    with open_hub(settings, clock=SystemClock(), chance=SystemChance()) as hub, start_blocking_portal() as portal:
        server = HubServer(hub, on_listening=lambda _: None)
        server._server.config.ssl = context  # type: ignore[assignment]  # only what is called of it

        portal.call(to_thread.run_sync, server._renew)

        assert context.threads == [portal.call(threading.get_ident)]
        server._socket.close()


def test_a_data_directory_belongs_to_one_hub(tmp_path: Path) -> None:
    settings = HubSettings(data_dir=str(tmp_path), port=0)
    with serving(settings), pytest.raises(DataInUse), serving(settings):
        pass


def test_what_an_earlier_process_left_half_received_is_removed(tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "old.part").write_bytes(b"half")

    with serving(HubSettings(data_dir=str(tmp_path), port=0)) as hub:
        assert list(hub.hub.uploads.iterdir()) == []


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.9"])
def test_an_address_that_is_not_of_this_machine_is_named(tmp_path: Path, host: str) -> None:
    settings = HubSettings(data_dir=str(tmp_path), host=host, port=0)

    with pytest.raises(InvalidSettings, match=host), serving(settings):
        pass
