"""The Open Inference Protocol v2: documents, tensors in JSON and as bytes, and all that can be wrong with them."""

import json
import math
from collections.abc import Iterator

import numpy as np
import pytest

from ganglion.entrypoints.inference_api.oip_request import RequestDecoder
from integration.inference_world import (
    HttpAnswer,
    InferenceWorld,
    binary_request,
    floats,
    inference_world,
    json_request,
    post,
)

INFER = "/v2/models/steer/infer"
ROW = [0.25, 0.75]


@pytest.fixture(scope="module")
def world() -> Iterator[InferenceWorld]:
    with inference_world() as world:
        yield world


def split(answer: HttpAnswer) -> tuple[dict[str, object], bytes]:
    """Return the JSON and the bytes of a binary answer."""
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["inference-header-content-length"])
    document = json.loads(answer.body[:length])
    assert isinstance(document, dict)
    return document, answer.body[length:]


def with_input(**changes: object) -> dict[str, object]:
    item = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": ROW, **changes}
    return {"inputs": [{key: value for key, value in item.items() if value is not None}]}


# --- documents ------------------------------------------------------------------------------------


def test_the_server_tells_who_it_is(world: InferenceWorld) -> None:
    document = world.get("/v2").json

    assert (document["name"], document["version"]) == ("ganglion", "0.0.1")
    assert document["extensions"] == [
        "binary_tensor_data",
        "classification",
        "model_repository",
        "parameters",
        "sequence",
        "statistics",
        "system_shared_memory",
    ]


@pytest.mark.parametrize(
    "path", ["/v2/health/live", "/healthz", "/v2/health/live/", "http://any.host/v2/health/live?x=1"]
)
def test_a_live_server_says_so(world: InferenceWorld, path: str) -> None:
    assert world.get(path).json == {"live": True}


def test_a_server_that_has_started_is_ready(world: InferenceWorld) -> None:
    assert world.get("/v2/health/ready").json == {"ready": True}


@pytest.mark.parametrize("path", ["/v2/models/steer", "/v2/models/steer/versions/1"])
def test_a_model_tells_its_tensors(world: InferenceWorld, path: str) -> None:
    assert world.get(path).json == {
        "name": "steer",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}],
    }


def test_a_model_that_answers_is_ready(world: InferenceWorld) -> None:
    assert world.get("/v2/models/steer/ready").json == {"name": "steer", "version": "1", "ready": True}
    assert world.get("/v2/models/steer/versions/1/ready").status == 200


@pytest.mark.parametrize("ending", ["", "/ready", "/versions/1/ready"])
def test_an_unknown_model_is_not_found(world: InferenceWorld, ending: str) -> None:
    assert world.get(f"/v2/models/nobody{ending}").status == 404


@pytest.mark.parametrize("path", ["/v2/models/coming/ready", "/v2/models/coming", "/v2/models/steer/versions/2/ready"])
def test_what_is_known_and_does_not_answer_yet_is_not_ready(world: InferenceWorld, path: str) -> None:
    answer = world.get(path)

    assert answer.status == 503
    assert answer.json["code"] == "model_not_ready"
    assert answer.headers["retry-after"] == "1"


def test_the_repository_index_lists_every_version_and_what_is_missing(world: InferenceWorld) -> None:
    index = json.loads(world.ask(post("/v2/repository/index", b"")).body)

    states = {(entry["name"], entry["version"]): entry["state"] for entry in index}
    assert states["steer", "1"] == "READY"
    assert states["steer", "2"] == "UNAVAILABLE"
    assert states["coming", ""] == "UNAVAILABLE"


