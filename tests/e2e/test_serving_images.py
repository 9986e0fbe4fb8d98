"""Pictures to a real serving process, as `curl --data-binary @photo.jpg` sends them."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.serving_world import ServingUnderTest
from ganglion.entrypoints.cli import model
from ganglion.ports.serving_control import ActiveModel
from integration.spot_detector import spot_detector, with_spot, write_steps
from unit.core.pictures import huge_png, jpeg, png

pytestmark = pytest.mark.e2e

PHOTO = with_spot(120, 240, (180, 60, 240, 120))
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingUnderTest]:
    """Serve a detector of bright spots, and a classifier that takes no pictures."""
    folder = tmp_path_factory.mktemp("images")
    serving = ServingUnderTest(folder / "node")
    serving.release("m", "1", seed=1)
    serving.active["spots"] = ActiveModel("1", str(spots(folder)))
    serving.write_active()
    serving.start()
    yield serving
    serving.kill()


def spots(folder: Path) -> Path:
    before, after = write_steps(folder)
    (folder / "labels.txt").write_text("spot\n")
    words = [
        "build", spot_detector(folder / "m.onnx"), "--name", "spots", "--version", "1", "-d", folder / "p",
        "--preprocess", before, "--postprocess", after, "--labels", folder / "labels.txt",
    ]  # fmt: skip
    model.app(args=[str(word) for word in words], standalone_mode=False)
    return folder / "p"


def predict(serving: ServingUnderTest, body: bytes, *, path: str = "spots", kind: str = FORM) -> tuple[int, Any]:
    connection = serving.connect()
    try:
        connection.request("POST", f"/v2/models/{path}/predict", body, {"Content-Type": kind})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["spots", "spots/versions/1"])
@pytest.mark.parametrize(("file", "kind"), [(jpeg(PHOTO), "image/jpeg"), (png(PHOTO), "image/png"), (png(PHOTO), FORM)])
def test_a_picture_is_answered_with_labelled_boxes(
    serving: ServingUnderTest, file: bytes, kind: str, path: str
) -> None:
    status, document = predict(serving, file, path=path, kind=kind)

    assert status == http.client.OK
    assert (document["model_name"], document["model_version"]) == ("spots", "1")
    (prediction,) = document["predictions"]
    assert prediction["label"] == "spot"
    assert [box["box"] for box in prediction["boxes"]] == [[180, 60, 240, 120]]


def test_a_picture_is_recorded_with_its_label(serving: ServingUnderTest) -> None:
    _, document = predict(serving, png(PHOTO))

    (record,) = [result for result in serving.results() if result.request_id == document["id"]]
    assert record.labels == ("spot",)
    assert record.error == ""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is empty"),
        (b"hello", "neither JPEG nor PNG"),
        (jpeg(PHOTO)[:500], "damaged"),
        (huge_png(60_000, 60_000), "3600000000 pixels, at most 25000000"),
    ],
)
def test_what_is_no_picture_is_the_clients_fault_and_counts_for_nothing(
    serving: ServingUnderTest, body: bytes, reason: str
) -> None:
    before = len(serving.results())

    status, problem = predict(serving, body)

    assert status == http.client.BAD_REQUEST
    assert reason in problem["detail"]
    assert len(serving.results()) == before
    behaviour = serving.status().models["spots"].behaviour["1"]
    assert behaviour.errors == 0


def test_a_model_that_takes_numbers_says_so(serving: ServingUnderTest) -> None:
    status, problem = predict(serving, png(PHOTO), path="m")

    assert status == http.client.BAD_REQUEST
    assert "takes no encoded file but x (FP32 [-1, 8])" in problem["detail"]


@pytest.mark.parametrize(("path", "expected"), [("nobody", 404), ("spots/versions/9", 404)])
def test_an_unknown_model_is_not_found(serving: ServingUnderTest, path: str, expected: int) -> None:
    assert predict(serving, png(PHOTO), path=path)[0] == expected


def test_several_pictures_at_once_go_through_infer(serving: ServingUnderTest) -> None:
    """BYTES by the binary extension: each element after its length."""
    files = [png(PHOTO), jpeg(with_spot(64, 64, (0, 16, 16, 32)))]
    blob = b"".join(len(file).to_bytes(4, "little") + file for file in files)
    item = {"name": "image", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(blob)}}
    head = json.dumps({"inputs": [item]}).encode()
    connection = serving.connect()
    connection.request(
        "POST", "/v2/models/spots/infer", head + blob, {"Inference-Header-Content-Length": str(len(head))}
    )
    document = json.loads(connection.getresponse().read())
    connection.close()

    outputs = {output["name"]: output for output in document["outputs"]}
    assert outputs["boxes"]["shape"] == [2, 5, 4]
    assert outputs["boxes"]["data"][:4] == [180, 60, 240, 120]
    assert outputs["boxes"]["data"][20:24] == [0, 16, 16, 32]
