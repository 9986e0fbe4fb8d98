from pathlib import Path

import numpy as np
import pytest
from onnx import AttributeProto, TensorProto, helper

from ganglion.adapters.onnxruntime import OnnxRuntime, describe
from ganglion.core.errors import InvalidPackage, InvalidRequest
from ganglion.core.manifest import TensorSpec
from ganglion.core.serving_errors import ModelFailed
from ganglion.core.steps import bytes_tensor
from integration.models import classifier, reshaper, save, value, with_external_weights


def test_a_model_answers_by_the_names_of_its_outputs(tmp_path: Path) -> None:
    engine = OnnxRuntime().load(classifier(tmp_path / "m.onnx"), threads=1)

    outputs = engine.infer({"x": np.eye(3, dtype=np.float32)})

    assert list(outputs) == ["scores"]
    assert np.argmax(outputs["scores"], axis=1).tolist() == [0, 1, 2]


def test_a_file_describes_its_tensors_and_open_sizes_are_minus_one(tmp_path: Path) -> None:
    inputs, outputs = describe(classifier(tmp_path / "m.onnx", batch="rows"))

    assert inputs == (TensorSpec("x", "FP32", (-1, 3)),)
    assert outputs == (TensorSpec("scores", "FP32", (-1, 3)),)


def test_a_fixed_batch_stays_fixed(tmp_path: Path) -> None:
    inputs, _ = describe(classifier(tmp_path / "m.onnx", batch=1))

    assert inputs[0].shape == (1, 3)


@pytest.mark.parametrize("data", [b"", b"garbage" * 100, b"\x80\x04\x95pickle"])
def test_bytes_that_are_no_model_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)

    with pytest.raises(InvalidPackage, match=r"cannot load m\.onnx"):
        OnnxRuntime().load(path, threads=1)


def test_a_model_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(InvalidPackage):
        OnnxRuntime().load(path, threads=1)


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidPackage):
        OnnxRuntime().load(tmp_path / "none.onnx", threads=1)


@pytest.mark.parametrize("location", ["../weights.bin", "{outside}/weights.bin", "link.bin", "missing.bin"])
def test_weights_outside_the_package_are_never_read(tmp_path: Path, location: str) -> None:
    outside, package = tmp_path, tmp_path / "package"
    package.mkdir()
    (outside / "weights.bin").write_bytes(np.zeros(3, np.float32).tobytes())
    (package / "link.bin").symlink_to(outside / "weights.bin")
    path = with_external_weights(package / "m.onnx", location.format(outside=outside))

    with pytest.raises(InvalidPackage, match="one file, with its weights inside"):
        OnnxRuntime().load(path, threads=1)


def test_weights_are_not_looked_for_in_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights.bin").write_bytes(np.zeros(3, np.float32).tobytes())
    (tmp_path / "package").mkdir()
    path = with_external_weights(tmp_path / "package/m.onnx", "weights.bin")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InvalidPackage):
        OnnxRuntime().load(path, threads=1)


def test_an_operator_of_an_unknown_domain_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Evil", ["x"], ["y"], domain="com.example")]
    path = save(tmp_path / "m.onnx", nodes, inputs=[value("x", 1)], outputs=[value("y", 1)])

    with pytest.raises(InvalidPackage):
        OnnxRuntime().load(path, threads=1)


def echo(path: Path, kind: int) -> Path:
    """Return a model that gives back what it takes."""
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    return save(path, nodes, inputs=[value("x", "N", kind=kind)], outputs=[value("y", "N", kind=kind)])


def test_text_goes_in_and_comes_out_as_bytes(tmp_path: Path) -> None:
    engine = OnnxRuntime().load(echo(tmp_path / "m.onnx", TensorProto.STRING), threads=1)
    words = bytes_tensor([b"nerve", "grün".encode(), b"", b"a\x00b"])

    outputs = engine.infer({"x": words})

    assert engine.inputs == (TensorSpec("x", "BYTES", (-1,)),)
    assert outputs["y"].tolist() == words.tolist()


