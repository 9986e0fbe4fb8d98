"""Who may ask a serving port: programs on this machine, and clients with tokens on others."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tritonclient.grpc import service_pb2  # type: ignore[import-untyped]  # it ships no types
from typer.testing import CliRunner

from ganglion.adapters.system import SystemChance
from ganglion.core.errors import Conflict, DataCorrupt, InvalidName, InvalidRequest, InvalidSettings, NotFound
from ganglion.core.identity_errors import Forbidden, Unauthenticated
from ganglion.entrypoints.cli.app import app
from ganglion.entrypoints.client_access.guard import ClientGuard, NoGuard, check_exposure, is_loopback
from ganglion.entrypoints.client_access.local_clients import ClientFile, Wish
from ganglion.entrypoints.inference_api.dispatch import InferenceApplication
from ganglion.entrypoints.inference_api.messages import Head, Request, Response
from ganglion.testing.clock import FakeClock
from ganglion.trust.client_tokens import Verb
from unit.entrypoints.grpc_api.methods_world import SERVICE, World
from unit.node.serving_builders import ServingWorld, version_of

READ = "/v2/models/steer"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def clients(tmp_path: Path) -> ClientFile:
    return ClientFile(tmp_path / "clients.json")


@pytest.fixture
def add(clients: ClientFile, clock: FakeClock) -> Callable[[Wish], str]:
    def added(wish: Wish) -> str:
        return clients.add(wish, chance=SystemChance(), clock=clock)

    return added


@pytest.fixture
def guard(clients: ClientFile, clock: FakeClock) -> ClientGuard:
    return ClientGuard(clients.path, clock=clock)


def bearer(token: str) -> bytes:
    return f"Bearer {token}".encode()


def answer_of(
    guard: ClientGuard | None, target: str, *, token: str = "", method: bytes = b"GET", is_local: bool = False
) -> Response:
    """Ask an HTTP application that serves the model `steer`."""
    world = ServingWorld()
    world.add(version_of("1"))
    application = InferenceApplication(world.serving, release=lambda: "1", is_stopping=lambda: False, guard=guard)
    headers = {b"authorization": bearer(token)} if token else {}
    answers: list[Response] = []
    application.answer(Request(Head(method, target.encode(), headers, False), b"{}", is_local), answers.append)
    return answers[0]


def test_a_program_on_this_machine_needs_no_token(guard: ClientGuard) -> None:
    assert answer_of(guard, READ, is_local=True).status == 200


def test_a_stranger_is_asked_for_a_token(guard: ClientGuard) -> None:
    for target, method in ((READ, b"GET"), ("/metrics", b"GET"), ("/v2/models/steer/infer", b"POST"), ("/v2", b"GET")):
        assert answer_of(guard, target, method=method).status == 401


def test_a_stranger_may_ask_whether_the_server_lives(guard: ClientGuard) -> None:
    assert [answer_of(guard, path).status for path in ("/v2/health/live", "/v2/health/ready", "/healthz")] == [200] * 3


def test_a_client_may_do_what_its_token_is_for(guard: ClientGuard, add: Callable[[Wish], str]) -> None:
    reader = add(Wish(name="reader", models=["steer"], verbs=["read"]))
    other = add(Wish(name="other", models=["brake"]))

    assert answer_of(guard, READ, token=reader).status == 200
    assert answer_of(guard, "/v2/models/steer/infer", token=reader, method=b"POST").status == 403
    assert answer_of(guard, "/v2/repository/models/steer/load", token=reader, method=b"POST").status == 403
    assert answer_of(guard, READ, token=other).status == 403
    assert answer_of(guard, "/metrics", token=other).status == 403


def test_without_a_limit_to_models_a_client_may_use_all(guard: ClientGuard, add: Callable[[Wish], str]) -> None:
    token = add(Wish(name="all"))

    assert answer_of(guard, "/metrics", token=token).status == 200
    assert answer_of(guard, "/v2/models/steer/infer", token=token, method=b"POST").status == 400


def test_a_removed_client_is_refused_within_a_second(
    guard: ClientGuard, add: Callable[[Wish], str], clients: ClientFile, clock: FakeClock
) -> None:
    token = add(Wish(name="gone"))
    guard.check(bearer(token), Verb.READ, "")

    clients.remove("gone")
    clock.advance(1)

    with pytest.raises(Unauthenticated):
        guard.check(bearer(token), Verb.READ, "")


def test_a_client_that_is_added_later_is_known_within_a_second(
    guard: ClientGuard, add: Callable[[Wish], str], clock: FakeClock
) -> None:
    with pytest.raises(Unauthenticated):
        guard.check(b"", Verb.READ, "")
    token = add(Wish(name="late"))

    clock.advance(1)

    guard.check(bearer(token), Verb.READ, "")


def test_a_token_ends_at_its_time(guard: ClientGuard, add: Callable[[Wish], str], clock: FakeClock) -> None:
    token = add(Wish(name="short", life_s=60))
    guard.check(bearer(token), Verb.READ, "")

    clock.advance(60)

    with pytest.raises(Unauthenticated, match="has expired"):
        guard.check(bearer(token), Verb.READ, "")


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"clients": [{"models": []}]}'], ids=repr)
def test_with_a_damaged_list_nobody_passes(
    guard: ClientGuard, add: Callable[[Wish], str], clients: ClientFile, clock: FakeClock, content: bytes
) -> None:
    token = add(Wish(name="fine"))
    guard.check(bearer(token), Verb.READ, "")
    clients.path.write_bytes(content)

    clock.advance(1)

    with pytest.raises(Unauthenticated):
        guard.check(bearer(token), Verb.READ, "")
    with pytest.raises(DataCorrupt):
        clients.read()


@pytest.mark.parametrize("said", [b"", b"Bearer", b"Bearer ", b"Basic eDp5", b"bearer x", b"\xff\xfe", b"x" * 100_000])
def test_what_is_no_token_is_refused(guard: ClientGuard, add: Callable[[Wish], str], said: bytes) -> None:
    add(Wish(name="known"))

    with pytest.raises(Unauthenticated):
        guard.check(said, Verb.INFER, "steer")


def test_the_file_holds_no_token_and_is_for_its_owner_alone(clients: ClientFile, add: Callable[[Wish], str]) -> None:
    token = add(Wish(name="secret"))

    assert token.encode() not in clients.path.read_bytes()
    assert token.rpartition("-")[2].encode() not in clients.path.read_bytes()
    assert clients.path.stat().st_mode & 0o777 == 0o600


def test_names_models_and_verbs_are_checked(clients: ClientFile, add: Callable[[Wish], str]) -> None:
    add(Wish(name="one"))

    with pytest.raises(Conflict, match="exists already"):
        add(Wish(name="one"))
    with pytest.raises(InvalidName):
        add(Wish(name="../two"))
    with pytest.raises(InvalidName):
        add(Wish(name="two", models=["a/b"]))
    with pytest.raises(InvalidRequest, match="infer, read, load"):
        add(Wish(name="two", verbs=["delete"]))
    with pytest.raises(InvalidRequest, match="positive"):
        add(Wish(name="two", life_s=float("nan")))
    with pytest.raises(NotFound):
        clients.remove("two")


def test_clients_that_are_added_at_the_same_time_are_all_kept(clients: ClientFile, add: Callable[[Wish], str]) -> None:
    threads = [threading.Thread(target=add, args=(Wish(name=f"c{number}"),)) for number in range(12)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    listed = clients.read()
    assert listed is not None
    assert {client.name for client in listed.clients} == {f"c{number}" for number in range(12)}


def test_over_grpc_a_stranger_needs_a_token_too(guard: ClientGuard, add: Callable[[Wish], str]) -> None:
    world = World(guard=guard)
    infer = service_pb2.ModelInferRequest(model_name="steer").SerializeToString()

    for name, message in (("ModelInfer", infer), ("ServerMetadata", b""), ("ModelStatistics", b"")):
        assert world.call(f"{SERVICE}/{name}", message).status is not None
        with pytest.raises(Unauthenticated):
            world.call(f"{SERVICE}/{name}", message, is_local=False)
    world.call(f"{SERVICE}/ServerLive", is_local=False)

    limited = f"Bearer {add(Wish(name='limited', models=['brake']))}"
    guard_again = World(guard=ClientGuard(guard._file, clock=FakeClock()))
    with pytest.raises(Forbidden, match="steer"):
        guard_again.call(f"{SERVICE}/ModelInfer", infer, is_local=False, authorization=limited)
    with pytest.raises(Forbidden):
        guard_again.call(f"{SERVICE}/RepositoryModelLoad", b"", is_local=False, authorization=limited)


def test_the_network_is_let_in_only_on_purpose(clients: ClientFile, add: Callable[[Wish], str]) -> None:
    with pytest.raises(InvalidSettings, match="--open-to-network"):
        check_exposure("0.0.0.0", open_to_network=False, clients=clients.path)
    check_exposure("0.0.0.0", open_to_network=True, clients=clients.path)
    check_exposure("127.0.0.1", open_to_network=False, clients=clients.path)
    NoGuard().check(b"", Verb.INFER, "steer")

    add(Wish(name="first"))
    clients.remove("first")

    check_exposure("0.0.0.0", open_to_network=False, clients=clients.path)


@pytest.mark.parametrize(
    ("host", "is_own"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True)]
    + [(host, False) for host in ("", "::", "10.0.0.1", "gate.example", "127.0.0.1.example")],
)
def test_only_addresses_of_this_machine_are_loopback(host: str, is_own: bool) -> None:  # noqa: FBT001 - a table
    assert is_loopback(host) is is_own


def test_serving_the_network_without_an_answer_to_who_may_ask_is_refused_at_once(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"")
    environment = {"GANGLION_SERVE_CLIENTS_FILE": str(tmp_path / "none.json")}

    result = CliRunner().invoke(app, ["serve", str(model), "--host", "0.0.0.0"], env=environment)

    assert isinstance(result.exception, InvalidSettings)


def test_clients_are_managed_from_the_command_line(tmp_path: Path) -> None:
    runner, data = CliRunner(), ["--data", str(tmp_path)]

    added = runner.invoke(app, ["node", "client", "add", "camera", "--model", "gate", *data, "--output", "json"])
    shown = runner.invoke(app, ["node", "client", "list", *data, "--output", "json"])
    runner.invoke(app, ["node", "client", "remove", "camera", *data])
    empty = runner.invoke(app, ["node", "client", "list", *data])

    assert "ganglion-client-" in added.stdout
    assert '"camera"' in shown.stdout
    assert "ganglion-client-" not in shown.stdout
    assert "No clients" in empty.output
