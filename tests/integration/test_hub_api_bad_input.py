"""Every route of the hub's API, with input that it cannot mean: a problem document each, and the hub goes on."""

import json
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import NamedTuple
from urllib.parse import quote

import pytest

from fuzz.mutations import Json, damaged, encode, spoilt
from ganglion.entrypoints.hub_api import openapi
from ganglion.entrypoints.hub_api.app import create_routes
from ganglion.entrypoints.settings.hub import HttpSettings, HubSettings
from ganglion.wire import codec, paths
from ganglion.wire.records import Batch, Envelope
from integration.hub_api_world import Answer, CallingNode, ServedHub, serving

LIMITS = HttpSettings(body_bytes_max=20_000, package_bytes_max=20_000, body_idle_s_max=5.0)
TEXTS = ("none", "%00", "..%2F..%2Fetc", "%FF%FE", "-1", "9" * 40, "a%20b", quote("é" * 40), "x" * 1500, "%0d%0aX: y")
QUERIES = (
    "",
    "-1",
    "NaN",
    "1e999",
    "9" * 40,
    str(2**63),
    "x" * 1500,
    "%00",
    "%FF",
    quote("é"),
    "true",
    "[]",
    "1&limit=2",
)
BODIES = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b"\xff\xfe\x00",
    b'"\\ud800"',
    b"[" * 5000 + b"]" * 5000,
    b"9" * 5000,
    b'{"name": NaN}',
    b"\x91" * 5000,
    b"\x28\xb5\x2f\xfd" + bytes(40),
    b"x" * 30_000,
)
NOT_FOR_YOU = (401, 403)
TYPES = (
    "application/json",
    "text/plain",
    codec.BATCH_TYPE,
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-7",
    "",
)
NAMES = (
    "name",
    "site",
    "zone",
    "model",
    "version",
    "labels",
    "sample_id",
    "token",
    "",
    "é\0",
    "x" * 400,
    "stages",
    "nodes",
)
VALID: dict[str, Json] = {
    paths.JOIN: {
        "token": "t",
        "public_key": "00" * 32,
        "facts": {"arch": "x86_64", "runtime": "onnxruntime", "cores": 4},
    },
    paths.ACCESS: {"assertion": "e30=", "signature": "AAAA"},
    paths.NODE_TOKENS: {"name": "n", "site": "s"},
    paths.ROLLOUTS: {"model": "m", "version": "1", "stages": [{"nodes": ["n"]}]},
    paths.LABELS: {"labels": [{"sample_id": "s", "label": "x"}]},
    paths.DATASETS: {"name": "d", "model": "m"},
    paths.REPORT: {"incarnation": "i", "revision": 1, "models": [], "facts": {}, "epoch": "e", "made": 0, "waiting": 0},
}


class Operation(NamedTuple):
    """One method of one path, as the OpenAPI document has it."""

    method: str
    path: str
    queries: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@cache
def operations() -> list[Operation]:
    document = json.loads(json.dumps(openapi.describe(create_routes())))
    return [
        Operation(
            method.upper(),
            path,
            tuple(parameter["name"] for parameter in told.get("parameters", ()) if parameter["in"] == "query"),
        )
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]


class World(NamedTuple):
    hub: ServedHub
    node: CallingNode
    strangers: set[tuple[Operation, str]]
    """Who was refused for who they are: the operation, and the token."""

    def call(self, operation: Operation, path: str, body: bytes | None, content_type: str = "") -> list[Answer]:
        """Call as a person, as a node, and as nobody."""
        headers = {"Content-Type": content_type} if content_type else {}
        return [
            self.hub.call(operation.method, path, token=token, body=body, headers=headers)
            for token in (self.hub.token, self.node.token, "")
        ]

    def call_without_body(self, operation: Operation, path: str) -> list[Answer]:
        """Call as whoever this operation is for: who is refused for who they are is so whatever the address says."""
        callers = [token for token in (self.hub.token, self.node.token, "") if (operation, token) not in self.strangers]
        answers = [self.hub.call(operation.method, path, token=token) for token in callers]
        told = zip(callers, answers, strict=True)
        self.strangers.update((operation, token) for token, answer in told if answer.status in NOT_FOR_YOU)
        return answers

    def check(self, answers: list[Answer], what: object) -> None:
        """Refused input has a reason, and nothing failed inside."""
        for answer in answers:
            assert answer.status < 500, (what, answer.status, answer.body[:300])
            assert answer.status < 400 or answer.code, what


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    data = tmp_path_factory.mktemp("hub")
    with serving(HubSettings(data_dir=str(data), port=0, http=LIMITS)) as hub:
        world = World(hub, hub.join("tried"), set())
        yield world
        assert hub.call("GET", paths.NODES).status == 200
        assert world.node.report().status == 204


def filled(path: str, text: str) -> str:
    """Return a path with `text` for each of its parameters."""
    return "/".join(text if part.startswith("{") else part for part in path.split("/"))


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_ids_that_nothing_has_are_refused(world: World, operation: Operation) -> None:
    for text in TEXTS if "{" in operation.path else ():
        world.check(world.call(operation, filled(operation.path, text), b"{}", "application/json"), text)


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_queries_that_mean_nothing_are_refused(world: World, operation: Operation) -> None:
    for name in operation.queries:
        for text in QUERIES:
            path = f"{filled(operation.path, 'none')}?{name}={text}"
            if operation.path == paths.DESIRED:
                path += "&wait_s=0"  # A good wish is waited for; the last value of two counts.
            world.check(world.call_without_body(operation, path), path[:200])


@pytest.mark.parametrize("operation", [each for each in operations() if each.method == "POST"], ids=str)
def test_bodies_of_the_wrong_kind_are_refused(world: World, operation: Operation) -> None:
    for number, body in enumerate(BODIES):
        path, content_type = filled(operation.path, "none"), TYPES[number % len(TYPES)]
        world.check(world.call(operation, path, body, content_type), (body[:40], content_type))
        as_json = world.hub.call("POST", path, body=body, headers={"Content-Type": "application/json"})
        world.check([as_json], body[:40])


@pytest.mark.parametrize("path", sorted(VALID))
def test_documents_with_something_wrong_in_them_are_refused(world: World, path: str) -> None:
    random = Random(path)
    for _ in range(40):
        document = spoilt(VALID[path], random, names=NAMES)
        body = encode(document)
        if random.randrange(4) == 0:
            body = damaged(body, random)
        world.check(world.call(Operation("POST", path, ()), path, body, "application/json"), body[:300])


def test_damaged_batches_are_refused(world: World) -> None:
    random = Random(1)
    records = tuple(Envelope(number, random.choice((1, 2, 3, 4, 9)), 5, random.randbytes(20)) for number in range(1, 4))
    packed = codec.encode_packed(Batch(id="b", sent_at_ns=0, epoch="e", records=records, made=3))
    for _ in range(80):
        # Half of the damage is inside of the frame, where compression does not notice it.
        body = (
            codec.compress(damaged(packed, random)) if random.randrange(2) else damaged(codec.compress(packed), random)
        )
        world.check(world.call(Operation("POST", paths.BATCHES, ()), paths.BATCHES, body, codec.BATCH_TYPE), body[:100])
