import pytest

from ganglion.core import implicit
from ganglion.core.ids import ModelName, Version, parse_name
from ganglion.core.manifest import Manifest, Target, TensorSpec


def a_bare_manifest(*inputs: TensorSpec) -> Manifest:
    return implicit.manifest_of(
        ModelName("m"),
        Version("1"),
        file="m.tflite",
        target=Target(runtime="litert"),
        inputs=inputs,
        outputs=(TensorSpec("y", "FP32", (-1, 2)),),
        batch_max=7,
    )


def test_a_bare_model_promises_nothing_that_its_file_does_not_say() -> None:
    manifest = a_bare_manifest(TensorSpec("x", "FP32", (-1, 3)))

    assert (manifest.model, manifest.target.runtime, manifest.limits.batch_max) == ("m.tflite", "litert", 7)
    assert manifest.golden is None
    assert manifest.prediction is None
    assert manifest.labels == ()


def test_an_open_first_dimension_counts_rows() -> None:
    manifest = a_bare_manifest(TensorSpec("x", "FP32", (-1, 3)))

    assert manifest.inputs[0].has_batch


@pytest.mark.parametrize("shape", [(-1,), (1, 3, 240, 320), (2, -1, 128), ()])
def test_what_does_not_begin_with_rows_has_no_batch(shape: tuple[int, ...]) -> None:
    manifest = a_bare_manifest(TensorSpec("x", "FP32", shape))

    assert not manifest.inputs[0].has_batch


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("face_rfb320", "face_rfb320"),
        ("Gate 3 (new)", "Gate-3-new"),
        ("größe", "gr-e"),
        ("..hidden..", "hidden"),
        ("a..b", "a.b"),
        ("-_.", "model"),
        ("", "model"),
        ("x" * 63 + ".y", "x" * 63),
        ("名前", "model"),
    ],
)
def test_any_file_name_gives_a_model_name(file_name: str, name: str) -> None:
    assert implicit.name_from(file_name) == name
    assert parse_name(name, what="model") == name