def test_the_repository_index_can_be_asked_for_what_is_ready(world: InferenceWorld) -> None:
    index = json.loads(world.ask(post("/v2/repository/index", b'{"ready": true}')).body)

    assert {entry["state"] for entry in index} == {"READY"}
    assert world.ask(post("/v2/repository/index", b'{"ready": 7}')).status == 400


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/models", "/v2/models/", "/v2/models/steer/explain", "/v2/health"])
def test_a_path_that_means_nothing_is_not_found(world: InferenceWorld, path: str) -> None:
    assert world.get(path).status == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", INFER, "POST"), ("POST", "/v2", "GET, HEAD"), ("PUT", "/v2/health/live", "GET, HEAD")],
)
def test_a_wrong_method_is_told_the_right_one(world: InferenceWorld, method: str, path: str, allowed: str) -> None:
    answer = world.ask(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())

    assert answer.status == 405
    assert answer.headers["allow"] == allowed


def test_metrics_count_per_version() -> None:
    with inference_world() as world:
        for _ in range(3):
            world.infer(json_request((0.25, 0.75)))
        world.infer(json_request((0.25, 0.75)), model="sick")
        world.journal.is_full = True
        world.infer(json_request((0.25, 0.75)))

        lines = world.get("/metrics").body.decode().splitlines()

    assert 'ganglion_requests_total{model="steer",version="1"} 4' in lines
    assert 'ganglion_request_errors_total{model="sick",version="1"} 1' in lines
    assert 'ganglion_version_active{model="steer",version="2"} 0' in lines
    assert 'ganglion_records_shed_total{class="result"} 1' in lines
    assert all(line.startswith(("# HELP ", "# TYPE ", "ganglion_")) for line in lines)


# --- tensors --------------------------------------------------------------------------------------


def test_json_in_and_json_out(world: InferenceWorld) -> None:
    answer = world.infer(json_request((0.25, 0.75), (1.0, 0.0), id="r1"))

    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {
        "model_name": "steer",
        "model_version": "1",
        "id": "r1",
        "outputs": [
            {"name": "probabilities", "datatype": "FP32", "shape": [2, 2], "data": [0.25, 0.75, 1.0, 0.0]},
        ],
    }


def test_nested_data_is_the_same_as_flat(world: InferenceWorld) -> None:
    answer = world.infer(with_input(shape=[2, 2], data=[[0.25, 0.75], [1, 0]]))

    assert b"[0.25,0.75,1.0,0.0]" in answer.body


def test_bytes_in_and_json_out(world: InferenceWorld) -> None:
    assert b"[0.25,0.75]" in world.ask(binary_request((0.25, 0.75))).body


def test_json_in_and_bytes_out(world: InferenceWorld) -> None:
    document, blob = split(world.infer(json_request((0.25, 0.75), parameters={"binary_data_output": True})))

    assert floats(blob) == ROW
    assert document["outputs"] == [
        {"name": "probabilities", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}}
    ]


@pytest.mark.parametrize("length", range(1, 9))
def test_bytes_in_and_bytes_out_at_every_alignment(world: InferenceWorld, length: int) -> None:
    request = binary_request((0.25, 0.75), id="i" * length, parameters={"binary_data_output": True})

    _, blob = split(world.ask(request))

    assert floats(blob) == ROW


@pytest.mark.parametrize(
    ("default", "own", "is_binary"),
    [(False, None, False), (True, None, True), (True, False, False), (False, True, True), (None, True, True)],
)
def test_an_outputs_own_wish_comes_before_the_default(
    world: InferenceWorld, *, default: bool | None, own: bool | None, is_binary: bool
) -> None:
    members: dict[str, object] = {"outputs": [{"name": "probabilities"}]}
    if own is not None:
        members = {"outputs": [{"name": "probabilities", "parameters": {"binary_data": own}}]}
    if default is not None:
        members["parameters"] = {"binary_data_output": default}

    answer = world.infer(json_request((0.25, 0.75), **members))

    assert ("inference-header-content-length" in answer.headers) == is_binary


def test_what_is_not_a_number_is_null_in_json_and_itself_in_bytes(world: InferenceWorld) -> None:
    assert b"[null,0.5]" in world.ask(binary_request((math.nan, 0.5))).body

    _, blob = split(world.ask(binary_request((math.nan, 0.5), parameters={"binary_data_output": True})))
    assert math.isnan(floats(blob)[0])


