"""HTTP, in process: hostile clients beside honest ones, and between honest requests of their own connection."""

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from random import Random

from structlog.testing import capture_logs

from fuzz.campaign import Case, Finding, Unframed
from fuzz.honest import FORMS, Exchange, exchange
from fuzz.hostile import body_request, broken_stream, framed_request, memory_request
from fuzz.http_answers import answers_in
from fuzz.http_world import LIMITS, HttpWorld, Wire
from fuzz.mutations import pieces_of

_SHM = Path("/dev/shm")
_BYSTANDERS = 2
_FRESH_AFTER = 5_000
"""Bystanders connect anew after so many cases: what is learned on a new connection is attacked too."""


class _Bystander:
    """A connection of an honest client."""

    def __init__(self, world: HttpWorld) -> None:
        self._world = world
        self.wire, _ = world.connect()
        self._awaited: deque[Exchange] = deque()

    def begin(self, each: Exchange, cut: int) -> Callable[[], None]:
        """Send the first part of a request; the result sends the rest."""
        self._awaited.append(each)
        if cut:
            self.wire.arrive(each.request[:cut])
        return lambda: self.wire.arrive(each.request[cut:])

    def check(self) -> None:
        """Raises: Finding: somebody else's answer, a refusal, or silence."""
        if self.wire.is_shut:
            raise Finding("an honest connection was closed")
        answers = answers_in(bytes(self.wire.written))
        self.wire.written.clear()
        if len(answers) != len(self._awaited):
            raise Finding(f"{len(self._awaited)} honest requests got {len(answers)} answers")
        for answer in answers:
            self._awaited.popleft().accept(answer)


class HttpTarget:
    """See the module. A case that is "framed" is correct HTTP, of which each request has an answer; "broken" is not."""

    def __init__(self) -> None:
        self._world = HttpWorld()
        self._number = 0
        self._meet()

    def make(self, random: Random) -> Case:
        """Return a hostile connection: half of them break HTTP, half of them only what stands in it."""
        if random.randrange(2):
            pieces = pieces_of(broken_stream(random), random)
            return Case("broken", pieces, (random.randrange(1 << 30),))
        return self._framed(random, framed_request(random))

    def run(self, case: Case) -> str:
        """Play the hostile connection with honest requests around it."""
        random = Random(case.options[0])
        with capture_logs() as logs:
            word = self._play(case, random)
        errors = [entry for entry in logs if entry["log_level"] in {"error", "critical"}]
        if errors:
            raise Finding(f"logged: {errors[0]}"[:800])
        return word

    def close(self) -> None:
        """Raises: Finding: a connection, a body or a region is still held."""
        for bystander in self._bystanders:
            bystander.wire.vanish()
        self._world.regions.unregister_all()
        self._check_nothing_held(connections=0)

    def _framed(self, random: Random, request: bytes) -> Case:
        # A body beyond the limit ends the connection, as broken HTTP does.
        kind = "framed" if len(request) <= LIMITS.body_bytes_max else "broken"
        return Case(kind, pieces_of(request, random), (random.randrange(1 << 30),))

    def _play(self, case: Case, random: Random) -> str:
        self._number += 1
        if self._number % _FRESH_AFTER == 0:
            self._meet()
        before = [self._next(random) for _ in range(random.choice((0, 1, 1, 2)))]
        after = [self._next(random) for _ in range(random.choice((0, 1)))] if case.kind == "framed" else []
        wire, connection = self._world.connect(is_local=random.randrange(8) > 0)
        arrivals = deque([*[each.request for each in before], *case.pieces, *[each.request for each in after]])
        if random.randrange(2):  # Everything in one read, up to the last piece.
            last = arrivals.pop() if arrivals else b""
            arrivals = deque([b"".join(arrivals), last])
        rest = [self._bystander_begins(each, random) for each in self._bystanders]
        while arrivals:
            wire.arrive(arrivals.popleft())
            if random.randrange(3) == 0:
                self._world.loop.turn()
            if rest and random.randrange(2):
                rest.pop()()
        for finish in rest:
            finish()
        self._world.settle()
        self._end(wire, random)
        connection.sweep(self._world.loop.now_s)
        for bystander in self._bystanders:
            bystander.check()
        self._check_nothing_held(connections=_BYSTANDERS)
        return _judge(wire, before, after, is_framed=case.kind == "framed")

    def _end(self, wire: Wire, random: Random) -> None:
        """Let the client go in one of the ways in which clients go."""
        if random.randrange(3):
            wire.arrive(None)
            self._world.settle()
        wire.vanish()
        self._world.loop.pass_time()
        self._world.settle()

    def _next(self, random: Random) -> Exchange:
        self._number += 1
        return exchange(self._number, random.randrange(FORMS))

    def _bystander_begins(self, bystander: _Bystander, random: Random) -> Callable[[], None]:
        each = self._next(random)
        return bystander.begin(each, random.choice((0, 0, random.randrange(len(each.request)))))

    def _meet(self) -> None:
        for bystander in getattr(self, "_bystanders", ()):
            bystander.wire.vanish()
        self._bystanders = [_Bystander(self._world) for _ in range(_BYSTANDERS)]

    def _check_nothing_held(self, *, connections: int) -> None:
        if self._world.bytes_held:
            raise Finding(f"{self._world.bytes_held} bytes of bodies are still counted as held")
        if len(self._world.shared.connections) != connections:
            raise Finding(f"{len(self._world.shared.connections)} connections are known, {connections} are open")


