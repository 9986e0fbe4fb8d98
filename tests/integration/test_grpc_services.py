"""Health and reflection, asked by the clients that others wrote for them."""

import threading
from collections.abc import Iterator

import grpc  # type: ignore[import-untyped]  # it ships no types
import pytest
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # as above
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (  # type: ignore[import-untyped]  # as above
    ProtoReflectionDescriptorDatabase,
)

from integration.grpc_world import GrpcWorld, grpc_world

ANSWER_S = 10.0


@pytest.fixture(scope="module")
def world() -> Iterator[GrpcWorld]:
    with grpc_world() as world:
        yield world


@pytest.fixture
def channel(world: GrpcWorld) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(world.address) as channel:
        yield channel


def status_name(answer: health_pb2.HealthCheckResponse) -> str:
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


@pytest.mark.parametrize(
    ("service", "expected"),
    [("", "SERVING"), ("inference.GRPCInferenceService", "SERVING"), ("steer", "SERVING"), ("coming", "NOT_SERVING")],
)
def test_health_is_told(channel: grpc.Channel, service: str, expected: str) -> None:
    stub = health_pb2_grpc.HealthStub(channel)

    answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=ANSWER_S)

    assert status_name(answer) == expected


def test_an_unknown_service_is_not_found(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=ANSWER_S)

    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_who_watches_hears_that_the_server_ends() -> None:
    with grpc_world() as world, grpc.insecure_channel(world.address) as channel:
        answers = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=ANSWER_S)
        heard = [status_name(next(answers))]

        world.is_stopping = True

        heard.append(status_name(next(answers)))
        with pytest.raises(grpc.RpcError) as caught:
            next(answers)
        assert heard == ["SERVING", "NOT_SERVING"]
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_client_that_knows_nothing_can_ask_a_model(channel: grpc.Channel) -> None:
    """As grpcurl does: services, then their descriptors, then a call with messages made of them."""
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = descriptor_pool.DescriptorPool(database)
    assert "inference.GRPCInferenceService" in database.get_services()

    service = pool.FindServiceByName("inference.GRPCInferenceService")  # type: ignore[no-untyped-call]  # left out
    method = service.FindMethodByName("ModelMetadata")
    kinds = [message_factory.GetMessageClass(kind) for kind in (method.input_type, method.output_type)]
    call = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelMetadata",
        request_serializer=kinds[0].SerializeToString,
        response_deserializer=kinds[1].FromString,
    )

    answer = call(kinds[0](name="steer"), timeout=ANSWER_S)

    assert [(each.name, list(each.shape)) for each in answer.inputs] == [("x", [-1, 2])]


def test_many_threads_of_one_channel_are_answered(channel: grpc.Channel) -> None:
    stub, answers = health_pb2_grpc.HealthStub(channel), list[str]()

    def ask() -> None:
        answers.extend(
            status_name(stub.Check(health_pb2.HealthCheckRequest(service="steer"), timeout=ANSWER_S)) for _ in range(20)
        )

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ANSWER_S)

    assert answers == ["SERVING"] * 160
