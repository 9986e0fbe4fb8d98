"""`ganglion model build` and `verify` on model files of other runtimes than ONNX Runtime."""

from pathlib import Path

import numpy as np
import pytest

from contract import tflite_models
from contract.engine_models import openvino_classifier, openvino_sum
from ganglion.adapters.package_files import read_manifest
from ganglion.core.engine_options import EngineOptions
from ganglion.core.errors import InvalidPackage, InvalidRequest
from ganglion.core.golden import golden_of
from ganglion.core.manifest import Manifest, TensorSpec
from ganglion.entrypoints.cli import model
from ganglion.entrypoints.models import local_packages
from integration.models import classifier


def build(file: Path, directory: Path, *options: object) -> Manifest:
    words = ["build", file, "--name", "meter", "--version", "1", "-d", directory, *options]
    model.app(args=[str(word) for word in words], standalone_mode=False)
    return read_manifest(directory)


def is_proven(directory: Path) -> bool:
    with local_packages.open_package(directory) as package:
        return package.prove().passed


def test_a_tflite_file_becomes_a_package_for_litert(tmp_path: Path) -> None:
    manifest = build(tflite_models.classifier(tmp_path / "user.tflite"), tmp_path / "p")

    assert (manifest.target.runtime, manifest.model) == ("litert", "model.tflite")
    assert manifest.inputs == (TensorSpec("x", "FP32", (-1, 3)),)
    assert is_proven(tmp_path / "p")


def test_an_openvino_model_becomes_a_package_with_both_of_its_files(tmp_path: Path) -> None:
    manifest = build(openvino_classifier(tmp_path / "user.xml"), tmp_path / "p")

    assert (manifest.target.runtime, manifest.model) == ("openvino", "model.xml")
    assert {"model.xml", "model.bin"} < manifest.members.keys()
    assert is_proven(tmp_path / "p")


def test_an_openvino_model_without_weights_is_one_file(tmp_path: Path) -> None:
    source = openvino_sum(tmp_path / "user.xml")

    manifest = build(source, tmp_path / "p")

    assert manifest.model == "model.xml"
    assert is_proven(tmp_path / "p")


def test_a_package_of_a_stateful_model_is_proved_from_the_same_state_every_time(tmp_path: Path) -> None:
    np.savez(tmp_path / "inputs.npz", x=np.ones((1, 2), np.float32))

    build(tflite_models.running_sum(tmp_path / "user.tflite"), tmp_path / "p", "--golden", tmp_path / "inputs.npz")

    with local_packages.open_package(tmp_path / "p") as package:
        pipeline = package.pipeline()
        answers = [pipeline.answer({"x": np.ones((1, 2), np.float32)}).outputs["y"].tolist() for _ in range(2)]
    assert answers == [[[1.0, 1.0]], [[1.0, 1.0]]]


def test_an_onnx_file_can_be_built_for_openvino(tmp_path: Path) -> None:
    manifest = build(classifier(tmp_path / "user.onnx"), tmp_path / "p", "--runtime", "openvino")

    assert (manifest.target.runtime, manifest.model) == ("openvino", "model.onnx")
    assert is_proven(tmp_path / "p")


def test_what_the_package_asks_of_its_runtime_stands_in_the_manifest(tmp_path: Path) -> None:
    options = ["--threads", 2, "--provider", "tensorrt", "--provider", "cpu", "--no-memory-arena"]

    manifest = build(classifier(tmp_path / "user.onnx"), tmp_path / "p", *options)

    assert manifest.target.options == EngineOptions(threads=2, providers=("tensorrt", "cpu"), memory_arena=False)
    assert is_proven(tmp_path / "p")


def test_quantised_outputs_may_deviate_by_two_quanta_unless_somebody_says_less(tmp_path: Path) -> None:
    file = tflite_models.int8_relu(tmp_path / "user.tflite")

    usual, strict = build(file, tmp_path / "p"), build(file, tmp_path / "q", "--tolerance", 0)

    assert golden_of(usual).absolute_tolerance == 2.0
    assert golden_of(strict).absolute_tolerance == 0.0


@pytest.mark.parametrize(
    ("options", "error", "reason"),
    [
        (["--runtime", "tpu"], InvalidRequest, "choose from"),
        (["--runtime", "litert"], InvalidPackage, "cannot load"),
        (["--provider", "npu"], InvalidPackage, "onnxruntime has cpu"),
        (["--provider", "abacus"], InvalidRequest, "--provider: Invalid enum value 'abacus'"),
    ],
)
def test_a_runtime_or_option_that_does_not_fit_leaves_no_package(
    tmp_path: Path, options: list[str], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        build(classifier(tmp_path / "user.onnx"), tmp_path / "p", *options)

    assert not (tmp_path / "p").exists()


def test_a_file_that_is_no_model_by_its_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"\x80\x04")

    with pytest.raises(InvalidRequest, match=r"models end in \.onnx"):
        build(tmp_path / "model.pt", tmp_path / "p")
