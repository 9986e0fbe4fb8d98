import json
import math

import msgspec
import pytest

from ganglion.core.errors import InvalidRequest, NotFound
from ganglion.hub.services.records.ingest import Ingest
from ganglion.hub.services.records.telemetry import Telemetry, TelemetryLimits
from ganglion.ports.hub_store import NodeRow
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryControlStore, MemoryTelemetryStore
from ganglion.wire.records import Envelope, EventRecord, RecordClass, ResultRecord
from unit.hub.records import batch, envelope, result


class World:
    """A hub with one node that has sent something."""

    def __init__(self, clock: FakeClock) -> None:
        self.control = MemoryControlStore()
        self.store = MemoryTelemetryStore()
        self.clock = clock
        self.telemetry = Telemetry(control=self.control, telemetry=self.store, limits=TelemetryLimits(rows_max=100))
        with self.control.write() as tx:
            tx.put_node(NodeRow("n1", "north", "s", "z", "00", "x-1", b"{}", 1.0))

    def take(self, *records: Envelope, node_id: str = "n1", epoch: str = "e1") -> None:
        Ingest(telemetry=self.store, clock=self.clock).store(node_id, batch(records, epoch=epoch))


@pytest.fixture
def world(clock: FakeClock) -> World:
    return World(clock)


def test_results_are_read_in_pages_by_epoch_and_sequence(world: World) -> None:
    world.take(*(envelope(seq, result()) for seq in (1, 2, 3)))
    world.take(envelope(1, result()), epoch="e2")

    first = world.telemetry.results("north", after=("", 0), limit=2)
    second = world.telemetry.results("north", after=(first[-1].epoch, first[-1].seq), limit=2)

    assert [(view.epoch, view.seq) for view in [*first, *second]] == [("e1", 1), ("e1", 2), ("e1", 3), ("e2", 1)]


def test_a_result_is_shown_as_the_node_made_it(world: World) -> None:
    world.take(envelope(1, result(version="2", latency_us=123, error="model_failed"), at_ns=1_500_000_000))

    (view,) = world.telemetry.results("north", after=("", 0), limit=1)

    assert (view.node, view.at_s, view.model, view.version) == ("north", 1.5, "digits", "2")
    assert (view.latency_us, view.labels, view.confidences, view.error) == (123, ["7"], [0.9], "model_failed")


def test_a_result_that_cannot_be_read_is_listed_as_such(world: World) -> None:
    world.take(Envelope(1, RecordClass.RESULT, 1, b"\xc1"), envelope(2, result()))

    views = world.telemetry.results("north", after=("", 0), limit=10)

    assert [(view.seq, view.error) for view in views] == [(1, "undecodable"), (2, "")]


def test_what_is_shown_has_no_number_that_json_lacks(world: World) -> None:
    world.take(envelope(1, ResultRecord("r", "digits", "1", 1, ("7",), (math.nan,))))

    text = msgspec.json.encode(world.telemetry.results("north", after=("", 0), limit=1))

    assert json.loads(text)[0]["confidences"] == [0.0]


def test_events_are_shown_newest_first_with_the_names_of_nodes(world: World) -> None:
    world.take(
        envelope(1, EventRecord("update.committed", "digits", "2", "r1", "", {"took_s": "3"}), at_ns=1_000_000_000),
        envelope(2, EventRecord("node.restarted"), at_ns=2_000_000_000),
    )
    world.take(envelope(1, EventRecord("node.restarted"), at_ns=3_000_000_000), node_id="gone")

    views = world.telemetry.events()

    assert [(view.node, view.at_s, view.name) for view in views] == [
        ("gone", 3.0, "node.restarted"),
        ("north", 2.0, "node.restarted"),
        ("north", 1.0, "update.committed"),
    ]
    assert views[2].facts == {"took_s": "3"}
    assert [view.at_s for view in world.telemetry.events(node_name="north", limit=1)] == [2.0]
    assert [view.rollout_id for view in world.telemetry.events(rollout_id="r1")] == ["r1"]


def test_an_unknown_node_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match="south"):
        world.telemetry.results("south", after=("", 0), limit=1)
    with pytest.raises(NotFound, match="south"):
        world.telemetry.events(node_name="south")


@pytest.mark.parametrize("limit", [0, 101])
def test_a_limit_out_of_range_is_refused(world: World, limit: int) -> None:
    with pytest.raises(InvalidRequest, match="between 1 and 100"):
        world.telemetry.results("north", after=("", 0), limit=limit)
    with pytest.raises(InvalidRequest, match="between 1 and 100"):
        world.telemetry.events(limit=limit)
