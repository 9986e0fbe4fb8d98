"""What alerts ask for, read from the stores of the hub."""

import pytest

from ganglion.core import manifest as manifests
from ganglion.core.behaviour import Behaviour
from ganglion.core.manifest import DriftReference, HistogramReference
from ganglion.hub.services.alerts.facts import COUNTED_NODES_MAX
from ganglion.ports.hub_store import ReleaseRow
from ganglion.wire.alert_resources import AlertCondition
from ganglion.wire.fleet_resources import GroupDefinition
from unit.core.builders import a_manifest
from unit.hub.services.watching import WatchedFleet, answered

_C = AlertCondition
TWO_BINS = HistogramReference((0.0, 1.0, 2.0), (500, 500))


@pytest.fixture
def fleet() -> WatchedFleet:
    made = WatchedFleet()
    made.clock.advance(86_400.0)
    return made


def test_a_node_that_was_never_heard_of_is_silent_since_it_joined(fleet: WatchedFleet) -> None:
    fleet.join("near")
    fleet.join("far", seen_s_ago=3600.0)
    fleet.add("new", last_seen_at_s=None, enrolled_at_s=fleet.now_s - 700.0)
    fleet.join("gone", seen_s_ago=3600.0, retired_at_s=1.0)

    assert fleet.true_of(_C.NODE_SILENT, per="node") == {"far": 3600.0, "new": 700.0}


def test_only_the_nodes_that_are_meant_count(fleet: WatchedFleet) -> None:
    for name, line in (("press-3", "3"), ("press-4", "4")):
        fleet.join(name, seen_s_ago=3600.0, labels={"line": line})
    fleet.places.put_group("pair", GroupDefinition(select="line=4", nodes=["press-3"]), actor="ana")

    assert list(fleet.true_of(_C.NODE_SILENT, per="node", select="line=3")) == ["press-3"]
    assert list(fleet.true_of(_C.NODE_SILENT, per="node", to="group:pair")) == ["press-3", "press-4"]
    assert fleet.true_of(_C.NODE_SILENT, select="line=5") == {}


def test_a_group_that_is_gone_is_told_and_nothing_is_said(fleet: WatchedFleet) -> None:
    found = fleet.gather(_C.NODE_SILENT, to="group:none")

    assert (found.trouble, found.findings) == ("there is no group 'none'", {})


def test_what_nodes_report_of_themselves(fleet: WatchedFleet) -> None:
    fleet.join("gate-1")
    fleet.report("gate-1", unwell={"clock": "bad: 2 h"}, machine={"disk_free_bytes": 5e8}, waiting=200_000)
    fleet.join("gate-2")

    assert fleet.true_of(_C.NODE_UNWELL, per="node") == {"gate-1": 2.0}
    assert fleet.true_of(_C.DISK_LOW, per="node") == {"gate-1": 5e8}
    assert fleet.true_of(_C.RECORDS_WAITING, per="node") == {"gate-1": 200_000.0}


def test_a_node_in_quarantine(fleet: WatchedFleet) -> None:
    fleet.join("gate-1", quarantined_at_s=1.0)
    fleet.join("gate-2")

    assert fleet.true_of(_C.NODE_QUARANTINED) == {"fleet": 1.0}


def test_records_that_were_given_up_since_the_look_before(fleet: WatchedFleet) -> None:
    fleet.join("gate-1")
    fleet.report("gate-1", shed={"sample": 5})

    before = fleet.true_of(_C.RECORDS_SHED, per="node")
    fleet.report("gate-1", shed={"sample": 5, "result": 2})

    assert (before, fleet.true_of(_C.RECORDS_SHED, per="node")) == ({}, {"gate-1": 2.0})


def test_a_node_that_serves_another_version_than_it_should(fleet: WatchedFleet) -> None:
    for name in ("gate-1", "gate-2", "gate-3"):
        fleet.join(name)
    fleet.serve("digits", "2", ["gate-1", "gate-2"])
    fleet.report("gate-1", ("digits", "1"), ("meter", "7"))
    fleet.report("gate-2", ("digits", "2"))

    assert fleet.true_of(_C.VERSION_DRIFT, per="node") == {"gate-1": 1.0}
    assert fleet.true_of(_C.VERSION_DRIFT, per="node", model="meter") == {}


