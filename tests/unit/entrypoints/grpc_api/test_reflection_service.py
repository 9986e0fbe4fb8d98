"""Reflection: clients that know nothing find the services, and everything that their messages need."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2  # type: ignore[import-untyped]  # it ships no types

from ganglion.entrypoints.grpc_api.calls import Status, StreamMethod
from unit.entrypoints.grpc_api.grpc_builders import RecordedCall
from unit.entrypoints.grpc_api.methods_world import World


def reflect(question: reflection_pb2.ServerReflectionRequest) -> reflection_pb2.ServerReflectionResponse:
    method, call = World().methods["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"], RecordedCall()
    assert isinstance(method, StreamMethod)
    stream = method.open(call)
    stream.receive(question.SerializeToString())
    stream.end()
    answer = reflection_pb2.ServerReflectionResponse.FromString(call.answer)
    assert answer.original_request == question
    return answer


def test_reflection_lists_the_services() -> None:
    answer = reflect(reflection_pb2.ServerReflectionRequest(list_services=""))

    assert [each.name for each in answer.list_services_response.service] == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "inference.GRPCInferenceService",
    ]


@pytest.mark.parametrize(
    ("symbol", "file"),
    [
        ("inference.GRPCInferenceService", "grpc_service.proto"),
        ("inference.GRPCInferenceService.ModelInfer", "grpc_service.proto"),
        ("inference.ModelInferRequest.InferInputTensor", "grpc_service.proto"),
        ("inference.ModelInferRequest.id", "grpc_service.proto"),
        ("inference.TYPE_FP32", "model_config.proto"),
        ("grpc.health.v1.HealthCheckResponse.ServingStatus", "health.proto"),
    ],
)
def test_the_files_of_a_symbol_are_complete(symbol: str, file: str) -> None:
    answer = reflect(reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol))

    files = answer.file_descriptor_response.file_descriptor_proto
    assert descriptor_pb2.FileDescriptorProto.FromString(files[0]).name == file
    pool = descriptor_pool.DescriptorPool()
    for data in reversed(files):
        pool.AddSerializedFile(data)  # type: ignore[no-untyped-call]  # its types leave it out
    assert pool.FindFileByName(file)  # type: ignore[no-untyped-call]  # as above


@pytest.mark.parametrize(
    ("question", "status"),
    [
        (reflection_pb2.ServerReflectionRequest(file_containing_symbol="a.b"), Status.NOT_FOUND),
        (reflection_pb2.ServerReflectionRequest(file_by_filename="a.proto"), Status.NOT_FOUND),
        (reflection_pb2.ServerReflectionRequest(all_extension_numbers_of_type="a.b"), Status.NOT_FOUND),
        (reflection_pb2.ServerReflectionRequest(), Status.INVALID_ARGUMENT),
    ],
)
def test_a_question_without_an_answer_hears_why(
    question: reflection_pb2.ServerReflectionRequest, status: Status
) -> None:
    assert reflect(question).error_response.error_code == status
