"""The reference client of the protocol over gRPC, against this server: what its examples do."""

import queue
from collections.abc import AsyncIterator, Iterator

import anyio
import ml_dtypes
import numpy as np
import pytest
import tritonclient.grpc as client  # type: ignore[import-untyped]  # it ships no types
from tritonclient.grpc import aio, service_pb2
from tritonclient.utils import InferenceServerException, shared_memory  # type: ignore[import-untyped]  # as above

from ganglion.testing.waiting import wait_until
from integration.grpc_world import GrpcWorld, grpc_world
from integration.inference_world import FakeRepository

ROW = np.array([[0.25, 0.75]], np.float32)
ANSWER_S = 10.0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrpcWorld]:
    with grpc_world(repository=FakeRepository(), uds=tmp_path_factory.mktemp("grpc") / "socket") as world:
        yield world


@pytest.fixture
def triton(world: GrpcWorld) -> Iterator[client.InferenceServerClient]:
    with client.InferenceServerClient(world.address) as triton:
        yield triton


def tensor(values: np.ndarray, datatype: str = "FP32") -> client.InferInput:
    wish = client.InferInput("x", list(values.shape), datatype)
    wish.set_data_from_numpy(values)
    return wish


def test_health_and_metadata(triton: client.InferenceServerClient) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("steer")
    assert not triton.is_model_ready("coming")
    assert "statistics" in triton.get_server_metadata().extensions
    assert triton.get_model_metadata("steer", as_json=True)["inputs"][0]["shape"] == ["-1", "2"]
    assert triton.get_model_config("steer").config.max_batch_size == 4
    assert triton.get_model_repository_index().models[0].name == "steer"


@pytest.mark.parametrize("names", [[], ["probabilities"]])
def test_infer(triton: client.InferenceServerClient, names: list[str]) -> None:
    wish = [client.InferRequestedOutput(name) for name in names]

    for request_id in ("", "r1"):
        result = triton.infer("steer", [tensor(ROW)], outputs=wish, request_id=request_id)

        assert np.array_equal(result.as_numpy("probabilities"), ROW)
        assert result.get_response().id == request_id or not request_id


def test_infer_over_a_unix_socket(world: GrpcWorld) -> None:
    path = world.server._listening[1].sockets[0].getsockname()
    with client.InferenceServerClient(f"unix:{path}") as triton:
        assert np.array_equal(triton.infer("steer", [tensor(ROW)]).as_numpy("probabilities"), ROW)


def test_infer_with_options(triton: client.InferenceServerClient) -> None:
    result = triton.infer(
        "steer",
        [tensor(ROW)],
        model_version="1",
        priority=1,
        timeout=10_000_000,
        client_timeout=ANSWER_S,
        sequence_id=7,
        sequence_start=True,
        parameters={"timing": True},
    )

    assert np.array_equal(result.as_numpy("probabilities"), ROW)
    assert "infer_us" in result.get_response().parameters


def test_infer_with_compression(triton: client.InferenceServerClient) -> None:
    result = triton.infer("steer", [tensor(ROW)], compression_algorithm="gzip")

    assert np.array_equal(result.as_numpy("probabilities"), ROW)


def test_elements_one_by_one(world: GrpcWorld) -> None:
    request = service_pb2.ModelInferRequest(model_name="steer", id="typed")
    item = request.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    item.contents.fp32_contents.extend([0.25, 0.75])

    with client.InferenceServerClient(world.address) as triton:
        response = triton._client_stub.ModelInfer(request)

    assert list(response.raw_output_contents) == [ROW.tobytes()]


def test_async_infer(triton: client.InferenceServerClient) -> None:
    answers: queue.SimpleQueue[client.InferResult] = queue.SimpleQueue()

    for _ in range(4):
        triton.async_infer("steer", [tensor(ROW)], lambda result, error: answers.put(error or result))

    assert all(np.array_equal(answers.get(timeout=ANSWER_S).as_numpy("probabilities"), ROW) for _ in range(4))


