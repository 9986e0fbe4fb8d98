"""The reference client of gRPC, on real sockets, finds a server that behaves as any other."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc  # type: ignore[import-untyped]  # it ships no types
import grpc.aio  # type: ignore[import-untyped]  # as above
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, Event, StreamEnded

from ganglion.core.errors import Overloaded, PortInUse
from ganglion.entrypoints.client_access.listening import Address
from ganglion.entrypoints.grpc_api.limits import GrpcLimits
from ganglion.entrypoints.grpc_api.server import serve_grpc
from ganglion.testing.waiting import wait_until
from integration.grpc_transport_world import BIG, TIMEOUT_S, TransportWorld, transport_world
from unit.entrypoints.grpc_api.connection_world import message


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def world(request: pytest.FixtureRequest) -> Iterator[TransportWorld]:
    with transport_world(has_uvloop=request.param) as found:
        yield found


def unary(channel: grpc.Channel, method: str = "Unary") -> Callable[..., bytes]:
    multi: Callable[..., bytes] = channel.unary_unary(f"/test.Echo/{method}")
    return multi


def failure_of(ask: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        ask()
    error = caught.value
    assert isinstance(error, grpc.Call)
    return error.code(), error.details()


def test_a_call_is_answered(world: TransportWorld) -> None:
    with world.channel() as channel:
        echo = unary(channel)

        assert [echo(content, timeout=TIMEOUT_S) for content in (b"", b"a", bytes(100_000))] == [
            b"",
            b"a",
            bytes(100_000),
        ]


def test_large_messages_go_both_ways(world: TransportWorld) -> None:
    content = bytes(range(256)) * (BIG // 256)

    with world.channel() as channel:
        assert unary(channel)(content, timeout=TIMEOUT_S) == content


def test_many_calls_at_a_time_each_have_their_own_answer(world: TransportWorld) -> None:
    contents = [str(number).encode() * (number % 50) * 100 for number in range(600)]

    with world.channel() as channel, ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda content: unary(channel)(content, timeout=TIMEOUT_S), contents))

    assert answers == contents


def test_a_server_stream_arrives_in_order(world: TransportWorld) -> None:
    with world.channel() as channel:
        came = list(channel.unary_stream("/test.Echo/Count")(b"3000", timeout=TIMEOUT_S))

    assert came == [str(number).encode() for number in range(3000)]


def test_a_stream_both_ways_answers_each_message_before_the_next(world: TransportWorld) -> None:
    asked: list[bytes] = []
    answered = threading.Semaphore()

    def ask() -> Iterator[bytes]:
        for number in range(200):
            assert answered.acquire(timeout=TIMEOUT_S)
            asked.append(str(number).encode())
            yield asked[-1]

    with world.channel() as channel:
        came = []
        for answer in channel.stream_stream("/test.Echo/Stream")(ask(), timeout=TIMEOUT_S):
            came.append(answer)
            answered.release()

    assert came == asked
    assert len(came) == 200


def test_a_stream_of_large_messages_is_not_cut(world: TransportWorld) -> None:
    contents = [bytes([number]) * 3_000_000 for number in range(6)]

    with world.channel() as channel:
        assert list(channel.stream_stream("/test.Echo/Stream")(iter(contents), timeout=TIMEOUT_S)) == contents


def test_the_asyncio_client_is_answered_too(world: TransportWorld) -> None:
    async def ask() -> list[bytes]:
        async with grpc.aio.insecure_channel(world.address) as channel:
            echo = channel.unary_unary("/test.Echo/Unary")
            return list(await asyncio.gather(*[echo(str(number).encode(), timeout=TIMEOUT_S) for number in range(300)]))

    assert asyncio.run(ask()) == [str(number).encode() for number in range(300)]


def test_metadata_reaches_the_service(world: TransportWorld) -> None:
    with world.channel() as channel:
        unary(channel)(b"", timeout=TIMEOUT_S, metadata=[("x-site", "north"), ("x-many", "1"), ("x-many", "2")])

    assert world.service.metadata["x-site"] == "north"
    assert world.service.metadata["x-many"] == "1,2"


def test_compressed_requests_are_read(world: TransportWorld) -> None:
    with world.channel() as channel:
        assert unary(channel)(b"a" * 5000, timeout=TIMEOUT_S, compression=grpc.Compression.Gzip) == b"a" * 5000


def test_an_encoding_that_is_not_known_is_unimplemented(world: TransportWorld) -> None:
    with world.channel() as channel:
        code, text = failure_of(
            lambda: unary(channel)(b"a" * 5000, timeout=TIMEOUT_S, compression=grpc.Compression.Deflate)
        )

    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert "deflate" in text


def test_an_error_arrives_with_status_and_text(world: TransportWorld) -> None:
    with world.channel() as channel:
        assert failure_of(lambda: unary(channel, "Fail")(b"", timeout=TIMEOUT_S)) == (
            grpc.StatusCode.NOT_FOUND,
            "100 % gone: \u00e9",
        )
        assert failure_of(lambda: unary(channel, "Nothing")(b""))[0] is grpc.StatusCode.UNIMPLEMENTED


def test_a_message_beyond_the_limit_is_refused_while_it_is_sent() -> None:
    with transport_world(GrpcLimits(message_bytes_max=100_000)) as world, world.channel() as channel:
        code, text = failure_of(lambda: unary(channel)(bytes(BIG), timeout=TIMEOUT_S))

        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "at most 100000 bytes" in text
        assert unary(channel)(b"well", timeout=TIMEOUT_S) == b"well"


def test_a_deadline_ends_the_call_for_the_service(world: TransportWorld) -> None:
    with world.channel() as channel:
        code, _ = failure_of(lambda: unary(channel, "Wait")(b"late", timeout=0.2))

    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until(lambda: world.service.ended == ["late"], what="the end of the call", timeout_s=TIMEOUT_S)


def test_a_cancelled_call_ends_for_the_service(world: TransportWorld) -> None:
    with world.channel() as channel:
        future = channel.unary_unary("/test.Echo/Wait").future(b"unwanted")
        assert world.service.has_waiting.wait(TIMEOUT_S)
        future.cancel()

        wait_until(lambda: world.service.ended == ["unwanted"], what="the end of the call", timeout_s=TIMEOUT_S)


def test_a_client_that_goes_ends_its_calls(world: TransportWorld) -> None:
    with world.channel() as channel:
        future = channel.unary_unary("/test.Echo/Wait").future(b"left")
        assert world.service.has_waiting.wait(TIMEOUT_S)
        assert not future.done()

    wait_until(lambda: world.service.ended == ["left"], what="the end of the call", timeout_s=TIMEOUT_S)


def test_a_unix_socket_is_served_besides(tmp_path: Path) -> None:
    path = tmp_path / "g.sock"
    with transport_world(uds=path) as world, world.channel(f"unix:{path}") as near, world.channel() as far:
        assert unary(near)(b"near", timeout=TIMEOUT_S) == b"near"
        assert unary(far)(b"far", timeout=TIMEOUT_S) == b"far"

    assert not path.exists()


def test_a_port_that_is_taken_is_named(world: TransportWorld) -> None:
    async def listen_again() -> None:
        serve = serve_grpc(Address("127.0.0.1", world.server.port), GrpcLimits(), {})
        with pytest.raises(PortInUse):
            await serve.__aenter__()

    world.portal.call(listen_again)


def test_a_stopping_server_answers_what_is_under_way_and_takes_nothing_more(world: TransportWorld) -> None:
    with world.channel() as channel:
        future = channel.unary_unary("/test.Echo/Wait").future(b"under way", timeout=TIMEOUT_S)
        assert world.service.has_waiting.wait(TIMEOUT_S)

        world.portal.call(world.server.begin_stop)
        wait_until(lambda: is_refused(channel), what="the refusal of new calls", timeout_s=TIMEOUT_S)
        world.portal.call(world.service.answer_waiting)

        assert future.result() == b"under way"

        async def finish() -> bool:
            return await world.server.finish(within_s=TIMEOUT_S)

        assert world.portal.call(finish)


def is_refused(channel: grpc.Channel) -> bool:
    """Say whether a call does not reach the server; one that was on its way before the farewell does."""
    try:
        unary(channel)(b"new", timeout=TIMEOUT_S)
    except grpc.RpcError:
        return True
    return False


def test_a_server_that_gives_up_says_why(world: TransportWorld) -> None:
    with world.channel() as channel:
        future = channel.unary_unary("/test.Echo/Wait").future(b"under way", timeout=TIMEOUT_S)
        assert world.service.has_waiting.wait(TIMEOUT_S)

        world.portal.call(world.server.give_up, Overloaded("starting again"))

        assert (future.code(), future.details()) == (grpc.StatusCode.UNAVAILABLE, "starting again")


# --- another implementation of HTTP/2, and none --------------------------------------------------------


class FrameClient:
    """The package h2 on a socket: it checks everything that the server says."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.http = H2Connection(H2Configuration(client_side=True))
        self.http.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.http.data_to_send())

    def begin(self, path: str = "/test.Echo/Unary") -> int:
        stream_id = self.http.get_next_available_stream_id()
        fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x")]
        self.http.send_headers(stream_id, [*fields, ("content-type", "application/grpc"), ("te", "trailers")])
        return stream_id

    def events(self, is_last: Callable[[Event], bool]) -> list[Event]:
        """Read until an event that ends the test's interest, or the connection."""
        came: list[Event] = []
        while not any(map(is_last, came)):
            data = self.socket.recv(65_536)
            if not data:
                break
            came += self.http.receive_data(data)
            self.flush()
        return came