class BinaryTarget(HttpTarget):
    """Only inference requests in correct HTTP: documents, sizes, shapes, datatypes and elements that are wrong."""

    def make(self, random: Random) -> Case:
        """Return one hostile inference request."""
        return self._framed(random, body_request(random))


class MemoryTarget(HttpTarget):
    """Shared memory: regions that are not there, too short, taken away, cut while registered."""

    def __init__(self) -> None:
        super().__init__()
        self._keys = tuple(f"/ganglion-fuzz-{os.getpid()}-{letter}" for letter in "ab")
        self._paths = [_SHM / key[1:] for key in self._keys]
        self._restore()

    def make(self, random: Random) -> Case:
        """Return one request about shared memory."""
        return self._framed(random, memory_request(random, ("/ganglion-fuzz-a", "/ganglion-fuzz-b")))

    def run(self, case: Case) -> str:
        """Put this process's objects in place of the case's, and now and then cut one short."""
        pieces = (b"".join(case.pieces).replace(b"/ganglion-fuzz-", self._keys[0][:-1].encode()),)
        pieces = (_with_length(pieces[0]),)
        choice = case.options[0] % 16
        if choice == 0:
            os.truncate(self._paths[0], choice)
        elif choice == 1:
            self._paths[1].unlink(missing_ok=True)
        elif choice == 2:
            self._restore()
        return super().run(Case(case.kind, pieces, case.options))

    def close(self) -> None:
        """Take the objects away."""
        super().close()
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _restore(self) -> None:
        for path in self._paths:
            path.write_bytes(bytes(64))


def _with_length(request: bytes) -> bytes:
    """Return the request with the length that its body has now."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [
        b"Content-Length: %d" % len(body) if line.startswith(b"Content-Length") else line
        for line in head.split(b"\r\n")
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _judge(wire: Wire, before: list[Exchange], after: list[Exchange], *, is_framed: bool) -> str:
    """Check what the hostile connection was told. Raises: Finding."""
    answers = answers_in(bytes(wire.written))
    if len(answers) < len(before):
        raise Finding(f"{len(before)} honest requests before the hostile one got {len(answers)} answers")
    for each, answer in zip(before, answers, strict=False):
        each.accept(answer)
    rest = answers[len(before) :]
    if not is_framed:
        return str(rest[-1].status) if rest else "closed"
    if len(rest) != 1 + len(after):
        raise Unframed(f"{1 + len(after)} requests of correct HTTP got {len(rest)} answers")
    for each, answer in zip(after, rest[1:], strict=True):
        each.accept(answer)
    return str(rest[0].status)
