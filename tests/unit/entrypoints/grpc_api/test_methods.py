"""What the server tells about itself and its models, and that its messages are those of other servers."""

import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]  # it ships no types
from grpc_reflection.v1alpha import reflection_pb2  # type: ignore[import-untyped]  # as above
from tritonclient.grpc import model_config_pb2, service_pb2  # type: ignore[import-untyped]  # as above

from ganglion.core.batching_rules import BatchingRules
from ganglion.core.errors import GanglionError, InvalidRequest, NotFound
from ganglion.core.identity_errors import Forbidden
from ganglion.entrypoints.grpc_api import messages
from ganglion.entrypoints.grpc_api.calls import Status, StreamMethod
from ganglion.entrypoints.grpc_api.model_config import model_config
from unit.entrypoints.grpc_api.methods_world import SERVICE, FakeRepository, World
from unit.node.serving_builders import manifest_of


def test_every_method_that_is_described_is_there() -> None:
    described = {
        f"/{file.package}.{service.name}/{method.name}": method.client_streaming
        for file in messages.files()
        for service in file.service
        for method in service.method
    }
    methods = World().methods

    assert described.keys() <= methods.keys()
    assert all(isinstance(methods[path], StreamMethod) == is_stream for path, is_stream in described.items())
    assert {path.rpartition("/")[2] for path in methods.keys() - described.keys()} == {
        "CudaSharedMemoryStatus",
        "CudaSharedMemoryRegister",
        "CudaSharedMemoryUnregister",
        "TraceSetting",
        "LogSettings",
    }


def fields_of(message: descriptor_pb2.DescriptorProto) -> dict[str, tuple[object, ...]]:
    fields = {each.name: (each.number, each.type, each.label, each.type_name) for each in message.field}
    return fields | {
        f"{nested.name}.{name}": value for nested in message.nested_type for name, value in fields_of(nested).items()
    }