def test_strings(triton: client.InferenceServerClient) -> None:
    result = triton.infer("words", [tensor(np.array([[b"ab", b""]], object), "BYTES")])

    assert result.as_numpy("probabilities").tolist() == [[b"AB", b""]]


def test_half_precision(triton: client.InferenceServerClient) -> None:
    half = ROW.astype(np.float16)
    assert np.array_equal(triton.infer("fp16", [tensor(half, "FP16")]).as_numpy("probabilities"), half)
    brain = ROW.astype(ml_dtypes.bfloat16)
    answer = triton.infer("bf16", [tensor(brain, "BF16")]).as_numpy("probabilities")
    assert np.array_equal(answer.astype(np.float32), ROW)


def test_classification(triton: client.InferenceServerClient) -> None:
    wish = [client.InferRequestedOutput("probabilities", class_count=1)]

    result = triton.infer("steer", [tensor(ROW)], outputs=wish)

    assert result.as_numpy("probabilities").tolist() == [[b"0.750000:1:right"]]


def test_shared_memory(triton: client.InferenceServerClient) -> None:
    handle = shared_memory.create_shared_memory_region("both", "/ganglion-tritonclient-grpc", 16)
    try:
        shared_memory.set_shared_memory_region(handle, [ROW])
        triton.register_system_shared_memory("both", "/ganglion-tritonclient-grpc", 16)
        wish, output = client.InferInput("x", [1, 2], "FP32"), client.InferRequestedOutput("probabilities")
        wish.set_shared_memory("both", 8)
        output.set_shared_memory("both", 8, offset=8)

        triton.infer("steer", [wish], outputs=[output])

        assert np.array_equal(shared_memory.get_contents_as_numpy(handle, np.float32, [1, 2], offset=8), ROW)
        assert triton.get_system_shared_memory_status().regions["both"].byte_size == 16
        triton.unregister_system_shared_memory()
        assert not triton.get_system_shared_memory_status().regions
    finally:
        shared_memory.destroy_shared_memory_region(handle)


def test_cuda_shared_memory_is_not_there(triton: client.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="CUDA shared memory is not supported"):
        triton.get_cuda_shared_memory_status()


def test_statistics(triton: client.InferenceServerClient) -> None:
    triton.infer("fp16", [tensor(ROW.astype(np.float16), "FP16")])

    (stats,) = triton.get_inference_statistics("fp16").model_stats

    assert stats.inference_stats.success.count >= 1


def test_load_and_unload(triton: client.InferenceServerClient) -> None:
    triton.load_model("steer")
    triton.unload_model("steer")
    with pytest.raises(InferenceServerException, match="nobody"):
        triton.load_model("nobody")


@pytest.mark.parametrize(
    ("model", "status", "reason"),
    [
        ("nobody", "StatusCode.NOT_FOUND", "no model 'nobody'"),
        ("coming", "StatusCode.UNAVAILABLE", "coming"),
        ("sick", "StatusCode.INTERNAL", "the model broke"),
        ("fp16", "StatusCode.INVALID_ARGUMENT", "must be FP16"),
    ],
)
def test_errors_have_a_status_and_the_reason(
    triton: client.InferenceServerClient, model: str, status: str, reason: str
) -> None:
    with pytest.raises(InferenceServerException, match=reason) as caught:
        triton.infer(model, [tensor(ROW)])
    assert caught.value.status() == status


def test_a_client_that_waits_no_longer_hears_that_it_is_late() -> None:
    with grpc_world() as world, client.InferenceServerClient(world.address) as triton:
        with pytest.raises(InferenceServerException) as caught:
            triton.infer("slow", [tensor(ROW)], client_timeout=0.2)

        assert caught.value.status() == "StatusCode.DEADLINE_EXCEEDED"


