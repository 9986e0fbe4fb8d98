"""`ganglion serve --grpc-port`: real files, the reference client, and what is missing or dies."""

import os
import queue
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as client  # type: ignore[import-untyped]  # it ships no types
import tritonclient.http as http_client  # type: ignore[import-untyped]  # as above
from tritonclient.utils import shared_memory  # type: ignore[import-untyped]  # as above

from contract import test_golden_models as golden_models
from contract.engine_models import SHARED_MODELS, scores_of
from e2e.serve_world import Serve, spawn
from e2e.serving_world import FEATURES, ServingUnderTest
from ganglion.core.steps import DATATYPES, Tensors
from ganglion.entrypoints.settings.loader import Sources, load, variables_of
from ganglion.entrypoints.settings.node import NodeSettings, ServingSettings
from ganglion.entrypoints.settings.tree import Settings, child_environment
from ganglion.testing.waiting import wait_until
from integration.models import classifier

pytestmark = pytest.mark.e2e

ROWS = np.eye(3, dtype=np.float32)
START_S = 30.0
EXIT_BROKEN = 7


def grpc_address(serve: Serve) -> str:
    return next(line.split()[-1] for line in serve.lines if "gRPC at" in line)


class GrpcModel:
    """A served model that looks like an engine: names and arrays in, names and arrays out."""

    def __init__(self, address: str, name: str) -> None:
        self._client, self._name = client.InferenceServerClient(address), name
        metadata = self._client.get_model_metadata(name)
        self.input_names = [each.name for each in metadata.inputs]

    def infer(self, feeds: Tensors) -> Tensors:
        inputs = []
        for name, tensor in feeds.items():
            wish = client.InferInput(name, list(tensor.shape), DATATYPES[tensor.dtype])
            wish.set_data_from_numpy(tensor)
            inputs.append(wish)
        result = self._client.infer(self._name, inputs)
        return {each.name: result.as_numpy(each.name) for each in result.get_response().outputs}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Return one process that serves a file made here, and the real models where the machine has them."""
    folder = tmp_path_factory.mktemp("models")
    classifier(folder / "made.onnx")
    for model in golden_models.MODELS:
        (folder / model.name).symlink_to(model)
    serve = Serve.start(folder, "--grpc-port", "0", "--grpc-uds", str(folder / "grpc.sock"))
    yield serve
    serve.kill()


def check_made(everything: Serve) -> None:
    outputs = GrpcModel(grpc_address(everything), "made").infer({"x": ROWS})

    np.testing.assert_allclose(outputs["scores"], scores_of(ROWS), atol=1e-6)


def check_recorded(model: Path, everything: Serve) -> None:
    served = GrpcModel(grpc_address(everything), model.stem)
    for call in golden_models.recorded(model):
        outputs = served.infer(dict(zip(served.input_names, call.inputs, strict=True)))
        for actual, expected in zip(outputs.values(), call.outputs, strict=True):
            wide = actual.astype(np.float64), expected.astype(np.float64)
            np.testing.assert_allclose(*wide, rtol=0, atol=golden_models.tolerance(model, expected))


def check_voice(clip: Path, everything: Serve) -> None:
    """The client carries the state of the recurrent model from call to call."""
    heard = golden_models.speech_probabilities(
        GrpcModel(grpc_address(everything), golden_models.VOICE_MODEL.stem), golden_models.read_clip(clip)
    )

    with np.load(SHARED_MODELS / "golden" / f"{golden_models.VOICE_MODEL.stem}.npz") as arrays:
        np.testing.assert_allclose(heard, arrays[clip.stem], rtol=0, atol=golden_models.FLOAT_TOLERANCE)


CHECKS: dict[str, Callable[[Serve], None]] = {"made here": check_made}
CHECKS |= {model.name: partial(check_recorded, model) for model in golden_models.ONE_ROW}
if golden_models.VOICE_MODEL.exists():
    CHECKS |= {f"voice in {clip.name}": partial(check_voice, clip) for clip in golden_models.CLIPS.glob("*.wav")}


@pytest.mark.parametrize("name", CHECKS)
def test_each_model_gives_the_outputs_that_were_recorded(everything: Serve, name: str) -> None:
    CHECKS[name](everything)


def test_the_unix_socket_answers_too(everything: Serve) -> None:
    path = next(line.split()[-1] for line in everything.lines if "gRPC on the Unix socket" in line)

    outputs = GrpcModel(f"unix:{path}", "made").infer({"x": ROWS})

    np.testing.assert_allclose(outputs["scores"], scores_of(ROWS), atol=1e-6)


def test_a_region_registered_over_http_is_there_for_grpc(everything: Serve) -> None:
    handle = shared_memory.create_shared_memory_region("both", "/ganglion-both-edges", ROWS.nbytes)
    try:
        shared_memory.set_shared_memory_region(handle, [ROWS])
        with http_client.InferenceServerClient(f"127.0.0.1:{everything.port}") as http:
            http.register_system_shared_memory("both", "/ganglion-both-edges", ROWS.nbytes)
        wish = client.InferInput("x", [3, 3], "FP32")
        wish.set_shared_memory("both", ROWS.nbytes)

        with client.InferenceServerClient(grpc_address(everything)) as grpc:
            scores = grpc.infer("made", [wish]).as_numpy("scores")
            grpc.unregister_system_shared_memory("both")

        np.testing.assert_allclose(scores, scores_of(ROWS), atol=1e-6)
    finally:
        shared_memory.destroy_shared_memory_region(handle)


def test_without_the_option_there_is_no_grpc(tmp_path: Path) -> None:
    serve = Serve.start(classifier(tmp_path / "made.onnx"))
    try:
        assert not any("gRPC" in line for line in serve.lines)
    finally:
        serve.kill()


def child_of(process: int) -> int:
    return int(Path(f"/proc/{process}/task/{process}/children").read_text().split()[0])


def test_a_process_that_starts_again_answers_at_the_same_address(tmp_path: Path) -> None:
    serve = Serve.start(classifier(tmp_path / "made.onnx"), "--grpc-port", "0")
    try:
        os.kill(child_of(serve.process.pid), signal.SIGKILL)

        with client.InferenceServerClient(grpc_address(serve)) as triton:
            wait_until(lambda: is_live(triton), what="the next process", timeout_s=START_S)
            assert triton.is_model_ready("made")
    finally:
        serve.end(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_open_streams_with_a_reason(tmp_path: Path, number: int) -> None:
    serve = Serve.start(classifier(tmp_path / "made.onnx"), "--grpc-port", "0")
    heard: queue.SimpleQueue[object] = queue.SimpleQueue()
    with client.InferenceServerClient(grpc_address(serve)) as triton:
        triton.start_stream(lambda result, error: heard.put(error or result))
        wish = client.InferInput("x", [3, 3], "FP32")
        wish.set_data_from_numpy(ROWS)
        triton.async_stream_infer("made", [wish])
        assert isinstance(heard.get(timeout=START_S), client.InferResult)

        code, errors = serve.end(number)

        assert (code, errors) == (0, "")
        assert "the server ends" in str(heard.get(timeout=START_S))


def is_live(triton: client.InferenceServerClient) -> bool:
    try:
        return bool(triton.is_server_live())
    except client.InferenceServerException:
        return False


def test_a_port_that_is_taken_is_named(tmp_path: Path, everything: Serve) -> None:
    taken = grpc_address(everything).rpartition(":")[2]

    process = spawn(classifier(tmp_path / "made.onnx"), "--grpc-port", taken)

    _, errors = process.communicate(timeout=START_S)
    assert process.returncode == EXIT_BROKEN
    assert f"127.0.0.1:{taken}" in errors


def test_a_node_answers_by_grpc_and_records_each_answer(tmp_path: Path) -> None:
    serving = ServingUnderTest(tmp_path / "node")
    serving.release("m", "1", seed=1)
    try:
        serving.spawn(options=("--grpc-port", "0"))
        wait_until(lambda: serving.address().get("grpc_port"), what="the serving process", timeout_s=START_S)
        wish = client.InferInput("x", [1, FEATURES], "FP32")
        wish.set_data_from_numpy(np.zeros((1, FEATURES), np.float32))

        with client.InferenceServerClient(f"127.0.0.1:{serving.address()['grpc_port']}") as triton:
            triton.infer("m", [wish], request_id="by-grpc")

        assert [result.request_id for result in serving.results()] == ["by-grpc"]
        with (
            client.InferenceServerClient(f"127.0.0.1:{serving.address()['grpc_port']}") as triton,
            pytest.raises(client.InferenceServerException, match="from its hub"),
        ):
            triton.load_model("m")
    finally:
        serving.kill()


def test_the_settings_of_a_node_reach_its_processes() -> None:
    settings = NodeSettings(serving=ServingSettings(grpc_port=8001, grpc_uds="/run/grpc.sock"))

    for each in (settings, NodeSettings()):
        variables = variables_of(each, prefix="node.")
        assert load(Settings, Sources(environment=variables)).node == each


@pytest.mark.parametrize("missing", ["hpack", "google.protobuf"])
def test_a_missing_package_is_named_with_what_to_install(tmp_path: Path, missing: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; from ganglion.entrypoints.cli.main import main; main()"
    model = classifier(tmp_path / "made.onnx")
    options = ["serve", str(model), "--port", "0", "--grpc-port", "0", "--no-supervise"]

    run = subprocess.run(
        [sys.executable, "-c", program, *options], capture_output=True, text=True, env=child_environment(), check=False
    )

    assert run.returncode == EXIT_BROKEN
    assert "pip install 'ganglion[grpc]'" in run.stderr


def test_what_serves_only_http_imports_nothing_of_grpc() -> None:
    program = (
        "import sys, ganglion.entrypoints.serve.process, ganglion.entrypoints.node.serving_process;"
        "sys.exit(', '.join(name for name in sys.modules if name.partition('.')[0] in ('hpack', 'google', 'grpc')"
        " or name.startswith('ganglion.entrypoints.grpc_api')) or 0)"
    )

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr) == (0, "")
