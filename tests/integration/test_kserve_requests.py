"""What the client library of KServe sends over gRPC: elements one by one or raw, always with an id and parameters.

The library itself is half a gigabyte with everything that it needs; these are its messages, made with the same stubs.
"""

from collections.abc import Iterator
from typing import Any

import grpc  # type: ignore[import-untyped]  # it ships no types
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc  # type: ignore[import-untyped]  # as above

from integration.grpc_world import GrpcWorld, grpc_world

ROW = np.array([[0.25, 0.75]], np.float32)
ANSWER_S = 10.0


@pytest.fixture(scope="module")
def world() -> Iterator[GrpcWorld]:
    with grpc_world() as world:
        yield world


@pytest.fixture
def stub(world: GrpcWorld) -> Iterator[Any]:
    with grpc.insecure_channel(world.address) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def request_of(request_id: str, *, is_raw: bool) -> service_pb2.ModelInferRequest:
    request = service_pb2.ModelInferRequest(model_name="steer", id=request_id)
    request.parameters["content"].string_param = "anything"
    item = request.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    if is_raw:
        item.parameters["binary_data_size"].int64_param = ROW.nbytes
        request.raw_input_contents.append(ROW.tobytes())
    else:
        item.contents.fp32_contents.extend(ROW.ravel().tolist())
    return request


@pytest.mark.parametrize("is_raw", [True, False])
def test_each_request_gets_its_answer_and_its_id_back(stub: Any, *, is_raw: bool) -> None:
    for request_id in ("5e0c4f5a-0001", "5e0c4f5a-0002"):
        answer = stub.ModelInfer(request_of(request_id, is_raw=is_raw), timeout=ANSWER_S)

        assert answer.id == request_id
        assert np.frombuffer(answer.raw_output_contents[0], np.float32).tolist() == ROW.ravel().tolist()


def test_an_error_is_a_status_with_its_reason(stub: Any) -> None:
    request = request_of("r", is_raw=True)
    request.model_name = "nobody"

    with pytest.raises(grpc.RpcError) as caught:
        stub.ModelInfer(request, timeout=ANSWER_S)

    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert "no model 'nobody'" in caught.value.details()


def test_readiness_is_asked_for_server_and_model(stub: Any) -> None:
    assert stub.ServerLive(service_pb2.ServerLiveRequest(), timeout=ANSWER_S).live
    assert stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=ANSWER_S).ready
    assert stub.ModelReady(service_pb2.ModelReadyRequest(name="steer"), timeout=ANSWER_S).ready
    assert not stub.ModelReady(service_pb2.ModelReadyRequest(name="nobody"), timeout=ANSWER_S).ready
