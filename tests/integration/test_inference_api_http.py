"""HTTP as clients speak it, and as they should not: always an answer with a reason, and never another client's."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from ganglion.testing.waiting import wait_until
from integration.inference_world import (
    InferenceWorld,
    RawClient,
    binary_request,
    infer_json,
    inference_world,
    json_request,
    post,
)

GET = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def shared_world() -> Iterator[InferenceWorld]:
    with inference_world() as world:
        yield world


@pytest.fixture
def world(shared_world: InferenceWorld) -> Iterator[InferenceWorld]:
    yield shared_world
    shared_world.close_clients()


@pytest.fixture
def client(world: InferenceWorld) -> RawClient:
    return world.client()


def ids_of(client: RawClient, count: int) -> list[object]:
    return [client.answer().json["id"] for _ in range(count)]


# --- in order -------------------------------------------------------------------------------------


def test_a_connection_serves_many_requests(client: RawClient) -> None:
    for number in range(20):
        client.send(infer_json(request_id=f"r{number}"))
        assert client.answer().json["id"] == f"r{number}"


def test_pipelined_requests_are_answered_in_their_order(client: RawClient) -> None:
    client.send(b"".join(infer_json(request_id=f"r{number}") for number in range(100)))

    assert ids_of(client, 100) == [f"r{number}" for number in range(100)]


def test_a_quick_request_behind_a_slow_one_waits_for_its_turn() -> None:
    with inference_world() as world:
        client = world.client()
        client.send(infer_json(model="slow", request_id="slow") + infer_json(request_id="quick") + GET)
        assert world.is_well()

        world.gate.set()

        assert ids_of(client, 2) == ["slow", "quick"]
        assert client.answer().json == {"live": True}


def test_clients_get_their_own_answers() -> None:
    with inference_world() as world:
        clients = [world.client() for _ in range(4)]
        for number, client in enumerate(clients):
            client.send(infer_json((number / 10, 1 - number / 10), model="slow", request_id=f"c{number}"))
        wait_until(world.is_well, what="the server to answer", timeout_s=5)
        world.gate.set()

        for number, client in enumerate(clients):
            answer = client.answer().json
            assert answer["id"] == f"c{number}"
            assert json.dumps(number / 10) in json.dumps(answer["outputs"])


def test_a_request_that_comes_byte_by_byte_is_answered(client: RawClient) -> None:
    for byte in binary_request((0.25, 0.75), id="slowly"):
        client.send(bytes([byte]))

    assert client.answer().json["id"] == "slowly"


def test_chunked_bodies_are_put_together(client: RawClient) -> None:
    body = json.dumps(json_request((0.25, 0.75), id="chunks")).encode()
    chunks = [body[start : start + 7] for start in range(0, len(body), 7)]
    client.send(b"POST /v2/models/steer/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for chunk in chunks:
        client.send(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
    client.send(b"0\r\nInference-Header-Content-Length: 5\r\n\r\n" + GET)

    assert client.answer().json["id"] == "chunks"
    assert client.answer().status == 200


def test_a_client_that_asks_before_sending_is_told_to_go_on(client: RawClient) -> None:
    request = post("/v2/models/steer/infer", json.dumps(json_request((0.25, 0.75))).encode(), "Expect: 100-continue")
    head, _, body = request.partition(b"\r\n\r\n")

    client.send(head + b"\r\n\r\n")
    assert client.answer(has_body=False).status == 100
    client.send(body)

    assert client.answer().status == 200


def test_nobody_is_told_to_go_on_before_the_answers_that_come_first() -> None:
    with inference_world() as world:
        client = world.client()
        body = json.dumps(json_request((0.25, 0.75))).encode()
        head = post("/v2/models/steer/infer", b"", "Expect: 100-continue", length=len(body))
        client.send(infer_json(model="slow"), head)
        assert world.is_well()
        world.gate.set()

        assert client.answer().status == 200
        assert client.answer(has_body=False).status == 100
        client.send(body)
        assert client.answer().status == 200


def test_a_body_that_did_not_wait_for_the_go_ahead_is_taken(client: RawClient) -> None:
    body = json.dumps(json_request((0.25, 0.75))).encode()

    client.send(GET + post("/v2/models/steer/infer", body, "Expect: 100-continue") + GET)

    assert [client.answer().status for _ in range(3)] == [200, 200, 200]


def test_a_wish_for_another_protocol_is_ignored(client: RawClient) -> None:
    body = json.dumps(json_request((0.25, 0.75), id="java")).encode()
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAA")

    client.send(post("/v2/models/steer/infer", body, *upgrade)[:-5])
    client.send(body[-5:] + infer_json(request_id="next"))

    assert ids_of(client, 2) == ["java", "next"]


def test_http_1_0_and_connection_close_end_the_connection(world: InferenceWorld) -> None:
    for request in (b"GET /v2 HTTP/1.0\r\n\r\n", b"GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
        client = world.client()
        client.send(request)
        answer = client.answer()
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        assert client.is_closed()


def test_a_client_that_has_said_everything_still_hears_its_answer() -> None:
    with inference_world() as world:
        client = world.client()
        client.send(infer_json(model="slow", request_id="last words"))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer(has_body=False).status == 100  # Which every client passes over: is anybody there?
        assert world.is_well()
        world.gate.set()

        assert client.answer().json["id"] == "last words"
        assert client.is_closed()


def test_the_answer_to_head_has_no_body(client: RawClient) -> None:
    client.send(b"HEAD /v2 HTTP/1.1\r\nHost: x\r\n\r\n" + b"HEAD /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" + GET)

    assert client.answer(has_body=False).status == 200
    assert client.answer(has_body=False).status == 404
    assert client.answer().json == {"live": True}


# --- refusals -------------------------------------------------------------------------------------


def test_a_10_gigabyte_body_is_refused_before_it_is_read(client: RawClient) -> None:
    client.send(post("/v2/models/steer/infer", b"", length=10_000_000_000))

    answer = client.answer()

    assert answer.status == 413
    assert "10000000000" in answer.reason
    assert "100000" in answer.reason
    assert client.is_closed()


def test_a_client_that_asks_before_sending_too_much_is_refused(client: RawClient) -> None:
    client.send(post("/v2/models/steer/infer", b"", "Expect: 100-continue", length=100_001))

    assert client.answer().status == 413


def test_a_client_that_goes_on_sending_can_still_read_why_it_was_refused(client: RawClient) -> None:
    client.send(post("/v2/models/steer/infer", b"", length=200_000))
    client.send(bytes(200_000))

    assert client.answer().status == 413


def test_chunks_without_end_are_refused_at_the_limit(client: RawClient) -> None:
    client.send(b"POST /v2/models/steer/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.send(*[b"4000\r\n" + bytes(0x4000) + b"\r\n"] * 7)

    assert client.answer().status == 413


MALFORMED = {
    "no http at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "unknown method": b"BREW /v2 HTTP/1.1\r\n\r\n",
    "http 2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http 9": b"GET /v2 HTTP/9.9\r\n\r\n",
    "negative length": b"POST /v2/models/steer/infer HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    "length in words": b"POST /v2/models/steer/infer HTTP/1.1\r\nContent-Length: ten\r\n\r\n",
    "overflowing length": b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative chunk": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "unknown coding": b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    "bytes in the target": b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
    "bare line feeds": b"GET /v2 HTTP/1.1\nHost: x\n\n",
    "folded header": b"GET /v2 HTTP/1.1\r\nX: 1\r\n 2\r\n\r\n",
    "nul in a header": b"GET /v2 HTTP/1.1\r\nX: a\x00b\r\n\r\n",
    "two header lengths": b"POST / HTTP/1.1\r\nContent-Length: 2\r\n"
    b"Inference-Header-Content-Length: 1\r\nInference-Header-Content-Length: 2\r\n\r\n{}",
    "upgrade with chunks": b"POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_http_is_refused_with_a_reason_and_the_connection_ends(world: InferenceWorld, sent: bytes) -> None:
    client = world.client()
    client.send(GET + sent)

    assert client.answer().status == 200
    answer = client.answer()
    assert answer.status == 400
    assert answer.reason
    assert client.is_closed()
    assert world.is_well()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /v2 HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(500)) + b"\r\n", 431),
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET /v2 HTTP/1.1\r\nX: " + b"y" * 10_000 + b"\r\n\r\n", 431),
        (post("/v2/models/steer/infer", b"{}", "Content-Encoding: gzip"), 415),
        (post("/v2/models/steer/infer", b"{}", "Expect: a miracle"), 417),
    ],
)
def test_what_breaks_a_limit_of_http_has_its_own_status(client: RawClient, sent: bytes, status: int) -> None:
    client.send(sent)

    answer = client.answer()

    assert answer.status == status
    assert answer.reason


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /v2 HTTP/1.1\r\nX: ",
        b"GET /v2 HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;ext=",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
    ],
)
def test_a_field_that_never_ends_is_refused(world: InferenceWorld, beginning: bytes) -> None:
    client = world.client()
    client.send(beginning)
    stop = threading.Event()

    def pour() -> None:
        try:
            while not stop.is_set():
                client.send(b"y" * 1000)
        except OSError:
            return

    pouring = threading.Thread(target=pour)
    pouring.start()
    try:
        assert client.answer().status == 431
    finally:
        stop.set()
        pouring.join()
    assert world.is_well()


def test_a_request_that_ends_in_the_middle_is_told_so(world: InferenceWorld) -> None:
    client = world.client()
    client.send(infer_json()[:-3])
    client.socket.shutdown(socket.SHUT_WR)

    answer = client.answer()

    assert answer.status == 400
    assert "ends in the middle" in answer.reason
