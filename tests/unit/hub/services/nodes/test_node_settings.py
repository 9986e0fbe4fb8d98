"""Settings of fleet, site and node, and commands, as they reach a node."""

from dataclasses import replace

import msgspec
import pytest

from ganglion.core.errors import Conflict, InvalidName, InvalidRequest, NotFound
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.nodes.node_settings import NodeSettings
from ganglion.hub.services.organisation import groups
from ganglion.hub.services.organisation.groups import Group
from ganglion.ports.hub_store import DocumentRow
from ganglion.ports.people_store import AuditQuery
from ganglion.testing.fleet_world import FleetWorld
from ganglion.wire import codec
from ganglion.wire.desired import DesiredState, SettingsReport
from ganglion.wire.node_resources import CommandRequest, SettingsChange


class World(FleetWorld):
    """Two nodes on one site and one on another, and the service that is tested."""

    def __init__(self) -> None:
        super().__init__()
        for name, site in (("n1", "north"), ("n2", "north"), ("s1", "south")):
            self.join(name, site=site)
        self.desired = Desired(
            control=self.control,
            repository_root_version=lambda: 1,
            changed=self.woken.extend,
            now_s=lambda: self.now_s,
        )
        self.settings = NodeSettings(control=self.control, desired=self.desired, clock=self.clock, chance=self.chance)

    def state(self, name: str) -> DesiredState:
        return self.desired.state_of(f"id-{name}")

    def share(self, name: str) -> float:
        return self.state(name).collection.random_share

    def report(self, name: str, **answers: str) -> None:
        report = msgspec.structs.replace(self.nodes[name].report(), commands=answers)
        self.fleet.take_report(f"id-{name}", report)


@pytest.fixture
def world() -> World:
    return World()


def put(**values: str) -> SettingsChange:
    return SettingsChange({f"collection.{key}": value for key, value in values.items()})


# --- settings -------------------------------------------------------------------------------------


def test_a_nodes_own_setting_wins_over_its_sites_and_that_over_the_fleets(world: World) -> None:
    world.settings.change_fleet(put(random_share="0.1"), actor="ada")
    world.settings.change_site("north", put(random_share="0.2"), actor="ada")
    world.settings.change_node("n1", put(random_share="0.3"), actor="ada")

    assert (world.share("n1"), world.share("n2"), world.share("s1")) == (0.3, 0.2, 0.1)


def test_what_is_unset_is_left_to_the_wider_one(world: World) -> None:
    world.settings.change_fleet(put(random_share="0.1"), actor="ada")
    world.settings.change_node("n1", put(random_share="0.3"), actor="ada")

    world.settings.change_node("n1", SettingsChange(unset=["collection.random_share"]), actor="ada")

    assert world.share("n1") == 0.1


def test_every_setting_is_explained_with_its_source(world: World) -> None:
    world.settings.change_fleet(put(random_share="0.1", confidence_below="0.9"), actor="ada")
    world.settings.change_site("north", put(confidence_below="0.8"), actor="ada")
    world.settings.change_node("n1", SettingsChange({"agent.log_level": "debug"}), actor="ada")

    view = world.settings.explain("n1")

    told = {line.key: (line.value, line.source) for line in view.settings}
    assert told["collection.random_share"] == ("0.1", "fleet")
    assert told["collection.confidence_below"] == ("0.8", "site north")
    assert told["agent.log_level"] == ('"debug"', "node n1")
    assert told["collection.bytes_per_hour"] == ("2000000", "default")


def test_a_change_is_news_to_the_nodes_that_it_reaches_and_to_no_other(world: World) -> None:
    before = {name: world.state(name).revision for name in world.nodes}
    world.woken.clear()

    world.settings.change_site("north", put(random_share="0.2"), actor="ada")

    newer = {name for name in world.nodes if world.state(name).revision > before[name]}
    assert newer == {"n1", "n2"}
    assert set(world.woken) == {"id-n1", "id-n2"}


