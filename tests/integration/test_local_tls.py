"""Certificates of local clients: made on the spot, verified without a hub, over HTTP and gRPC."""

import contextlib
import http.client
import socket
import ssl
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.core.errors import Conflict, InvalidRequest, InvalidSettings, NotFound
from ganglion.core.identity_errors import Unauthenticated
from ganglion.entrypoints.cli.app import app
from ganglion.entrypoints.client_access.guard import ClientGuard
from ganglion.entrypoints.client_access.local_authority import LocalAuthority
from ganglion.entrypoints.client_access.local_clients import ClientFile, Wish
from ganglion.entrypoints.serving.edges import check_proofs
from ganglion.entrypoints.settings.local_tls import LocalTlsSettings
from ganglion.entrypoints.settings.serve import ServeSettings
from ganglion.ports.clock import utc_s
from ganglion.testing.clock import FakeClock
from ganglion.testing.waiting import wait_until
from ganglion.trust.client_tokens import Verb
from integration.tls_serving_world import BODY, TIMEOUT_S, TlsWorld, status_of, tls_world

READ, INFER, LIVE = "/v2/models/steer", "/v2/models/steer/infer", "/v2/health/live"
DAY_S = 86_400.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[TlsWorld]:
    with tls_world(tmp_path) as world:
        yield world


def foreign_certificate(directory: Path, name: str) -> Path:
    """Return a certificate for the same name, from another authority."""
    return certificate_in(directory / "foreign" / "clients.json", name, now_s=utc_s(SystemClock()))


def certificate_in(clients: Path, name: str, *, now_s: float, life_s: float = DAY_S) -> Path:
    file = clients.with_name(f"{name}-{int(now_s)}.pem")
    clients.parent.mkdir(exist_ok=True)
    file.write_bytes(LocalAuthority(clients).issue(name, life_s=life_s, now_s=now_s).pem)
    return file


def test_a_client_with_a_certificate_may_do_what_it_is_for(world: TlsWorld, tmp_path: Path) -> None:
    reader = world.add("reader", tmp_path, models=["steer"], verbs=["read"])
    other = world.add("other", tmp_path, models=["brake"])

    both = world.add("both", tmp_path, models=["steer"])

    assert world.ask(READ, reader) == 200
    assert world.ask(INFER, reader, body=BODY) == 403
    assert world.ask(READ, other) == 403
    assert world.ask(INFER, both, body=BODY) == 200


def test_the_same_certificate_opens_grpc(world: TlsWorld, tmp_path: Path) -> None:
    reader = world.add("reader", tmp_path, verbs=["read"])
    other = world.add("other", tmp_path, models=["brake"])

    assert world.ask_grpc(reader) == "OK"
    assert world.ask_grpc(other) == "PERMISSION_DENIED"
    assert world.ask_grpc() == "UNAUTHENTICATED"


def test_over_tls_a_program_on_this_machine_proves_who_it_is_too(world: TlsWorld, tmp_path: Path) -> None:
    token = world.add_token("holder")

    assert world.ask(READ) == 401
    assert world.ask(LIVE) == 200
    assert world.ask(READ, token=token) == 200


def test_a_certificate_of_another_authority_opens_no_connection(world: TlsWorld, tmp_path: Path) -> None:
    world.add("camera", tmp_path)
    foreign = foreign_certificate(tmp_path, "camera")

    with pytest.raises((OSError, http.client.HTTPException)):
        world.ask(READ, foreign)
    assert world.ask_grpc(foreign) == "UNAVAILABLE"


def test_a_certificate_past_its_end_opens_no_connection(world: TlsWorld, tmp_path: Path) -> None:
    world.add("camera", tmp_path)
    ended = certificate_in(world.clients.path, "camera", now_s=utc_s(SystemClock()) - 2 * DAY_S)

    with pytest.raises((OSError, http.client.HTTPException)):
        world.ask(READ, ended)


def test_the_certificate_of_the_server_is_no_clients_certificate(world: TlsWorld, tmp_path: Path) -> None:
    stolen = tmp_path / "stolen.pem"
    own = world.authority.parent
    stolen.write_bytes((own / "server.key").read_bytes() + (own / "server.pem").read_bytes())

    with pytest.raises((OSError, http.client.HTTPException)):
        world.ask(READ, stolen)


def test_a_certificate_that_is_not_in_the_list_is_worth_nothing(world: TlsWorld, tmp_path: Path) -> None:
    world.add("camera", tmp_path)
    unlisted = certificate_in(world.clients.path, "camera", now_s=utc_s(SystemClock()))

    assert world.ask(READ, unlisted) == 401
    assert world.ask(READ, unlisted, token=world.add_token("holder")) == 401


