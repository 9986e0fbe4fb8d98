"""Looks at alerts: what is stored together, what is told once, and what a hub that begins anew knows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from ganglion.core.errors import DiskUnusable
from ganglion.hub.domain.alerts.alerting import Watch
from ganglion.hub.domain.alerts.conditions import RULES
from ganglion.hub.services.alerts.facts import Found
from ganglion.wire.alert_resources import AlertCondition, AlertDefinition, Severity
from ganglion.wire.fleet_resources import GroupDefinition
from unit.hub.services.watching import WatchedFleet, bodies

_C = AlertCondition


@pytest.fixture
def fleet() -> WatchedFleet:
    made = WatchedFleet()
    made.clock.advance(86_400.0)
    made.join("far", seen_s_ago=3600.0)
    return made


def state(fleet: WatchedFleet, name: str = "silent") -> str:
    return fleet.alerts.alert(name).state


def come_back(fleet: WatchedFleet) -> None:
    fleet.report("far")


def test_what_is_true_for_long_enough_is_told_and_told_to_be_over(fleet: WatchedFleet) -> None:
    fleet.watch("silent", for_s=120.0, resolve_after_s=60.0)

    states = []
    for _ in range(4):
        fleet.look()
        states.append(state(fleet))
    come_back(fleet)
    for _ in range(2):
        fleet.look()
        states.append(state(fleet))

    assert states == ["pending", "pending", "firing", "firing", "firing", "ok"]
    assert fleet.told() == [("firing", "silent"), ("resolved", "silent")]


def test_a_message_says_who_since_when_and_how_bad(fleet: WatchedFleet) -> None:
    fleet.watch("silent", per="node", description="ring the plant", severity=Severity.CRITICAL)

    fleet.look()
    fleet.deliver()

    (body,) = bodies(fleet.chat)
    assert (body["severity"], body["description"], body["count"]) == ("critical", "ring the plant", 1)
    assert [(each["subject"], each["text"]) for each in body["subjects"]] == [("far", "not heard of for 61 min")]
    assert [body["id"] for body in bodies(fleet.pager)] == [body["id"]]


def test_who_wants_only_what_is_critical_hears_nothing_else(fleet: WatchedFleet) -> None:
    fleet.watch("silent")

    fleet.look()

    assert (fleet.told(), fleet.told(fleet.pager)) == ([("firing", "silent")], [])


@pytest.mark.parametrize("anew", ["before", "after"])
def test_a_hub_that_begins_anew_tells_nothing_twice(fleet: WatchedFleet, anew: str) -> None:
    fleet.watch("silent", for_s=60.0, resolve_after_s=60.0)
    for _ in range(6):
        if anew == "before":
            fleet.begin_anew()
        fleet.look(2)
        if anew == "after":
            fleet.begin_anew()
    come_back(fleet)
    for _ in range(3):
        fleet.begin_anew()
        fleet.look(2)

    assert fleet.told() == [("firing", "silent"), ("resolved", "silent")]


def test_a_look_that_cannot_be_stored_has_told_nobody_and_the_next_one_does(fleet: WatchedFleet) -> None:
    fleet.watch("silent")
    fleet.control.disk_full = True
    with pytest.raises(DiskUnusable):
        fleet.look()
    fleet.control.disk_full = False

    fleet.look()

    assert fleet.told() == [("firing", "silent")]
    assert fleet.audited("alert.fired") == ["silent"]


def test_what_fires_in_a_silence_is_told_when_it_ends(fleet: WatchedFleet) -> None:
    fleet.watch("silent")
    fleet.silence("silent", 3600.0)
    fleet.look()
    in_silence = (state(fleet), fleet.told())

    fleet.clock.advance(3600.0)
    fleet.look()

    assert in_silence == ("firing", [])
    assert fleet.told() == [("firing", "silent")]
    assert fleet.alerts.alert("silent").silenced_until_s is None


def test_what_was_told_is_told_to_be_over_even_in_a_silence(fleet: WatchedFleet) -> None:
    fleet.watch("silent")
    fleet.look()
    fleet.silence("silent", 3600.0)
    come_back(fleet)

    fleet.look()

    assert fleet.told() == [("firing", "silent"), ("resolved", "silent")]


def test_an_alert_that_is_removed_is_told_to_be_over_and_leaves_nothing(fleet: WatchedFleet) -> None:
    fleet.watch("silent")
    fleet.look()
    fleet.alerts.remove("silent", actor="ana")

    fleet.look(2)

    assert fleet.told() == [("firing", "silent"), ("resolved", "silent")]
    with fleet.control.read() as tx:
        assert (tx.documents("alert-state"), tx.documents("alert-history")) == ([], [])


def test_an_alert_that_is_declared_anew_follows_its_new_rule(fleet: WatchedFleet) -> None:
    fleet.watch("silent")
    fleet.look()

    fleet.watch("silent", limit=7200.0)
    fleet.look()

    assert fleet.told() == [("firing", "silent"), ("resolved", "silent")]


def test_an_alert_that_cannot_be_looked_at_stays_as_it_is_and_says_why(fleet: WatchedFleet) -> None:
    fleet.places.put_group("line-3", GroupDefinition(nodes=["far"]), actor="ana")
    fleet.watch("silent", to="group:line-3")
    fleet.look()
    fleet.places.remove_group("line-3", actor="ana")

    fleet.look(3)

    view = fleet.alerts.alert("silent")
    assert (view.state, view.trouble) == ("firing", "there is no group 'line-3'")
    assert fleet.told() == [("firing", "silent")]


def test_a_person_who_changes_an_alert_during_a_look_is_not_overruled(fleet: WatchedFleet) -> None:
    fleet.watch("silent")
    real = fleet.control.write

    @contextmanager
    def change_first(*, lasting: bool = True) -> Iterator[object]:
        fleet.control.write = real  # type: ignore[method-assign]  # once
        fleet.alerts.put("silent", AlertDefinition(condition=_C.HUB_DISK_LOW), actor="ana")
        with real(lasting=lasting) as tx:
            yield tx

    fleet.control.write = change_first  # type: ignore[method-assign,assignment]  # between reading and writing
    fleet.look()

    assert (state(fleet), fleet.told()) == ("ok", [])


def test_what_stays_as_it_is_is_not_written_again(fleet: WatchedFleet) -> None:
    fleet.watch("silent")
    fleet.watch("disk", _C.HUB_DISK_LOW)
    fleet.look()
    links = fleet.links()
    fleet.control.disk_full = True

    fleet.look(3)

    assert fleet.links() == links


def test_every_change_stands_in_the_audit_chain_and_in_the_history(fleet: WatchedFleet) -> None:
    fleet.watch("silent", per="node")
    fleet.look()
    come_back(fleet)
    fleet.look()

    newest, oldest = fleet.alerts.history("silent")
    assert (oldest.event, oldest.subjects, oldest.text) == ("fired", ["far"], "far: not heard of for 61 min")
    assert (newest.event, newest.count) == ("resolved", 1)
    assert (fleet.audited("alert.fired"), fleet.audited("alert.resolved")) == (["silent"], ["silent"])


def test_a_view_shows_what_is_true_now(fleet: WatchedFleet) -> None:
    fleet.watch("silent", per="node")
    fleet.look(2)

    (subject,) = fleet.alerts.alert("silent").subjects

    assert (subject.subject, subject.text, subject.state) == ("far", "not heard of for 62 min", "firing")


def test_a_long_look_is_followed_by_a_long_rest(fleet: WatchedFleet) -> None:
    fleet.watch("silent")
    real = fleet.facts.gather

    def slow(watches: Mapping[str, Watch]) -> dict[str, Found]:
        fleet.clock.advance(30.0)
        return real(watches)

    fleet.facts.gather = slow  # type: ignore[method-assign]  # a store that takes its time
    fleet.looks.tick()
    asked = len(fleet.asked)

    fleet.look(8)
    rested = len(fleet.asked)
    fleet.look(2)

    assert (asked, rested, len(fleet.asked)) == (1, 1, 2)


def test_a_queue_that_is_full_drops_the_oldest(fleet: WatchedFleet) -> None:
    fleet.chat.trouble = "down"
    for number in range(fleet.queue_max + 3):
        fleet.watch(f"silent-{number:02}")
        fleet.look()

    assert fleet.waiting == fleet.queue_max
    with fleet.control.read() as tx:
        names = [row.name for row in tx.documents("alert-message")]
    assert names == sorted(names)
    fleet.chat.trouble = ""
    assert fleet.told()[0] == ("firing", "silent-03")


def test_every_condition_can_be_looked_at(fleet: WatchedFleet) -> None:
    for condition in RULES:
        fleet.watch(condition.value, condition)

    fleet.look()

    assert [view.name for view in fleet.alerts.views() if view.trouble] == []