def test_the_same_again_is_no_news(world: World) -> None:
    world.settings.change_fleet(put(random_share="0.2"), actor="ada")
    revision = world.state("n1").revision

    world.settings.change_fleet(put(random_share="0.2"), actor="ada")

    assert world.state("n1").revision == revision
    with world.control.read() as tx:
        assert len(tx.audit(AuditQuery(action="node.settings"))) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("collection.nothing", "1"),
        ("random_share", "1"),
        ("collection.random_share", "1.5"),
        ("collection.random_share", "-0.1"),
        ("collection.random_share", "NaN"),
        ("collection.random_share", "often"),
        ("collection.bytes_per_hour", "1e400"),
        ("collection.bytes_per_hour", "-1"),
        ("collection.bytes_per_hour", "9" * 30),
        ("agent.log_level", "loud"),
        ("agent.report_s", "inf"),
        ("agent.log_level", "x" * 3000),
        ("", ""),
    ],
)
def test_a_setting_that_cannot_be_is_refused_and_changes_nothing(world: World, key: str, value: str) -> None:
    revision = world.state("n1").revision

    with pytest.raises(InvalidRequest):
        world.settings.change_node("n1", SettingsChange({"collection.random_share": "0.5", key: value}), actor="ada")
    with pytest.raises(InvalidRequest):
        world.settings.change_node("n1", SettingsChange(unset=["nothing"]), actor="ada")

    assert (world.state("n1").revision, world.share("n1")) == (revision, 0.02)


def test_what_is_not_there_is_named(world: World) -> None:
    with pytest.raises(NotFound, match="'n9'"):
        world.settings.change_node("n9", put(random_share="0.5"), actor="ada")
    with pytest.raises(NotFound):
        world.settings.explain("n9")
    with pytest.raises(InvalidName):
        world.settings.change_site("../x", put(random_share="0.5"), actor="ada")


def test_a_setting_that_this_release_does_not_know_any_more_has_no_effect(world: World) -> None:
    with world.control.write() as tx:
        tx.set_meta("node_settings", '{"fleet":{"collection.gone":7,"collection.random_share":0.5}}')

    assert world.share("n1") == 0.5
    assert "collection.gone" not in {line.key for line in world.settings.explain("n1").settings}


# --- commands -------------------------------------------------------------------------------------


def test_a_command_waits_until_the_node_answers_it(world: World) -> None:
    given = world.settings.command("n1", CommandRequest("collect", count=5), actor="ada")

    (command,) = world.state("n1").commands
    assert (command.id, command.name, command.count) == (given.id, "collect", 5)
    assert world.state("n2").commands == ()
    assert [each.state for each in world.settings.commands("n1")] == ["waiting"]

    world.report("n1", **{given.id: "done"})

    assert world.state("n1").commands == ()
    assert [each.state for each in world.settings.commands("n1")] == ["done"]


def test_a_command_is_news_to_its_node_at_once(world: World) -> None:
    revision = world.state("n1").revision
    world.woken.clear()

    world.settings.command("n1", CommandRequest("report"), actor="ada")

    assert world.state("n1").revision > revision
    assert world.woken == ["id-n1"]


def test_a_node_that_comes_back_too_late_is_not_told(world: World) -> None:
    world.settings.command("n1", CommandRequest("report", expires_in_s=60), actor="ada")
    world.clock.advance(60)

    assert world.state("n1").commands == ()
    assert [each.state for each in world.settings.commands("n1")] == ["expired"]


def test_commands_that_ended_are_forgotten_after_a_day(world: World) -> None:
    world.settings.command("n1", CommandRequest("report", expires_in_s=60), actor="ada")
    world.clock.advance(60 + 86_400)
    world.settings.command("n2", CommandRequest("report"), actor="ada")

    assert world.settings.commands("n1") == []


def test_only_so_many_commands_wait_for_a_node(world: World) -> None:
    for _ in range(16):
        world.settings.command("n1", CommandRequest("report", expires_in_s=60), actor="ada")
    with pytest.raises(Conflict, match="16"):
        world.settings.command("n1", CommandRequest("report"), actor="ada")

    world.clock.advance(60)
    world.settings.command("n1", CommandRequest("report"), actor="ada")

    assert len(world.state("n1").commands) == 1


@pytest.mark.parametrize(
    "request_",
    [
        CommandRequest("reboot"),
        CommandRequest("collect"),
        CommandRequest("collect", count=-1),
        CommandRequest("collect", count=10_001),
        CommandRequest("report", count=1),
        CommandRequest("report", expires_in_s=0),
        CommandRequest("report", expires_in_s=float("nan")),
        CommandRequest("report", expires_in_s=1e9),
    ],
)
def test_a_command_that_cannot_be_is_refused(world: World, request_: CommandRequest) -> None:
    with pytest.raises(InvalidRequest):
        world.settings.command("n1", request_, actor="ada")

    assert world.settings.commands("n1") == []


def test_changes_and_commands_are_audited(world: World) -> None:
    world.settings.change_fleet(put(random_share="0.1"), actor="ada")
    world.settings.command("n1", replace(CommandRequest("report"), expires_in_s=5), actor="bob")

    with world.control.read() as tx:
        heads = tx.audit_head("hub")
    assert heads is not None
    assert (heads.actor, heads.action, heads.subject) == ("bob", "node.commanded", "n1")


# --- groups ---------------------------------------------------------------------------------------


