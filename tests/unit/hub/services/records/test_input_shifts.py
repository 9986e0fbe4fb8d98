"""The inputs of a node beside the held-out rows of the version that it is to serve."""

import pytest

from ganglion.core import manifest as manifests
from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import DataCorrupt, NotFound
from ganglion.core.manifest import DriftReference, HistogramReference
from ganglion.hub.services.records import input_shifts
from ganglion.ports.clock import utc_s
from ganglion.ports.hub_store import AssignmentRow, NodeRow, ReleaseRow
from ganglion.ports.telemetry_store import RollupKey
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryControlStore, MemoryTelemetryStore
from ganglion.wire.resources import InputShiftView
from unit.core.builders import a_manifest

CONFIDENCE = HistogramReference((0.0, 1.0), (1000,))
TWO_BINS = HistogramReference((0.0, 1.0, 2.0), (500, 500))


class World:
    """A hub with one node that is to serve version 2 of a model in its variant fp32."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.control, self.telemetry = clock, MemoryControlStore(), MemoryTelemetryStore()
        with self.control.write() as tx:
            tx.put_node(NodeRow("n1", "north", "s", "z", "00", "x-1", b"{}", 1.0))
            tx.put_assignment(AssignmentRow("n1", "meter", "2", "fp32", "", b"{}"))

    def release(self, inputs: dict[str, HistogramReference], *, manifest: bytes | None = None) -> None:
        made = manifest or manifests.encode(a_manifest(drift=DriftReference(CONFIDENCE, {"low": 1000}, inputs)))
        with self.control.write() as tx:
            tx.add_release(ReleaseRow("meter", "2", "fp32", "any", "onnxruntime", "0" * 64, 1, made, 1.0))

    def count(self, inputs: dict[str, list[int]], *, hours_ago: int = 0, version: str = "2") -> None:
        minute = int(utc_s(self.clock) // 60) - hours_ago * 60
        with self.telemetry.write() as tx:
            tx.merge_rollup(RollupKey("n1", "meter", version, minute), Behaviour(inputs=inputs))

    def shifts(self, *, node: str = "north", model: str = "meter", hours: int = 24) -> list[InputShiftView]:
        return input_shifts.of_node(self.control, self.telemetry, self.clock, node=node, model=model, hours=hours)


@pytest.fixture
def world(clock: FakeClock) -> World:
    return World(clock)


def test_what_moved_beyond_chance_comes_first_and_says_so(world: World) -> None:
    world.release({"x[0]": TWO_BINS, "x[1]": TWO_BINS})

    world.count({"x[0]": [0, 51, 49, 0], "x[1]": [0, 5, 45, 50]})

    first, second = world.shifts()
    assert (first.figure, first.is_shifted, first.rows) == ("x[1]", True, 100)
    assert (second.figure, second.is_shifted, second.rows) == ("x[0]", False, 100)
    assert first.psi is not None
    assert first.threshold is not None
    assert first.psi > first.threshold
    assert (first.expected, first.counts) == ([0, 500, 500, 0], [0, 5, 45, 50])


def test_a_few_rows_are_no_shift_whatever_they_hold(world: World) -> None:
    world.release({"x": TWO_BINS})

    world.count({"x": [0, 3, 0, 0]})

    assert [view.is_shifted for view in world.shifts()] == [False]


def test_only_the_hours_asked_for_and_the_version_of_now_count(world: World) -> None:
    world.release({"x": TWO_BINS})

    world.count({"x": [0, 10, 0, 0]}, hours_ago=30)
    world.count({"x": [0, 0, 7, 0]}, hours_ago=2)
    world.count({"x": [0, 100, 0, 0]}, version="1")

    assert world.shifts(hours=24)[0].counts == [0, 0, 7, 0]
    assert world.shifts(hours=48)[0].counts == [0, 10, 7, 0]


@pytest.mark.parametrize("counted", [{}, {"x": [9, 9, 9]}])
def test_without_rows_over_the_same_edges_there_is_no_figure(world: World, counted: dict[str, list[int]]) -> None:
    world.release({"x": TWO_BINS})

    world.count(counted)

    (view,) = world.shifts()
    assert (view.rows, view.psi, view.threshold, view.is_shifted) == (0, None, None, False)


def test_an_empty_reference_is_compared_with_nothing(world: World) -> None:
    world.release({"x": HistogramReference((0.0, 1.0), (0,))})

    world.count({"x": [0, 9, 0]})

    assert world.shifts()[0].psi is None


def test_a_package_that_says_nothing_of_its_inputs_has_no_figures(world: World) -> None:
    assert world.shifts() == []

    world.release({}, manifest=manifests.encode(a_manifest()))

    assert world.shifts() == []


@pytest.mark.parametrize("asked", [{"node": "south"}, {"model": "other"}])
def test_a_node_or_model_that_is_not_there_is_said(world: World, asked: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        world.shifts(**asked)  # type: ignore[arg-type]  # mypy takes the names for those of `hours` too


def test_a_damaged_manifest_is_said(world: World) -> None:
    world.release({}, manifest=b"{")

    with pytest.raises(DataCorrupt):
        world.shifts()
