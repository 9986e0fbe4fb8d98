"""What `--target` takes of the variants and runtimes that a path offers."""

from pathlib import Path

import pytest

from ganglion.adapters.package_files import write_package
from ganglion.core.engine_options import EngineOptions, Provider, RuntimeName
from ganglion.core.errors import InvalidRequest
from ganglion.core.ids import ModelName, Variant, Version
from ganglion.core.manifest import Manifest, Target, TensorSpec, describe_member
from ganglion.entrypoints.models.chosen_target import ChosenTarget
from ganglion.entrypoints.models.model_folder import Contents, contents_of
from integration.models import classifier


def put_variant(
    folder: Path, variant: str, runtime: RuntimeName = "onnxruntime", providers: tuple[Provider, ...] = ("cpu",)
) -> Path:
    """Put a package of gate:1 into the folder."""
    content = classifier(folder / "scratch.bin").read_bytes()
    (folder / "scratch.bin").unlink()
    manifest = Manifest(
        name=ModelName("gate"),
        version=Version("1"),
        variant=Variant(variant),
        target=Target(runtime=runtime, precision="fp32", options=EngineOptions(providers=providers)),
        inputs=(TensorSpec("x", "FP32", (-1, 3)),),
        outputs=(TensorSpec("scores", "FP32", (-1, 3)),),
        members={"model.onnx": describe_member(content)},
    )
    write_package(folder / f"gate-{variant}", manifest, {"model.onnx": content})
    return folder / f"gate-{variant}"


def chosen(folder: Path, target: str) -> Contents:
    return ChosenTarget(target).choose(contents_of(folder))


@pytest.fixture
def variants(tmp_path: Path) -> Path:
    put_variant(tmp_path, "plain")
    put_variant(tmp_path, "fast", providers=("cuda", "cpu"))
    put_variant(tmp_path, "vino", "openvino")
    return tmp_path


@pytest.mark.parametrize(
    ("target", "expected"),
    [("plain", "plain"), ("vino", "vino"), ("openvino", "vino"), ("cuda", "fast"), ("onnxruntime", "fast")],
)
def test_a_target_takes_the_variant_runtime_or_hardware_of_that_name(
    variants: Path, target: str, expected: str
) -> None:
    (source,) = chosen(variants, target).sources

    assert source.path.name == f"gate-{expected}"


def test_a_variant_that_was_passed_over_says_how_to_get_it(variants: Path) -> None:
    contents = chosen(variants, "")

    assert [source.path.name for source in contents.sources] == ["gate-fast"]
    assert {each.path.name for each in contents.unusable} == {"gate-plain", "gate-vino"}
    assert all("--target" in each.reason for each in contents.unusable)


def test_a_target_that_nothing_is_for_lists_what_there_is(variants: Path) -> None:
    contents = chosen(variants, "npu")

    assert contents.sources == ()
    (refused,) = contents.unusable
    for offer in ("plain (onnxruntime on cpu", "fast (onnxruntime on cuda or cpu", "vino (openvino on cpu"):
        assert offer in refused.reason


def test_hardware_narrows_a_package_to_it(variants: Path) -> None:
    (source,) = chosen(variants, "cuda").sources

    assert source.manifest is not None
    assert ChosenTarget("cuda").applied(source.manifest).target.options.providers == ("cuda",)


@pytest.mark.parametrize(
    ("file", "target", "runtime", "provider"),
    [
        ("gate.onnx", "", "onnxruntime", "cpu"),
        ("gate.onnx", "cuda", "onnxruntime", "cuda"),
        ("gate.onnx", "openvino", "openvino", "cpu"),
        ("gate.onnx", "npu", "openvino", "npu"),
        ("gate.onnx", "cpu", "onnxruntime", "cpu"),
        ("gate.tflite", "cpu", "litert", "cpu"),
        ("gate.xml", "gpu", "openvino", "gpu"),
    ],
)
def test_a_bare_file_runs_where_the_target_says(file: str, target: str, runtime: str, provider: str) -> None:
    chosen_target = ChosenTarget(target).for_file(Path(file))

    assert (chosen_target.runtime, chosen_target.options.providers[0]) == (runtime, provider)


@pytest.mark.parametrize(("file", "target"), [("gate.tflite", "openvino"), ("gate.xml", "cuda"), ("gate.onnx", "tpu")])
def test_a_bare_file_that_cannot_run_so_says_how_it_can(file: str, target: str) -> None:
    with pytest.raises(InvalidRequest, match=r"there is .*\(cpu"):
        ChosenTarget(target).for_file(Path(file))


def test_of_two_files_of_one_name_the_one_for_the_target_is_taken(tmp_path: Path) -> None:
    classifier(tmp_path / "gate.onnx")
    (tmp_path / "gate.tflite").write_bytes(b"")

    (source,) = chosen(tmp_path, "litert").sources

    assert source.path.name == "gate.tflite"
