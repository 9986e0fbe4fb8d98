"""`ganglion model build` for models that take pictures, from a model file to boxes in a photo."""

import json
from pathlib import Path

import numpy as np
import pytest

from ganglion.adapters.package_files import read_golden, read_manifest
from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.core.manifest import Anomaly, Detection, Manifest, TensorSpec
from ganglion.core.prediction_document import document_of, inputs_of
from ganglion.entrypoints.cli import model
from ganglion.entrypoints.models import local_packages
from integration.models import classifier
from integration.spot_detector import spot_detector, with_spot, write_steps
from unit.core.pictures import jpeg, png

PHOTO = with_spot(120, 240, (180, 60, 240, 120))


def ganglion(*words: object) -> None:
    model.app(args=[str(word) for word in words], standalone_mode=False)


def build(file: Path, directory: Path, *options: object) -> Manifest:
    before, after = write_steps(file.parent)
    steps = ("--preprocess", before, "--postprocess", after)
    ganglion("build", file, "--name", "spots", "--version", "1", "-d", directory, *steps, *options)
    ganglion("verify", directory)
    return read_manifest(directory)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Return the file of the only label."""
    path = tmp_path / "labels.txt"
    path.write_text("spot\n")
    return path


def test_a_photo_gives_labelled_boxes_in_its_own_pixels(tmp_path: Path, labels: Path) -> None:
    build(spot_detector(tmp_path / "m.onnx"), tmp_path / "p", "--labels", labels)

    with local_packages.open_package(tmp_path / "p") as package:
        pipeline = package.pipeline()
        answers = [pipeline.answer(inputs_of(package.manifest, file)) for file in (png(PHOTO), jpeg(PHOTO))]
        for answer in answers:
            (prediction,) = json.loads(json.dumps(document_of(package.manifest, answer)))["predictions"]
            assert (prediction["label"], prediction["count"]) == ("spot", 1)
            assert prediction["boxes"][0]["box"] == [180, 60, 240, 120]


def test_clients_send_files_and_get_boxes(tmp_path: Path) -> None:
    manifest = build(spot_detector(tmp_path / "m.onnx"), tmp_path / "p")

    assert manifest.inputs == (TensorSpec("image", "BYTES", (-1,)),)
    assert manifest.outputs == (
        TensorSpec("boxes", "FP32", (-1, 5, 4)),
        TensorSpec("scores", "FP32", (-1, 5)),
        TensorSpec("labels", "INT64", (-1, 5)),
    )
    assert manifest.prediction == Detection()


def test_a_model_for_single_images_takes_single_files(tmp_path: Path) -> None:
    manifest = build(spot_detector(tmp_path / "m.onnx", batch=1), tmp_path / "p")

    assert manifest.inputs == (TensorSpec("image", "BYTES", (1,)),)


def test_a_picture_is_a_golden_input(tmp_path: Path) -> None:
    (tmp_path / "photo.PNG").write_bytes(png(PHOTO))

    manifest = build(spot_detector(tmp_path / "m.onnx"), tmp_path / "p", "--golden", tmp_path / "photo.PNG")

    inputs, outputs = read_golden(tmp_path / "p", manifest)
    assert inputs["image"].tolist() == [png(PHOTO)]
    assert outputs["labels"].tolist() == [[0, -1, -1, -1, -1]]


def test_a_folder_of_pictures_is_a_golden_batch_in_the_order_of_names(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "notes.txt").write_text("not a picture")
    (folder / "b.jpg").write_bytes(jpeg(PHOTO))
    (folder / "a.png").write_bytes(png(PHOTO))

    manifest = build(spot_detector(tmp_path / "m.onnx"), tmp_path / "p", "--golden", folder)

    assert read_golden(tmp_path / "p", manifest)[0]["image"].tolist() == [png(PHOTO), jpeg(PHOTO)]


def test_files_can_be_given_as_an_array_of_bytes(tmp_path: Path) -> None:
    np.savez(tmp_path / "golden.npz", image=np.array([png(PHOTO)]))

    manifest = build(spot_detector(tmp_path / "m.onnx"), tmp_path / "p", "--golden", tmp_path / "golden.npz")

    assert read_golden(tmp_path / "p", manifest)[0]["image"].tolist() == [png(PHOTO)]


def test_pictures_are_no_inputs_of_a_model_that_takes_numbers(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg(PHOTO))

    with pytest.raises(InvalidRequest, match="decode_image"):
        ganglion(
            "build", classifier(tmp_path / "m.onnx"), "--name", "m", "--version", "1", "-d", tmp_path / "p",
            "--golden", tmp_path / "photo.jpg",
        )  # fmt: skip


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(NotFound, match="holds no image files"):
        build(spot_detector(tmp_path / "m.onnx"), tmp_path / "p", "--golden", tmp_path / "empty")


def test_raw_pictures_of_any_size_may_be_sent_to_a_model_that_resizes(tmp_path: Path) -> None:
    before = tmp_path / "steps.json"
    before.write_text(
        '[{"step": "resize", "tensor": "pixels", "height": 64, "width": 64},'
        ' {"step": "scale", "tensor": "pixels", "factor": 0.0039},'
        ' {"step": "layout", "tensor": "pixels", "to": "nchw"}]'
    )
    np.savez(tmp_path / "golden.npz", pixels=PHOTO[None])
    file = spot_detector(tmp_path / "m.onnx")

    ganglion(
        "build", file, "--name", "m", "--version", "1", "-d", tmp_path / "p",
        "--preprocess", before, "--golden", tmp_path / "golden.npz",
    )  # fmt: skip

    assert read_manifest(tmp_path / "p").inputs == (TensorSpec("pixels", "UINT8", (-1, -1, -1, 3)),)


def test_an_anomaly_step_makes_an_anomaly_prediction(tmp_path: Path) -> None:
    after = tmp_path / "steps.json"
    method = {"kind": "reconstruction", "input": "x"}
    after.write_text(json.dumps([{"step": "anomaly_score", "tensor": "scores", "method": method, "threshold": 0.1}]))

    ganglion(
        "build", classifier(tmp_path / "m.onnx"), "--name", "m", "--version", "1", "-d", tmp_path / "p",
        "--postprocess", after,
    )  # fmt: skip

    manifest = read_manifest(tmp_path / "p")
    assert manifest.prediction == Anomaly()
    assert [spec.name for spec in manifest.outputs] == ["scores", "score", "is_anomaly"]
    assert manifest.outputs[1].shape == (-1,)
