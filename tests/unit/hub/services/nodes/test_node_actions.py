"""The same decision about many nodes."""

import pytest

from ganglion.core.errors import Conflict, InvalidRequest, NotFound, TooLarge
from ganglion.core.identity_errors import Forbidden
from ganglion.hub.domain.nodes.lifecycle import Standing, standing_of
from ganglion.hub.services.nodes import node_actions
from ganglion.ports.hub_store import NodeTerm
from ganglion.trust.envelope import ArgumentRule, Envelope, Limits, NamedAction
from ganglion.wire.fleet_resources import NodeActionRequest
from unit.hub.services.fleets import FleetAtHand

DISK = NamedAction(name="disk", command=("/bin/df", "{path}"), arguments={"path": ArgumentRule(values=("/",))})


@pytest.fixture
def fleet() -> FleetAtHand:
    made = FleetAtHand()
    for number in range(1, 5):
        made.add(f"gate-{number}", labels={"line": "3" if number < 3 else "4"})
    made.add("old", labels={"line": "3"}, retired_at_s=5.0)
    made.add("odd", labels={"line": "3"}, quarantined_at_s=5.0, quarantine_reason="away")
    return made


def test_labels_are_set_and_taken_where_the_selector_says(fleet: FleetAtHand) -> None:
    reply = fleet.act("label", select="line=3", labels={"canary": "yes", "line": None})

    assert [line.node for line in reply.nodes] == ["gate-1", "gate-2", "odd"]
    assert fleet.labels("gate-1") == {"canary": "yes"}
    assert fleet.labels("gate-3") == {"line": "4"}


def test_a_label_that_is_there_already_changes_nothing_and_leaves_no_link(fleet: FleetAtHand) -> None:
    reply = fleet.act("label", select="line=4", labels={"line": "4"})

    assert (reply.changed, reply.unchanged) == (0, 2)
    assert (fleet.audited("node.labelled"), fleet.woken) == ([], [])


def test_a_node_with_other_labels_asks_anew_for_what_it_should_be(fleet: FleetAtHand) -> None:
    before = fleet.row("gate-1").desired_revision

    fleet.act("label", nodes=["gate-1"], labels={"canary": "yes"})

    assert fleet.row("gate-1").desired_revision > before
    assert fleet.woken == ["id-gate-1"]


def test_each_node_that_changes_has_a_link_with_the_reason(fleet: FleetAtHand) -> None:
    fleet.act("retire", select="line=4", reason="line 4 is closed")

    assert fleet.audited("node.retired") == ["gate-3", "gate-4"]
    assert standing_of(fleet.row("gate-3")) is Standing.RETIRED


def test_doing_it_twice_is_doing_it_once(fleet: FleetAtHand) -> None:
    fleet.act("retire", nodes=["gate-1"])

    again = fleet.act("retire", nodes=["gate-1"])

    assert (again.changed, again.unchanged) == (0, 1)
    assert fleet.audited("node.retired") == ["gate-1"]


def test_a_node_that_has_not_changed_its_key_yet_is_not_asked_again(fleet: FleetAtHand) -> None:
    fleet.act("rekey", nodes=["gate-1"])
    asked = fleet.row("gate-1")

    again = fleet.act("rekey", nodes=["gate-1"])

    assert (again.unchanged, fleet.row("gate-1")) == (1, asked)
    assert fleet.audited("node.rekey_asked") == ["gate-1"]


def test_a_dry_run_tells_the_same_and_does_nothing(fleet: FleetAtHand) -> None:
    told = fleet.act("retire", select="line=3", dry_run=True)

    assert [(line.node, line.outcome) for line in told.nodes] == [(n, "changed") for n in ("gate-1", "gate-2", "odd")]
    assert fleet.audited("node.retired") == []
    assert fleet.act("retire", select="line=3").nodes == told.nodes


def test_nothing_is_done_when_another_number_of_nodes_is_meant_by_now(fleet: FleetAtHand) -> None:
    fleet.add("gate-9", labels={"line": "3"})

    with pytest.raises(Conflict, match="4 nodes would change, and 3 were expected"):
        fleet.act("retire", select="line=3", expected=3)

    assert standing_of(fleet.row("gate-1")) is Standing.ACTIVE


