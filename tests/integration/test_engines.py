"""Which runtime a file and a package get."""

import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from contract import tflite_models
from contract.engine_models import large_onnx, large_openvino, large_tflite, openvino_classifier
from ganglion.adapters.onnxruntime import provider_entries
from ganglion.core.engine_options import EngineOptions
from ganglion.core.errors import InvalidPackage, InvalidRequest, MissingExtra, TargetMismatch
from ganglion.core.manifest import Target, TensorSpec
from ganglion.entrypoints.models import engines
from integration.models import classifier, with_external_weights

CUDA_BUILD = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]

UNLOADED_GROWTH = """
import pathlib, sys
import numpy as np
from ganglion.entrypoints.models import engines

def anonymous_kib():
    lines = pathlib.Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))

def use(path):
    engine = engines.load_engine(engines.Target(runtime=engines.runtime_of_file(path)), path, threads=1)
    [spec] = engine.inputs
    engine.infer({spec.name: np.zeros((1, *spec.shape[1:]), np.float32)})

path = pathlib.Path(sys.argv[1])
for _ in range(10):
    use(path)
settled = anonymous_kib()
for _ in range(30):
    use(path)
print(settled, anonymous_kib())
"""


@pytest.mark.parametrize(
    ("name", "runtime"),
    [("a.onnx", "onnxruntime"), ("a.tflite", "litert"), ("a.xml", "openvino"), ("A.ONNX", "onnxruntime")],
)
def test_a_file_is_run_by_the_runtime_that_its_name_says(name: str, runtime: str) -> None:
    assert engines.runtime_of_file(Path(name)) == runtime


def test_a_file_of_another_kind_is_no_model() -> None:
    with pytest.raises(InvalidRequest, match=r"models end in \.onnx, \.tflite, \.xml"):
        engines.runtime_of_file(Path("photo.jpg"))


def test_a_runtime_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="choose from onnxruntime, openvino, litert"):
        engines.runtime_for("tpu")


@pytest.mark.parametrize("name", ["openvino", "litert"])
def test_a_runtime_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    present = util.find_spec
    hidden = {"openvino", "ai_edge_litert"}
    monkeypatch.setattr(util, "find_spec", lambda library: None if library in hidden else present(library))

    with pytest.raises(MissingExtra, match=rf"pip install 'ganglion\[{name}\]'"):
        engines.runtime_for(name)
    assert engines.available_runtimes() == ("onnxruntime",)


def test_to_ask_what_is_installed_imports_nothing() -> None:
    code = "import sys; from ganglion.entrypoints.models import engines; print(engines.available_runtimes()); "
    code += "print([name for name in ('onnxruntime', 'openvino', 'ai_edge_litert') if name in sys.modules])"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout

    assert out.splitlines() == ["('onnxruntime', 'openvino', 'litert')", "[]"]


def test_a_file_describes_itself(tmp_path: Path) -> None:
    described = engines.describe(tflite_models.running_sum(tmp_path / "m.tflite"))

    assert described.runtime == "litert"
    assert described.inputs == (TensorSpec("x", "FP32", (1, 2)),)
    assert described.outputs == (TensorSpec("y", "FP32", (1, 2)),)
    assert described.is_stateful


def test_a_target_chooses_the_runtime_for_a_file_that_two_can_run(tmp_path: Path) -> None:
    engine = engines.load_engine(Target(runtime="openvino"), classifier(tmp_path / "m.onnx"), threads=1)

    assert type(engine).__name__ == "OpenVinoEngine"


def test_openvino_refuses_tflite_files_which_it_answers_differently(tmp_path: Path) -> None:
    with pytest.raises(InvalidPackage, match=r"\.onnx or \.xml"):
        engines.runtime_for("openvino").load(tflite_models.classifier(tmp_path / "m.tflite"), threads=1)


def test_an_openvino_model_without_its_weights_is_refused(tmp_path: Path) -> None:
    path = openvino_classifier(tmp_path / "m.xml")
    path.with_suffix(".bin").unlink()

    with pytest.raises(InvalidPackage, match=r"cannot load m\.xml"):
        engines.runtime_for("openvino").load(path, threads=1)


@pytest.mark.parametrize("location", ["../weights.bin", "{outside}/weights.bin", "link.bin"])
def test_openvino_never_reads_weights_outside_the_package(tmp_path: Path, location: str) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(12))
    (tmp_path / "package/link.bin").symlink_to(tmp_path / "weights.bin")
    path = with_external_weights(tmp_path / "package/m.onnx", location.format(outside=tmp_path))

    with pytest.raises(InvalidPackage):
        engines.runtime_for("openvino").load(path, threads=1)


def test_accelerators_are_used_in_the_order_of_preference_within_their_memory_limit() -> None:
    options = EngineOptions(providers=("tensorrt", "cuda", "cpu"), device_memory_bytes_max=1_000)

    entries = provider_entries(options, CUDA_BUILD)

    assert [name for name, _ in entries] == CUDA_BUILD
    assert entries[0][1] == {"trt_max_workspace_size": "1000"}
    assert entries[1][1]["gpu_mem_limit"] == "1000"


def test_an_accelerator_that_nobody_asked_for_is_not_used() -> None:
    assert provider_entries(EngineOptions(), CUDA_BUILD) == [("CPUExecutionProvider", {})]


def test_a_package_for_accelerators_alone_does_not_fall_back_to_the_processor() -> None:
    with pytest.raises(TargetMismatch, match="runs on cuda"):
        provider_entries(EngineOptions(providers=("cuda",)), ["CPUExecutionProvider"])


@pytest.mark.parametrize("kind", ["onnx", "tflite", "xml"])
def test_the_memory_of_a_model_comes_back_when_it_is_unloaded(tmp_path: Path, kind: str) -> None:
    path = {"onnx": large_onnx, "tflite": large_tflite, "xml": large_openvino}[kind](tmp_path / f"m.{kind}")

    out = subprocess.run(
        [sys.executable, "-c", UNLOADED_GROWTH, path], capture_output=True, text=True, check=True, timeout=120
    ).stdout

    settled_kib, after_kib = map(int, out.split())
    # Thirty copies of weights of 4 MiB went by; OpenVINO keeps room for up to two of them.
    assert after_kib - settled_kib < 3 * 4 * 1024
