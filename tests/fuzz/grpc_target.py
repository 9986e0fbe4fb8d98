"""gRPC, in process: hostile frames, header blocks and messages beside honest calls."""

import struct
from dataclasses import dataclass
from random import Random
from typing import cast

from structlog.testing import capture_logs

from fuzz.campaign import Case, Finding, Unframed
from fuzz.grpc_client import (
    PREFACE,
    SETTINGS,
    Heard,
    Listener,
    call,
    frame,
    infer,
    nested,
    tensor,
)
from fuzz.hostile_grpc import broken_stream, hostile_call
from fuzz.http_world import HttpWorld, TurnLoop, Wire
from fuzz.mutations import pieces_of
from ganglion.entrypoints.grpc_api.connection import Connection, Shared
from ganglion.entrypoints.grpc_api.limits import GrpcLimits
from ganglion.entrypoints.grpc_api.methods import inference_methods
from ganglion.entrypoints.grpc_api.session import Service
from ganglion.entrypoints.inference_api.limits import BodyBudget
from integration.inference_world import FakeRepository

_LIMITS = GrpcLimits(
    head_bytes_max=4096,
    message_bytes_max=100_000,
    bodies_bytes_max=1_000_000,
    connections_max=16,
    calls_max=16,
    nuisances_max=100,
)
_NUMBERS = 1 << 23
_INTERNAL_STATUS, _INTERNAL_CODE = "13", 2
_FRESH_AFTER = 5_000


@dataclass(frozen=True, slots=True)
class _Honest:
    """A call with numbers of its own."""

    stream: int
    number: int

    @property
    def data(self) -> bytes:
        item = tensor("x", "FP32", (1, 2))
        message = infer("steer" if self.number % 2 else "slow", f"honest-{self.number}", [item], [self._row])
        return call(self.stream, "ModelInfer", message)

    @property
    def _row(self) -> bytes:
        return struct.pack("<2f", self.number, -self.number)

    def accept(self, heard: Heard | None) -> None:
        """Raises: Finding: this is not the answer to this call."""
        if heard is None or heard.status != "0":
            raise Finding(f"an honest call was not answered: {heard}")
        if nested(3, f"honest-{self.number}".encode()) not in heard.messages or self._row not in heard.messages:
            raise Finding(f"an honest call {self.number} got {bytes(heard.messages)!r}")


class _Client:
    """One connection."""

    def __init__(self, loop: TurnLoop, shared: Shared, *, is_local: bool = True) -> None:
        self.wire, self.listener = Wire(loop, is_local=is_local), Listener()
        self.connection = Connection(shared, cast("object", loop))  # type: ignore[arg-type]  # all of a loop that it calls
        self.wire.connect(self.connection)

    def listen(self) -> None:
        """Hear what was written, and make room for as much again."""
        counted = self.listener.hear(bytes(self.wire.written))
        self.wire.written.clear()
        if counted and not self.wire.is_shut:
            self.wire.arrive(frame(8, 0, 0, struct.pack(">I", counted)))