@pytest.fixture
def client(world: TransportWorld) -> Iterator[FrameClient]:
    found = FrameClient(world.server.port)
    with found.socket:
        yield found


def test_another_implementation_understands_the_answers(client: FrameClient) -> None:
    content = message(b"hello")
    streams = [client.begin() for _ in range(3)]
    for stream_id in streams:
        client.http.send_data(stream_id, content, end_stream=True, pad_length=9)
    client.flush()
    left = set(streams)

    def is_last(event: Event) -> bool:
        if isinstance(event, StreamEnded):
            left.discard(event.stream_id)
        return not left

    came = client.events(is_last)

    assert [event.data for event in came if isinstance(event, DataReceived)] == [content] * 3


def test_an_answer_goes_on_as_room_is_made(client: FrameClient) -> None:
    client.http.update_settings({4: 1_000})
    stream_id = client.begin("/test.Echo/Count")
    client.http.send_data(stream_id, message(b"10000"), end_stream=True)
    client.flush()
    came: list[Event] = []
    while not any(isinstance(event, StreamEnded) for event in came):
        fresh = client.events(lambda event: isinstance(event, DataReceived | StreamEnded))
        assert fresh
        for event in fresh:
            if isinstance(event, DataReceived) and event.flow_controlled_length:
                client.http.acknowledge_received_data(event.flow_controlled_length, stream_id)
        client.flush()
        came += fresh

    body = b"".join(event.data for event in came if isinstance(event, DataReceived) and event.data)
    expected = b"".join(len(text).to_bytes(5, "big") + text for text in (str(n).encode() for n in range(10_000)))
    assert body == expected