def test_members_that_other_servers_know_are_ignored(world: InferenceWorld) -> None:
    document = json_request((0.25, 0.75), parameters={"priority": 3}, extra=1)

    assert world.infer(document).status == 200


def test_an_answer_names_the_request_even_if_the_client_did_not(world: InferenceWorld) -> None:
    assert world.infer(json_request((0.25, 0.75))).json["id"]


def test_a_model_that_fails_is_a_500_with_the_reason(world: InferenceWorld) -> None:
    answer = world.infer(json_request((0.25, 0.75)), model="sick")

    assert answer.status == 500
    assert answer.reason == "the model broke"
    assert answer.json["code"] == "model_failed"


# --- what can be wrong ----------------------------------------------------------------------------

WRONG = {
    "no inputs": ({"inputs": []}, "inputs"),
    "inputs missing": ({}, "inputs"),
    "a list": ([], "array"),
    "shape with a negative size": (with_input(shape=[-1, 2]), "shape"),
    "shape of another size": (with_input(shape=[1, 3]), "declared is [1, 3]"),
    "shape that the model does not take": (with_input(shape=[1, 3], data=[1, 2, 3]), "declared is [-1, 2]"),
    "no rows": (with_input(shape=[0, 2], data=[]), "x"),
    "too many rows": (with_input(shape=[5, 2], data=[1] * 10), "at most 4"),
    "endless shape": (with_input(shape=[1] * 40), "shape"),
    "huge shape": (with_input(shape=[2**62, 2**62]), "declared is"),
    "unknown datatype": (with_input(datatype="FP128"), "FP128"),
    "numbers as strings": (with_input(datatype="BYTES"), "only strings"),
    "strings for a model of numbers": (with_input(datatype="BYTES", data=["a", "b"]), "must be FP32"),
    "an object as strings": (with_input(datatype="BYTES", data={"a": 1}), "list of strings"),
    "ragged strings": (with_input(datatype="BYTES", data=[["a"], ["b"]]), "a list has 2 members"),
    "too few strings": (with_input(datatype="BYTES", data=["a"]), "data has 1 strings"),
    "another datatype": (with_input(datatype="INT32", data=[1, 2]), "must be FP32"),
    "fractions as integers": (with_input(datatype="INT32"), "not INT32"),
    "an integer too large": (with_input(datatype="UINT8", data=[1, 256]), "UINT8 cannot"),
    "a float too large": (with_input(data=[1e300, 0]), "FP32 cannot"),
    "strings": (with_input(data=["0.25", "0.75"]), "not FP32"),
    "null": (with_input(data=[None, 1]), "not FP32"),
    "ragged": (with_input(data=[[1], [2, 3]]), "regular list"),
    "an object as data": (with_input(data={"a": 1}), "not FP32"),
    "no data": (with_input(data=None), "neither data nor binary_data_size"),
    "shared memory of no size": (
        with_input(data=None, parameters={"shared_memory_region": "r"}),
        "shared_memory_byte_size",
    ),
    "shared memory and data": (
        with_input(parameters={"shared_memory_region": "r", "shared_memory_byte_size": 8}),
        "more than one",
    ),
    "negative binary size": (with_input(data=None, parameters={"binary_data_size": -8}), "binary_data_size"),
    "data and bytes": (with_input(parameters={"binary_data_size": 8}), "more than one of data, binary_data_size"),
    "bytes that did not come": (with_input(data=None, parameters={"binary_data_size": 8}), "0 bytes are left"),
    "another input": (with_input(name="y"), "this model takes ['x']"),
    "an input twice": ({"inputs": with_input()["inputs"] * 2}, "twice"),  # type: ignore[operator]  # a list of one
    "an output that is not there": ({**with_input(), "outputs": [{"name": "y"}]}, "'y'"),
    "an output twice": ({**with_input(), "outputs": [{"name": "probabilities"}] * 2}, "twice"),
    "a negative number of classes": (
        {**with_input(), "outputs": [{"name": "probabilities", "parameters": {"classification": -1}}]},
        "classification",
    ),
    "an output in two places": (
        {
            **with_input(),
            "outputs": [
                {"name": "probabilities", "parameters": {"shared_memory_region": "r", "binary_data": True}},
            ],
        },
        "both in shared memory and as binary data",
    ),
    "a negative timeout": ({**with_input(), "parameters": {"timeout": -1}}, "timeout"),
    "a number as id": ({**with_input(), "id": 7}, "id"),
    "an endless id": ({**with_input(), "id": "x" * 257}, "256"),
}


