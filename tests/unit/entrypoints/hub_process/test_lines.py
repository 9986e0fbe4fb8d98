import asyncio

from anyio.lowlevel import checkpoint
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from ganglion.entrypoints.hub_process.lines import HubConnection

PIECE = bytes(65_536)
PIECES = 20
TURNS = 200
"""Of the event loop: more than anybody needs who does not wait for the line."""


class SlowLine(asyncio.Transport):
    """Keeps what is written until it is carried away, and holds its writer back as event loops do."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting_bytes = self.carried_bytes = 0
        self.limits = (524_288, 131_072)
        self.writer: HubConnection | None = None

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limits = high or 0, low or 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.waiting_bytes += len(data)
        if self.writer and self.waiting_bytes > self.limits[0]:
            self.writer.pause_writing()

    def carry(self) -> None:
        self.carried_bytes, self.waiting_bytes = self.carried_bytes + self.waiting_bytes, 0
        if self.writer:
            self.writer.resume_writing()

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass


async def a_large_file(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(PIECES):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def turns() -> None:
    for _ in range(TURNS):
        await checkpoint()


def asked_over(line: SlowLine) -> HubConnection:
    config = Config(a_large_file, http=HubConnection, log_config=None, access_log=False, lifespan="off")
    config.load()
    connection = HubConnection(config, ServerState(), {}, asyncio.get_running_loop())
    line.writer = connection
    connection.connection_made(line)
    connection.data_received(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
    return connection


async def waiting_at_a_client_that_reads_nothing() -> int:
    line = SlowLine()
    asked_over(line)
    await turns()
    return line.waiting_bytes


async def carried_by_a_slow_line() -> int:
    line = SlowLine()
    connection = asked_over(line)
    for _ in range(2 * PIECES):
        await turns()
        line.carry()
    connection.connection_lost(None)
    return line.carried_bytes


def test_hardly_more_than_a_piece_of_a_file_waits_in_the_hub_for_one_slow_reader() -> None:
    waiting_bytes = asyncio.run(waiting_at_a_client_that_reads_nothing())

    assert len(PIECE) <= waiting_bytes < 2 * len(PIECE)


def test_a_slow_reader_is_sent_all_of_it_in_the_end() -> None:
    carried_bytes = asyncio.run(carried_by_a_slow_line())

    assert carried_bytes >= PIECES * len(PIECE)