def test_a_cancelled_request_leaves_the_queue() -> None:
    with grpc_world() as world, client.InferenceServerClient(world.address) as triton:
        ended: queue.SimpleQueue[object] = queue.SimpleQueue()
        triton.async_infer("slow", [tensor(ROW)], lambda result, error: ended.put(result))
        waiting = triton.async_infer("slow", [tensor(ROW)], lambda result, error: ended.put(error))
        wait_until(lambda: world.inner.serving._lane.waiting == 2, what="both requests wait", timeout_s=ANSWER_S)

        waiting.cancel()

        wait_until(lambda: world.inner.serving._lane.waiting == 1, what="one is taken back", timeout_s=ANSWER_S)
        world.inner.gate.set()
        assert {type(ended.get(timeout=ANSWER_S)) for _ in range(2)} == {client.InferResult, InferenceServerException}


class Heard:
    """What came on a stream."""

    def __init__(self) -> None:
        self._items: queue.SimpleQueue[tuple[client.InferResult | None, InferenceServerException | None]] = (
            queue.SimpleQueue()
        )

    def __call__(self, result: client.InferResult | None, error: InferenceServerException | None) -> None:
        self._items.put((result, error))

    def next(self) -> tuple[client.InferResult | None, InferenceServerException | None]:
        return self._items.get(timeout=ANSWER_S)


def test_a_stream_answers_in_order(triton: client.InferenceServerClient) -> None:
    heard = Heard()
    triton.start_stream(heard)
    for number in range(20):
        values = ROW * number
        triton.async_stream_infer("steer", [tensor(values)], request_id=str(number), enable_empty_final_response=True)

    for number in range(20):
        result, error = heard.next()
        assert error is None
        assert result is not None
        assert result.get_response().id == str(number)
        assert result.get_response().parameters["triton_final_response"].bool_param
        assert np.array_equal(result.as_numpy("probabilities"), ROW * number)
    triton.stop_stream()


def test_an_error_in_a_stream_ends_its_request_alone(triton: client.InferenceServerClient) -> None:
    heard = Heard()
    triton.start_stream(heard)
    triton.async_stream_infer("nobody", [tensor(ROW)])
    triton.async_stream_infer("steer", [tensor(ROW)])

    _, error = heard.next()
    result, nothing = heard.next()
    triton.stop_stream()

    assert "no model 'nobody'" in str(error)
    assert nothing is None
    assert result is not None


def test_a_stream_can_be_ended_by_an_error(triton: client.InferenceServerClient) -> None:
    heard = Heard()
    triton.start_stream(heard, headers={"triton_grpc_error": "true"})
    triton.async_stream_infer("nobody", [tensor(ROW)])

    _, error = heard.next()

    assert error is not None
    assert error.status() == "StatusCode.NOT_FOUND"
    triton.stop_stream()


def test_a_stream_that_is_cancelled_leaves_the_server_well(triton: client.InferenceServerClient) -> None:
    heard = Heard()
    triton.start_stream(heard)
    triton.async_stream_infer("steer", [tensor(ROW)])
    heard.next()

    triton.stop_stream(cancel_requests=True)

    assert np.array_equal(triton.infer("steer", [tensor(ROW)]).as_numpy("probabilities"), ROW)


def test_a_big_tensor_in_both_directions(triton: client.InferenceServerClient) -> None:
    words = np.array([[b"a" * 4_000_000, b"b"]], object)

    result = triton.infer("words", [tensor(words, "BYTES")])

    assert [len(word) for word in result.as_numpy("probabilities")[0]] == [4_000_000, 1]


def test_the_client_for_asyncio(world: GrpcWorld) -> None:
    async def ask() -> list[np.ndarray]:
        async def requests() -> AsyncIterator[dict[str, object]]:
            for number in range(3):
                yield {"model_name": "steer", "inputs": [tensor(ROW * number)], "request_id": str(number)}

        async with aio.InferenceServerClient(world.address) as triton:
            results = [await triton.infer("steer", [tensor(ROW)])]
            async for result, error in triton.stream_infer(requests()):
                assert error is None
                results.append(result)
            return [np.asarray(result.as_numpy("probabilities")) for result in results]

    answers = anyio.run(ask)

    assert all(np.array_equal(answer, ROW * factor) for answer, factor in zip(answers, (1, 0, 1, 2), strict=True))
