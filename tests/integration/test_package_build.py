"""`ganglion model build | inspect | verify` on real ONNX files, through the command line."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from onnx import helper

from ganglion.adapters.package_files import PackageArchives, read_manifest
from ganglion.core import manifest as manifests
from ganglion.core.errors import (
    CheckFailed,
    Conflict,
    InvalidName,
    InvalidPackage,
    InvalidRequest,
    NotFound,
    TargetMismatch,
)
from ganglion.core.golden import golden_of
from ganglion.core.manifest import Classification, Manifest, TensorSpec
from ganglion.core.serving_errors import ModelFailed
from ganglion.core.steps import Scale, Softmax, Transpose
from ganglion.entrypoints.cli import model
from ganglion.entrypoints.models import local_packages
from integration.models import classifier, reshaper, save, value, with_external_weights


def ganglion(*words: object) -> None:
    model.app(args=[str(word) for word in words], standalone_mode=False)


def build(file: Path, directory: Path, *options: object) -> Manifest:
    ganglion("build", file, "--name", "meter", "--version", "1", "-d", directory, *options)
    return read_manifest(directory)


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    """Return a user's model."""
    return classifier(tmp_path / "user.onnx")


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Return a file of three labels."""
    path = tmp_path / "labels.txt"
    path.write_text("low\nmid\n\nhigh\n")
    return path


def test_a_file_alone_is_enough(tmp_path: Path, onnx_file: Path) -> None:
    manifest = build(onnx_file, tmp_path / "p")

    assert manifest.inputs == (TensorSpec("x", "FP32", (-1, 3)),)
    assert manifest.outputs == (TensorSpec("scores", "FP32", (-1, 3)),)
    assert manifest.prediction is None
    ganglion("verify", tmp_path / "p")


def test_building_twice_gives_the_same_package(tmp_path: Path, onnx_file: Path) -> None:
    build(onnx_file, tmp_path / "first", "--pack", tmp_path / "first.ganglion")
    build(onnx_file, tmp_path / "second", "--pack", tmp_path / "second.ganglion")

    assert (tmp_path / "first.ganglion").read_bytes() == (tmp_path / "second.ganglion").read_bytes()


def test_with_labels_the_only_fitting_output_becomes_the_prediction(
    tmp_path: Path, onnx_file: Path, labels: Path
) -> None:
    manifest = build(onnx_file, tmp_path / "p", "--labels", labels)

    assert manifest.prediction == Classification(output="scores")
    with local_packages.open_package(tmp_path / "p") as package:
        answer = package.pipeline().answer({"x": np.eye(3, dtype=np.float32)})
    assert [prediction.label for prediction in answer.predictions] == ["low", "mid", "high"]


def test_logits_are_refused_as_a_prediction_until_softmax_is_asked_for(tmp_path: Path, labels: Path) -> None:
    file = classifier(tmp_path / "logits.onnx", softmax=False)

    with pytest.raises(InvalidRequest, match="--softmax"):
        build(file, tmp_path / "p", "--labels", labels)
    manifest = build(file, tmp_path / "p", "--labels", labels, "--softmax")

    assert manifest.postprocess == (Softmax("scores"),)
    ganglion("verify", tmp_path / "p")


def test_golden_inputs_can_be_given(tmp_path: Path, onnx_file: Path) -> None:
    np.savez(tmp_path / "golden.npz", x=np.eye(3), unrelated=np.zeros(1))

    manifest = build(onnx_file, tmp_path / "p", "--golden", tmp_path / "golden.npz")

    assert manifest.members[golden_of(manifest).inputs["x"]].size_bytes == 128 + 9 * 4


def test_with_preprocessing_clients_send_what_the_golden_inputs_are(tmp_path: Path, onnx_file: Path) -> None:
    np.savez(tmp_path / "golden.npz", x=np.array([[0, 128, 255]], np.uint8))
    (tmp_path / "steps.json").write_text('[{"step": "scale", "tensor": "x", "factor": 0.00392}]')

    manifest = build(
        onnx_file, tmp_path / "p", "--golden", tmp_path / "golden.npz", "--preprocess", tmp_path / "steps.json"
    )

    assert manifest.inputs == (TensorSpec("x", "UINT8", (-1, 3)),)
    assert manifest.preprocess == (Scale("x", 0.00392),)
    ganglion("verify", tmp_path / "p")


def test_outputs_are_declared_as_postprocessing_leaves_them(tmp_path: Path, onnx_file: Path) -> None:
    (tmp_path / "steps.json").write_text(
        '[{"step": "transpose", "tensor": "scores", "axes": [1, 0]}, '
        '{"step": "cast", "tensor": "scores", "datatype": "FP64"}]'
    )

    manifest = build(onnx_file, tmp_path / "p", "--postprocess", tmp_path / "steps.json")

    assert manifest.postprocess[0] == Transpose("scores", (1, 0))
    assert manifest.outputs[0].datatype == "FP64"


def test_a_state_and_a_scalar_beside_the_batch_are_packaged(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "rate"], ["scaled"]),
        helper.make_node("Add", ["state", "rate"], ["state_out"]),
    ]
    file = save(
        tmp_path / "m.onnx",
        nodes,
        inputs=[value("x", "N", 3), value("state", 2, 1), value("rate")],
        outputs=[value("scaled", "N", 3), value("state_out", 2, 1)],
    )

    manifest = build(file, tmp_path / "p")

    assert [spec.shape for spec in manifest.inputs] == [(-1, 3), (2, 1), ()]
    ganglion("verify", tmp_path / "p")


def test_a_model_that_made_up_inputs_do_not_fit_asks_for_real_ones(tmp_path: Path) -> None:
    shape = [value("x", "N", "M")]
    nodes = [
        helper.make_node("Constant", [], ["s"], value_ints=[-1, 7]),
        helper.make_node("Reshape", ["x", "s"], ["y"]),
    ]
    file = save(tmp_path / "m.onnx", nodes, inputs=shape, outputs=[value("y", "K", 7)])

    with pytest.raises(InvalidRequest, match=r"--golden INPUTS\.npz"):
        build(file, tmp_path / "p")
    np.savez(tmp_path / "golden.npz", x=np.zeros((2, 7)))
    build(file, tmp_path / "p", "--golden", tmp_path / "golden.npz")


@pytest.mark.parametrize("options", [["--name", "../x"], ["--version", "1/2"], ["--variant", ""]])
def test_a_name_that_is_none_is_refused(tmp_path: Path, onnx_file: Path, options: list[str]) -> None:
    with pytest.raises(InvalidName, match="cannot name"):
        build(onnx_file, tmp_path / "p", *options)


def test_nothing_is_written_when_the_model_cannot_be_packaged(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    (tmp_path / "weights.bin").write_bytes(bytes(12))
    external = with_external_weights(tmp_path / "external.onnx", "weights.bin")

    with pytest.raises(InvalidPackage):
        build(tmp_path / "bad.onnx", tmp_path / "p")
    with pytest.raises(InvalidPackage, match="one file, with its weights inside"):
        build(external, tmp_path / "p")
    with pytest.raises(NotFound):
        build(tmp_path / "none.onnx", tmp_path / "p")

    assert not list(tmp_path.glob("*p*partial*"))
    assert not (tmp_path / "p").exists()


def test_a_directory_in_use_is_not_overwritten(tmp_path: Path, onnx_file: Path) -> None:
    build(onnx_file, tmp_path / "p")

    with pytest.raises(Conflict, match="choose another directory"):
        build(onnx_file, tmp_path / "p")


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("labels.txt", "a\na\nb\n", "each once"),
        ("labels.txt", "", "each once"),
        ("labels.txt", "only\ntwo\n", "3 classes, there are 2 labels"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, onnx_file: Path, file: str, text: str, reason: str) -> None:
    (tmp_path / file).write_text(text)

    with pytest.raises(InvalidRequest, match=reason):
        build(onnx_file, tmp_path / "p", "--labels", tmp_path / file, "--prediction", "scores")


def test_an_unknown_step_and_an_unknown_output_are_named(tmp_path: Path, onnx_file: Path) -> None:
    (tmp_path / "steps.json").write_text('[{"step": "sharpen", "tensor": "x"}]')

    with pytest.raises(InvalidRequest, match="sharpen"):
        build(onnx_file, tmp_path / "p", "--preprocess", tmp_path / "steps.json")
    with pytest.raises(InvalidRequest, match="no output 'boxes'"):
        build(onnx_file, tmp_path / "p", "--prediction", "boxes")


def test_a_step_for_a_tensor_that_is_not_there_is_named_first(tmp_path: Path, onnx_file: Path) -> None:
    steps = tmp_path / "steps.json"
    steps.write_text('[{"step": "scale", "tensor": "image", "factor": 2.0}]')

    with pytest.raises(InvalidRequest, match=r"^step scale: there is no tensor 'image'"):
        build(onnx_file, tmp_path / "package", "--preprocess", steps)


def test_golden_inputs_without_a_needed_name_are_refused(tmp_path: Path, onnx_file: Path) -> None:
    np.savez(tmp_path / "golden.npz", y=np.eye(3))

    with pytest.raises(InvalidRequest, match="no array named 'x'"):
        build(onnx_file, tmp_path / "p", "--golden", tmp_path / "golden.npz")


def test_inspect_prints_what_the_package_says(
    tmp_path: Path, onnx_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(onnx_file, tmp_path / "p", "--pack", tmp_path / "p.ganglion")
    capsys.readouterr()

    ganglion("inspect", tmp_path / "p.ganglion", "-o", "json")

    shown = json.loads(capsys.readouterr().out)
    assert (shown["model"], shown["version"], shown["inputs"][0]["shape"]) == ("meter", "1", [-1, 3])


def test_verify_tells_when_the_outputs_are_not_the_promised_ones(tmp_path: Path, onnx_file: Path) -> None:
    build(onnx_file, tmp_path / "p", "--pack", tmp_path / "p.ganglion")
    swap_model(tmp_path / "p", classifier(tmp_path / "other.onnx", factor=1.0))

    with pytest.raises(CheckFailed, match="deviates"):
        ganglion("verify", tmp_path / "p")
    ganglion("verify", tmp_path / "p.ganglion")


def test_verify_refuses_a_package_for_other_hardware(tmp_path: Path, onnx_file: Path) -> None:
    other = "aarch64" if local_packages.machine_arch() == "x86_64" else "x86_64"
    build(onnx_file, tmp_path / "p", "--arch", other)

    with pytest.raises(TargetMismatch, match=other):
        ganglion("verify", tmp_path / "p")


def test_a_model_that_fails_at_run_time_is_not_packaged(tmp_path: Path) -> None:
    file = reshaper(tmp_path / "m.onnx")
    np.savez(tmp_path / "golden.npz", x=np.zeros(3))

    with pytest.raises(ModelFailed, match="Reshape"):
        build(file, tmp_path / "p", "--golden", tmp_path / "golden.npz")

    assert not (tmp_path / "p").exists()


def test_building_and_verifying_need_only_the_base_install(tmp_path: Path, onnx_file: Path) -> None:
    program = (
        "import sys\n"
        "for name in ('onnx', 'sklearn', 'skl2onnx', 'fastapi', 'sqlalchemy'): sys.modules[name] = None\n"
        "from ganglion.entrypoints.cli import model\n"
        f"model.app(['build', {str(onnx_file)!r}, '--name', 'm', '--version', '1', '-d', {str(tmp_path / 'p')!r}],"
        " standalone_mode=False)\n"
        f"model.app(['verify', {str(tmp_path / 'p')!r}], standalone_mode=False)\n"
        "try: model.app(['train', 'rows.npz', '--name', 'm'], standalone_mode=False)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert "MissingExtra training needs" in done.stdout
    assert "pip install 'ganglion[factory]'" in done.stdout


def swap_model(directory: Path, other: Path) -> None:
    """Put another model under the old promises, with a hash that fits."""
    manifest = read_manifest(directory)
    data = other.read_bytes()
    members = {**manifest.members, manifest.model: manifests.describe_member(data)}
    (directory / manifest.model).write_bytes(data)
    changed = msgspec.structs.replace(manifest, members=members)
    (directory / manifests.MANIFEST_PATH).write_bytes(manifests.encode(changed))
    assert PackageArchives().check(directory) == changed
