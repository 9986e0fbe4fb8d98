"""Figures of the fleet, from a hub over HTTP and from the command line."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganglion.entrypoints.cli.tree import tree
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.wire import paths
from ganglion.wire.desired import ModelStatus
from integration.hub_api_world import ServedHub, serving


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ServedHub]:
    with serving(HubSettings(data_dir=str(tmp_path / "hub"), port=0)) as served:
        for number, version in enumerate(("1", "2", "2")):
            served.join(f"gate-{number}").report(ModelStatus(model="digits", version=version, committed=version))
        served.hub.renew()
        yield served


def run(hub: ServedHub, *words: str) -> None:
    options = ["--hub", hub.url, "--token", hub.token, "--ca-pin", hub.ca_pin]
    tree(["hub", "figures"])(args=["hub", "figures", *words, *options], standalone_mode=False)


def test_a_look_counts_the_nodes_and_what_they_serve(hub: ServedHub) -> None:
    told = hub.call("GET", paths.FIGURES).json

    assert isinstance(told, dict)
    assert told["uptime"]["share"] == 1.0
    assert told["uptime"]["total"] % 3 == 0
    assert told["deployment_time_s"]["count"] == 0
    assert told["versions"] == [
        {
            "model": "digits",
            "nodes": {"1": 1, "2": 2},
            "distinct": 2,
            "main_version": "2",
            "main_share": pytest.approx(2 / 3),
        }
    ]


def test_the_command_shows_writes_and_exports_them(
    hub: ServedHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(hub)
    run(hub, "--by-day")
    run(hub, "--csv", str(tmp_path / "figures.csv"))

    shown = capsys.readouterr().out
    assert "66.7% have 2" in shown
    assert "100.00%" in shown
    (row,) = csv.DictReader((tmp_path / "figures.csv").read_text(encoding="utf-8").splitlines())
    assert (row["uptime_share"], row["versions_distinct_max"], row["update_success_share"]) == ("1.0", "2", "")


def test_prometheus_reads_the_newest(hub: ServedHub) -> None:
    text = hub.call("GET", "/metrics").body.decode()

    assert "ganglion_fleet_uptime_ratio 1.0" in text
    assert "ganglion_fleet_deployment_time" not in text
