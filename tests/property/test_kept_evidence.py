"""Laws of what is kept between two looks at a large rollout: the gate is shown what a hub that just started reads."""

from dataclasses import replace

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.gate import verdict as gate
from ganglion.hub.domain.gate.evidence import Evidence
from ganglion.hub.domain.rollouts.document import Previous, Rollout, Stage
from ganglion.hub.services.evidence.events import COMMITTED, QUARANTINED, ROLLED_BACK
from ganglion.hub.services.evidence.gathering import RolloutEvidence
from ganglion.hub.services.evidence.roster import Sizes
from ganglion.ports.hub_store import AssignmentRow, NodeRow
from ganglion.ports.telemetry_store import EventRow, RollupKey
from ganglion.testing.memory_store import MemoryControlStore, MemoryTelemetryStore
from ganglion.wire import codec
from ganglion.wire.desired import DeploymentPolicy, ModelStatus, NodeReport
from ganglion.wire.identity import NodeFacts
from ganglion.wire.rollout_resources import GateSettings

LAW = settings(max_examples=150, deadline=None, derandomize=True)
BEGUN_S = 1_800_000_000.0
IDS = [f"id-{number:02}" for number in range(9)]
STAGES = (tuple(IDS[:4]), tuple(IDS[4:8]))
"""The last nodes are in no stage, and keep the version before."""
MANY = Sizes(fleet_nodes=0, told_nodes=0, sample_nodes=1, refreshed_s=0.0, sights_at_once=4, reports_at_once=3)
STEADY = replace(MANY, refreshed_s=1e9)
"""What the control database says is read once."""
ROUNDS = 30
"""Looks in which everything is read anew twice."""
LOOKED_AT = {"look", "minute", "retry"}
"""After these the hub looks, and is compared with one that has just started."""
PASSES_S = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "clock back": -30.0}
FACTS = NodeFacts(arch="x86_64", runtime="onnxruntime", cores=4, memory_bytes=8_000_000_000, release="0.1.0")

nodes = st.integers(0, len(IDS) - 1)
tellings = st.tuples(st.sampled_from([COMMITTED, COMMITTED, ROLLED_BACK, QUARANTINED]), nodes)
works = st.tuples(st.sampled_from(["new work", "old work", "late work"]), nodes)
orders = st.tuples(st.sampled_from(["retry", "leave behind"]), nodes)
moves = st.tuples(
    st.sampled_from(["look", "look", "second", "minute", "hour", "clock back", "next stage", "refuse"]), nodes
)
sights = st.tuples(st.sampled_from(["report", "revoke", "back", "settle"]), nodes)
STORIES = st.lists(st.one_of(tellings, works, orders, moves), max_size=25)
FLEET_STORIES = st.lists(st.one_of(tellings, works, orders, moves, sights), max_size=15)


