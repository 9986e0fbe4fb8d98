"""Histograms of inputs, from the held-out rows of a package to the counts of a live node on the hub."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ganglion.core import drift
from ganglion.core import manifest as manifests
from ganglion.core.behaviour import Behaviour
from ganglion.core.ids import ModelName, Version
from ganglion.core.steps import Tensor
from ganglion.entrypoints.learning import InputSettings, LearningSettings, train_version
from ganglion.entrypoints.models import local_packages
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.factory.domain.rows import LabelledRows, make_rows
from ganglion.factory.steps.train import TrainSettings
from ganglion.factory.steps.version import VersionSettings
from ganglion.node.services.serving.runs import Package
from ganglion.ports.hub_store import AssignmentRow, ReleaseRow
from ganglion.wire import paths
from ganglion.wire.records import RecordClass, SummaryRecord
from integration.hub_api_world import serving
from integration.look_world import LookWorld

LIVE_ROWS = 120


def sensor(seed: int, count: int, *, warmer_by: float = 0.0) -> Tensor:
    """Return rows of temperature, a switch that is on or off, and a supply that never changes."""
    draw = np.random.default_rng(seed)
    temperature = draw.normal(20.0 + warmer_by, 3.0, count)
    return np.stack([temperature, draw.integers(0, 2, count), np.full(count, 230.0)], axis=1).astype(np.float32)


def labelled(x: Tensor) -> LabelledRows:
    return make_rows(x, ["warm" if row[0] > 20.0 else "cold" for row in x], ["cold", "warm"])


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Package]:
    """Return an opened package of a model that was trained just now."""
    settings = VersionSettings(train=TrainSettings(hidden=(8,), epochs_max=20), optimise=False)
    made = train_version(
        "watch",
        "1",
        labelled(sensor(1, 300)),
        directory=tmp_path_factory.mktemp("package"),
        held_out=labelled(sensor(2, 2000)),
        inputs=InputSettings(name="sensor"),
        settings=LearningSettings(version=settings),
    )
    with local_packages.open_package(made.package_file) as opened:
        yield Package(opened.pipeline(), lambda: ({}, {}))


def live_counts(directory: Path, package: Package, rows: Tensor) -> dict[str, list[int]]:
    world = LookWorld(directory, package, looks_per_minute=60)
    for row in rows:
        world.ask({"sensor": row[None]}, pause_s=1.0)
    return world.counts().inputs


def test_the_rows_of_a_node_stand_at_the_hub_as_counts_over_the_packages_edges(
    tmp_path: Path, package: Package
) -> None:
    reference = package.pipeline.manifest.drift
    assert reference is not None

    counts = live_counts(tmp_path, package, sensor(3, LIVE_ROWS))

    assert counts.keys() == reference.inputs.keys() == {"sensor[0]", "sensor[1]", "sensor[2]"}
    assert {name: len(bins) for name, bins in counts.items()} == {"sensor[0]": 12, "sensor[1]": 4, "sensor[2]": 3}
    assert all(sum(bins) == LIVE_ROWS for bins in counts.values())
    assert counts["sensor[2]"] == [0, LIVE_ROWS, 0]


@pytest.mark.parametrize(("warmer_by", "is_shifted"), [(0.0, False), (4.0, True)])
def test_a_place_that_is_warmer_than_the_held_out_data_is_told_from_one_that_is_not(
    tmp_path: Path, package: Package, *, warmer_by: float, is_shifted: bool
) -> None:
    reference = package.pipeline.manifest.drift
    assert reference is not None

    counts = live_counts(tmp_path, package, sensor(4, LIVE_ROWS, warmer_by=warmer_by))

    shifts = {
        name: drift.compare([0, *histogram.counts, 0], counts[name]).is_shifted
        for name, histogram in reference.inputs.items()
    }
    assert shifts == {"sensor[0]": is_shifted, "sensor[1]": False, "sensor[2]": False}


# --- as people ask for it -------------------------------------------------------------------------


def test_the_shift_of_a_nodes_inputs_is_read_over_http(tmp_path: Path, package: Package) -> None:
    manifest = msgspec.structs.replace(package.pipeline.manifest, name=ModelName("digits"), version=Version("1"))
    sent = Behaviour(inputs={"sensor[0]": [0] * 11 + [500], "sensor[1]": [0, 250, 250, 0]})
    with serving(HubSettings(data_dir=str(tmp_path / "hub"), port=0, tick_s=0.05)) as hub:
        node = hub.join("gate-1")
        node.report()
        with hub.hub.world.control.write() as tx:
            node_id = tx.nodes()[0].node_id
            tx.put_assignment(AssignmentRow(node_id, "digits", "1", "fp32", "", b"{}"))
            tx.add_release(
                ReleaseRow("digits", "1", "fp32", "any", "onnxruntime", "0" * 64, 1, manifests.encode(manifest), 1.0)
            )

        now_ns = hub.hub.world.clock.utc_ns()
        node.send((RecordClass.SUMMARY, SummaryRecord("digits", "1", now_ns, now_ns, sent)))

        shifts = hub.call("GET", f"{paths.INPUT_SHIFTS}?node=gate-1&model=digits").json
        refused = hub.call("GET", f"{paths.INPUT_SHIFTS}?node=gate-1&model=digits&hours=100000").status

    assert isinstance(shifts, list)
    assert [(each["figure"], each["rows"], each["is_shifted"]) for each in shifts] == [
        ("sensor[0]", 500, True),
        ("sensor[1]", 500, False),
        ("sensor[2]", 0, False),
    ]
    assert refused in {400, 422}
