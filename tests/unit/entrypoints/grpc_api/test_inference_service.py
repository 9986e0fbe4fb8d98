"""`ModelInfer` and `ModelStreamInfer` on a serving core made of fakes, read by the reference client's messages."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tritonclient.grpc import service_pb2  # type: ignore[import-untyped]  # it ships no types

from ganglion.core.errors import InvalidRequest, NotFound, Overloaded
from ganglion.core.identity_errors import Forbidden
from ganglion.core.manifest import TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.serving_errors import ModelFailed
from ganglion.core.steps import Datatype, Tensors, bytes_tensor, from_bytes
from ganglion.entrypoints.client_access.guard import NoGuard
from ganglion.entrypoints.grpc_api.calls import Status
from ganglion.entrypoints.grpc_api.infer_request import GrpcRequestDecoder
from ganglion.entrypoints.grpc_api.infer_response import GrpcResponseEncoder
from ganglion.entrypoints.grpc_api.inference_service import InferenceService, InferStream
from ganglion.entrypoints.grpc_api.rounds import Rounds
from ganglion.node.services.serving.runs import Package
from ganglion.node.services.serving.versions import LoadedVersion
from unit.entrypoints.grpc_api.grpc_builders import RecordedCall, raw_request
from unit.entrypoints.grpc_api.methods_world import FakeLoop
from unit.node.serving_builders import ServingWorld, copy_through, manifest_of, package_of, version_of

ROW = np.array([[0.25, 0.75]], np.float32)
SLOW = version_of("1", element_us=1e6)


class FakeMemory:
    """One region; notes what is written."""

    def __init__(self) -> None:
        self.written = b""

    def read(self, region: str, offset: int, size_bytes: int) -> bytes:
        raise NotFound(f"there is no shared memory region {region!r}")

    def write(self, region: str, offset: int, data: bytes, *, room: int) -> None:
        assert len(data) <= room
        self.written = data


def service_of(world: ServingWorld, memory: FakeMemory | None = None) -> InferenceService:
    streams: Rounds[InferStream] = Rounds(lambda stream: True, FakeLoop())
    return InferenceService(world.serving, GrpcRequestDecoder(memory), GrpcResponseEncoder(memory), streams, NoGuard())


def world_with(version: LoadedVersion | None = None) -> ServingWorld:
    world = ServingWorld()
    world.add(version or version_of("1"))
    return world


def version_for(datatype: Datatype) -> LoadedVersion:
    manifest = msgspec.structs.replace(
        manifest_of("1"),
        inputs=(TensorSpec("x", datatype, (-1, 2)),),
        outputs=(TensorSpec("probabilities", datatype, (-1, 2)),),
        prediction=None,
    )
    package = Package(Pipeline(manifest, copy_through), package_of("1").golden)
    return LoadedVersion("1", Path("/packages/special"), package, element_us=1.0)


def ask(world: ServingWorld, request: service_pb2.ModelInferRequest, memory: FakeMemory | None = None) -> RecordedCall:
    call = RecordedCall()
    service_of(world, memory).infer(request.SerializeToString(), call)
    return call


def answer_of(call: RecordedCall) -> service_pb2.ModelInferResponse:
    return service_pb2.ModelInferResponse.FromString(call.answer)


def test_a_request_is_answered_with_raw_outputs() -> None:
    answer = answer_of(ask(world_with(), raw_request(ROW, id="r1")))

    assert (answer.model_name, answer.model_version, answer.id) == ("steer", "1", "r1")
    assert [(each.name, each.datatype, list(each.shape)) for each in answer.outputs] == [
        ("probabilities", "FP32", [1, 2])
    ]
    assert list(answer.raw_output_contents) == [ROW.tobytes()]


def test_a_request_without_an_id_gets_one() -> None:
    assert answer_of(ask(world_with(), raw_request(ROW))).id


def test_answers_of_one_form_hold_each_their_own_numbers() -> None:
    world = world_with()
    service, answers = service_of(world), []

    for factor, request_id in ((1, "a"), (2, "b"), (3, "c" * 200)):
        call = RecordedCall()
        service.infer(raw_request(ROW * factor, id=request_id).SerializeToString(), call)
        answers.append(answer_of(call))

    assert [answer.id for answer in answers] == ["a", "b", "c" * 200]
    assert [answer.raw_output_contents[0] for answer in answers] == [(ROW * n).tobytes() for n in (1, 2, 3)]


@pytest.mark.parametrize("datatype", ["BYTES", "BF16", "FP16", "INT64", "BOOL"])
def test_outputs_of_every_kind_come_raw(datatype: Datatype) -> None:
    raw = {"BYTES": b"\x01\0\0\0a\0\0\0\0", "BF16": b"\x80\x3e\x40\x3f", "BOOL": b"\x01\0"}.get(datatype)
    raw = bytes({"FP16": 4, "INT64": 16}.get(datatype, 0)) if raw is None else raw
    request = raw_request(np.zeros((1, 2), np.uint8), datatype)
    request.raw_input_contents[0] = raw

    answer = answer_of(ask(world_with(version_for(datatype)), request))

    assert answer.outputs[0].datatype == datatype
    assert answer.raw_output_contents[0] == raw


def test_classification_answers_in_text() -> None:
    request = raw_request(ROW)
    request.outputs.add(name="probabilities").parameters["classification"].int64_param = 1

    answer = answer_of(ask(world_with(), request))

    words = from_bytes(answer.raw_output_contents[0], "BYTES", (1, 1))
    assert words.tolist() == bytes_tensor([b"0.750000:1:right"]).reshape(1, 1).tolist()


def test_an_output_in_shared_memory_is_not_in_the_answer() -> None:
    memory, request = FakeMemory(), raw_request(ROW)
    output = request.outputs.add(name="probabilities")
    output.parameters["shared_memory_region"].string_param = "both"
    output.parameters["shared_memory_byte_size"].int64_param = 64

    answer = answer_of(ask(world_with(), request, memory))

    assert memory.written == ROW.tobytes()
    assert not answer.raw_output_contents
    assert answer.outputs[0].parameters["shared_memory_byte_size"].int64_param == len(memory.written)


def test_shared_memory_is_not_for_other_machines() -> None:
    request = raw_request(ROW)
    output = request.outputs.add(name="probabilities")
    output.parameters["shared_memory_region"].string_param = "both"
    output.parameters["shared_memory_byte_size"].int64_param = 64

    with pytest.raises(Forbidden, match="same machine"):
        service_of(world_with(), FakeMemory()).infer(request.SerializeToString(), RecordedCall(is_local=False))


def test_timing_is_told_when_it_is_asked_for() -> None:
    request = raw_request(ROW)
    request.parameters["timing"].bool_param = True

    parameters = answer_of(ask(world_with(), request)).parameters

    assert {"queue_us", "infer_us"} <= set(parameters)


@pytest.mark.parametrize(
    ("model", "status", "reason"),
    [("nobody", Status.NOT_FOUND, "no model 'nobody'"), ("coming", Status.UNAVAILABLE, "coming")],
)
def test_a_model_that_is_not_there_ends_the_call(model: str, status: Status, reason: str) -> None:
    world = world_with()
    world.table.expect("coming")

    call = ask(world, raw_request(ROW, model=model))

    assert (call.status, call.sent) == (status, [])
    assert reason in call.text


def test_a_model_that_fails_ends_the_call() -> None:
    def failing(feeds: Tensors) -> Tensors:
        raise ModelFailed("the model broke")

    call = ask(world_with(version_of("1", failing)), raw_request(ROW))

    assert (call.status, call.text) == (Status.INTERNAL, "the model broke")


@pytest.mark.parametrize("in_metadata", [True, False])
def test_the_same_key_gets_the_same_version(*, in_metadata: bool) -> None:
    world = world_with()
    world.add(version_of("2"), active=False)
    world.table.switch("steer", "1", compare_with="", compare_share=0.0, weights={"1": 1.0, "2": 1.0})
    service = service_of(world)

    def ask_with(key: str) -> str:
        request, call = raw_request(ROW), RecordedCall(metadata={"ganglion-key": key} if in_metadata else {})
        if not in_metadata:
            request.parameters["ganglion_key"].string_param = key
        service.infer(request.SerializeToString(), call)
        return str(answer_of(call).model_version)

    answered = [{ask_with(str(number)) for _ in range(3)} for number in range(20)]

    assert all(len(versions) == 1 for versions in answered)
    assert set.union(*answered) == {"1", "2"}


def test_bytes_that_are_no_request_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="is no inference"):
        service_of(world_with()).infer(b"\xff\xff\xff", RecordedCall())


@pytest.mark.parametrize(("call_s", "timeout_us"), [(100.5, 0), (math.inf, 500_000), (100.5, 9_000_000)])
def test_the_nearer_limit_is_the_deadline(call_s: float, timeout_us: int) -> None:
    world = world_with(SLOW)
    began_s = world.serving.now_s()
    request = raw_request(ROW)
    request.parameters["timeout"].int64_param = timeout_us
    call = RecordedCall(deadline_s=began_s + 0.5 if call_s < math.inf else call_s)

    service_of(world).infer(request.SerializeToString(), call)
    world.lane.expire()

    assert call.status is Status.DEADLINE_EXCEEDED


def test_a_client_that_leaves_takes_its_waiting_request_back() -> None:
    world, call = world_with(SLOW), RecordedCall()
    service_of(world).infer(raw_request(ROW).SerializeToString(), call)
    assert world.lane.waiting == 1

    call.leave()

    assert world.lane.waiting == 0


def stream_answers(call: RecordedCall) -> list[service_pb2.ModelStreamInferResponse]:
    return [service_pb2.ModelStreamInferResponse.FromString(message) for message in call.sent]


def test_a_stream_answers_each_request_in_its_order() -> None:
    world, call = world_with(), RecordedCall()
    world.table.add("slow", SLOW)
    world.table.switch("slow", "1", compare_with="", compare_share=0.0)
    stream = service_of(world).open_stream(call)

    stream.receive(raw_request(ROW, model="slow", id="first").SerializeToString())
    stream.receive(raw_request(ROW, id="second").SerializeToString())
    stream.end()
    assert call.sent == []
    world.lane.run()

    answers = stream_answers(call)
    assert [answer.infer_response.id for answer in answers] == ["first", "second"]
    assert all(answer.infer_response.parameters["triton_final_response"].bool_param for answer in answers)
    assert call.status is Status.OK


def test_an_error_in_a_stream_ends_its_request_alone() -> None:
    call = RecordedCall()
    stream = service_of(world_with()).open_stream(call)

    stream.receive(raw_request(ROW, model="nobody", id="lost").SerializeToString())
    stream.receive(b"\xff\xff")
    stream.receive(raw_request(ROW, id="fine").SerializeToString())

    lost, malformed, fine = stream_answers(call)
    assert "no model 'nobody'" in lost.error_message
    assert (lost.infer_response.model_name, lost.infer_response.id) == ("nobody", "lost")
    assert "no inference.ModelInferRequest" in malformed.error_message
    assert (fine.error_message, fine.infer_response.id) == ("", "fine")
    assert call.status is None


def test_a_stream_that_its_client_leaves_gives_up_what_waits() -> None:
    world, call = world_with(SLOW), RecordedCall()
    stream = service_of(world).open_stream(call)
    for _ in range(2):
        stream.receive(raw_request(ROW).SerializeToString())

    call.leave()

    assert world.lane.waiting == 0
    assert call.sent == []


def test_a_client_can_ask_that_an_error_ends_its_stream() -> None:
    world, call = world_with(SLOW), RecordedCall(metadata={"triton_grpc_error": "true"})
    stream = service_of(world).open_stream(call)

    stream.receive(raw_request(ROW, id="fine").SerializeToString())
    stream.receive(raw_request(ROW, model="nobody").SerializeToString())
    stream.receive(raw_request(ROW, id="late").SerializeToString())
    world.lane.run()

    assert [answer.infer_response.id for answer in stream_answers(call)] == ["fine"]
    assert (call.status, call.text) == (Status.NOT_FOUND, "there is no model 'nobody' on this node")
    assert world.lane.waiting == 0


def test_requests_that_nobody_waits_for_are_not_gathered_for_ever() -> None:
    world = world_with(SLOW)
    stream = service_of(world).open_stream(RecordedCall())
    message = raw_request(ROW).SerializeToString()

    for _ in range(4096):
        stream.receive(message)

    with pytest.raises(Overloaded, match="4096 requests of this stream"):
        stream.receive(message)


def test_a_stream_that_is_empty_ends_well() -> None:
    call = RecordedCall()

    service_of(world_with()).open_stream(call).end()

    assert (call.status, call.sent) == (Status.OK, [])