def declare_group(world: World, name: str, *nodes: str) -> None:
    with world.control.write() as tx:
        tx.put_document(DocumentRow(groups.KIND, name, codec.encode_json(Group(nodes=nodes)), 0.0))


def test_a_group_stands_between_the_fleet_and_the_site(world: World) -> None:
    declare_group(world, "canary", "n1", "s1")
    world.settings.change_fleet(put(random_share="0.1", confidence_below="0.1"), actor="ada")
    world.settings.change_group("canary", put(random_share="0.2", confidence_below="0.2"), actor="ada")
    world.settings.change_site("north", put(random_share="0.3"), actor="ada")

    assert [world.share(name) for name in ("n1", "n2", "s1")] == [0.3, 0.3, 0.2]
    assert [world.state(name).collection.confidence_below for name in ("n1", "n2", "s1")] == [0.2, 0.1, 0.2]


def test_of_two_groups_the_one_with_the_higher_priority_wins_and_explains_the_other(world: World) -> None:
    declare_group(world, "aisle", "n1")
    declare_group(world, "zebra", "n1")
    world.settings.change_group("zebra", put(random_share="0.2"), actor="ada")
    world.settings.change_group("aisle", put(random_share="0.3"), actor="ada")
    by_name = world.share("n1")

    change = SettingsChange({"collection.random_share": "0.3"}, priority=5)
    world.settings.change_group("aisle", change, actor="ada")

    assert (by_name, world.share("n1")) == (0.2, 0.3)
    line = next(each for each in world.settings.explain("n1").settings if each.key == "collection.random_share")
    assert (line.source, line.overrides) == ("group aisle", ["group zebra: 0.2", "default: 0.02"])


def test_a_change_of_a_group_reaches_its_nodes_alone(world: World) -> None:
    declare_group(world, "canary", "n1")
    before = {name: world.state(name).revision for name in ("n1", "n2", "s1")}
    world.woken.clear()

    world.settings.change_group("canary", put(random_share="0.2"), actor="ada")

    assert world.woken == ["id-n1"]
    assert [world.state(name).revision > before[name] for name in ("n1", "n2", "s1")] == [True, False, False]


def test_a_group_that_is_not_there_has_no_settings_and_a_site_no_priority(world: World) -> None:
    with pytest.raises(NotFound):
        world.settings.change_group("nobody", put(random_share="0.2"), actor="ada")
    with pytest.raises(InvalidRequest, match="priority is for a group"):
        world.settings.change_site("north", SettingsChange(priority=1), actor="ada")


def test_more_settings_than_there_are_cannot_be_left_to_the_wider_scope(world: World) -> None:
    with pytest.raises(InvalidRequest, match="1000 settings"):
        world.settings.change_fleet(SettingsChange(unset=["agent.report_s"] * 1000), actor="ada")


@pytest.mark.parametrize("zone", ["Moon/Copernicus", "localtime"])
def test_a_time_zone_that_nobody_knows_or_each_machine_otherwise_is_refused(world: World, zone: str) -> None:
    with pytest.raises(InvalidRequest, match="no time zone"):
        world.settings.change_fleet(SettingsChange({"agent.time_zone": zone}), actor="ada")
    world.settings.change_fleet(SettingsChange({"agent.time_zone": "Europe/Lisbon"}), actor="ada")

    assert world.state("n1").agent.time_zone == "Europe/Lisbon"


def test_what_a_node_says_of_its_settings_is_shown_with_them(world: World) -> None:
    said = SettingsReport(state="failed", revision=3, reason="no such zone")
    world.fleet.take_report("id-n1", msgspec.structs.replace(world.nodes["n1"].report(), settings=said))

    assert world.settings.explain("n1").told == "revision 3: failed: no such zone"
    assert world.fleet.node("n1").settings == "revision 3: failed: no such zone"
    assert world.settings.explain("n2").told == ""


def test_a_node_whose_facts_change_asks_anew_when_groups_decide_on_its_settings(world: World) -> None:
    with world.control.write() as tx:
        tx.put_document(DocumentRow(groups.KIND, "next", codec.encode_json(Group(selector="release=9.9")), 0.0))
    world.settings.change_group("next", put(random_share="0.2"), actor="ada")
    world.report("n1")
    before = world.state("n1").revision
    world.woken.clear()

    facts = msgspec.structs.replace(world.nodes["n1"].facts, release="9.9")
    world.fleet.take_report("id-n1", msgspec.structs.replace(world.nodes["n1"].report(), facts=facts))

    assert (world.share("n1"), world.share("n2")) == (0.2, 0.02)
    assert world.state("n1").revision > before
    assert world.woken == ["id-n1"]
