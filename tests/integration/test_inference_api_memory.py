"""System shared memory: tensors by region, never beyond its bounds, and for nobody on another machine."""

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ganglion.core.identity_errors import Forbidden
from ganglion.entrypoints.inference_api.messages import Head, Request
from ganglion.entrypoints.inference_api.peer import is_local
from ganglion.entrypoints.inference_api.telling import refuse_strangers
from integration.inference_world import HttpAnswer, InferenceWorld, inference_world, post

ROW = np.array([0.25, 0.75], np.float32)


@dataclass
class SharedObject:
    """A shared memory object, as a client makes one."""

    key: str

    @property
    def path(self) -> Path:
        return Path("/dev/shm") / self.key.lstrip("/")

    def put(self, offset: int, data: bytes) -> None:
        with self.path.open("r+b") as file:
            file.seek(offset)
            file.write(data)


@pytest.fixture
def shared() -> Iterator[SharedObject]:
    """64 bytes with one row at 8."""
    shared = SharedObject(f"/ganglion-test-{uuid.uuid4().hex}")
    shared.path.write_bytes(bytes(64))
    shared.put(8, ROW.tobytes())
    yield shared
    shared.path.unlink(missing_ok=True)


@pytest.fixture
def world() -> Iterator[InferenceWorld]:
    with inference_world() as world:
        yield world


def register(world: InferenceWorld, shared: SharedObject, name: str = "r", **changes: object) -> HttpAnswer:
    """Register the whole object, with these changes to the request."""
    return register_as(world, name, {"key": shared.key, "offset": 0, "byte_size": 64} | changes)


def register_as(world: InferenceWorld, name: str, wish: dict[str, object]) -> HttpAnswer:
    return world.ask(post(f"/v2/systemsharedmemory/region/{name}/register", json.dumps(wish).encode()))


def ask(world: InferenceWorld, *, place: dict[str, object], output: dict[str, object] | None = None) -> HttpAnswer:
    item = {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": place}
    wish = [{"name": "probabilities", "parameters": output}] if output else []
    return world.infer({"inputs": [item], "outputs": wish})


def span(offset: int = 8, size: int = 8, region: str = "r") -> dict[str, object]:
    return {"shared_memory_region": region, "shared_memory_offset": offset, "shared_memory_byte_size": size}


def test_an_input_is_read_where_the_client_put_it(world: InferenceWorld, shared: SharedObject) -> None:
    assert register(world, shared).status == 200

    assert b"[0.25,0.75]" in ask(world, place=span()).body
    shared.put(8, np.array([1, 0], np.float32).tobytes())
    assert b"[1.0,0.0]" in ask(world, place=span()).body


def test_an_output_is_written_where_the_client_wants_it(world: InferenceWorld, shared: SharedObject) -> None:
    register(world, shared)

    answer = ask(world, place=span(), output=span(offset=32, size=16))

    assert shared.path.read_bytes()[32:40] == ROW.tobytes()
    assert answer.json["outputs"] == [
        {
            "name": "probabilities",
            "datatype": "FP32",
            "shape": [1, 2],
            "parameters": {"shared_memory_region": "r", "shared_memory_offset": 32, "shared_memory_byte_size": 8},
        }
    ]


def test_offsets_count_from_the_beginning_of_the_region(world: InferenceWorld, shared: SharedObject) -> None:
    register(world, shared, offset=8, byte_size=8)

    assert b"[0.25,0.75]" in ask(world, place=span(offset=0)).body
    assert ask(world, place=span(offset=8)).status == 400


@pytest.mark.parametrize("place", [span(offset=60), span(offset=2**47), span(size=16), span(region="other")])
def test_nothing_beyond_a_region_is_read(world: InferenceWorld, shared: SharedObject, place: dict[str, object]) -> None:
    register(world, shared)

    assert ask(world, place=place).status in {400, 404}
    assert world.is_well()


@pytest.mark.parametrize("output", [span(offset=60), span(size=4), span(region="other")])
def test_nothing_beyond_a_region_is_written(
    world: InferenceWorld, shared: SharedObject, output: dict[str, object]
) -> None:
    register(world, shared)
    before = shared.path.read_bytes()

    assert ask(world, place=span(), output=output).status in {400, 404}
    assert shared.path.read_bytes() == before


def test_a_client_that_cuts_its_region_short_is_told_so_and_nothing_dies(
    world: InferenceWorld, shared: SharedObject
) -> None:
    register(world, shared)
    os.truncate(shared.path, 4)

    answer = ask(world, place=span())

    assert answer.status == 400
    assert "cut short" in answer.reason
    assert world.is_well()


@pytest.mark.parametrize(
    "changes",
    [
        {"byte_size": 65},
        {"offset": 1},
        {"offset": -1},
        {"byte_size": 0},
        {"byte_size": 2**60},
        {"key": "../etc/passwd"},
        {"key": "/.."},
        {"key": ""},
        {"key": "a\0b"},
        {"key": "x" * 300},
        {"key": 7},
    ],
    ids=str,
)
def test_what_is_no_region_is_not_registered(
    world: InferenceWorld, shared: SharedObject, changes: dict[str, object]
) -> None:
    assert register_as(world, "r", {"key": shared.key, "offset": 0, "byte_size": 64} | changes).status == 400
    assert world.get("/v2/systemsharedmemory/status").body == b"[]"


def test_an_object_that_is_not_there_is_not_found(world: InferenceWorld) -> None:
    assert register(world, SharedObject("/ganglion-nobody")).status == 404


def test_a_link_to_another_file_is_not_followed(world: InferenceWorld, tmp_path: Path, shared: SharedObject) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(64))
    shared.path.unlink()
    shared.path.symlink_to(secret)

    assert register(world, shared).status == 400


def test_regions_are_listed_and_forgotten(world: InferenceWorld, shared: SharedObject) -> None:
    register(world, shared, "a")
    register(world, shared, "b", offset=8, byte_size=8)

    assert register(world, shared, "a").status == 409
    assert world.ask(b"GET /v2/systemsharedmemory/region/b/status HTTP/1.1\r\nHost: x\r\n\r\n").body == (
        f'[{{"name":"b","key":"{shared.key}","offset":8,"byte_size":8}}]'.encode()
    )
    assert world.ask(post("/v2/systemsharedmemory/region/a/unregister", b"")).status == 200
    assert len(json.loads(world.ask(b"GET /v2/systemsharedmemory/status HTTP/1.1\r\n\r\n").body)) == 1
    assert world.ask(post("/v2/systemsharedmemory/unregister", b"")).status == 200
    assert world.get("/v2/systemsharedmemory/status").body == b"[]"
    assert ask(world, place=span(region="b")).status == 404


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        (("127.0.0.1", 1), True),
        (("127.8.0.1", 1), True),
        (("::1", 1, 0, 0), True),
        (("::ffff:127.0.0.1", 1, 0, 0), True),
        (("fe80::1%eth0", 1, 0, 2), False),
        (("10.0.0.1", 1), False),
        (("::ffff:10.0.0.1", 1, 0, 0), False),
        ("", True),
        (None, True),
    ],
)
def test_only_loopback_and_unix_sockets_are_of_this_machine(peer: object, *, local: bool) -> None:
    assert is_local(peer) is local


def test_a_stranger_is_refused() -> None:
    head = Head(b"POST", b"/", {}, False)

    with pytest.raises(Forbidden):
        refuse_strangers(Request(head, b"", is_local=False))
