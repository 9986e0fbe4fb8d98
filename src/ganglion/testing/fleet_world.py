"""A hub's rollouts over memory stores, with a fleet of simulated nodes: time passes only in `step`."""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from ganglion.hub.services.incarnation import incarnation_of
from ganglion.hub.services.nodes.desired import Desired
from ganglion.hub.services.nodes.fleet import Fleet
from ganglion.hub.services.organisation import groups
from ganglion.hub.services.organisation.groups import Group
from ganglion.hub.services.rollouts.rollouts import Rollouts
from ganglion.ports.hub_store import DocumentRow, NodeRow, ReleaseRow
from ganglion.ports.telemetry_store import EventRow, RollupKey
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.testing.fleet_node import Habit, SimulatedNode
from ganglion.testing.memory_store import MemoryControlStore, MemoryTelemetryStore
from ganglion.wire import codec
from ganglion.wire.identity import NodeFacts
from ganglion.wire.rollout_resources import GateSettings, ProbationSettings, RolloutRequest, RolloutView

MODEL = "meter"
FACTS = NodeFacts(arch="x86_64", runtime="onnxruntime", cores=4, memory_bytes=8_000_000_000, release="0.1.0")
GATE = GateSettings(inferences_min=40, soak_s=10.0, compared_min=20, deadline_s=600.0)
PROBATION = ProbationSettings(inferences_min=40)
_MINUTE_S = 60
_NO_LABELS: Mapping[str, str] = {}


