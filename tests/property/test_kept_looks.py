"""Laws of what is kept between two looks at a large rollout: it is what a hub that has just started would find."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.core.errors import Conflict
from ganglion.hub.domain.rollouts.document import Previous, Rollout, Stage
from ganglion.hub.domain.rollouts.revert import NodeWay, Way
from ganglion.hub.services.evidence.events import COMMITTED, MANY_NODES, QUARANTINED, ROLLED_BACK, Events
from ganglion.hub.services.rollouts import rows as rollout_rows
from ganglion.hub.services.rollouts.returns import Returns
from ganglion.ports.telemetry_store import EventRow
from ganglion.testing.fleet_world import GATE, FleetWorld, serving_fleet
from ganglion.testing.memory_store import MemoryTelemetryStore
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings

LAW = settings(max_examples=40, deadline=None, derandomize=True)
BEGUN_S = 1_800_000_000.0
SILENT_S = 60.0

names = st.sampled_from([COMMITTED, ROLLED_BACK, QUARANTINED, "update.offered"])
tellings = st.tuples(st.integers(0, 3), names, st.integers(-3, 9), st.sampled_from(["", "errors", "slow"]))
STORIES = st.lists(st.one_of(tellings, st.sampled_from(["look", "look", "retry 0", "restart"])), max_size=25)
ACTS = st.lists(
    st.sampled_from(["step", "step", "n1 away", "n1 back", "n2 away", "n2 back", "an hour", "another version"]),
    max_size=10,
)


def given_to(nodes: int, *, retried_at_s: float | None) -> Rollout:
    ids = tuple(f"id-{number}" for number in range(nodes))
    return Rollout(
        rollout_id="r1",
        model="meter",
        version="2",
        stages=(Stage(share="100%", node_ids=ids, started_at_s=BEGUN_S),),
        gate=GateSettings(),
        policy=DeploymentPolicy(),
        previous=dict.fromkeys(ids, Previous("1", "fp32")),
        created_at_s=BEGUN_S,
        updated_at_s=BEGUN_S,
        retried_at_s={} if retried_at_s is None else {"id-0": retried_at_s},
    )


@LAW
@given(STORIES)
def test_events_that_are_read_on_say_what_all_of_them_say(story: list[tuple[int, str, int, str] | str]) -> None:
    telemetry, kept, retried_at_s = MemoryTelemetryStore(), Events(), None
    for seq, event in enumerate([*story, "look"]):
        if event == "restart":
            kept = Events()
        elif event == "retry 0":
            retried_at_s = BEGUN_S + 4.0
        elif event == "look":
            many, few = (given_to(count, retried_at_s=retried_at_s) for count in (MANY_NODES + 1, MANY_NODES))
            with telemetry.read() as tx:
                told = kept.read(tx, many, now_s=BEGUN_S + seq)

                assert told == Events().read(tx, few, now_s=BEGUN_S)
            assert kept.committed == {node_id for node_id, each in told.items() if each.is_committed}
            assert kept.failed == {node_id for node_id, each in told.items() if each.is_rolled_back or each.has_crashed}
        else:
            assert isinstance(event, tuple)
            node, name, after_s, reason = event
            at_ns = int((BEGUN_S + after_s) * 1e9)
            row = EventRow(f"id-{node}", "e", seq, at_ns, name, "meter", "2", "r1", reason, b"{}", at_ns)
            with telemetry.write() as writing:
                writing.add_events([row])


@LAW
@given(ACTS)
def test_the_way_back_that_is_followed_is_the_one_that_is_read_anew(acts: list[str]) -> None:
    world = serving_fleet()
    world.release("2")
    view = world.start("2", ["100%"], gate=replace(GATE, soak_s=300.0))
    world.step(2)
    world.nodes["n2"].online = False
    world.rollouts.abort(view.rollout_id, actor="ada")
    kept = Returns(silent_after_s=SILENT_S, many_nodes=-1)
    for act in ["step", *acts]:
        happen(world, act)
        with world.control.read() as tx:
            rollout = rollout_rows.load(tx, view.rollout_id)
            found = kept.of(tx, rollout, now_s=world.now_s)

            assert found.ways == Returns(silent_after_s=SILENT_S).of(tx, rollout, now_s=world.now_s).ways
            for most in (0, 1, 2, 9):
                shown = kept.shown(tx, rollout, now_s=world.now_s, most=most)
                assert Counter(shown.counts) == Counter(each.way for each in found.ways.values())
                assert list(shown.ways.items()) == sorted(found.ways.items(), key=worst_first)[:most]


def worst_first(item: tuple[str, NodeWay]) -> tuple[bool, str]:
    return item[1].way is Way.RETURNED, item[0]


def happen(world: FleetWorld, act: str) -> None:
    name, _, state = act.partition(" ")
    if act == "step":
        world.step()
    elif act == "an hour":
        world.clock.advance(3600.0)
    elif act == "another version":
        try:
            world.release("3")
            world.start("3", ["100%"])
        except Conflict:
            world.step()
    else:
        world.nodes[name].online = state == "back"
