"""Alerts as people handle them."""

from typing import Any

import pytest

from ganglion.core.errors import Conflict, InvalidRequest, NotFound
from ganglion.hub.services.alerts.alerts import SILENCE_S_MAX
from ganglion.hub.services.declared.documents import ALERTS_MAX
from ganglion.wire.alert_resources import AlertCondition, AlertDefinition, AlertSilence
from unit.hub.services.declaring import actions, differing, resource
from unit.hub.services.watching import WatchedFleet

_C = AlertCondition
SILENT = resource("Alert", "silent", condition="node_silent", limit="900", at_least="10%", severity="critical")


@pytest.fixture
def fleet() -> WatchedFleet:
    made = WatchedFleet()
    made.clock.advance(86_400.0)
    return made


def silence(fleet: WatchedFleet, for_s: float, reason: str = "moving") -> None:
    fleet.alerts.silence("silent", AlertSilence(for_s=for_s, reason=reason), actor="ana")


def test_an_alert_is_declared_shown_and_forgotten(fleet: WatchedFleet) -> None:
    view = fleet.alerts.put("silent", AlertDefinition(condition=_C.NODE_SILENT), actor="ana")
    listed = fleet.alerts.views()
    fleet.alerts.remove("silent", actor="ana")

    assert (view.state, view.unit, view.definition.limit, view.definition.per) == ("ok", "s", 600.0, "fleet")
    assert listed == [view]
    assert fleet.alerts.views() == []
    assert (fleet.audited("alert.declared"), fleet.audited("alert.removed")) == (["silent"], ["silent"])


def test_an_alert_that_is_declared_twice_is_declared_once(fleet: WatchedFleet) -> None:
    for _ in range(2):
        fleet.alerts.put("silent", AlertDefinition(condition=_C.NODE_SILENT), actor="ana")

    assert fleet.audited("alert.declared") == ["silent"]


def test_what_is_not_there_cannot_be_shown_silenced_or_forgotten(fleet: WatchedFleet) -> None:
    for act in (
        lambda: fleet.alerts.alert("none"),
        lambda: fleet.alerts.history("none"),
        lambda: fleet.alerts.remove("none", actor="ana"),
        lambda: fleet.alerts.spec("none"),
        lambda: fleet.alerts.silence("none", AlertSilence(for_s=0.0), actor="ana"),
    ):
        with pytest.raises(NotFound):
            act()


@pytest.mark.parametrize("definition", [{"per": "planet"}, {"limit": -1.0}, {"at_least": "0"}])
def test_what_cannot_be_watched_is_refused(fleet: WatchedFleet, definition: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        fleet.watch("silent", **definition)


def test_an_alert_for_a_group_needs_the_group(fleet: WatchedFleet) -> None:
    with pytest.raises(NotFound):
        fleet.watch("silent", to="group:none")


def test_there_are_not_too_many(fleet: WatchedFleet) -> None:
    for number in range(ALERTS_MAX):
        fleet.watch(f"silent-{number}")

    fleet.watch("silent-0", limit=1.0)
    with pytest.raises(Conflict):
        fleet.watch("one-more")
    with pytest.raises(Conflict):
        fleet.apply(SILENT)


def test_alerts_are_listed_by_state(fleet: WatchedFleet) -> None:
    fleet.join("far", seen_s_ago=3600.0)
    fleet.watch("silent")
    fleet.watch("later", for_s=600.0)
    fleet.watch("disk", _C.HUB_DISK_LOW)
    fleet.look()

    found = {state: [view.name for view in fleet.alerts.views(state=state)] for state in ("ok", "pending", "firing")}

    assert found == {"ok": ["disk"], "pending": ["later"], "firing": ["silent"]}
    assert fleet.alerts.firing() == [("disk", "warning", 0), ("later", "warning", 0), ("silent", "warning", 1)]
    with pytest.raises(InvalidRequest):
        fleet.alerts.views(state="broken")


def test_a_silence_has_an_end_a_reason_and_a_person(fleet: WatchedFleet) -> None:
    fleet.watch("silent")

    silence(fleet, 3600.0)
    view = fleet.alerts.alert("silent")
    silence(fleet, 0.0, "")

    assert (view.silenced_by, view.silence_reason) == ("ana", "moving")
    assert view.silenced_until_s == pytest.approx(fleet.now_s + 3600.0)
    assert fleet.alerts.alert("silent").silenced_until_s is None
    assert [line.event for line in fleet.alerts.history("silent")] == ["unsilenced", "silenced"]
    assert (fleet.audited("alert.silenced"), fleet.audited("alert.unsilenced")) == (["silent"], ["silent"])


@pytest.mark.parametrize(
    ("for_s", "reason"), [(-1.0, "x"), (SILENCE_S_MAX + 1.0, "x"), (float("nan"), "x"), (60.0, " ")]
)
def test_a_silence_without_an_end_or_a_reason_is_refused(fleet: WatchedFleet, for_s: float, reason: str) -> None:
    fleet.watch("silent")

    with pytest.raises(InvalidRequest):
        silence(fleet, for_s, reason)


def test_a_history_is_bounded(fleet: WatchedFleet) -> None:
    fleet.watch("silent")
    for _ in range(120):
        silence(fleet, 0.0)

    assert len(fleet.alerts.history("silent")) == 100


def test_files_declare_alerts_and_applying_twice_is_applying_once(fleet: WatchedFleet) -> None:
    first = fleet.apply(SILENT)
    second = fleet.plan(SILENT)

    assert (actions(first), differing(second)) == ({"Alert silent": "create"}, [])
    view = fleet.alerts.alert("silent")
    assert (view.owner, view.definition.limit, view.definition.at_least) == ("apply", 900.0, "10%")


def test_what_a_person_changed_shows_and_is_taken_back(fleet: WatchedFleet) -> None:
    fleet.apply(SILENT)
    fleet.watch("silent", limit=60.0, at_least="10%", severity="critical", for_s=300.0, resolve_after_s=300.0)

    (line,) = differing(fleet.plan(SILENT))
    fleet.apply(SILENT)

    assert [(each.path, each.was, each.will_be) for each in line.changes] == [("spec.limit", "60.0", "900.0")]
    assert fleet.alerts.alert("silent").definition.limit == 900.0


def test_an_alert_that_no_file_names_any_more_is_pruned(fleet: WatchedFleet) -> None:
    fleet.apply(SILENT)
    fleet.watch("by-hand")

    fleet.apply(prune=True)

    assert [view.name for view in fleet.alerts.views()] == ["by-hand"]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"condition": "moon_full"}, "spec.condition"),
        ({"condition": "node_silent", "to": "group:none"}, "spec.to"),
        ({"condition": "node_silent", "at_least": "0"}, "spec"),
        ({"condition": "node_silent", "expression": "1"}, "spec.expression"),
        ({"condition": "node_silent", "per": "planet"}, "spec.per"),
        ({"condition": "node_silent", "limit": "much"}, "spec.limit"),
        ({}, "spec"),
    ],
)
def test_a_file_that_declares_what_cannot_be_is_told_where(
    fleet: WatchedFleet, spec: dict[str, object], path: str
) -> None:
    (problem,) = fleet.plan(resource("Alert", "bad", **spec)).problems

    assert problem.path == path