class FleetWorld:
    """The services under test, and the nodes around them."""

    def __init__(self, seed: int = 0) -> None:
        self.control, self.telemetry = MemoryControlStore(), MemoryTelemetryStore()
        self.clock, self.chance = FakeClock(), SeededChance(seed)
        self.woken: list[str] = []
        self.desired = Desired(control=self.control, repository_root_version=lambda: 1, changed=self.woken.extend)
        self.fleet = Fleet(control=self.control, telemetry=self.telemetry, desired=self.desired, clock=self.clock)
        self.rollouts = self.restarted_hub()
        self.nodes: dict[str, SimulatedNode] = {}
        self.habits: dict[str, Habit] = {}
        self._seq = 0
        with self.control.write() as tx:
            incarnation_of(tx, self.chance)

    def restarted_hub(self) -> Rollouts:
        """Return the rollout service of a hub that has just started on the same stores."""
        self.rollouts = Rollouts(
            control=self.control,
            telemetry=self.telemetry,
            desired=self.desired,
            clock=self.clock,
            chance=self.chance,
        )
        return self.rollouts

    @property
    def now_s(self) -> float:
        """Return the wall clock."""
        return self.clock.utc_ns() / 1e9

    def release(self, version: str, habit: Habit | None = None, *, variant: str = "fp32", arch: str = "any") -> None:
        """Release a version that behaves like `habit`."""
        self.habits.setdefault(version, habit or Habit())
        row = ReleaseRow(
            model=MODEL,
            version=version,
            variant=variant,
            arch=arch,
            runtime="onnxruntime",
            sha256=hashlib.sha256(f"{version}-{variant}".encode()).hexdigest(),
            size_bytes=1000,
            manifest=b"{}",
            released_at_s=self.now_s,
        )
        with self.control.write() as tx:
            tx.add_release(row)

    def join(
        self, name: str, *, site: str = "north", facts: NodeFacts = FACTS, labels: Mapping[str, str] = _NO_LABELS
    ) -> SimulatedNode:
        """Enrol a node; it reports with the next step."""
        node = SimulatedNode(
            node_id=f"id-{name}", name=name, site=site, facts=facts, chance=SeededChance(len(self.nodes) + 1)
        )
        self.nodes[name] = node
        with self.control.write() as tx:
            tx.put_node(
                NodeRow(
                    node_id=node.node_id,
                    name=name,
                    site=site,
                    zone="default",
                    public_key="",
                    node_class=facts.node_class,
                    facts=codec.encode_json(facts),
                    enrolled_at_s=self.now_s,
                    labels=msgspec.json.encode(dict(labels)),
                )
            )
        return node

    def start(
        self,
        version: str,
        stages: Sequence[str] = ("1", "100%"),
        *,
        gate: GateSettings = GATE,
        probation: ProbationSettings = PROBATION,
    ) -> RolloutView:
        """Start a rollout."""
        return self.rollouts.start(request_of(version, stages, gate=gate, probation=probation), actor="operator")

    def group(self, name: str, *, nodes: Sequence[str] = (), selector: str | None = None) -> None:
        """Declare a group."""
        document = codec.encode_json(Group(nodes=tuple(nodes), selector=selector))
        with self.control.write() as tx:
            tx.put_document(DocumentRow(groups.KIND, name, document, self.now_s))

    def step(self, times: int = 1, *, seconds: float = 5.0) -> None:
        """Let every node follow, work and tell; then let the hub look."""
        for _ in range(times):
            for node in self.nodes.values():
                if node.online and self._has_news(node):
                    node.take(self.desired.state_of(node.node_id))
                node.work(self.habits)
                if node.online:
                    self._deliver(node)
            self.rollouts.tick()
            self.clock.advance(seconds)

    def finish(self, view: RolloutView, *, steps: int = 60) -> RolloutView:
        """Let time pass until the rollout has ended, or for `steps`, and return it."""
        for _ in range(steps):
            self.step()
            if self.rollouts.get(view.rollout_id).state in ("completed", "aborted"):
                break
        return self.rollouts.get(view.rollout_id)

    def desired_versions(self) -> dict[str, str]:
        """Return by node name the version that the hub wants of it."""
        with self.control.read() as tx:
            wanted = {row.node_id: row.version for row in tx.assignments(model=MODEL)}
        return {name: wanted[node.node_id] for name, node in self.nodes.items() if node.node_id in wanted}

    def settle(self, *, steps: int = 30) -> None:
        """Bring everybody back and let the dust settle."""
        for node in self.nodes.values():
            node.online = True
        self.step(steps)

    def _has_news(self, node: SimulatedNode) -> bool:
        """Say whether a long poll would return."""
        held = (node.desired.incarnation, node.desired.revision) if node.desired else None
        return self.desired.revision_of(node.node_id) != held

    def _deliver(self, node: SimulatedNode) -> None:
        at_ns = self.clock.utc_ns()
        minute = int(self.now_s // _MINUTE_S)
        with self.telemetry.write() as tx:
            for version, behaviour in node.uncounted:
                tx.merge_rollup(RollupKey(node.node_id, MODEL, version, minute), behaviour)
            tx.add_events([self._event(node, index, at_ns) for index in range(len(node.untold))])
        node.uncounted.clear()
        node.untold.clear()
        self.fleet.take_report(node.node_id, node.report())

    def _event(self, node: SimulatedNode, index: int, at_ns: int) -> EventRow:
        event = node.untold[index]
        self._seq += 1
        return EventRow(
            node_id=node.node_id,
            epoch="epoch",
            seq=self._seq,
            at_ns=at_ns,
            name=event.name,
            model=event.model,
            version=event.version,
            rollout_id=event.rollout_id,
            reason=event.reason,
            facts=msgspec.json.encode(event.facts),
            corrected_at_ns=at_ns,
        )


def request_of(
    version: str,
    stages: Sequence[str] = ("1", "100%"),
    *,
    gate: GateSettings = GATE,
    probation: ProbationSettings = PROBATION,
) -> RolloutRequest:
    """Return a request that suits a small fleet."""
    return RolloutRequest(model=MODEL, version=version, stages=list(stages), gate=gate, probation=probation)


def serving_fleet() -> FleetWorld:
    """Return a world of three nodes in two sites, all of which serve version 1."""
    world = FleetWorld()
    for name, site in (("n1", "north"), ("n2", "north"), ("n3", "south")):
        world.join(name, site=site)
    world.release("1")
    view = world.finish(world.start("1", ["100%"]))
    assert view.state == "completed", "a fleet begins with a version that everybody took"
    return world
