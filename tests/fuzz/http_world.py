"""A serving core behind connection objects, without sockets, threads or clocks: the case decides what happens when."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from ganglion.adapters.shared_memory import SharedRegions
from ganglion.core.batching_rules import BatchingRules
from ganglion.core.errors import DiskUnusable
from ganglion.core.manifest import TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import Tensors
from ganglion.entrypoints.grpc_api.connection import Connection as GrpcConnection
from ganglion.entrypoints.inference_api.connection import Connection, Shared
from ganglion.entrypoints.inference_api.dispatch import InferenceApplication
from ganglion.entrypoints.inference_api.limits import BodyBudget, HttpLimits
from ganglion.node.services.serving.answers import InferLimits, Serving
from ganglion.node.services.serving.batch_runs import BatchPlan
from ganglion.node.services.serving.records import Recorder
from ganglion.node.services.serving.runs import Package
from ganglion.node.services.serving.versions import LoadedVersion, ServingTable
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.wire.records import RecordClass
from integration.inference_world import FakeRepository, shouting, special_version
from unit.node.serving_builders import (
    NOTHING_COLLECTED,
    FakeLane,
    FakeTicket,
    FakeTimer,
    copy_through,
    manifest_of,
    package_of,
    version_of,
)

T = TypeVar("T")

LIMITS = HttpLimits(head_bytes_max=4096, body_bytes_max=100_000, bodies_bytes_max=300_000, connections_max=16)
_TURNS_MAX = 500
_BUSY_US = 1e6
"""A measured time that keeps a model off the loop."""


class TurnLoop:
    """As much of an event loop as connections call. Time stands still unless a case moves it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._soon: deque[Callable[[], object]] = deque()
        self._timers: list[Timer] = []

    def time(self) -> float:
        return self.now_s

    def call_soon(self, act: Callable[..., object], *arguments: object) -> None:
        self._soon.append(lambda: act(*arguments))

    def call_later(self, _delay_s: float, act: Callable[..., object], *arguments: object) -> "Timer":
        self._timers.append(Timer(act, arguments))
        return self._timers[-1]

    call_at = call_later

    def pass_time(self) -> None:
        """Let every timer that is set now go off."""
        timers, self._timers = self._timers, []
        for timer in timers:
            if timer.act is not None:
                timer.act(*timer.arguments)

    def turn(self) -> bool:
        """Run what was asked for before this turn. False: there was nothing."""
        for _ in range(count := len(self._soon)):
            self._soon.popleft()()
        return count > 0


@dataclass(slots=True)
class Timer:
    """Something that happens later, unless it is taken back."""

    act: Callable[..., object] | None
    arguments: tuple[object, ...]

    def cancel(self) -> None:
        self.act = None


class TurnLane(FakeLane):
    """Short work runs at the end of a turn, long work a turn later, as on a real loop with a thread."""

    def __init__(self, loop: TurnLoop) -> None:
        super().__init__(queue_len_max=64)
        self._loop = loop

    def end_of_turn(self, job: Callable[[], None]) -> None:
        self._loop.call_soon(job)

    later = end_of_turn

    def after(self, delay_s: float, job: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(delay_s, job)
        self._loop.call_later(delay_s, timer.fire)
        return timer

    def submit(
        self,
        job: Callable[[], T],
        done: Callable[[T], None],
        *,
        within_s: float = math.inf,
        expired: Callable[[], None] | None = None,
    ) -> FakeTicket:
        # A deadline that lies ahead never passes: time stands still.
        ticket = super().submit(job, done, within_s=within_s)
        self._loop.call_soon(self.run)
        return ticket


class Wire:
    """The transport of one connection: keeps what is written, and delivers only what a socket would deliver."""

    def __init__(self, loop: TurnLoop, *, is_local: bool) -> None:
        self._loop, self._peer = loop, ("127.0.0.1" if is_local else "192.0.2.7", 40_000)
        self._incoming: deque[bytes | None] = deque()
        self._is_reading = True
        self.written = bytearray()
        self.is_shut = self.is_over = self.is_half = False
        self._protocol: Connection | GrpcConnection | None = None

    def connect(self, protocol: "Connection | GrpcConnection") -> None:
        self._protocol = protocol
        protocol.connection_made(cast("asyncio.BaseTransport", self))

    def arrive(self, data: bytes | None) -> None:
        """Bring bytes, or the client's end."""
        self._incoming.append(data)
        self._deliver()

    def vanish(self) -> None:
        """Lose the connection now."""
        if not self.is_over and self._protocol is not None:
            self.is_shut = self.is_over = True
            self._protocol.connection_lost(None)

    def _deliver(self) -> None:
        while self._incoming and self._is_reading and not self.is_shut and self._protocol is not None:
            data = self._incoming.popleft()
            if data is not None:
                self._protocol.data_received(data)
            elif not self._protocol.eof_received():
                self.close()

    # --- as asyncio calls them

    def get_extra_info(self, name: str) -> object:
        return self._peer if name == "peername" else None

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int) -> None:
        assert high > 0

    def write(self, data: bytes) -> None:
        assert not self.is_half, "nothing is written after the end of the answers"
        if not self.is_shut:
            self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.is_half = True

    def is_closing(self) -> bool:
        return self.is_shut

    def close(self) -> None:
        self.is_shut = True
        self._loop.call_soon(self.vanish)

    abort = close

    def pause_reading(self) -> None:
        assert self._is_reading, "reading is paused once"
        self._is_reading = False

    def resume_reading(self) -> None:
        assert not self._is_reading, "reading is resumed once"
        self._is_reading = True
        self._loop.call_soon(self._deliver)


