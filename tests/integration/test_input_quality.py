"""What a camera shows of itself, from the request on the node to the counts on the hub, over real files."""

from pathlib import Path

import numpy as np

from ganglion.adapters.agent_store import SqliteAgentStore
from ganglion.adapters.hub_store import open_telemetry
from ganglion.adapters.journal import JournalReader, JournalWriter
from ganglion.core.manifest import TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import Tensor
from ganglion.hub.services.ingest import Ingest
from ganglion.node.domain.outbox import OutboxLimits
from ganglion.node.services.journal_intake import IntakeSettings, JournalIntake
from ganglion.node.services.serving import InferLimits, InferRequest, Outcome, Serving
from ganglion.node.services.serving_looks import InputLooks
from ganglion.node.services.serving_records import Recorder
from ganglion.node.services.serving_runs import Package
from ganglion.node.services.serving_versions import LoadedVersion, ServingTable
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.wire.desired import CollectionSettings
from ganglion.wire.records import Batch
from unit.core.builders import a_manifest
from unit.node.serving_builders import FakeLane

MINUTES, PICTURES_PER_MINUTE = 3, 20
LOOKS_PER_MINUTE = 4
CAMERA = TensorSpec("image", "UINT8", (-1, 48, 48, 3), layout="NHWC")


def camera() -> Package:
    manifest = a_manifest(inputs=(CAMERA,), prediction=None)
    return Package(Pipeline(manifest, lambda feeds: {"scores": feeds["image"].mean(axis=(1, 2))}), lambda: ({}, {}))


def test_a_frozen_dark_camera_shows_in_the_hubs_counts_and_no_picture_leaves_the_node(tmp_path: Path) -> None:
    clock, aside, table = FakeClock(), FakeLane(queue_len_max=1), ServingTable()
    settings = CollectionSettings(confidence_below=0.0, random_share=0.0, quality_looks_per_minute=LOOKS_PER_MINUTE)
    recorder = Recorder(
        journal=JournalWriter(tmp_path / "journal"), clock=clock, chance=SeededChance(1), collection=settings
    )
    serving = Serving(
        table=table,
        lane=FakeLane(),
        recorder=recorder,
        clock=clock,
        chance=SeededChance(2),
        limits=InferLimits(),
        looks=InputLooks(lane=aside, recorder=recorder, clock=clock),
    )
    table.add("watch", LoadedVersion("1", tmp_path, camera(), element_us=0.0))
    table.switch("watch", "1", compare_with="", compare_share=0.0)
    store = SqliteAgentStore(tmp_path / "outbox.db", limits=OutboxLimits(), new_epoch=lambda: "e1")
    intake = JournalIntake(
        store=store, journal=JournalReader(tmp_path / "journal"), clock=clock, settings=IntakeSettings()
    )
    telemetry = open_telemetry(tmp_path / "telemetry.db")
    answers: list[Outcome] = []
    dark: Tensor = np.zeros((1, 48, 48, 3), np.uint8)

    for _ in range(MINUTES * PICTURES_PER_MINUTE):
        serving.answer(
            InferRequest(model="watch", version="", request_id="", inputs={"image": dark}, outputs=()), answers.append
        )
        aside.run()
        clock.advance(60.0 / PICTURES_PER_MINUTE)
    clock.advance(60.0)
    while intake.move():
        pass
    waiting = store.pending(records_max=1000, bytes_max=1 << 20)
    Ingest(telemetry=telemetry, clock=clock).store("n1", Batch("b", clock.utc_ns(), "e1", tuple(waiting)))

    with telemetry.read() as tx:
        quality = tx.behaviour(node_ids=["n1"], model="watch", version="1", since_minute=0)["n1"].quality
    looks = MINUTES * LOOKS_PER_MINUTE
    assert (quality["brightness"][0], quality["covered"][-1]) == (looks, looks)
    assert quality["change"][0] == looks - 1
    assert sum(len(envelope.payload) for envelope in waiting) < dark.nbytes
    store.close()
    telemetry.close()
