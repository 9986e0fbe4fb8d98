"""The extensions of the protocol: datatypes that are no numbers of numpy, classes as text, times, and time limits."""

import json
import struct
from collections.abc import Iterator

import numpy as np
import pytest

from ganglion.testing.waiting import wait_until
from integration.inference_world import (
    HttpAnswer,
    InferenceWorld,
    binary_request,
    floats,
    infer_json,
    inference_world,
    json_request,
    post,
)
from unit.entrypoints.inference_api.prometheus_messages import buckets_of, decoded

ROW = (0.25, 0.75)


@pytest.fixture(scope="module")
def world() -> Iterator[InferenceWorld]:
    with inference_world() as world:
        yield world


def binary(model: str, datatype: str, blob: bytes, **members: object) -> bytes:
    """Return a request for one row of two whose bytes follow the JSON."""
    item = {"name": "x", "shape": [1, 2], "datatype": datatype, "parameters": {"binary_data_size": len(blob)}}
    head = json.dumps({"inputs": [item], **members}).encode()
    return post(f"/v2/models/{model}/infer", head + blob, f"Inference-Header-Content-Length: {len(head)}")


def words(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def blob_of(world: InferenceWorld, request: bytes) -> bytes:
    answer = world.ask(request)
    assert answer.status == 200, answer.body
    return answer.body[int(answer.headers["inference-header-content-length"]) :]


def only_output(answer: HttpAnswer) -> dict[str, object]:
    outputs = answer.json["outputs"]
    assert isinstance(outputs, list)
    (output,) = outputs
    assert isinstance(output, dict)
    return output


# --- strings --------------------------------------------------------------------------------------


def test_strings_in_json_are_answered_with_strings(world: InferenceWorld) -> None:
    item = {"name": "x", "shape": [1, 2], "datatype": "BYTES", "data": [["grün", "b"]]}

    outputs = world.infer({"inputs": [item]}, model="words").json["outputs"]

    assert outputs == [{"name": "probabilities", "datatype": "BYTES", "shape": [1, 2], "data": ["GRüN", "B"]}]


def test_strings_as_bytes_carry_their_lengths(world: InferenceWorld) -> None:
    request = binary("words", "BYTES", words(b"", b"\xffab"), parameters={"binary_data_output": True})

    assert blob_of(world, request) == words(b"", b"\xffAB")


def test_bytes_that_are_no_text_cannot_be_told_in_json(world: InferenceWorld) -> None:
    answer = world.ask(binary("words", "BYTES", words(b"a", b"\xff")))

    assert answer.status == 400
    assert "ask for it as binary data" in answer.reason


@pytest.mark.parametrize(
    "blob",
    [words(b"a"), words(b"a", b"b", b"c"), words(b"a", b"b")[:-1], b"\xff\xff\xff\xff", b"\x01\x00\x00", b""],
)
def test_lengths_that_do_not_add_up_are_refused(world: InferenceWorld, blob: bytes) -> None:
    assert world.ask(binary("words", "BYTES", blob)).status == 400
    assert world.is_well()


def test_a_shape_without_bytes_reserves_no_memory(world: InferenceWorld) -> None:
    item = {"name": "x", "shape": [2**40, 2], "datatype": "BYTES", "parameters": {"binary_data_size": 5}}
    head = json.dumps({"inputs": [item]}).encode()

    request = post("/v2/models/words/infer", head + words(b"a"), f"Inference-Header-Content-Length: {len(head)}")

    assert world.ask(request).status == 400


# --- half precision -------------------------------------------------------------------------------


def test_bf16_is_half_of_an_fp32(world: InferenceWorld) -> None:
    blob = np.array([1.5, -2.0], np.float32).view(np.uint16)[1::2].tobytes()
    request = binary("bf16", "BF16", blob, parameters={"binary_data_output": True})

    answer = world.ask(request)

    assert answer.body.endswith(blob)
    assert b'"datatype":"BF16"' in answer.body


def test_bf16_in_json_is_rounded_as_in_bytes(world: InferenceWorld) -> None:
    item = {"name": "x", "shape": [1, 2], "datatype": "BF16", "data": [1.001, 0.5]}

    output = only_output(world.infer({"inputs": [item]}, model="bf16"))

    assert output["data"] == [1.0, 0.5]


def test_fp16_goes_both_ways(world: InferenceWorld) -> None:
    blob = np.array([0.1, 65504], np.float16).tobytes()

    assert blob_of(world, binary("fp16", "FP16", blob, parameters={"binary_data_output": True})) == blob
    item = {"name": "x", "shape": [1, 2], "datatype": "FP16", "data": [0.5, 70000]}
    assert "FP16 cannot" in world.infer({"inputs": [item]}, model="fp16").reason


# --- classification -------------------------------------------------------------------------------


def test_classes_come_as_text_best_first(world: InferenceWorld) -> None:
    wish = [{"name": "probabilities", "parameters": {"classification": 2}}]

    output = only_output(world.infer(json_request(ROW, outputs=wish)))

    assert output["datatype"] == "BYTES"
    assert output["shape"] == [1, 2]
    assert output["data"] == ["0.750000:1:right", "0.250000:0:left"]


def test_no_more_classes_come_than_there_are(world: InferenceWorld) -> None:
    wish = [{"name": "probabilities", "parameters": {"classification": 1000, "binary_data": True}}]

    blob = blob_of(world, post("/v2/models/steer/infer", json.dumps(json_request(ROW, outputs=wish)).encode()))

    assert blob == words(b"0.750000:1:right", b"0.250000:0:left")


def test_text_has_no_classes(world: InferenceWorld) -> None:
    wish = [{"name": "probabilities", "parameters": {"classification": 1}}]

    answer = world.ask(binary("words", "BYTES", words(b"a", b"b"), outputs=wish))

    assert answer.status == 400
    assert "no scores" in answer.reason


# --- where the time went --------------------------------------------------------------------------


@pytest.mark.parametrize(("parameters", "headers"), [({"timing": True}, ()), ({}, ("X-Request-Timing: 1",))])
def test_an_answer_says_where_the_time_went_when_asked(
    world: InferenceWorld, parameters: dict[str, object], headers: tuple[str, ...]
) -> None:
    body = json.dumps(json_request(ROW, parameters=parameters)).encode()

    for _ in range(2):  # The second request is recognised, and must be answered alike.
        times = world.ask(post("/v2/models/steer/infer", body, *headers)).json["parameters"]
        assert isinstance(times, dict)
        assert times.keys() == {"queue_us", "decode_us", "pre_us", "infer_us", "post_us"}
        assert all(isinstance(value, int) and value >= 0 for value in times.values())


def test_an_answer_says_nothing_of_times_when_not_asked(world: InferenceWorld) -> None:
    assert "parameters" not in world.infer(json_request(ROW)).json


def test_statistics_count_what_was_answered() -> None:
    with inference_world() as world:
        world.infer(json_request(ROW, (0.5, 0.5)))
        world.infer(json_request(ROW))
        world.infer(json_request(ROW), model="sick")

        (steer,) = stats(world, "/v2/models/steer/versions/1/stats")
        (sick,) = stats(world, "/v2/models/sick/stats")
        everything = stats(world, "/v2/models/stats")

    assert (steer["inference_count"], steer["execution_count"]) == (3, 2)
    assert [batch["batch_size"] for batch in steer["batch_stats"]] == [1, 2]  # type: ignore[attr-defined]  # a list
    assert steer["latency_us"]["infer"]["count"] == 2  # type: ignore[index]  # a document
    assert sick["inference_stats"]["fail"]["count"] == 1  # type: ignore[index]  # a document
    assert {(entry["name"], entry["version"]) for entry in everything} >= {("steer", "1"), ("steer", "2")}


@pytest.mark.parametrize("path", ["/v2/models/nobody/stats", "/v2/models/steer/versions/9/stats"])
def test_there_are_no_statistics_of_what_is_not_there(world: InferenceWorld, path: str) -> None:
    assert world.get(path).status == 404


def stats(world: InferenceWorld, path: str) -> list[dict[str, object]]:
    entries = world.get(path).json["model_stats"]
    assert isinstance(entries, list)
    return entries


def test_metrics_have_quantiles_per_version_and_stage() -> None:
    with inference_world() as world:
        world.infer(json_request(ROW))

        lines = world.get("/metrics").body.decode().splitlines()

    labels = 'model="steer",version="1"'
    assert f"ganglion_request_seconds_count{{{labels}}} 1" in lines
    assert f'ganglion_request_stage_seconds_count{{{labels},stage="infer"}} 1' in lines
    assert any(line.startswith(f'ganglion_request_seconds{{{labels},quantile="0.99"}} ') for line in lines)


PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"


def test_metrics_have_native_histograms_for_a_monitor_that_asks_for_them() -> None:
    with inference_world() as world:
        for _ in range(3):
            world.infer(json_request(ROW))

        accept = f"Accept: {PROTOBUF};q=0.6\r\nAccept: text/plain;q=0.5"
        answer = world.ask(f"GET /metrics HTTP/1.1\r\nHost: x\r\n{accept}\r\n\r\n".encode())

    families = decoded(answer.body)
    assert answer.headers["content-type"].startswith("application/vnd.google.protobuf;")
    steer = families["ganglion_request_seconds"].metric[0]
    assert [(pair.name, pair.value) for pair in steer.label] == [("model", "steer"), ("version", "1")]
    assert steer.histogram.sample_count == steer.histogram.zero_count + sum(buckets_of(steer.histogram).values()) == 3
    assert families["ganglion_requests_total"].metric[0].counter.value == 3


# --- time limits, and clients that go -------------------------------------------------------------


@pytest.mark.parametrize(("parameters", "headers"), [({"timeout": 50_000}, ()), ({}, ("X-Request-Timeout-Ms: 50",))])
def test_a_request_whose_time_is_over_is_answered_without_the_model(
    parameters: dict[str, object], headers: tuple[str, ...]
) -> None:
    with inference_world() as world:
        busy = world.client()
        busy.send(infer_json(model="slow"))
        assert world.is_well()
        body = json.dumps(json_request(ROW, parameters=parameters)).encode()

        answer = world.ask(post("/v2/models/slow/infer", body, *headers))
        world.gate.set()

        assert answer.status == 504
        assert answer.json["code"] == "deadline_exceeded"
        assert busy.answer().status == 200
        assert [result.model for result in world.journal.results].count("slow") == 1
        assert stats(world, "/v2/models/slow/stats")[0]["expired_count"] == 1


def test_a_request_that_is_in_time_is_answered(world: InferenceWorld) -> None:
    body = json.dumps(json_request(ROW)).encode()

    assert world.ask(post("/v2/models/steer/infer", body, "X-Request-Timeout-Ms: 10000")).status == 200


@pytest.mark.parametrize("value", ["-1", "soon", "1.5", "9" * 30])
def test_a_time_limit_that_is_no_number_is_refused(world: InferenceWorld, value: str) -> None:
    body = json.dumps(json_request(ROW)).encode()

    answer = world.ask(post("/v2/models/steer/infer", body, f"X-Request-Timeout-Ms: {value}"))

    assert answer.status == 400
    assert "X-Request-Timeout-Ms" in answer.reason


def test_a_client_that_went_costs_nothing_more() -> None:
    with inference_world(queue_len_max=2) as world:
        first, second = world.client(), world.client()
        first.send(infer_json(model="slow"))
        assert world.is_well()
        second.send(infer_json(model="slow"))
        assert world.is_well()

        second.close()
        wait_until(
            lambda: stats(world, "/v2/models/slow/stats")[0]["cancelled_count"] == 1,
            what="the client to be missed",
            timeout_s=5,
        )
        third = world.client()
        third.send(infer_json(model="slow"))  # It has the place in the queue that became free.
        assert world.is_well()
        world.gate.set()

        assert first.answer().status == 200
        assert third.answer().status == 200
        assert [result.model for result in world.journal.results].count("slow") == 2


# --- what is remembered ---------------------------------------------------------------------------


def test_equal_requests_with_other_numbers_get_their_own_answers(world: InferenceWorld) -> None:
    client = world.client()
    for number in range(40):
        row = (number / 64, 1 - number / 64)
        client.send(binary_request(row, parameters={"binary_data_output": True}))
        answer = client.answer()
        assert floats(answer.body[int(answer.headers["inference-header-content-length"]) :]) == list(row)
        client.send(infer_json(row))
        assert json.dumps(list(row)).replace(" ", "").encode() in client.answer().body


def test_a_form_that_one_version_took_is_checked_again_by_the_next() -> None:
    with inference_world() as world:
        request = binary("bf16", "BF16", bytes(4))
        assert world.ask(request).status == 200

        to_another_model = request.replace(b"/bf16/", b"/fp16/")

        assert "must be FP16" in world.ask(to_another_model).reason
        assert world.ask(request).status == 200