class _BlackHole:
    """A journal that has room for ever."""

    trouble: DiskUnusable | None = None

    def append(self, _class: RecordClass, _at_ns: int, _payload: bytes) -> bool:
        return True

    def shed(self) -> dict[str, int]:
        return {}


@dataclass
class HttpWorld:
    """The server side of the fuzzed HTTP."""

    loop: TurnLoop = field(default_factory=TurnLoop)
    regions: SharedRegions = field(default_factory=SharedRegions)

    def __post_init__(self) -> None:
        clock, chance, table = FakeClock(), SeededChance(1), ServingTable()
        for model, version in (
            ("steer", version_of("1")),
            ("slow", sharing_version()),
            ("words", special_version("BYTES", shouting)),
            ("bf16", special_version("BF16", copy_through)),
            ("fp16", special_version("FP16", copy_through)),
            ("pair", pair_version()),
        ):
            table.add(model, version)
            table.switch(model, "1", compare_with="", compare_share=0.0)
        self.serving = Serving(
            table=table,
            lane=TurnLane(self.loop),
            recorder=Recorder(journal=_BlackHole(), clock=clock, chance=chance, collection=NOTHING_COLLECTED),
            clock=clock,
            chance=chance,
            limits=InferLimits(),
        )
        self.shared = Shared(LIMITS, BodyBudget(LIMITS.bodies_bytes_max))
        self._application = InferenceApplication(
            self.serving,
            release=lambda: "0.0.1",
            is_stopping=lambda: False,
            repository=FakeRepository(asked=_Forgetful()),
            regions=self.regions,
        )

    def connect(self, *, is_local: bool = True) -> tuple[Wire, Connection]:
        wire = Wire(self.loop, is_local=is_local)
        connection = Connection(self.shared, self._application, cast("asyncio.AbstractEventLoop", self.loop))
        wire.connect(connection)
        return wire, connection

    def settle(self) -> None:
        """Run turns until nothing is left to do."""
        for _ in range(_TURNS_MAX):
            if not self.loop.turn():
                return
        raise AssertionError("the loop never rests")

    @property
    def bytes_held(self) -> int:
        """How much of the budget for bodies is taken."""
        return LIMITS.bodies_bytes_max - self.shared.budget._left


class _Forgetful(list[str]):
    """A million cases would make a long list."""

    def append(self, _item: str) -> None:
        return


def sharing_version() -> LoadedVersion:
    """Return a slow version whose requests share runs: answers must not get mixed up in a batch either."""
    plan = BatchPlan(BatchingRules(max_size=4), None)
    return LoadedVersion("1", Path("/packages/slow"), package_of("1"), element_us=_BUSY_US, batching=plan)


def pair_version() -> LoadedVersion:
    """Return a version with two inputs of different kinds, which are its outputs too."""

    def swap(feeds: Tensors) -> Tensors:
        return {"a_again": feeds["a"], "b_again": feeds["b"]}

    manifest = msgspec.structs.replace(
        manifest_of("1"),
        inputs=(TensorSpec("a", "FP32", (-1, 2)), TensorSpec("b", "INT32", (-1, 3))),
        outputs=(TensorSpec("a_again", "FP32", (-1, 2)), TensorSpec("b_again", "INT32", (-1, 3))),
        prediction=None,
    )
    golden = package_of("1").golden
    return LoadedVersion("1", Path("/packages/pair"), Package(Pipeline(manifest, swap), golden), element_us=1.0)
