"""Time, memory and connections have limits, and whoever exceeds one is told so and holds nobody else up."""

import threading

import msgspec
import pytest

from ganglion.entrypoints.inference_api.limits import HttpLimits
from ganglion.testing.waiting import wait_until
from integration.inference_world import (
    QUICK,
    InferenceWorld,
    binary_request,
    infer_json,
    inference_world,
    post,
)

GET = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_request_that_takes_too_long_is_told_so() -> None:
    with inference_world() as world:
        client = world.client()
        client.send(infer_json()[:-3])

        answer = client.answer()

        assert answer.status == 408
        assert client.is_closed()
        assert world.is_well()


def test_a_connection_that_is_idle_too_long_is_closed() -> None:
    with inference_world(limits(idle_s=0.1)) as world:
        client = world.client()
        client.send(GET)

        assert client.answer().status == 200
        assert client.is_closed()


def test_a_client_that_does_not_read_its_answers_is_cut_off_and_holds_nobody_up() -> None:
    with inference_world(limits(body_bytes_max=1_000_000, bodies_bytes_max=10_000_000)) as world:
        client = world.client(receive_buffer=4096)
        rows = [(0.5, 0.5)] * 4
        request = binary_request(*rows, id="x" * 200)

        def pour() -> None:
            try:
                while True:
                    client.send(request * 100)
            except OSError:
                return

        pouring = threading.Thread(target=pour)
        pouring.start()
        pouring.join(timeout=20)

        assert not pouring.is_alive()
        assert world.is_well()


def test_more_connections_than_allowed_are_told_so() -> None:
    with inference_world() as world:
        clients = [world.client() for _ in range(QUICK.connections_max)]
        for client in clients:
            client.send(GET)
            assert client.answer().status == 200

        late = world.client()
        answer = late.answer()

        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        assert late.is_closed()


def test_a_full_queue_is_answered_with_503_and_when_to_retry() -> None:
    with inference_world(queue_len_max=2) as world:
        clients = [world.client() for _ in range(3)]
        for client in clients:
            client.send(infer_json(model="slow"))
            assert world.is_well()

        answer = clients[2].answer()
        world.gate.set()

        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.json["code"] == "overloaded"
        assert [client.answer().status for client in clients[:2]] == [200, 200]


def test_bodies_together_have_a_limit_and_it_is_given_back() -> None:
    with inference_world(limits(bodies_bytes_max=250_000)) as world:
        halves = [world.client() for _ in range(3)]
        for client in halves:
            client.send(post("/v2/models/steer/infer", bytes(99_000), length=100_000))
        assert halves[2].answer().status == 503
        for client in halves[:2]:
            client.close()

        def is_free() -> bool:
            return world.ask(post("/v2/models/steer/infer", bytes(100_000))).status == 400

        assert wait_until(is_free, what="the bodies to be given back", timeout_s=5)
        for _ in range(5):
            assert is_free()


def test_a_stopping_server_answers_what_it_has_and_takes_nothing_more() -> None:
    with inference_world() as world:
        idle, busy = world.client(), world.client()
        idle.send(GET)
        assert idle.answer().status == 200
        busy.send(infer_json(model="slow", request_id="last"))
        assert world.is_well()

        world.portal.call(stop, world)
        assert idle.is_closed()
        world.gate.set()
        answer = busy.answer()

        assert answer.json["id"] == "last"
        assert answer.headers["connection"] == "close"
        assert busy.is_closed()
        with pytest.raises(ConnectionRefusedError):
            world.client()


async def stop(world: InferenceWorld) -> None:
    world.server.begin_stop()


def limits(**changes: float) -> HttpLimits:
    return msgspec.structs.replace(QUICK, **changes)