class GrpcTarget:
    """Cases are "framed", a hostile message in correct HTTP/2, or "broken"."""

    def __init__(self) -> None:
        self._world = HttpWorld()
        methods = inference_methods(
            self._world.serving,
            loop=self._world.loop,
            release="0.0.1",
            is_stopping=lambda: False,
            repository=FakeRepository(),
            regions=self._world.regions,
        )
        self._budget = BodyBudget(_LIMITS.bodies_bytes_max)
        self._shared = Shared(Service(_LIMITS, self._budget, methods))
        self._number = 0
        self._bystander: _Client | None = None
        self._meet()

    def make(self, random: Random) -> Case:
        """Return what a hostile client sends after its first honest call."""
        is_framed = random.randrange(3) > 0
        data = hostile_call(random) if is_framed else broken_stream(random)
        return Case("framed" if is_framed else "broken", pieces_of(data, random), (random.randrange(1 << 30),))

    def run(self, case: Case) -> str:
        """Play it. Raises: Finding."""
        random = Random(case.options[0])
        with capture_logs() as logs:
            word = self._play(case, random)
        errors = [entry for entry in logs if entry["log_level"] in {"error", "critical"}]
        if errors:
            raise Finding(f"logged: {errors[0]}"[:800])
        return word

    def close(self) -> None:
        """Raises: Finding: something is still held."""
        if self._bystander is not None:
            self._bystander.wire.vanish()
        self._world.regions.unregister_all()
        self._check_nothing_held(connections=0)

    def _play(self, case: Case, random: Random) -> str:
        if self._bystander is None or self._number // 4 % _FRESH_AFTER == 0:
            self._meet()
        assert self._bystander is not None, "it was just met"
        hostile = _Client(self._world.loop, self._shared, is_local=random.randrange(8) > 0)
        before, beside = self._next(1), self._next(2 * (self._number + 1) + 1)
        cut = random.choice((0, random.randrange(len(beside.data))))
        self._bystander.wire.arrive(beside.data[:cut])
        hostile.wire.arrive(PREFACE + SETTINGS + before.data)
        for piece in case.pieces:
            hostile.wire.arrive(piece)
            if random.randrange(3) == 0:
                self._world.loop.turn()
        self._bystander.wire.arrive(beside.data[cut:])
        after = self._next(5)
        if case.kind == "framed":
            hostile.wire.arrive(after.data)
        self._world.settle()
        self._bystander.listen()
        beside.accept(self._bystander.listener.calls.pop(beside.stream, None))
        hostile.listen()
        is_watching = b"Health/Watch" in b"".join(case.pieces)
        word = _judge(hostile, before, after, is_framed=case.kind == "framed", is_watching=is_watching)
        for client in (hostile, self._bystander):
            client.connection.sweep(self._world.loop.now_s)
        self._world.loop.pass_time()
        hostile.wire.vanish()
        self._world.settle()
        self._world.loop.pass_time()
        self._world.settle()
        self._check_nothing_held(connections=1)
        return word

    def _next(self, stream: int) -> _Honest:
        self._number += 1
        return _Honest(stream, self._number % _NUMBERS)

    def _meet(self) -> None:
        """Connect the honest client anew: its streams begin again."""
        if self._bystander is not None:
            self._bystander.wire.vanish()
        self._number = self._number // 4 * 4 + 4
        self._bystander = _Client(self._world.loop, self._shared)
        self._bystander.wire.arrive(PREFACE + SETTINGS)
        self._world.settle()
        self._bystander.listen()

    def _check_nothing_held(self, *, connections: int) -> None:
        held = _LIMITS.bodies_bytes_max - self._budget._left
        if held:
            raise Finding(f"{held} bytes of messages are still counted as held")
        if len(self._shared.connections) != connections:
            raise Finding(f"{len(self._shared.connections)} connections are known, {connections} are open")


def _judge(hostile: _Client, before: _Honest, after: _Honest, *, is_framed: bool, is_watching: bool) -> str:
    """Check what the hostile connection was told. Raises: Finding."""
    listener = hostile.listener
    for stream, heard in listener.calls.items():
        # A message that is cut short has this status too, by custom.
        if heard.status == _INTERNAL_STATUS and "failed" in heard.reason:
            raise Finding(f"the call on stream {stream} failed inside the server: {heard.reason}")
        if heard.status not in {"", "0"} and not heard.reason:
            raise Finding(f"the call on stream {stream} was refused without a reason: {heard.status}")
    if listener.goaway == _INTERNAL_CODE or _INTERNAL_CODE in listener.resets.values():
        raise Finding("the connection failed inside the server")
    first = listener.calls.get(before.stream)
    if is_framed or (first is not None and first.is_over and first.status):
        before.accept(first)
    if not is_framed:
        return f"goaway {listener.goaway}" if listener.goaway is not None else "open"
    after.accept(listener.calls.get(after.stream))
    attacked = listener.calls.get(3)
    if attacked is None:
        return "unanswered"
    if not attacked.is_over and not is_watching:
        raise Unframed("a call never ends")
    return f"status {attacked.status}" if attacked.status else f"reset {listener.resets.get(3)}"
