"""Health: of the server, of the inference service, and of each model."""

import pytest
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]  # it ships no types

from ganglion.core.errors import NotFound
from ganglion.entrypoints.grpc_api.calls import Status
from unit.entrypoints.grpc_api.grpc_builders import RecordedCall
from unit.entrypoints.grpc_api.methods_world import World
from unit.node.serving_builders import version_of


def health(answer: bytes) -> str:
    return str(
        health_pb2.HealthCheckResponse.ServingStatus.Name(health_pb2.HealthCheckResponse.FromString(answer).status)
    )


def check(world: World, service: str) -> str:
    request = health_pb2.HealthCheckRequest(service=service).SerializeToString()
    return health(world.call("/grpc.health.v1.Health/Check", request).answer)


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("", "SERVING"),
        ("inference.GRPCInferenceService", "SERVING"),
        ("steer", "SERVING"),
        ("coming", "NOT_SERVING"),
    ],
)
def test_health_of_the_server_and_of_models(service: str, expected: str) -> None:
    assert check(World(), service) == expected


def test_the_health_of_a_server_that_stops() -> None:
    assert [check(World(is_stopping=True), service) for service in ("", "steer")] == ["NOT_SERVING"] * 2


def test_the_health_of_an_unknown_service_is_not_found() -> None:
    with pytest.raises(NotFound, match="no service 'nobody'"):
        check(World(), "nobody")


def watch(world: World, service: str) -> RecordedCall:
    return world.call(
        "/grpc.health.v1.Health/Watch", health_pb2.HealthCheckRequest(service=service).SerializeToString()
    )


def test_who_watches_hears_of_each_change_once() -> None:
    world = World()
    call = watch(world, "coming")

    world.loop.pass_time()
    world.serving.table.add("coming", version_of("1"))
    world.serving.table.switch("coming", "1", compare_with="", compare_share=0.0)
    world.loop.pass_time()
    world.is_stopping = True
    world.loop.pass_time()

    assert [health(message) for message in call.sent] == ["NOT_SERVING", "SERVING", "NOT_SERVING"]
    assert (call.status, call.text) == (Status.UNAVAILABLE, "the server ends")
    world.loop.pass_time()
    assert world.loop.due == []


def test_who_watches_an_unknown_service_hears_when_it_comes() -> None:
    world = World()
    call = watch(world, "later")

    world.serving.table.expect("later")
    world.loop.pass_time()

    assert [health(message) for message in call.sent] == ["SERVICE_UNKNOWN", "NOT_SERVING"]


def test_nobody_looks_when_nobody_watches() -> None:
    world = World()
    call = watch(world, "")

    call.leave()
    world.loop.pass_time()

    assert world.loop.due == []
