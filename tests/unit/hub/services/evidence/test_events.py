"""What nodes told of a version, from few or many events."""

from ganglion.hub.domain.rollouts.document import Previous, Rollout, Stage
from ganglion.hub.services.evidence.events import COMMITTED, MANY_NODES, QUARANTINED, ROLLED_BACK, Events, Told
from ganglion.ports.telemetry_store import EventRow
from ganglion.testing.memory_store import MemoryTelemetryStore
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateSettings

NOW_S = 1_800_000_000.0


def a_rollout(nodes: int = 3, *, retried_at_s: dict[str, float] | None = None) -> Rollout:
    ids = tuple(f"id-{number}" for number in range(nodes))
    return Rollout(
        rollout_id="r1",
        model="meter",
        version="2",
        stages=(Stage(share="100%", node_ids=ids, started_at_s=NOW_S),),
        gate=GateSettings(),
        policy=DeploymentPolicy(),
        previous=dict.fromkeys(ids, Previous("1", "fp32")),
        created_at_s=NOW_S,
        updated_at_s=NOW_S,
        retried_at_s=retried_at_s or {},
    )


class Story:
    """Events in a store, told one after the other."""

    def __init__(self) -> None:
        self.telemetry, self.seq = MemoryTelemetryStore(), 0

    def tell(self, node: int, name: str, *, after_s: float = 1.0, reason: str = "", facts: bytes = b"{}") -> None:
        self.seq += 1
        at_ns = int((NOW_S + after_s) * 1e9)
        row = EventRow(f"id-{node}", "e", self.seq, at_ns, name, "meter", "2", "r1", reason, facts, at_ns)
        with self.telemetry.write() as tx:
            tx.add_events([row])

    def heard(self, rollout: Rollout, events: Events | None = None, *, after_s: float = 10.0) -> dict[str, Told]:
        with self.telemetry.read() as tx:
            return dict((events or Events()).read(tx, rollout, now_s=NOW_S + after_s))


def test_a_commit_a_return_and_a_crash_are_told_apart() -> None:
    story = Story()
    story.tell(0, COMMITTED)
    story.tell(1, ROLLED_BACK, reason="errors")
    story.tell(2, COMMITTED)
    story.tell(2, QUARANTINED, after_s=5.0)

    told = story.heard(a_rollout())

    assert (told["id-0"].is_committed, told["id-0"].has_crashed) == (True, False)
    assert (told["id-1"].is_rolled_back, told["id-1"].reason) == (True, "errors")
    assert (told["id-2"].is_committed, told["id-2"].has_crashed) == (True, True)


def test_what_was_told_before_a_fresh_attempt_counts_no_more() -> None:
    story = Story()
    story.tell(0, ROLLED_BACK, after_s=1.0)
    story.tell(1, ROLLED_BACK, after_s=1.0)

    told = story.heard(a_rollout(retried_at_s={"id-0": NOW_S + 2.0}))

    assert set(told) == {"id-1"}


def test_of_many_nodes_new_events_are_heard_at_the_next_look() -> None:
    story, events, rollout = Story(), Events(), a_rollout(MANY_NODES + 1)
    story.tell(0, COMMITTED)
    first = story.heard(rollout, events)
    story.tell(1, COMMITTED, after_s=11.0)

    second = story.heard(rollout, events, after_s=12.0)

    assert set(first) == {"id-0"}
    assert set(second) == {"id-0", "id-1"}


def test_an_event_as_old_as_its_node_was_away_is_heard_after_some_minutes_at_the_latest() -> None:
    story, events, rollout = Story(), Events(), a_rollout(MANY_NODES + 1)
    for _ in range(1100):
        story.tell(0, COMMITTED, after_s=500.0)
    story.heard(rollout, events, after_s=501.0)
    story.tell(1, ROLLED_BACK, after_s=3.0)

    heard = story.heard(rollout, events, after_s=900.0)

    assert heard["id-1"].is_rolled_back


def test_very_many_events_are_read_by_parts_and_say_the_same() -> None:
    story, rollout, by_parts = Story(), a_rollout(MANY_NODES + 1), Events(at_once=7)
    for node in range(50):
        story.tell(node, COMMITTED if node % 3 else ROLLED_BACK)
    parts = 1

    with story.telemetry.read() as tx:
        while not by_parts.read_some(tx, rollout, now_s=NOW_S):
            parts += 1

    assert parts == 8
    assert by_parts.told == story.heard(rollout)


def test_while_events_are_read_anew_new_ones_are_heard_at_once_and_removed_ones_in_the_end() -> None:
    story, rollout, events = Story(), a_rollout(MANY_NODES + 1), Events(at_once=2)
    for node in range(9):
        story.tell(node, COMMITTED, after_s=float(node))
    story.heard(rollout, events)
    with story.telemetry.write() as tx:
        tx.remove_events(before_ns=int((NOW_S + 3.0) * 1e9), limit=100)

    story.tell(20, ROLLED_BACK, after_s=399.0)
    first = set(story.heard(rollout, events, after_s=400.0))
    later = [set(story.heard(rollout, events, after_s=401.0 + look)) for look in range(6)]

    assert first == {f"id-{node}" for node in (*range(9), 20)}
    assert later[-1] == {f"id-{node}" for node in (*range(3, 9), 20)}
