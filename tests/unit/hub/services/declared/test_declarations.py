"""A fleet that is declared in files: plans, problems, drift, pruning, and rollouts that keep their gates."""

import pytest

from ganglion.core.errors import Conflict, InvalidRequest
from ganglion.core.identity_errors import Forbidden
from ganglion.hub.domain.declared.resources import Declared
from ganglion.hub.domain.fleet.specs import AssignmentSpec, SettingsSpec
from ganglion.ports.hub_store import ControlTransaction
from ganglion.wire.apply_resources import ApplyRequest, FleetResource, PlanLine
from ganglion.wire.fleet_resources import GroupDefinition
from unit.hub.services.declaring import DeclaredFleet, actions, differing, resource

LINE_3 = resource("Group", "line-3", select="line=3")
CAREFUL = resource("RolloutPolicy", "careful", stages=["1", "100%"], gate={"soak_s": "60"})
DIGITS = resource("Assignment", "digits", model="digits", version="2", to="group:line-3", policy="careful")


@pytest.fixture
def fleet() -> DeclaredFleet:
    made = DeclaredFleet()
    for number in (1, 2, 3):
        made.add(f"gate-{number}", labels={"line": "3"} if number < 3 else {})
    made.release("digits", "1")
    made.release("digits", "2")
    return made


def reasons(fleet: DeclaredFleet, *resources: object) -> list[tuple[str, str]]:
    return [(each.path, each.reason) for each in fleet.plan(*resources).problems]  # type: ignore[arg-type]  # resources


def test_a_plan_does_nothing(fleet: DeclaredFleet) -> None:
    reply = fleet.plan(LINE_3, CAREFUL, DIGITS)

    assert actions(reply) == {"Group line-3": "create", "RolloutPolicy careful": "create", "Assignment digits": "start"}
    assert (fleet.links(), fleet.rollouts.requests) == (0, [])


def test_what_is_referred_to_is_made_first_whatever_the_order_of_the_files(fleet: DeclaredFleet) -> None:
    reply = fleet.apply(DIGITS, CAREFUL, LINE_3)

    assert [line.kind for line in reply.lines] == ["Group", "RolloutPolicy", "Assignment"]


def test_all_problems_are_told_together_and_nothing_is_done(fleet: DeclaredFleet) -> None:
    bad = [
        resource("Group", "good", select=""),
        resource("Group", "bad", select="=="),
        resource("Site", "porto", timezone="UTC"),
        resource("Tribe", "x"),
        resource("Assignment", "digits", model="digits", version="9", to="group:none"),
    ]

    with pytest.raises(InvalidRequest, match=r"Tribe/x\.yaml:1: kind"):
        fleet.apply(*bad)

    problems = fleet.plan(*bad).problems
    assert sorted((each.kind, each.path) for each in problems) == [
        ("Assignment", "spec.to"),
        ("Assignment", "spec.version"),
        ("Group", "spec"),
        ("Site", "spec.timezone"),
        ("Tribe", "kind"),
    ]
    assert fleet.links() == 0


def test_one_name_twice_is_told_with_the_other_place(fleet: DeclaredFleet) -> None:
    assert reasons(fleet, LINE_3, LINE_3) == [("metadata.name", "it stands in Group/line-3.yaml:1 already")]


def test_two_resources_do_not_set_the_same_value(fleet: DeclaredFleet) -> None:
    one = resource("Settings", "one", scope="fleet", settings={"agent.report_s": "5"})
    two = resource("Settings", "two", scope="fleet", settings={"agent.report_s": "6"})

    assert reasons(fleet, one, two) == [("spec.settings.agent.report_s", "the Settings one declare it too")]


def test_drift_is_shown_and_taken_back(fleet: DeclaredFleet) -> None:
    fleet.apply(LINE_3)
    fleet.places.put_group("line-3", GroupDefinition(select="line=4"), actor="ana")

    (line,) = differing(fleet.plan(LINE_3))
    fleet.apply(LINE_3)

    assert [(each.path, each.was, each.will_be) for each in line.changes] == [("spec.select", '"line=4"', '"line=3"')]
    assert fleet.places.group("line-3").select == "line=3"


def test_only_what_apply_made_is_pruned_and_only_when_asked(fleet: DeclaredFleet) -> None:
    fleet.places.put_group("by-hand", GroupDefinition(select=""), actor="ana")
    fleet.apply(LINE_3, CAREFUL)

    fleet.apply(CAREFUL)
    kept = [group.name for group in fleet.places.groups()]
    fleet.apply(CAREFUL, prune=True)

    assert kept == ["by-hand", "line-3"]
    assert [group.name for group in fleet.places.groups()] == ["by-hand"]


