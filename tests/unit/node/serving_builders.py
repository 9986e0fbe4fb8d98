"""Serving made of fakes: models are functions, the lane runs when told to, the journal is a list."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from ganglion.core.errors import DiskUnusable, Overloaded
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import Classification, Golden, Limits, Manifest, TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import Tensors
from ganglion.node.domain.sending.summaries import LookRecord
from ganglion.node.services.serving.answers import InferLimits, InferRequest, Outcome, Serving
from ganglion.node.services.serving.lane import Ticket
from ganglion.node.services.serving.looks import InputLooks
from ganglion.node.services.serving.records import Recorder
from ganglion.node.services.serving.runs import Package
from ganglion.node.services.serving.versions import LoadedVersion, ServingTable
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.wire.desired import CollectionSettings
from ganglion.wire.records import ComparisonRecord, RecordClass, ResultRecord, SampleRecord

T = TypeVar("T")

LABELS = ("left", "right")
NOTHING_COLLECTED = CollectionSettings(
    confidence_below=0.0, random_share=0.0, disagreements=False, quality_looks_per_minute=0
)


@dataclass
class FakeJournal:
    """Keeps records in memory; `is_full` sheds them."""

    records: list[tuple[RecordClass, bytes]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    is_full: bool = False
    trouble: DiskUnusable | None = None

    def append(self, record_class: RecordClass, at_ns: int, payload: bytes) -> bool:
        if self.is_full:
            name = record_class.name.lower()
            self.counts[name] = self.counts.get(name, 0) + 1
            return False
        self.records.append((record_class, payload))
        return True

    def shed(self) -> dict[str, int]:
        return self.counts

    @property
    def results(self) -> list[ResultRecord]:
        return self._of(RecordClass.RESULT, ResultRecord)

    @property
    def comparisons(self) -> list[ComparisonRecord]:
        return self._of(RecordClass.SUMMARY, ComparisonRecord)

    @property
    def looks(self) -> list[LookRecord]:
        return self._of(RecordClass.SUMMARY, LookRecord)

    @property
    def samples(self) -> list[SampleRecord]:
        return self._of(RecordClass.SAMPLE, SampleRecord)

    def _of(self, record_class: RecordClass, kind: type[T]) -> list[T]:
        return [msgspec.msgpack.decode(payload, type=kind) for given, payload in self.records if given is record_class]


class FakeTicket:
    """A place in the fake lane."""

    def __init__(self, jobs: list[Callable[[], None]], job: Callable[[], None]) -> None:
        self._jobs, self._job = jobs, job
        jobs.append(job)

    def cancel(self) -> bool:
        if self._job not in self._jobs:
            return False
        self._jobs.remove(self._job)
        return True


@dataclass
class FakeTimer:
    """Work for later."""

    delay_s: float
    job: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def fire(self) -> None:
        if not self.is_cancelled:
            self.job()


class FakeLane:
    """Runs jobs when the test says so."""

    def __init__(self, *, queue_len_max: int = 3) -> None:
        self._queue_len_max = queue_len_max
        self._jobs: list[Callable[[], None]] = []
        self._later: list[Callable[[], None]] = []
        self.timers: list[tuple[float, FakeTicket, Callable[[], None]]] = []
        self.alarms: list[FakeTimer] = []
        self.holds_turns = False
        """All requests come in one turn of the loop, which ends with `turn`; otherwise each has a turn of its own."""

    @property
    def waiting(self) -> int:
        return len(self._jobs)

    def submit(
        self,
        job: Callable[[], T],
        done: Callable[[T], None],
        *,
        within_s: float = math.inf,
        expired: Callable[[], None] | None = None,
    ) -> "FakeTicket":
        if len(self._jobs) >= self._queue_len_max:
            raise Overloaded("too much waits")
        ticket = FakeTicket(self._jobs, lambda: done(job()))
        if expired is not None and within_s < math.inf:
            self.timers.append((within_s, ticket, expired))
        return ticket

    def expire(self) -> None:
        """Let every time limit pass."""
        for _, ticket, expired in self.timers:
            if ticket.cancel():
                expired()

    def later(self, job: Callable[[], None]) -> None:
        self._later.append(job)

    def after(self, delay_s: float, job: Callable[[], None]) -> "FakeTimer":
        self.alarms.append(FakeTimer(delay_s, job))
        return self.alarms[-1]

    def wake(self) -> None:
        """Let the delays of everything pass that was told to wait until now."""
        alarms, self.alarms = self.alarms, []
        for alarm in alarms:
            alarm.fire()

    def turn(self) -> None:
        """Run what belongs into this turn of the loop, and nothing of the thread."""
        later, self._later = self._later, []
        for job in later:
            job()

    def end_of_turn(self, job: Callable[[], None]) -> None:
        if self.holds_turns:
            self._later.append(job)
        else:
            job()

    def run(self) -> None:
        """Run everything that waits, in order."""
        while self._jobs or self._later:
            (self._jobs or self._later).pop(0)()


def manifest_of(version: str = "1", *, batch_max: int = 4) -> Manifest:
    return Manifest(
        name=ModelName("steer"),
        version=Version(version),
        inputs=(TensorSpec("x", "FP32", (-1, 2)),),
        outputs=(TensorSpec("probabilities", "FP32", (-1, 2)),),
        labels=LABELS,
        prediction=Classification("probabilities"),
        limits=Limits(batch_max=batch_max),
        golden=Golden({"x": "x.npy"}, {"probabilities": "p.npy"}),
        members={},
    )


def copy_through(feeds: Tensors) -> Tensors:
    """Act as a model whose inputs are the probabilities already."""
    return {"probabilities": feeds["x"]}


def rows(*values: tuple[float, float]) -> Tensors:
    return {"x": np.array(values, np.float32)}


def package_of(version: str = "1", infer: Callable[[Tensors], Tensors] = copy_through) -> Package:
    golden = rows((0.9, 0.1), (0.2, 0.8))
    return Package(Pipeline(manifest_of(version), infer), lambda: (golden, {"probabilities": golden["x"]}))


def version_of(
    name: str = "1", infer: Callable[[Tensors], Tensors] = copy_through, *, element_us: float = 1.0
) -> LoadedVersion:
    return LoadedVersion(name, Path(f"/packages/{name}"), package_of(name, infer), element_us=element_us)


@dataclass
class ServingWorld:
    """A serving core and everything around it."""

    clock: FakeClock = field(default_factory=FakeClock)
    journal: FakeJournal = field(default_factory=FakeJournal)
    lane: FakeLane = field(default_factory=FakeLane)
    table: ServingTable = field(default_factory=ServingTable)
    collection: CollectionSettings = NOTHING_COLLECTED
    aside: FakeLane = field(default_factory=lambda: FakeLane(queue_len_max=1))
    """Where inputs are looked at."""

    def __post_init__(self) -> None:
        chance = SeededChance(3)
        self.recorder = Recorder(journal=self.journal, clock=self.clock, chance=chance, collection=self.collection)
        self.serving = Serving(
            table=self.table,
            lane=self.lane,
            recorder=self.recorder,
            clock=self.clock,
            chance=chance,
            limits=InferLimits(),
            looks=InputLooks(lane=self.aside, recorder=self.recorder, clock=self.clock),
        )
        self.tickets: list[Ticket | None] = []

    def add(self, version: LoadedVersion, *, active: bool = True, compare_with: str = "") -> LoadedVersion:
        self.table.add("steer", version)
        if active:
            self.table.switch("steer", version.name, compare_with=compare_with, compare_share=1.0)
        return version

    def ask(self, inputs: Tensors | None = None, *, request_id: str = "", **names: str) -> list[Outcome]:
        """Send one request; the list gets its answer."""
        answers: list[Outcome] = []
        request = InferRequest(
            model=names.get("model", "steer"),
            version=names.get("version", ""),
            request_id=request_id,
            inputs=rows((0.9, 0.1)) if inputs is None else inputs,
            outputs=(names["output"],) if "output" in names else (),
        )
        self.tickets.append(self.serving.answer(request, answers.append))
        return answers
