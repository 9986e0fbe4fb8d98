"""The reference client of the protocol, against this server: what its examples do."""

from collections.abc import Iterator

import anyio
import ml_dtypes
import numpy as np
import pytest
import tritonclient.http as client  # type: ignore[import-untyped]  # it ships no types
from tritonclient.http import aio
from tritonclient.utils import InferenceServerException, shared_memory  # type: ignore[import-untyped]  # as above

from integration.inference_world import FakeRepository, InferenceWorld, inference_world

ROW = np.array([[0.25, 0.75]], np.float32)


@pytest.fixture(scope="module")
def world() -> Iterator[InferenceWorld]:
    with inference_world(repository=FakeRepository()) as world:
        yield world


@pytest.fixture
def triton(world: InferenceWorld) -> Iterator[client.InferenceServerClient]:
    with client.InferenceServerClient(f"127.0.0.1:{world.port}") as triton:
        yield triton


def tensor(values: np.ndarray, datatype: str, *, binary: bool) -> client.InferInput:
    wish = client.InferInput("x", list(values.shape), datatype)
    wish.set_data_from_numpy(values, binary_data=binary)
    return wish


def test_health_and_metadata(triton: client.InferenceServerClient) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("steer")
    assert not triton.is_model_ready("coming")
    assert "statistics" in triton.get_server_metadata()["extensions"]
    assert triton.get_model_metadata("steer")["inputs"][0]["name"] == "x"
    assert {"name": "steer", "version": "1"}.items() <= triton.get_model_repository_index()[0].items()


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_infer(triton: client.InferenceServerClient, *, binary_in: bool, binary_out: bool) -> None:
    wish = [client.InferRequestedOutput("probabilities", binary_data=binary_out)]

    for request_id in ("", "r1"):
        result = triton.infer("steer", [tensor(ROW, "FP32", binary=binary_in)], outputs=wish, request_id=request_id)

        assert np.array_equal(result.as_numpy("probabilities"), ROW)
        assert result.get_response()["id"] == request_id or not request_id


def test_infer_with_options(triton: client.InferenceServerClient) -> None:
    result = triton.infer(
        "steer",
        [tensor(ROW, "FP32", binary=True)],
        model_version="1",
        priority=1,
        timeout=10_000_000,
        sequence_id=7,
        sequence_start=True,
        parameters={"timing": True},
    )

    assert np.array_equal(result.as_numpy("probabilities"), ROW)
    assert "infer_us" in result.get_response()["parameters"]


def test_async_infer(triton: client.InferenceServerClient) -> None:
    requests = [triton.async_infer("steer", [tensor(ROW, "FP32", binary=True)]) for _ in range(4)]

    assert all(np.array_equal(request.get_result().as_numpy("probabilities"), ROW) for request in requests)


@pytest.mark.parametrize("binary", [True, False])
def test_strings(triton: client.InferenceServerClient, *, binary: bool) -> None:
    result = triton.infer("words", [tensor(np.array([[b"ab", b""]], object), "BYTES", binary=binary)])

    assert result.as_numpy("probabilities").tolist() == [[b"AB", b""]]


def test_half_precision(triton: client.InferenceServerClient) -> None:
    half = ROW.astype(np.float16)
    assert np.array_equal(triton.infer("fp16", [tensor(half, "FP16", binary=True)]).as_numpy("probabilities"), half)
    brain = ROW.astype(ml_dtypes.bfloat16)
    answer = triton.infer("bf16", [tensor(brain, "BF16", binary=True)]).as_numpy("probabilities")
    assert np.array_equal(answer.astype(np.float32), ROW)


def test_classification(triton: client.InferenceServerClient) -> None:
    wish = [client.InferRequestedOutput("probabilities", class_count=1)]

    result = triton.infer("steer", [tensor(ROW, "FP32", binary=True)], outputs=wish)

    assert result.as_numpy("probabilities").tolist() == [[b"0.750000:1:right"]]


def test_shared_memory(triton: client.InferenceServerClient) -> None:
    handle = shared_memory.create_shared_memory_region("both", "/ganglion-tritonclient", 16)
    try:
        shared_memory.set_shared_memory_region(handle, [ROW])
        triton.register_system_shared_memory("both", "/ganglion-tritonclient", 16)
        wish, output = client.InferInput("x", [1, 2], "FP32"), client.InferRequestedOutput("probabilities")
        wish.set_shared_memory("both", 8)
        output.set_shared_memory("both", 8, offset=8)

        triton.infer("steer", [wish], outputs=[output])

        assert np.array_equal(shared_memory.get_contents_as_numpy(handle, np.float32, [1, 2], offset=8), ROW)
        assert triton.get_system_shared_memory_status()[0]["name"] == "both"
        triton.unregister_system_shared_memory()
        assert triton.get_system_shared_memory_status() == []
    finally:
        shared_memory.destroy_shared_memory_region(handle)


def test_statistics(triton: client.InferenceServerClient) -> None:
    triton.infer("fp16", [tensor(ROW.astype(np.float16), "FP16", binary=True)])

    (stats,) = triton.get_inference_statistics("fp16")["model_stats"]

    assert stats["inference_stats"]["success"]["count"] >= 1


def test_load_and_unload(triton: client.InferenceServerClient) -> None:
    triton.load_model("steer")
    triton.unload_model("steer")
    with pytest.raises(InferenceServerException, match="nobody"):
        triton.load_model("nobody")


def test_errors_have_the_reason(triton: client.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="no model 'nobody'"):
        triton.infer("nobody", [tensor(ROW, "FP32", binary=True)])


def test_the_client_for_asyncio(world: InferenceWorld) -> None:
    async def ask() -> np.ndarray:
        async with aio.InferenceServerClient(f"127.0.0.1:{world.port}") as triton:
            result = await triton.infer("steer", [tensor(ROW, "FP32", binary=True)])
            return np.asarray(result.as_numpy("probabilities"))

    assert np.array_equal(anyio.run(ask), ROW)