def test_a_farewell_with_its_reason_reaches_a_client_that_goes_on_sending(client: FrameClient) -> None:
    client.socket.sendall(b"\0\0\4\6\0\0\0\0\0....")  # A PING of four bytes.
    client.socket.sendall(bytes(50_000))

    came = client.events(lambda event: isinstance(event, ConnectionTerminated))

    (farewell,) = [event for event in came if isinstance(event, ConnectionTerminated)]
    assert farewell.error_code == 6
    assert client.socket.recv(1) == b""


def test_what_speaks_no_http2_is_let_go(world: TransportWorld) -> None:
    with socket.create_connection(("127.0.0.1", world.server.port), timeout=TIMEOUT_S) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        heard = b""
        while part := plain.recv(65_536):
            heard += part

    assert b"this is not the beginning of HTTP/2" in heard


def test_a_client_that_sends_byte_by_byte_is_answered(world: TransportWorld) -> None:
    slow = FrameClient(world.server.port)
    with slow.socket:
        slow.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream_id = slow.begin()
        slow.http.send_data(stream_id, message(b"a"), end_stream=True)
        for byte in slow.http.data_to_send():
            slow.socket.sendall(bytes([byte]))

        came = slow.events(lambda event: isinstance(event, StreamEnded))

    assert [event.data for event in came if isinstance(event, DataReceived)] == [message(b"a")]


def test_a_client_that_reads_nothing_holds_nobody_up_and_is_cut_off() -> None:
    with transport_world(GrpcLimits(write_s=0.5)) as world, world.channel() as channel:
        greedy = FrameClient(world.server.port)
        with greedy.socket:
            greedy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            greedy.http.increment_flow_control_window(2**31 - 1 - 65_535)
            greedy.http.update_settings({4: 2**31 - 1})
            for _ in range(20):
                greedy.http.send_data(greedy.begin("/test.Echo/Count"), message(b"20000"), end_stream=True)
            greedy.flush()

            assert unary(channel)(b"well", timeout=TIMEOUT_S) == b"well"
            wait_until(
                lambda: len(world.server._connections) == 1, what="the end of the greedy client", timeout_s=TIMEOUT_S
            )