def test_a_selector_means_only_nodes_that_the_action_can_concern(fleet: FleetAtHand) -> None:
    assert [line.node for line in fleet.act("admit", select="").nodes] == ["odd"]
    assert standing_of(fleet.row("odd")) is Standing.ACTIVE


def test_a_named_node_that_cannot_do_it_is_told_and_does_not_stop_the_others(fleet: FleetAtHand) -> None:
    reply = fleet.act("rekey", nodes=["gate-1", "old"])

    assert [(line.node, line.outcome) for line in reply.nodes] == [("gate-1", "changed"), ("old", "refused")]
    assert "retired" in reply.nodes[1].detail
    assert fleet.row("gate-1").rekey_asked_at_s is not None


def test_many_nodes_are_asked_at_once(fleet: FleetAtHand) -> None:
    reply = fleet.act("ask", select="line=4", command="report")

    assert (reply.changed, fleet.audited("node.commanded")) == (2, ["gate-3", "gate-4"])


def test_why_nodes_are_asked_stands_in_the_chain(fleet: FleetAtHand) -> None:
    fleet.act("ask", select="line=4", command="report", reason="before the audit")

    assert fleet.reasons("node.commanded") == ["before the audit"] * 2


def test_many_nodes_are_asked_for_an_action_in_the_name_and_role_of_whoever_asks(fleet: FleetAtHand) -> None:
    fleet.envelope = Envelope(limits=Limits(actions=(DISK,)))

    reply = fleet.act("ask", select="line=4", command="disk", arguments=["path=/"], role="operator")

    given = [each.command for each in fleet.commands()]
    assert reply.changed == 2
    assert {(each.name, each.arguments, each.person, each.role) for each in given} == {
        ("disk", ("path=/",), "ana", "operator")
    }


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("wish", "role", "error"),
    [
        ({"command": "disk", "arguments": ["path=/"]}, "viewer", Forbidden),
        ({"command": "disk", "arguments": ["path=/root"]}, "operator", InvalidRequest),
        ({"command": "fly"}, "operator", InvalidRequest),
        ({"command": "collect"}, "operator", InvalidRequest),
    ],
)
def test_what_every_node_would_refuse_is_refused_before_any_is_asked(
    fleet: FleetAtHand, wish: dict[str, object], role: str, error: type[Exception], *, dry_run: bool
) -> None:
    fleet.envelope = Envelope(limits=Limits(actions=(DISK,)))

    with pytest.raises(error):
        fleet.act("ask", select="", role=role, dry_run=dry_run, **wish)

    assert fleet.commands() == []


def test_nodes_that_the_caller_may_not_see_are_left_alone(fleet: FleetAtHand) -> None:
    request = NodeActionRequest(action="retire", select="")

    reply = fleet.actions.act(request, actor="ana", sees=lambda _: (((NodeTerm("name", ("gate-1",)),),),))

    assert [line.node for line in reply.nodes] == ["gate-1"]
    assert standing_of(fleet.row("gate-2")) is Standing.ACTIVE


@pytest.mark.parametrize(
    "wish",
    [
        {"action": "fly", "select": ""},
        {"action": "retire"},
        {"action": "label", "select": ""},
        {"action": "retire", "select": "", "labels": {"a": "1"}},
        {"action": "ask", "select": ""},
        {"action": "retire", "select": "", "command": "report"},
        {"action": "retire", "select": "", "arguments": ["path=/"]},
        {"action": "label", "select": "", "labels": {"site": "x"}},
        {"action": "retire", "select": "line=="},
    ],
)
def test_what_cannot_be_meant_is_refused(fleet: FleetAtHand, wish: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        fleet.act(**wish)  # type: ignore[arg-type]  # the wish holds the action too


def test_an_unknown_name_stops_everything(fleet: FleetAtHand) -> None:
    with pytest.raises(NotFound):
        fleet.act("retire", nodes=["gate-1", "nobody"])

    assert standing_of(fleet.row("gate-1")) is Standing.ACTIVE


def test_the_number_of_nodes_is_bounded(fleet: FleetAtHand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_actions, "NODES_MAX", 3)

    with pytest.raises(TooLarge):
        fleet.act("retire", select="")