def test_events_count_within_their_time(fleet: WatchedFleet) -> None:
    fleet.join("gate-1", site="porto")
    fleet.join("gate-2", site="braga")
    fleet.tell("gate-1", "update.rolled_back", seq=1)
    fleet.tell("gate-1", "update.rolled_back", seq=2, ago_s=7200.0)
    fleet.tell("gate-2", "update.rolled_back", seq=1, model="meter")
    fleet.tell("gate-2", "version.quarantined", seq=2)

    assert fleet.true_of(_C.UPDATES_FAILED) == {"fleet": 2.0}
    assert fleet.true_of(_C.UPDATES_FAILED, within_s=10_000.0, per="site") == {"porto": 2.0, "braga": 1.0}
    assert fleet.true_of(_C.UPDATES_FAILED, model="meter", per="node") == {"gate-2": 1.0}
    assert fleet.true_of(_C.CRASHES, per="node") == {"gate-2": 1.0}


def test_errors_are_those_of_the_version_that_nodes_serve(fleet: WatchedFleet) -> None:
    for name, site in (("gate-1", "porto"), ("gate-2", "braga")):
        fleet.join(name, site=site)
        fleet.report(name, ("digits", "2"))
    fleet.count("gate-1", "digits", "2", answered(100, errors=20))
    fleet.count("gate-2", "digits", "2", answered(100))
    fleet.count("gate-1", "digits", "1", answered(100, errors=100))
    fleet.count("gate-2", "digits", "2", answered(100, errors=100), minutes_ago=30)

    assert fleet.true_of(_C.ERROR_RATE) == {"digits:2": 0.1}
    assert fleet.true_of(_C.ERROR_RATE, per="site") == {"porto/digits:2": 0.2}
    assert fleet.true_of(_C.ERROR_RATE, per="node") == {"gate-1/digits:2": 0.2}
    assert fleet.true_of(_C.ERROR_RATE, model="meter") == {}


def test_latency_is_a_quantile_over_the_requests_of_all_nodes(fleet: WatchedFleet) -> None:
    fleet.join("gate-1")
    fleet.report("gate-1", ("digits", "2"))
    fleet.count("gate-1", "digits", "2", answered(100, latency_us=2_000_000))

    (p99_ms,) = fleet.true_of(_C.LATENCY_P99).values()

    assert p99_ms == pytest.approx(2000.0, rel=0.02)


def test_of_many_nodes_a_part_is_counted_and_always_the_same(fleet: WatchedFleet) -> None:
    for number in range(COUNTED_NODES_MAX + 100):
        name = f"gate-{number:04}"
        fleet.join(name)
        fleet.report(name, ("digits", "2"))
        fleet.count(name, "digits", "2", Behaviour(requests=1, errors=number % 2))

    first, second = (fleet.true_of(_C.ERROR_RATE, limit=0.0) for _ in range(2))

    assert first == second
    assert 0.4 < first["digits:2"] < 0.6


def test_inputs_of_a_site_that_have_moved(fleet: WatchedFleet) -> None:
    made = manifests.encode(a_manifest(drift=DriftReference(TWO_BINS, {"low": 1000}, {"x": TWO_BINS})))
    with fleet.control.write() as tx:
        tx.add_release(ReleaseRow("meter", "2", "fp32", "any", "onnxruntime", "0" * 64, 1, made, 1.0))
    for name, site, counts in (("gate-1", "porto", [0, 0, 0, 500]), ("gate-2", "braga", [0, 250, 250, 0])):
        fleet.join(name, site=site)
        fleet.report(name, ("meter", "2"))
        fleet.count(name, "meter", "2", Behaviour(inputs={"x": counts}))

    assert fleet.true_of(_C.INPUT_SHIFT) == {"porto/meter:2": 1.0}


def test_one_damaged_manifest_troubles_its_own_alert_alone(fleet: WatchedFleet) -> None:
    with fleet.control.write() as tx:
        tx.add_release(ReleaseRow("meter", "2", "fp32", "any", "onnxruntime", "0" * 64, 1, b"{", 1.0))
    fleet.join("gate-1", seen_s_ago=3600.0)
    fleet.report("gate-1", ("meter", "2"))
    fleet.count("gate-1", "meter", "2", answered(100, errors=50))

    assert "damaged" in fleet.gather(_C.INPUT_SHIFT).trouble
    assert fleet.true_of(_C.ERROR_RATE) == {"meter:2": 0.5}


def test_nodes_are_read_once_for_all_alerts(fleet: WatchedFleet) -> None:
    fleet.join("gate-1", seen_s_ago=3600.0)
    for condition in AlertCondition:
        fleet.watch(condition.value.replace("_", "-"), condition)

    fleet.look()

    assert fleet.asked == ["gate-1"]