def test_every_field_is_one_of_the_reference_client() -> None:
    """Ours may leave fields out; what is there has the same number and type, or clients read something else."""
    theirs: dict[str, dict[str, tuple[object, ...]]] = {}
    for module in (service_pb2, model_config_pb2, health_pb2, reflection_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        theirs |= {f"{file.package}.{each.name}": fields_of(each) for each in file.message_type}

    for file in messages.files():
        if file.package == "grpc.reflection.v1":
            continue  # The same as v1alpha; the test below compares the two.
        for message in file.message_type:
            assert fields_of(message).items() <= theirs[f"{file.package}.{message.name}"].items()


def test_both_reflections_have_the_same_messages() -> None:
    by_package = {file.package: file for file in messages.files()}
    alpha, final = (str(by_package[f"grpc.reflection.{name}"].message_type) for name in ("v1alpha", "v1"))

    assert alpha.replace("v1alpha", "v1") == final


def test_enums_are_those_of_the_reference_client() -> None:
    assert dict(model_config_pb2.DataType.items()) == {
        value.name: value.number
        for file in messages.files()
        for enum in file.enum_type
        for value in enum.value
        if enum.name == "DataType"
    }


def test_server_and_models_tell_about_themselves() -> None:
    world = World()

    assert world.ask("ServerLive").live
    assert world.ask("ServerReady").ready
    assert world.ask("ServerMetadata").version == "1.2.3"
    assert world.ask("ModelReady", name="steer").ready
    metadata = world.ask("ModelMetadata", name="steer", version="1")
    assert (metadata.platform, list(metadata.versions), metadata.inputs[0].name) == ("onnxruntime_onnx", ["1"], "x")
    assert list(metadata.inputs[0].shape) == [-1, 2]


@pytest.mark.parametrize(("model", "version"), [("coming", ""), ("nobody", ""), ("steer", "9")])
def test_what_cannot_be_asked_is_not_ready(model: str, version: str) -> None:
    assert not World().ask("ModelReady", name=model, version=version).ready


def test_a_server_that_stops_is_not_ready() -> None:
    assert not World(is_stopping=True).ask("ServerReady").ready


def test_the_configuration_says_what_is_true() -> None:
    config = World().ask("ModelConfig", name="steer").config

    assert (config.name, config.backend, config.max_batch_size) == ("steer", "onnxruntime", 4)
    assert (config.input[0].name, list(config.input[0].dims)) == ("x", [2])
    assert config.input[0].data_type == model_config_pb2.TYPE_FP32
    assert not config.HasField("dynamic_batching")


def test_the_configuration_has_batching_only_where_it_is_on() -> None:
    rules = BatchingRules(max_size=8, max_delay_us=300, preferred_sizes=(4,))
    document: dict[str, object] = {"config": model_config(manifest_of(), rules)}

    answer = messages.write("inference.ModelConfigResponse", document)

    batching = service_pb2.ModelConfigResponse.FromString(answer).config.dynamic_batching
    assert (list(batching.preferred_batch_size), batching.max_queue_delay_microseconds) == ([4], 300)
    assert "dynamic_batching" not in model_config(manifest_of(), BatchingRules())


def test_statistics_count_what_was_asked() -> None:
    world = World()
    world.serving.ask()

    stats = world.ask("ModelStatistics", name="steer").model_stats[0]

    assert (stats.name, stats.version, stats.execution_count) == ("steer", "1", 1)
    assert stats.inference_stats.success.count == 1
    assert stats.batch_stats[0].batch_size == 1


def test_the_index_lists_what_is_known() -> None:
    world = World()

    assert [(each.name, each.state) for each in world.ask("RepositoryIndex").models] == [
        ("steer", "READY"),
        ("coming", "UNAVAILABLE"),
    ]
    assert [each.name for each in world.ask("RepositoryIndex", ready=True).models] == ["steer"]


def test_an_unknown_model_is_not_found() -> None:
    with pytest.raises(NotFound, match="nobody"):
        World().ask("ModelMetadata", name="nobody")


def test_models_are_loaded_and_unloaded_where_it_is_allowed() -> None:
    repository = FakeRepository()
    world = World(repository)

    world.ask("RepositoryModelLoad", model_name="steer")
    world.ask("RepositoryModelUnload", model_name="steer")
    refused = world.call(
        f"{SERVICE}/RepositoryModelLoad",
        service_pb2.RepositoryModelLoadRequest(model_name="nobody").SerializeToString(),
    )

    assert repository.asked == ["load steer", "unload steer", "load nobody"]
    assert (refused.status, refused.text) == (Status.NOT_FOUND, "there is no 'nobody'")


def test_parameters_do_not_change_what_is_loaded() -> None:
    request = service_pb2.RepositoryModelLoadRequest(model_name="steer")
    request.parameters["config"].string_param = "{}"

    with pytest.raises(InvalidRequest, match="as its files say"):
        World(FakeRepository()).call(f"{SERVICE}/RepositoryModelLoad", request.SerializeToString())


def test_a_node_loads_nothing_on_a_clients_word() -> None:
    with pytest.raises(Forbidden, match="from its hub"):
        World().ask("RepositoryModelLoad", model_name="steer")


def test_shared_memory_is_registered_only_from_this_machine() -> None:
    world = World()

    with pytest.raises(Forbidden, match="same machine"):
        world.call(f"{SERVICE}/SystemSharedMemoryStatus", is_local=False)
    assert not world.ask("SystemSharedMemoryStatus").regions
    with pytest.raises(NotFound, match="no shared memory object"):
        world.ask("SystemSharedMemoryRegister", name="a", key="/ganglion-not-there", byte_size=8)
    with pytest.raises(GanglionError):
        world.ask("SystemSharedMemoryRegister", name="a", key="/x", byte_size=2**63)


def test_what_is_not_supported_says_so() -> None:
    call = World().call(f"{SERVICE}/CudaSharedMemoryStatus")

    assert call.status is Status.UNIMPLEMENTED
    assert "CUDA shared memory is not supported" in call.text


@pytest.mark.parametrize("name", ["ServerLive", "ModelConfig", "RepositoryModelLoad", "SystemSharedMemoryRegister"])
def test_bytes_that_are_no_message_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="is no inference"):
        World(FakeRepository()).call(f"{SERVICE}/{name}", b"\xff\xff\xff")