def test_what_a_person_made_is_taken_over_when_a_file_declares_it(fleet: DeclaredFleet) -> None:
    fleet.places.put_group("line-3", GroupDefinition(select="line=3"), actor="ana")

    (line,) = fleet.plan(LINE_3).lines
    fleet.apply(LINE_3)

    assert (line.action, line.changes) == ("change", [])
    assert fleet.places.group("line-3").owner == "apply"
    assert differing(fleet.plan(LINE_3)) == []


def test_a_group_that_is_still_referred_to_is_not_pruned_away(fleet: DeclaredFleet) -> None:
    fleet.apply(LINE_3, CAREFUL, DIGITS)

    with pytest.raises(InvalidRequest, match="there is no Group line-3"):
        fleet.apply(CAREFUL, DIGITS, prune=True)


def test_a_plan_that_is_out_of_date_is_not_carried_out(fleet: DeclaredFleet) -> None:
    seen = fleet.plan(LINE_3)
    fleet.places.put_group("line-3", GroupDefinition(select=""), actor="ana")

    with pytest.raises(Conflict, match="another by now"):
        fleet.apply(LINE_3, expected=seen.digest)


def test_settings_are_set_and_left_to_the_wider_scope_when_they_go(fleet: DeclaredFleet) -> None:
    quiet = resource("Settings", "quiet", scope="node:gate-1", settings={"agent.report_s": "5"})
    fleet.apply(quiet)
    first = fleet.row("gate-1").desired_revision

    fleet.apply(prune=True)

    assert first > 0
    assert fleet.row("gate-1").desired_revision > first
    assert [line.action for line in fleet.plan(quiet).lines] == ["create"]


def test_a_setting_that_somebody_changed_is_drift(fleet: DeclaredFleet) -> None:
    quiet = resource("Settings", "quiet", scope="node:gate-1", settings={"agent.report_s": "5"})
    loud = resource("Settings", "quiet", scope="node:gate-1", settings={"agent.report_s": "9"})
    fleet.apply(quiet)

    (change,) = fleet.plan(loud).lines[0].changes

    assert change.path == "spec.settings.agent.report_s"


def report_s(fleet: DeclaredFleet, node: str) -> tuple[str, str]:
    (line,) = [each for each in fleet.settings.explain(node).settings if each.key == "agent.report_s"]
    return line.source, line.value


def test_a_setting_stays_when_another_resource_declares_it_from_now_on(fleet: DeclaredFleet) -> None:
    late = resource("Settings", "z", scope="fleet", settings={"agent.report_s": "5"})
    early = resource("Settings", "a", scope="fleet", settings={"agent.report_s": "5"})
    fleet.apply(late)

    fleet.apply(early, prune=True)

    assert report_s(fleet, "gate-1") == ("fleet", "5.0")
    assert differing(fleet.plan(early, prune=True)) == []


def test_a_setting_moves_from_one_resource_to_another_in_either_direction(fleet: DeclaredFleet) -> None:
    def split(*, first: bool) -> list[FleetResource]:
        values: dict[bool, object] = {True: {"agent.report_s": "5"}, False: {"collection.random_share": "0.5"}}
        return [resource("Settings", name, scope="fleet", settings=values[(name == "a") is first]) for name in "az"]

    for first in (True, False, True):
        fleet.apply(*split(first=first))

        assert report_s(fleet, "gate-1") == ("fleet", "5.0")
        assert differing(fleet.plan(*split(first=first))) == []


def test_two_resources_exchange_their_nodes(fleet: DeclaredFleet) -> None:
    def quiet(one: str, other: str) -> list[FleetResource]:
        return [
            resource("Settings", "a", scope=f"node:{one}", settings={"agent.report_s": "5"}),
            resource("Settings", "z", scope=f"node:{other}", settings={"agent.report_s": "6"}),
        ]

    fleet.apply(*quiet("gate-1", "gate-2"))
    fleet.apply(*quiet("gate-2", "gate-1"))

    assert [report_s(fleet, node) for node in ("gate-1", "gate-2")] == [("node gate-1", "6.0"), ("node gate-2", "5.0")]


def test_an_assignment_starts_a_rollout_by_its_policy(fleet: DeclaredFleet) -> None:
    reply = fleet.apply(LINE_3, CAREFUL, DIGITS)

    (request,) = fleet.rollouts.requests
    assert (request.model, request.version, request.to, request.stages) == (
        "digits",
        "2",
        "group:line-3",
        ["1", "100%"],
    )
    assert request.gate.soak_s == 60.0
    assert reply.lines[-1].note == "rollout r1 is running"


def test_nodes_that_have_what_is_assigned_need_no_rollout(fleet: DeclaredFleet) -> None:
    fleet.serve("digits", "2", ["gate-1", "gate-2"])

    fleet.apply(LINE_3, CAREFUL, DIGITS)

    assert fleet.rollouts.requests == []
    assert differing(fleet.plan(LINE_3, CAREFUL, DIGITS)) == []


