"""A serving node that looks at inputs and a hub that counts them, joined by real files on one disk."""

from dataclasses import dataclass, field
from pathlib import Path

from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.adapters.hub_store import open_telemetry
from ganglion.adapters.journal import JournalReader, JournalWriter
from ganglion.core.behaviour import Behaviour
from ganglion.core.steps import Tensors
from ganglion.hub.services.records.ingest import Ingest
from ganglion.node.domain.sending.outbox import OutboxLimits
from ganglion.node.services.sending.journal_intake import IntakeSettings, JournalIntake
from ganglion.node.services.serving.answers import InferLimits, InferRequest, Outcome, Serving
from ganglion.node.services.serving.looks import InputLooks
from ganglion.node.services.serving.records import Recorder
from ganglion.node.services.serving.runs import Package
from ganglion.node.services.serving.versions import LoadedVersion, ServingTable
from ganglion.ports.agent_store import AgentStore
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.wire.desired import CollectionSettings
from ganglion.wire.records import Batch
from unit.node.serving_builders import FakeLane

MODEL, VERSION, NODE = "watch", "1", "n1"


@dataclass
class LookWorld:
    """One node that serves one version; `counts` brings what it knows to the hub and reads it there."""

    directory: Path
    package: Package
    looks_per_minute: int
    answers: list[Outcome] = field(default_factory=list)
    sent_bytes: int = 0

    def __post_init__(self) -> None:
        self.clock, self._aside, table = FakeClock(), FakeLane(queue_len_max=1), ServingTable()
        settings = CollectionSettings(
            confidence_below=0.0, random_share=0.0, quality_looks_per_minute=self.looks_per_minute
        )
        recorder = Recorder(
            journal=JournalWriter(self.directory / "journal"),
            clock=self.clock,
            chance=SeededChance(1),
            collection=settings,
        )
        self._serving = Serving(
            table=table,
            lane=FakeLane(),
            recorder=recorder,
            clock=self.clock,
            chance=SeededChance(2),
            limits=InferLimits(),
            looks=InputLooks(lane=self._aside, recorder=recorder, clock=self.clock),
        )
        table.add(MODEL, LoadedVersion(VERSION, self.directory, self.package, element_us=0.0))
        table.switch(MODEL, VERSION, compare_with="", compare_share=0.0)

    def ask(self, inputs: Tensors, *, pause_s: float) -> None:
        """Ask the model, let it be looked at what was asked, and wait."""
        self._serving.answer(
            InferRequest(model=MODEL, version="", request_id="", inputs=inputs, outputs=()), self.answers.append
        )
        self._aside.run()
        self.clock.advance(pause_s)

    def counts(self) -> Behaviour:
        """Return what the hub counts when all minutes are over and everything was sent."""
        self.clock.advance(60.0)
        store = SqliteAgentStore(self.directory / "outbox.db", limits=OutboxLimits(), new_epoch=lambda: "e1")
        try:
            return self._sent(store)
        finally:
            store.close()

    def _sent(self, store: AgentStore) -> Behaviour:
        journal = JournalReader(self.directory / "journal")
        intake = JournalIntake(store=store, journal=journal, clock=self.clock, settings=IntakeSettings())
        while intake.move():
            pass
        waiting = store.pending(records_max=1000, bytes_max=1 << 20)
        self.sent_bytes = sum(len(envelope.payload) for envelope in waiting)
        telemetry = open_telemetry(self.directory / "telemetry.db")
        Ingest(telemetry=telemetry, clock=self.clock).store(NODE, Batch("b", self.clock.utc_ns(), "e1", tuple(waiting)))
        with telemetry.read() as tx:
            found = tx.behaviour(node_ids=[NODE], model=MODEL, version=VERSION, since_minute=0)[NODE]
        telemetry.close()
        return found