def test_bytes_that_are_no_text_are_the_callers_mistake(tmp_path: Path) -> None:
    engine = OnnxRuntime().load(echo(tmp_path / "m.onnx", TensorProto.STRING), threads=1)

    with pytest.raises(InvalidRequest, match="no UTF-8"):
        engine.infer({"x": bytes_tensor([b"\xff\xfe"])})


def test_bf16_numbers_are_fp32_outside_of_the_model(tmp_path: Path) -> None:
    engine = OnnxRuntime().load(echo(tmp_path / "m.onnx", TensorProto.BFLOAT16), threads=1)

    outputs = engine.infer({"x": np.array([1.5, -2.0, 1.0 + 2**-12], np.float32)})

    assert engine.inputs == (TensorSpec("x", "BF16", (-1,)),)
    assert outputs["y"].dtype == np.float32
    assert outputs["y"].tolist() == [1.5, -2.0, 1.0]


@pytest.mark.parametrize(
    ("kind", "classes"),
    [
        (TensorProto.STRING, helper.make_attribute("classlabels_strings", ["cat", "dog"])),
        (TensorProto.INT64, helper.make_attribute("classlabels_int64s", [3, 7])),
    ],
)
def test_scores_by_class_become_one_column_per_class(
    tmp_path: Path, kind: TensorProto.DataType, classes: AttributeProto
) -> None:
    scores = helper.make_map_type_proto(kind, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
    zip_map = helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml")
    zip_map.attribute.append(classes)
    path = save(
        tmp_path / "m.onnx",
        [zip_map],
        inputs=[value("x", "N", 2)],
        outputs=[helper.make_value_info("y", helper.make_sequence_type_proto(scores))],
        domains=("ai.onnx.ml",),
    )
    engine = OnnxRuntime().load(path, threads=1)
    rows = np.array([[0.25, 0.75], [1.0, 0.0]], np.float32)

    outputs = engine.infer({"x": rows})

    assert engine.outputs == (TensorSpec("y", "FP32", (-1, -1)),)
    assert outputs["y"].dtype == np.float32
    assert outputs["y"].tolist() == rows.tolist()


def test_a_model_whose_output_is_no_tensor_is_refused(tmp_path: Path) -> None:
    sequence = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, [1])
    path = save(
        tmp_path / "m.onnx",
        [helper.make_node("SequenceConstruct", ["x"], ["y"])],
        inputs=[value("x", 1)],
        outputs=[sequence],
    )

    with pytest.raises(InvalidPackage, match="only tensors of numbers or text"):
        describe(path)


@pytest.mark.parametrize(
    "feeds",
    [{"x": np.zeros((1, 3))}, {"x": np.zeros((1, 5), np.float32)}, {"x": np.zeros(3, np.float32)}],
)
def test_tensors_that_the_model_does_not_take_are_the_callers_mistake(
    tmp_path: Path, feeds: dict[str, np.ndarray]
) -> None:
    engine = OnnxRuntime().load(classifier(tmp_path / "m.onnx"), threads=1)

    with pytest.raises(InvalidRequest, match="does not take"):
        engine.infer(feeds)


def test_a_failure_inside_the_model_is_the_models(tmp_path: Path) -> None:
    engine = OnnxRuntime().load(reshaper(tmp_path / "m.onnx"), threads=1)

    assert engine.infer({"x": np.zeros(4, np.float32)})["pairs"].shape == (2, 2)
    with pytest.raises(ModelFailed, match="Reshape"):
        engine.infer({"x": np.zeros(3, np.float32)})


def native_threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def test_one_thread_means_that_no_thread_is_added(tmp_path: Path) -> None:
    path = classifier(tmp_path / "m.onnx")
    before = native_threads()

    engines = [OnnxRuntime().load(path, threads=1) for _ in range(4)]

    assert len(engines) == 4
    assert native_threads() <= before