def test_a_removed_client_is_refused_on_a_connection_that_is_open(world: TlsWorld, tmp_path: Path) -> None:
    file = world.add("camera", tmp_path)
    with closing(world.connect(file)) as line:
        assert status_of(line, READ, {}) == 200

        world.clients.remove("camera")

        wait_until(lambda: status_of(line, READ, {}) == 401, what="the client to be refused", timeout_s=TIMEOUT_S)
    assert world.ask_grpc(file) == "UNAUTHENTICATED"


def test_attack_41_a_header_that_names_a_certificate_proves_nothing(world: TlsWorld, tmp_path: Path) -> None:
    world.add("camera", tmp_path)
    listed = world.clients.read()
    assert listed is not None
    known = listed.clients[0].certificates[0]

    for name in ("Authorization", "X-Client-Cert", "X-SSL-Client-SHA256", "X-Forwarded-Client-Cert"):
        with closing(world.connect(None)) as line:
            assert status_of(line, READ, {name: known}) == 401
            assert status_of(line, READ, {name: f"Bearer {known}"}) == 401


def test_where_only_certificates_count_a_token_opens_no_connection(tmp_path: Path) -> None:
    with tls_world(tmp_path, certificates_only=True) as world:
        token, certificate = world.add_token("holder"), world.add("camera", tmp_path)

        assert world.ask(READ, certificate) == 200
        with pytest.raises((OSError, http.client.HTTPException)):
            world.ask(LIVE, token=token)


def test_a_client_that_is_renewed_may_use_both_certificates_and_no_third(world: TlsWorld, tmp_path: Path) -> None:
    first, second, third = world.add("camera", tmp_path), tmp_path / "second.pem", tmp_path / "third.pem"

    world.clients.renew("camera", second, life_s=None, clock=SystemClock())
    wait_until(lambda: world.ask(READ, second) == 200, what="the new certificate", timeout_s=TIMEOUT_S)
    both = world.ask(READ, first)
    world.clients.renew("camera", third, life_s=None, clock=SystemClock())
    wait_until(lambda: world.ask(READ, third) == 200, what="the newest certificate", timeout_s=TIMEOUT_S)

    assert both == 200
    assert [world.ask(READ, file) for file in (first, second, third)] == [401, 200, 200]


def test_the_authority_outlives_the_server(tmp_path: Path) -> None:
    clients = ClientFile(tmp_path / "clients.json")
    file = tmp_path / "camera.pem"
    clients.add_with_certificate(Wish(name="camera"), file, clock=SystemClock())

    for _ in range(2):
        with tls_world(tmp_path) as world:
            assert world.ask(READ, file) == 200


def test_a_certificate_that_is_made_anew_is_shown_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganglion.entrypoints.client_access.local_tls._LOOK_AGAIN_S", 0.05)
    with tls_world(tmp_path) as world:
        file, place = world.add("camera", tmp_path), ("localhost", world.server.tls_port)
        before = ssl.get_server_certificate(place)

        (world.authority.parent / "server.pem").unlink()

        wait_until(lambda: ssl.get_server_certificate(place) != before, what="the new one", timeout_s=TIMEOUT_S)
        assert world.ask(READ, file) == 200


def test_a_servers_certificate_is_made_anew_a_month_before_its_end(tmp_path: Path) -> None:
    authority = LocalAuthority(tmp_path / "clients.json")
    shown = [
        authority.server_files(("gate-1.example",), now_s=1.7e9 + days * DAY_S).cert_path.read_bytes()
        for days in (0, 334, 336)
    ]

    assert shown[0] == shown[1] != shown[2]


