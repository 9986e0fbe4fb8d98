"""A fleet that is declared in files becomes what they say, at once and once: laws over generated fleets."""

from hypothesis import given
from hypothesis import strategies as st

from ganglion.wire.apply_resources import FleetResource
from unit.hub.services.declaring import DeclaredFleet, differing, resource

NAMES = st.sampled_from(["a", "b", "c", "line-3", "porto"])
NODES = ["gate-1", "gate-2", "gate-3"]
TEXT = st.text(st.characters(codec="ascii", categories=["L", "N", "Zs"]), max_size=12)
SELECT = st.sampled_from([None, "", "line=3", " line = 3 , site=porto", "!canary", "arch=x86_64|aarch64"])
GROUPS = st.builds(
    lambda name, select, nodes, text: resource("Group", name, select=select, nodes=nodes, description=text),
    NAMES,
    SELECT,
    st.lists(st.sampled_from([*NODES, "later"]), min_size=1, max_size=4),
    TEXT,
)
SITES = st.builds(
    lambda name, zone, speed: resource("Site", name, time_zone=zone, bytes_per_s_max=speed),
    NAMES,
    st.sampled_from(["", "Europe/Lisbon", "UTC"]),
    st.one_of(st.integers(0, 10**9), st.just("1000")),
)
ZONES = st.builds(lambda name, text: resource("Zone", name, description=text), NAMES, TEXT)
POLICIES = st.builds(
    lambda name, soak, approvals: resource(
        "RolloutPolicy", name, stages=["10%", "100%"], gate={"soak_s": soak}, approvals=approvals
    ),
    NAMES,
    st.one_of(st.integers(1, 600), st.just("60")),
    st.integers(0, 2),
)
SETTINGS = st.builds(
    lambda name, scope, key, value: resource("Settings", name, scope=scope, settings={key: value}),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["fleet", "site:porto", "node:gate-1"]),
    st.sampled_from(["collection.random_share", "collection.results_share"]),
    st.sampled_from(["0.5", 0.25, 1]),
)
ONE = st.one_of(GROUPS, SITES, ZONES, POLICIES, SETTINGS)


def claimed(each: FleetResource) -> object:
    """Return what only one resource may say: its name, or what it sets and where."""
    return (each.spec["scope"], *each.spec["settings"]) if each.kind == "Settings" else (each.kind, each.name)  # type: ignore[misc]  # it is a mapping


FLEETS = st.lists(ONE, max_size=8, unique_by=(lambda each: (each.kind, each.name), claimed))


def fleet() -> DeclaredFleet:
    made = DeclaredFleet()
    for name in NODES:
        made.add(name, labels={"line": "3"} if name == "gate-1" else {})
    return made


@given(resources=FLEETS)
def test_after_an_apply_nothing_differs(resources: list[FleetResource]) -> None:
    hub = fleet()

    hub.apply(*resources)

    assert differing(hub.plan(*resources)) == []
    assert differing(hub.plan(*resources, prune=True)) == []


@given(resources=FLEETS)
def test_applying_twice_is_applying_once(resources: list[FleetResource]) -> None:
    hub = fleet()
    hub.apply(*resources)
    links, woken = hub.links(), list(hub.woken)

    hub.apply(*resources)

    assert (hub.links(), hub.woken) == (links, woken)


@given(before=FLEETS, after=FLEETS)
def test_what_was_there_before_makes_no_difference_when_it_is_pruned(
    before: list[FleetResource], after: list[FleetResource]
) -> None:
    once, anew = fleet(), fleet()

    once.apply(*before)
    once.apply(*after, prune=True)
    anew.apply(*after)

    everything = [*before, *after]
    told = {(line.kind, line.name, tuple(line.changes)) for line in anew.plan(*_once(everything)).lines}
    assert {(line.kind, line.name, tuple(line.changes)) for line in once.plan(*_once(everything)).lines} == told


@given(resources=FLEETS)
def test_the_plan_is_what_is_done(resources: list[FleetResource]) -> None:
    hub = fleet()

    plan = hub.plan(*resources)

    assert hub.apply(*resources, expected=plan.digest).lines == plan.lines


def _once(resources: list[FleetResource]) -> list[FleetResource]:
    return list({(each.kind, each.name): each for each in resources}.values())
