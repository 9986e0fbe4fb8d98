"""HTTP over real sockets against a real `ganglion serve`: what a fake transport cannot show, with fewer cases."""

import contextlib
import socket
import struct
import tempfile
import threading
from collections import deque
from pathlib import Path
from random import Random

import onnx
from onnx import TensorProto, helper

from e2e.serve_world import Serve
from fuzz.campaign import GROWTH_BYTES_MAX, Case, Finding
from fuzz.honest import Exchange, exchange
from fuzz.hostile import broken_stream, framed_request
from fuzz.http_answers import Answer, answers_in
from fuzz.mutations import pieces_of
from ganglion.testing.waiting import wait_until

_TIMEOUT_S = 10.0
_RECEIVED_MAX = 1 << 16
_WARM_CASES = 500
_FORMS = 2
"""Of the honest requests, those that the one model here takes: JSON and binary."""
_RESET = struct.pack("ii", 1, 0)


class SocketTarget:
    """A model that gives back what it is given; one honest client, and a hostile one after the other."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ganglion-fuzz-")
        self._serve = Serve.start(_echo_model(Path(self._folder.name)))
        self._said: deque[str] = deque(maxlen=20)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._process = Path(f"/proc/{self._serve.process.pid}")
        self._honest = self._connect()
        self._number = self._cases = 0
        self._kept_bytes, self._kept_files = 0, self._files()

    def make(self, random: Random) -> Case:
        """Return a hostile connection; the options say how it ends."""
        data = broken_stream(random) if random.randrange(2) else framed_request(random)
        return Case("stream", pieces_of(data, random), (random.randrange(1 << 30),))

    def run(self, case: Case) -> str:
        """Play the hostile connection while an honest client waits for its answer."""
        random = Random(case.options[0])
        self._cases += 1
        if self._cases == _WARM_CASES:
            self._kept_bytes = self._size_bytes()
        before, beside = self._next(random), self._next(random)
        hostile = self._connect()
        cut = random.randrange(len(beside.request))
        self._honest.sendall(beside.request[:cut])
        # Whatever a hostile client is told, it is told in order: its own honest request comes first.
        with contextlib.suppress(ConnectionError):
            for piece in (before.request, *case.pieces):
                hostile.sendall(piece)
        self._honest.sendall(beside.request[cut:])
        beside.accept(self._read_one())
        with contextlib.closing(hostile):
            return self._end(hostile, before, random)

    def close(self) -> None:
        """Raises: Finding: the server grew, or has ended."""
        self._honest.close()
        try:
            if self._serve.process.poll() is not None:
                raise Finding(f"the server has ended: {list(self._said)}")
            if self._cases > _WARM_CASES:
                grown_bytes = self._size_bytes() - self._kept_bytes
                if grown_bytes > GROWTH_BYTES_MAX:
                    raise Finding(f"the server grew by {grown_bytes} bytes")
            # A client that was refused is heard out for a while.
            wait_until(self._is_left, what="the server to close its sockets", timeout_s=_TIMEOUT_S)
        finally:
            self._serve.process.kill()
            self._serve.process.wait()
            self._listener.join(_TIMEOUT_S)
            for pipe in (self._serve.process.stdout, self._serve.process.stderr):
                if pipe is not None:
                    pipe.close()
            self._folder.cleanup()

    def _end(self, hostile: socket.socket, before: Exchange, random: Random) -> str:
        if random.randrange(4) == 0:
            # Gone without a word, so that the server's answers meet a reset.
            hostile.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            return "reset"
        received = bytearray()
        with contextlib.suppress(ConnectionError):
            with contextlib.suppress(OSError):
                hostile.shutdown(socket.SHUT_WR)
            while data := hostile.recv(_RECEIVED_MAX):
                received += data
        answers = answers_in(bytes(received))
        if answers:
            before.accept(answers[0])
        return str(answers[-1].status) if answers else "closed"

    def _next(self, random: Random) -> Exchange:
        self._number += 1
        return exchange(self._number, random.randrange(_FORMS))

    def _read_one(self) -> Answer:
        received = bytearray()
        while True:
            data = self._honest.recv(_RECEIVED_MAX)
            if not data:
                raise Finding(f"an honest connection was closed: {list(self._said)}")
            received += data
            head, end, body = received.partition(b"\r\n\r\n")
            lengths = [int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
            if end and len(body) >= lengths[0]:
                return answers_in(bytes(received))[0]

    def _connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self._serve.port), timeout=_TIMEOUT_S)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # Pieces would wait for each other otherwise.
        return client

    def _size_bytes(self) -> int:
        lines = (self._process / "status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024

    def _is_left(self) -> bool:
        """Say whether nobody is connected that was not when the first case began."""
        return self._files() <= self._kept_files

    def _files(self) -> int:
        return len(list((self._process / "fd").iterdir()))

    def _listen(self) -> None:
        for line in self._serve.process.stderr or ():
            self._said.append(line)


def _echo_model(folder: Path) -> Path:
    """Write a model called `steer` that answers with its input."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["probabilities"])],
        "echo",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2])],
    )
    file = folder / "steer.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    return file