class World:
    """A rollout, the stores beside it, and a hub that has looked at it before."""

    def __init__(self, sizes: Sizes, gate_settings: GateSettings) -> None:
        self.control, self.telemetry, self.sizes = MemoryControlStore(), MemoryTelemetryStore(), sizes
        self.now_s, self.seq = BEGUN_S + 1.0, 0
        with self.control.write() as tx:
            for number, node_id in enumerate(IDS):
                tx.put_node(node_row(number))
                version = "2" if node_id in STAGES[0] else "1"
                tx.put_assignments([AssignmentRow(node_id, "meter", version, "fp32", "", b"{}")])
        self.rollout = Rollout(
            rollout_id="r1",
            model="meter",
            version="2",
            stages=tuple(Stage(share=str(len(ids)), node_ids=ids) for ids in STAGES),
            gate=gate_settings,
            policy=DeploymentPolicy(),
            created_at_s=BEGUN_S,
            updated_at_s=BEGUN_S,
        )
        self.begin(0)
        self.kept = self.hub()

    def hub(self) -> RolloutEvidence:
        return RolloutEvidence(control=self.control, telemetry=self.telemetry, sizes=self.sizes)

    def begin(self, index: int) -> None:
        """Give a stage the version."""
        stages = list(self.rollout.stages)
        stages[index] = msgspec.structs.replace(stages[index], started_at_s=self.now_s)
        given = dict.fromkeys(stages[index].node_ids, Previous("1", "fp32"))
        self.rollout = msgspec.structs.replace(
            self.rollout,
            stage=index,
            stages=tuple(stages),
            previous={**given, **self.rollout.previous},
            given_at_s={**self.rollout.given_at_s, **dict.fromkeys(given, self.now_s)},
        )

    def look(self, *, is_stored: bool = True) -> tuple[Rollout, Evidence]:
        found = self.kept.gather(self.rollout, now_s=self.now_s)
        if is_stored:
            self.rollout = found[0]
        return found

    def happen(self, act: str, node: int) -> None:
        self.now_s += PASSES_S.get(act, 0.0)
        if act in {"refuse", "settle"}:
            for _ in range(ROUNDS if act == "settle" else 1):
                self.look(is_stored=act != "refuse")
        elif act in {"next stage", "retry", "leave behind"}:
            self.order(IDS[node], act)
        elif act.endswith("work"):
            self.work(IDS[node], act)
        elif act in {"report", "revoke", "back"}:
            self.seen(node, act)
        elif act in {COMMITTED, ROLLED_BACK, QUARANTINED}:
            self.tell(IDS[node], act)

    def order(self, node_id: str, act: str) -> None:
        rollout = self.rollout
        if act == "next stage" and rollout.stage == 0:
            self.begin(1)
        elif act == "retry" and node_id in rollout.previous:
            committed = {each: at_s for each, at_s in rollout.committed.items() if each != node_id}
            again = {**rollout.retried_at_s, node_id: self.now_s}
            self.rollout = msgspec.structs.replace(rollout, committed=committed, retried_at_s=again)
        elif act == "leave behind":
            left_behind = {**rollout.left_behind, node_id: self.now_s}
            self.rollout = msgspec.structs.replace(rollout, left_behind=left_behind)

    def tell(self, node_id: str, name: str) -> None:
        self.seq += 1
        at_ns = int(self.now_s * 1e9)
        row = EventRow(node_id, "e", self.seq, at_ns, name, "meter", "2", "r1", "slow", b"{}", at_ns)
        with self.telemetry.write() as tx:
            tx.add_events([row])

    def work(self, node_id: str, act: str) -> None:
        minute = int(self.now_s // 60) - (90 if act == "late work" else 0)
        key = RollupKey(node_id, "meter", "2" if act == "new work" else "1", minute)
        with self.telemetry.write() as tx:
            tx.merge_rollup(key, Behaviour(requests=40, errors=1, classes={"7": 39}))

    def seen(self, node: int, act: str) -> None:
        row = replace(node_row(node), last_seen_at_s=self.now_s, revoked_at_s=self.now_s if act == "revoke" else None)
        status = ModelStatus(model="meter", version="2", committed="2")
        report = NodeReport(incarnation="", revision=9, models=(status,), facts=FACTS, epoch="e", made=0, waiting=0)
        with self.control.write() as tx:
            tx.put_node(replace(row, report=codec.encode_json(report)) if act == "report" else row)

    def check(self) -> None:
        """The hub that looked before finds what one that has just started finds."""
        rollout, now_s = self.rollout, self.now_s

        noted, evidence = self.look()

        anew, read = self.hub().gather(rollout, now_s=now_s)
        assert (noted, evidence) == (anew, read)
        assert gate.evaluate(rollout.gate, evidence) == gate.evaluate(rollout.gate, read)
        assert evidence.soaked_s == noted.soaked_s(now_s)


def node_row(number: int) -> NodeRow:
    return NodeRow(
        node_id=IDS[number],
        name=f"n{number:02}",
        site=f"s{number % 3}",
        zone="default",
        public_key="00" * 32,
        node_class=f"class-{number % 2}",
        facts=codec.encode_json(FACTS),
        enrolled_at_s=BEGUN_S - 86_400.0,
        last_seen_at_s=BEGUN_S + number,
    )


@LAW
@given(STORIES, st.sampled_from([0.0, 45.0]))
@example([("look", 0), (COMMITTED, 0), ("refuse", 0), ("look", 0)], 0.0)
@example([("look", 0), ("leave behind", 1), ("leave behind", 2), ("look", 0)], 0.0)
@example([("minute", 0), ("clock back", 0), ("look", 0)], 45.0)
@example([("minute", 0), *((COMMITTED, node) for node in range(4)), ("look", 0), ("retry", 2), ("minute", 0)], 45.0)
def test_every_look_at_many_nodes_shows_the_gate_what_is_read_anew(
    story: list[tuple[str, int]], silence_s_max: float
) -> None:
    world = World(STEADY, GateSettings(silence_s_max=silence_s_max))

    for act, node in [*story, ("look", 0)]:
        world.happen(act, node)
        if act in LOOKED_AT:
            world.check()


@LAW
@given(FLEET_STORIES, st.sampled_from([0.0, 45.0]))
def test_what_the_control_database_says_of_many_nodes_is_known_after_some_looks(
    story: list[tuple[str, int]], silence_s_max: float
) -> None:
    world = World(MANY, GateSettings(silence_s_max=silence_s_max))

    for act, node in [*story, ("settle", 0)]:
        world.happen(act, node)

    world.check()
