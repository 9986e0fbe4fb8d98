"""Loading and unloading by clients, where they may; and Unix sockets."""

import json
import socket
from pathlib import Path

import anyio
import anyio.abc
import pytest

from ganglion.core.errors import GanglionError, InvalidSettings, NotFound, PortInUse
from ganglion.entrypoints.inference_api.repository import RepositoryTasks
from integration.inference_world import FakeRepository, RawClient, binary_request, inference_world, post

LOAD, UNLOAD = "/v2/repository/models/steer/load", "/v2/repository/models/steer/unload"


def test_a_node_takes_its_versions_from_nobody_but_its_hub() -> None:
    with inference_world() as world:
        for path in (LOAD, UNLOAD):
            answer = world.ask(post(path, b"{}"))
            assert answer.status == 403
            assert answer.json["code"] == "forbidden"


def test_models_are_loaded_and_unloaded_where_clients_may() -> None:
    repository = FakeRepository()
    with inference_world(repository=repository) as world:
        assert world.ask(post(LOAD, b"")).status == 200
        assert world.ask(post(UNLOAD, b'{"parameters": {"unload_dependents": true}}')).status == 200
        refused = world.ask(post("/v2/repository/models/nobody/load", b"{}"))

    assert repository.asked == ["load steer", "unload steer", "load nobody"]
    assert refused.status == 404
    assert "nobody" in refused.reason


@pytest.mark.parametrize("body", [b'{"parameters": {"config": "{}"}}', b"[]", b"{", b'{"parameters": 1}'])
def test_a_load_that_would_change_the_model_is_refused(body: bytes) -> None:
    repository = FakeRepository()
    with inference_world(repository=repository) as world:
        assert world.ask(post(LOAD, body)).status == 400
        assert world.get(LOAD).status == 405
        assert world.get("/v2/repository/models/steer/explain").status == 404

    assert repository.asked == []


def test_a_load_ends_with_what_came_of_it() -> None:
    outcomes: list[GanglionError | None] = []

    async def act(model: str) -> None:
        if model == "nobody":
            raise NotFound("there is no such model")
        if model == "broken":
            raise ValueError

    async def load_all() -> None:
        async with anyio.create_task_group() as tasks:
            repository = RepositoryTasks(tasks, load=act, unload=act)
            for model in ("steer", "nobody", "broken"):
                repository.load(model, outcomes.append)
            repository.unload("steer", outcomes.append)

    anyio.run(load_all)

    assert [outcome.code if outcome else "" for outcome in outcomes] == ["", "not_found", "internal", ""]


# --- Unix sockets ---------------------------------------------------------------------------------


def test_a_unix_socket_is_answered_as_tcp_is(tmp_path: Path) -> None:
    uds = tmp_path / "s"
    with inference_world(uds=uds) as world:
        client = RawClient(uds)
        client.send(binary_request((0.25, 0.75), id="u"))

        assert client.answer().json["id"] == "u"
        assert world.is_well()
        client.close()

    assert not uds.exists()


def test_a_socket_that_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    uds = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(uds))

    with inference_world(uds=uds):
        client = RawClient(uds)
        client.send(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert json.loads(client.answer().body) == {"live": True}
        client.close()


def test_a_socket_that_somebody_listens_on_is_left_alone(tmp_path: Path) -> None:
    uds = tmp_path / "s"
    with inference_world(uds=uds), pytest.raises(PortInUse), inference_world(uds=uds):
        pass


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    uds = tmp_path / "s"
    uds.write_text("precious")

    with pytest.raises(InvalidSettings), inference_world(uds=uds):
        pass

    assert uds.read_text() == "precious"