def test_plain_text_is_no_tls_and_harms_nobody(world: TlsWorld, tmp_path: Path) -> None:
    file = world.add("camera", tmp_path)

    with socket.create_connection(("127.0.0.1", world.server.tls_port), timeout=TIMEOUT_S) as line:
        line.sendall(b"GET /v2/models/steer HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = line.recv(100)

    assert b"200" not in answer
    assert world.ask(READ, file) == 200


def test_clients_that_connect_and_say_nothing_take_no_more_than_their_share(
    tmp_path: Path,
) -> None:
    with tls_world(tmp_path, connections_max=4) as world, contextlib.ExitStack() as silent:
        file, place = world.add("camera", tmp_path), ("127.0.0.1", world.server.tls_port)
        lines = [silent.enter_context(socket.create_connection(place, timeout=TIMEOUT_S)) for _ in range(4)]

        with socket.create_connection(place, timeout=TIMEOUT_S) as beyond:
            assert ends(beyond)
        for line in lines:
            line.close()

        assert wait_until(lambda: answers(world, file), what="room for others", timeout_s=TIMEOUT_S)


def ends(line: socket.socket) -> bool:
    """Wait for the end of a connection on which nothing is said."""
    try:
        return line.recv(100) == b""
    except ConnectionError:
        return True


def answers(world: TlsWorld, file: Path) -> bool:
    try:
        return world.ask(READ, file) == 200
    except (OSError, http.client.HTTPException):
        return False


def test_loopback_can_be_asked_for_proofs_while_the_unix_socket_goes_by_its_permissions(tmp_path: Path) -> None:
    with tls_world(tmp_path, trust_loopback=False) as world:
        plain = http.client.HTTPConnection("127.0.0.1", world.server.port, timeout=TIMEOUT_S)
        token = world.add_token("holder")
        with closing(plain):
            assert status_of(plain, READ, {}) == 401
            assert status_of(plain, LIVE, {}) == 200
            assert status_of(plain, READ, {"Authorization": f"Bearer {token}"}) == 200

        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(tmp_path / "s"))
            line.sendall(b"GET /v2/models/steer HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.recv(100).startswith(b"HTTP/1.1 200")


def test_settings_that_ask_for_proofs_and_let_everybody_pass_are_refused() -> None:
    for settings in (
        ServeSettings(open_to_network=True, trust_loopback=False),
        ServeSettings(open_to_network=True, tls=LocalTlsSettings(port=0, certificates_only=True)),
    ):
        with pytest.raises(InvalidSettings, match="open_to_network"):
            check_proofs(settings)


def test_a_certificate_ends_on_a_connection_that_was_open_before(tmp_path: Path) -> None:
    clock, clients = FakeClock(), ClientFile(tmp_path / "clients.json")
    client = clients.add_with_certificate(Wish(name="short", life_s=60), tmp_path / "short.pem", clock=clock)
    guard = ClientGuard(clients.path, clock=clock)
    guard.check(b"", Verb.READ, "steer", certificate=client.certificates[0])

    clock.advance(60)

    with pytest.raises(Unauthenticated, match="has expired"):
        guard.check(b"", Verb.READ, "steer", certificate=client.certificates[0])


def test_files_of_clients_are_private_and_never_replaced_by_mistake(tmp_path: Path) -> None:
    clients, file = ClientFile(tmp_path / "clients.json"), tmp_path / "camera.pem"
    clients.add_with_certificate(Wish(name="camera"), file, clock=SystemClock())
    kept = file.read_bytes()

    with pytest.raises(Conflict, match="exists already"):
        clients.add_with_certificate(Wish(name="other"), file, clock=SystemClock())
    with pytest.raises(Conflict, match="exists already"):
        clients.add_with_certificate(Wish(name="camera"), tmp_path / "new.pem", clock=SystemClock())

    assert file.read_bytes() == kept
    assert not (tmp_path / "new.pem").exists()
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file, tmp_path / "clients-tls" / "ca.key")} == {0o600}
    assert b"PRIVATE" not in clients.path.read_bytes()


def test_only_clients_with_certificates_are_renewed(tmp_path: Path) -> None:
    clients, clock = ClientFile(tmp_path / "clients.json"), SystemClock()
    clients.add(Wish(name="holder"), chance=SystemChance(), clock=clock)

    with pytest.raises(InvalidRequest, match="has a token"):
        clients.renew("holder", tmp_path / "x.pem", life_s=None, clock=clock)
    with pytest.raises(NotFound):
        clients.renew("nobody", tmp_path / "x.pem", life_s=None, clock=clock)
    with pytest.raises(InvalidRequest, match="authority ends"):
        clients.add_with_certificate(Wish(name="long", life_s=1e10), tmp_path / "x.pem", clock=clock)


def test_certificates_are_managed_from_the_command_line(tmp_path: Path) -> None:
    runner, data, file = CliRunner(), ["--data", str(tmp_path)], tmp_path / "camera.pem"

    added = runner.invoke(app, ["node", "client", "add", "camera", "--certificate", str(file), *data])
    first = file.read_bytes()
    renewed = runner.invoke(app, ["node", "client", "renew", "camera", "--certificate", str(file), *data])
    shown = runner.invoke(app, ["node", "client", "list", *data, "--output", "json"])

    assert (added.exit_code, renewed.exit_code) == (0, 0)
    assert file.read_bytes() != first
    assert '"certificate"' in shown.stdout
    assert "PRIVATE" not in added.output + shown.output