@pytest.mark.parametrize(("document", "reason"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_request_is_refused_with_the_reason(world: InferenceWorld, document: object, reason: str) -> None:
    recorded = len(world.journal.records)

    answer = world.infer(document)

    assert answer.status == 400
    assert reason in answer.reason
    assert len(world.journal.records) == recorded
    assert world.is_well()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        b'{"inputs": [\xff\xfe]}',
        b'{"id": "\xc3\x28", "inputs": []}',
        b"[" * 50_000,
        b'{"inputs":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":' + b"[" * 900 + b"]" * 900 + b"}]}",
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[NaN,1]}]}',
        b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[0.25,0.75]}]} trailing',
        b"\x00" * 100,
    ],
    ids=range(11),
)
def test_a_body_that_is_no_json_is_refused(world: InferenceWorld, body: bytes) -> None:
    assert world.ask(post(INFER, body)).status == 400
    assert world.is_well()


@pytest.mark.parametrize("value", ["-1", "99999", "ten", "1.5", "", "9" * 30, "0x10", " "])
def test_a_wrong_header_length_is_refused(world: InferenceWorld, value: str) -> None:
    body = json.dumps(with_input()).encode()

    answer = world.ask(post(INFER, body, f"Inference-Header-Content-Length: {value}"))

    assert answer.status == 400
    assert "Inference-Header-Content-Length" in answer.reason


@pytest.mark.parametrize(("size", "sent"), [(8, 4), (8, 12), (4, 4), (12, 12), (0, 0), (2**40, 8)])
def test_bytes_of_another_size_than_declared_are_refused(world: InferenceWorld, size: int, sent: int) -> None:
    head = json.dumps(with_input(data=None, parameters={"binary_data_size": size})).encode()

    answer = world.ask(post(INFER, head + bytes(sent), f"Inference-Header-Content-Length: {len(head)}"))

    assert answer.status == 400
    assert answer.reason


def test_every_datatype_is_understood_in_both_forms() -> None:
    with inference_world() as world:
        for datatype, data in {
            "UINT8": [1, 2],
            "INT64": [1, 2],
            "BOOL": [True, False],
            "FP16": [0.5, 1],
            "FP64": ROW,
        }.items():
            answer = world.infer(with_input(datatype=datatype, data=data))

            # The model takes FP32 alone; that it says so means that the tensor was decoded.
            assert "must be FP32, not" in answer.reason


def test_integers_that_no_double_holds_stay_exact() -> None:
    body = json.dumps(with_input(datatype="INT64", data=[2**63 - 1, -(2**63)])).encode()

    decoded = RequestDecoder().decode(body, None)

    assert decoded.inputs["x"].dtype == np.int64
    assert decoded.inputs["x"].tolist() == [[2**63 - 1, -(2**63)]]


def test_bytes_become_a_view_of_the_body() -> None:
    head = json.dumps(with_input(data=None, parameters={"binary_data_size": 8})).encode()
    head += b" " * (-len(head) % 8)

    decoded = RequestDecoder().decode(head + bytes(8), str(len(head)).encode())

    assert not decoded.inputs["x"].flags.owndata