def test_one_node_that_lacks_it_is_enough(fleet: DeclaredFleet) -> None:
    fleet.serve("digits", "2", ["gate-1"])

    (line,) = [line for line in fleet.plan(LINE_3, CAREFUL, DIGITS).lines if line.kind == "Assignment"]

    assert (line.action, line.note) == ("start", "a rollout for 1 of 2 nodes")


def test_a_rollout_that_cannot_start_is_told_and_tried_again(fleet: DeclaredFleet) -> None:
    fleet.rollouts.refuses = "another one is open"

    reply = fleet.apply(LINE_3, CAREFUL, DIGITS)
    fleet.rollouts.refuses = ""
    fleet.apply(LINE_3, CAREFUL, DIGITS)

    assert reply.lines[-1].note == "not started: another one is open"
    assert len(fleet.rollouts.requests) == 1


def test_a_line_that_the_caller_may_not_change_stops_everything(fleet: DeclaredFleet) -> None:
    def refuse(*_: object) -> None:
        raise Forbidden("not yours")

    with pytest.raises(Forbidden, match=r"Group/line-3\.yaml:1: Group line-3: not yours"):
        fleet.declarations.apply(ApplyRequest(resources=[LINE_3]), actor="rui", check=refuse)

    assert fleet.places.groups() == []


class Asked:
    """Lets everything pass, and notes what it was asked for."""

    def __init__(self) -> None:
        self.of: list[tuple[str, object]] = []

    def __call__(self, _tx: ControlTransaction, line: PlanLine, declared: Declared) -> None:
        self.of.append((line.action, declared.spec))


def asked(fleet: DeclaredFleet, *resources: FleetResource) -> list[tuple[str, object]]:
    """Return what a caller's role is asked for when these are applied."""
    check = Asked()
    fleet.declarations.apply(ApplyRequest(resources=list(resources)), actor="rui", check=check)
    return check.of


def test_a_line_is_checked_for_what_it_takes_the_place_of_too(fleet: DeclaredFleet) -> None:
    fleet.apply(resource("Settings", "quiet", scope="site:porto", settings={"agent.report_s": "5"}))

    of = asked(fleet, resource("Settings", "quiet", scope="node:gate-1", settings={"agent.report_s": "5"}))

    assert [spec.scope for _, spec in of if isinstance(spec, SettingsSpec)] == ["node:gate-1", "site:porto"]


def test_an_assignment_that_is_only_written_down_for_now_is_checked_like_any_other(fleet: DeclaredFleet) -> None:
    fleet.put_rollout("digits", "1")

    of = asked(fleet, LINE_3, CAREFUL, DIGITS)

    assert ("wait", "digits") in [(action, spec.model) for action, spec in of if isinstance(spec, AssignmentSpec)]


def test_what_is_only_kept_is_nobodys_concern(fleet: DeclaredFleet) -> None:
    fleet.serve("digits", "2", ["gate-1", "gate-2"])
    fleet.apply(LINE_3, CAREFUL, DIGITS)

    assert asked(fleet, LINE_3, CAREFUL, DIGITS) == []


def test_a_start_that_is_tried_again_is_not_declared_again(fleet: DeclaredFleet) -> None:
    fleet.rollouts.refuses = "another one is open"
    fleet.apply(LINE_3, CAREFUL, DIGITS)
    before = fleet.links()

    fleet.apply(LINE_3, CAREFUL, DIGITS)

    assert fleet.links() == before


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        ("Assignment", {"model": "digits"}, "spec"),
        ("Assignment", {"model": "digits", "version": "2", "to": "line-3"}, "spec.to"),
        ("Assignment", {"model": "../x", "version": "2"}, "spec"),
        ("RolloutPolicy", {"gate": {"soak": "60"}}, "spec.gate.soak"),
        ("RolloutPolicy", {"gate": {"soak_s": "long"}}, "spec.gate"),
        ("RolloutPolicy", {"stages": ["0%"]}, "spec"),
        ("Settings", {"scope": "porto", "settings": {}}, "spec.scope"),
        ("Settings", {"scope": "fleet:", "settings": {}}, "spec.scope"),
        ("Settings", {"scope": "fleet", "settings": {"agent.colour": "red"}}, "spec.settings.agent.colour"),
        ("Settings", {"scope": "node:nobody", "settings": {}}, "spec.scope"),
        ("Site", {"time_zone": "Mars/Olympus"}, "spec.time_zone"),
        ("Group", {"nodes": "gate-1"}, "spec.nodes"),
        ("Group", {}, "spec"),
    ],
)
def test_what_cannot_be_is_told_with_its_field(
    fleet: DeclaredFleet, kind: str, spec: dict[str, object], path: str
) -> None:
    assert [told for told, _ in reasons(fleet, resource(kind, "x", **spec))] == [path]
