import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from ganglion.adapters.system import SystemClock
from ganglion.testing.relay import CutMode, Quality, ThreadedRelay

DEADLINE_S = 5.0


class EchoServer(socketserver.ThreadingTCPServer):
    """Sends back what it gets, and ends when the client does."""

    daemon_threads = True

    class Connection(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while chunk := self.request.recv(65_536):
                self.request.sendall(chunk)

        def handle_error(self) -> None:
            """A reset is what these tests are about."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), self.Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet: resets are what these tests are about."""


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    with EchoServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def relay(echo: EchoServer) -> Iterator[ThreadedRelay]:
    with ThreadedRelay("127.0.0.1", echo.server_address[1]) as relay:
        yield relay


def connect(relay: ThreadedRelay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port), timeout=DEADLINE_S)


def ask(line: socket.socket, data: bytes = b"ping") -> bytes:
    line.sendall(data)
    return receive(line, len(data))


def receive(line: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size and (chunk := line.recv(size - len(received))):
        received += chunk
    return received


def send_until_closed(line: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        line.sendall(data)


def is_dead(line: socket.socket) -> bool:
    """Say whether the connection has ended, however that shows."""
    try:
        return line.recv(1) == b""
    except ConnectionError:
        return True


def eventually(claim: Callable[[], bool]) -> bool:
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + DEADLINE_S
    while not claim():
        if clock.monotonic_s() > deadline_s:
            return False
    return True


def test_bytes_pass_both_ways_and_are_counted(relay: ThreadedRelay) -> None:
    with closing(connect(relay)) as line:
        answer = ask(line, b"x" * 1_000_000)

    assert answer == b"x" * 1_000_000
    assert eventually(lambda: (relay.up_bytes, relay.down_bytes) == (1_000_000, 1_000_000))


def test_an_orderly_end_passes_through(relay: ThreadedRelay) -> None:
    with closing(connect(relay)) as line:
        line.sendall(b"last words")
        line.shutdown(socket.SHUT_WR)

        assert receive(line, 100) == b"last words"
    assert eventually(lambda: relay.connections == 0)


def test_a_cut_resets_open_connections(relay: ThreadedRelay) -> None:
    with closing(connect(relay)) as line:
        ask(line)

        relay.cut(CutMode.RESET)

        assert is_dead(line)
    assert eventually(lambda: relay.connections == 0)


def test_no_new_connection_lives_while_the_cable_is_cut(relay: ThreadedRelay) -> None:
    relay.cut(CutMode.RESET)

    # The reset may come while the connection is still being made: then it never lived.
    with suppress(ConnectionError), closing(connect(relay)) as line:
        assert is_dead(line)


def test_a_restored_cable_carries_new_connections_on_the_same_port(relay: ThreadedRelay) -> None:
    port = relay.port
    relay.cut(CutMode.RESET)

    relay.restore()

    with closing(connect(relay)) as line:
        assert ask(line) == b"ping"
    assert relay.port == port


def test_in_a_blackhole_nothing_arrives_and_nothing_ends(relay: ThreadedRelay) -> None:
    with closing(connect(relay)) as old:
        ask(old)
        relay.cut(CutMode.BLACKHOLE)
        with closing(connect(relay)) as new:
            for line in (old, new):
                line.settimeout(0.1)
                line.sendall(b"lost?")

                with pytest.raises(TimeoutError):
                    line.recv(1)

    assert relay.up_bytes == len(b"ping")


def test_what_was_held_in_a_blackhole_arrives_when_it_ends(relay: ThreadedRelay) -> None:
    with closing(connect(relay)) as old:
        ask(old)
        relay.cut(CutMode.BLACKHOLE)
        with closing(connect(relay)) as new:
            old.sendall(b"held")
            new.sendall(b"kept")

            relay.restore()

            assert (receive(old, 4), receive(new, 4)) == (b"held", b"kept")


def test_a_blackhole_can_turn_into_a_reset(relay: ThreadedRelay) -> None:
    with closing(connect(relay)) as line:
        ask(line)
        relay.cut(CutMode.BLACKHOLE)
        line.sendall(b"held")

        relay.cut(CutMode.RESET)

        assert is_dead(line)


def test_without_a_target_a_connection_ends_and_the_relay_goes_on(echo: EchoServer) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        with ThreadedRelay("127.0.0.1", taken.getsockname()[1]) as relay:
            for _ in range(2):
                with closing(connect(relay)) as line:
                    assert is_dead(line)


def test_leaving_the_relay_ends_its_connections_and_frees_its_port(echo: EchoServer) -> None:
    with ThreadedRelay("127.0.0.1", echo.server_address[1]) as relay:
        line = connect(relay)
        ask(line)

    with closing(line):
        assert is_dead(line)
        with pytest.raises(ConnectionRefusedError):
            connect(relay)


def test_the_port_can_be_chosen(echo: EchoServer) -> None:
    with ThreadedRelay("127.0.0.1", echo.server_address[1]) as relay:
        port = relay.port

    with ThreadedRelay("127.0.0.1", echo.server_address[1], port=port) as again, closing(connect(again)) as line:
        assert ask(line) == b"ping"


def test_a_slow_cable_takes_its_time_both_ways(relay: ThreadedRelay) -> None:
    clock = SystemClock()
    relay.carry(Quality(delay_s=0.05))
    with closing(connect(relay)) as line:
        began_s = clock.monotonic_s()

        assert ask(line) == b"ping"

        assert clock.monotonic_s() - began_s >= 0.1


def test_a_narrow_cable_carries_no_more_than_its_rate(relay: ThreadedRelay) -> None:
    clock = SystemClock()
    relay.carry(Quality(bytes_per_s=200_000.0))
    with closing(connect(relay)) as line:
        began_s = clock.monotonic_s()

        assert len(ask(line, bytes(40_000))) == 40_000

        assert clock.monotonic_s() - began_s >= 0.2


def test_before_a_queue_with_an_end_a_small_question_does_not_wait_for_all_that_is_large(relay: ThreadedRelay) -> None:
    relay.carry(Quality(bytes_per_s=500_000.0, queue_s=0.02))
    large = bytes(8_000_000)
    with closing(connect(relay)) as busy, closing(connect(relay)) as line:
        sending = threading.Thread(target=send_until_closed, args=(busy, large))
        sending.start()
        assert eventually(lambda: relay.down_bytes > 0)

        assert ask(line) == b"ping"

        assert relay.up_bytes < len(large) / 2
        busy.shutdown(socket.SHUT_RDWR)
        sending.join()


def test_a_cable_without_any_rate_carries_when_it_has_one_again(relay: ThreadedRelay) -> None:
    with closing(connect(relay)) as line:
        assert ask(line) == b"ping"
        relay.carry(Quality(bytes_per_s=0.0))
        line.sendall(b"late")

        relay.carry(Quality())

        assert receive(line, 4) == b"late"


def test_a_lossy_cable_breaks_connections_and_new_ones_work(relay: ThreadedRelay) -> None:
    relay.carry(Quality(reset_share=1.0))
    with closing(connect(relay)) as line:
        with suppress(OSError):
            line.sendall(b"ping")

        with pytest.raises(OSError, match="reset"):
            receive(line, 4)

    relay.carry(Quality())

    with closing(connect(relay)) as line:
        assert ask(line) == b"ping"


def test_lost_packets_cost_time_and_nothing_else(relay: ThreadedRelay) -> None:
    relay.carry(Quality(delay_s=0.001, loss_share=0.5))
    with closing(connect(relay)) as line:
        assert [ask(line, b"%04d" % number) for number in range(10)] == [b"%04d" % number for number in range(10)]
