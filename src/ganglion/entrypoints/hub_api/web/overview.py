"""What the page shows, gathered from the services and put in the order in which it matters."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ganglion.core.manifest import Manifest
from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.web import words
from ganglion.entrypoints.hub_api.web.manifests import Manifests
from ganglion.entrypoints.hub_api.web.pictures import picture_of
from ganglion.entrypoints.hub_wiring import Hub
from ganglion.hub.services.node_search import node_query
from ganglion.trust.roles import Caller
from ganglion.wire.alert_resources import AlertView, Severity
from ganglion.wire.resources import NodeView, SampleView
from ganglion.wire.rollout_resources import RolloutView, StageView

ROLLOUTS_MAX = 5
NODES_MAX = 200
_GROUP_MAX = 1000
"""Nodes of a group among which the worst are shown."""
CHOICES_MAX = 12
"""Up to so many labels are buttons; more are a list."""


@dataclass(frozen=True, slots=True)
class NodeLine:
    """A row of the fleet. `state` is fresh, silent, quarantined, retired or revoked."""

    node: NodeView
    state: str
    seen_age_s: float | None
    shed: int
    figures: str
    """How its machine is doing, in a few words."""


@dataclass(frozen=True, slots=True)
class StageLine:
    """A stage with how many of its nodes have committed the version.

    `state` is done, waiting, skipped (the rollout was aborted before it), or that of the rollout.
    """

    stage: StageView
    state: str
    committed: int
    version: str

    @property
    def size(self) -> int:
        """Return how many nodes the stage has."""
        return max(self.stage.size, len(self.stage.nodes))

    @property
    def told(self) -> str:
        """Return how many of the nodes that are named have the version; of a stage that is over, how many still do."""
        named = len(self.stage.nodes)
        nodes = "1 node" if named == 1 else f"{words.count(named)} nodes"
        nodes += f" (of {words.count(self.size)})" if self.size > named else ""
        if self.state != DONE:
            return f"{words.count(self.committed)} of {nodes} on {self.version}"
        return nodes if self.committed == named else f"{nodes}, {words.count(self.committed)} on {self.version} now"

    @property
    def verdict(self) -> str:
        """Return what the gate says, and why while that is news."""
        if self.state == DONE:
            return self.stage.verdict.replace("_", " ")
        return self.stage.verdict_reason or self.stage.verdict.replace("_", " ")


@dataclass(frozen=True, slots=True)
class RolloutLine:
    """A rollout with its stages."""

    rollout: RolloutView
    stages: list[StageLine]
    age_s: float

    @property
    def last_word(self) -> str:
        """Return what the gate said of the stage that was reached."""
        return self.stages[self.rollout.stage].stage.verdict_reason

    @property
    def size(self) -> int:
        """Return how many nodes all stages have together."""
        return sum(part.size for part in self.stages)

    @property
    def way_back(self) -> str:
        """Return after an abort how many nodes are back; empty otherwise."""
        back = self.rollout.revert
        if back is None:
            return ""
        counts = {"returning": back.returning, "silent": back.silent, "failed": back.failed}
        rest = "".join(f", {number} {name}" for name, number in counts.items() if number)
        done = f", at {words.day_moment(back.reverted_at_s)}" if back.reverted_at_s is not None else ""
        return f"{back.returned} of {back.returned + sum(counts.values())} nodes returned{rest}{done}"


@dataclass(frozen=True, slots=True)
class SampleLine:
    """A kept input as people see it, and the labels that they may choose from."""

    sample: SampleView
    picture: str
    choices: Sequence[str]
    age_s: float

    @property
    def has_buttons(self) -> bool:
        """Say whether one click labels it; otherwise a person types or searches for a while."""
        return 0 < len(self.choices) <= CHOICES_MAX


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole picture of one moment."""

    at_s: float
    nodes: list[NodeLine]
    nodes_hidden: int
    rollouts: list[RolloutLine]
    samples: list[SampleLine]
    alerts: list[AlertView] = field(default_factory=list)
    """Those that fire, the worst first, for who may see all of the fleet."""

    def nodes_in(self, state: str) -> int:
        """Return how many of the nodes shown are in `state`."""
        return sum(line.state == state for line in self.nodes)

    @property
    def renews(self) -> bool:
        """Say whether the page may be loaded anew by itself: never under somebody who is typing a label."""
        return all(line.has_buttons for line in self.samples)


def look(hub: Hub, manifests: Manifests, caller: Caller, *, group: str = "") -> Overview:
    """Return what there is to see now for this caller, of the nodes those of a group. Raises: NotFound."""
    now_s, nodes = hub.now_s(), scopes.visible_nodes(hub, caller, hub.fleet.nodes())
    shown = hub.fleet.page(node_query(limit=_GROUP_MAX), scopes.sight_of(caller, group=group)) if group else nodes
    lines = sorted((_node_line(node, now_s, hub.settings.silent_after_s) for node in shown), key=_worst_first)
    rollouts = scopes.visible_rollouts(hub, caller, hub.rollouts.list()[:ROLLOUTS_MAX])
    samples = scopes.of_visible_nodes(hub, caller, hub.curation.samples(limit=hub.settings.page.samples_max))
    return Overview(
        at_s=now_s,
        nodes=lines[:NODES_MAX],
        nodes_hidden=max(len(lines) - NODES_MAX, 0),
        rollouts=[rollout_line(rollout, nodes, now_s) for rollout in rollouts],
        samples=[_sample_line(sample, manifests.find(sample.model, sample.version), now_s) for sample in samples],
        alerts=_firing(hub, caller),
    )


def _firing(hub: Hub, caller: Caller) -> list[AlertView]:
    if caller.scope.sites or caller.scope.models:
        return []
    order = list(Severity)
    return sorted(
        hub.alerting.alerts.views(state="firing"),
        key=lambda alert: (-order.index(alert.definition.severity), alert.name),
    )


DONE, _AWAITING = "done", "awaiting_approval"
_OUT = frozenset({"quarantined", "retired", "revoked"})


def stage_state(rollout: RolloutView, index: int) -> str:
    """Return the word for one stage of a rollout."""
    has_begun = rollout.stages[0].started_at_s is not None
    # What waits for approval is the next stage: the one before has shown what it had to.
    reached = rollout.stage + 1 if rollout.state == _AWAITING and has_begun else rollout.stage
    if rollout.state == "completed" or index < reached:
        return DONE
    if index > reached:
        return "skipped" if rollout.state == "aborted" else "waiting"
    return rollout.state


def _node_line(node: NodeView, now_s: float, silent_after_s: float) -> NodeLine:
    seen_age_s = None if node.last_seen_at_s is None else now_s - node.last_seen_at_s
    fresh = seen_age_s is not None and seen_age_s <= silent_after_s
    state = node.state if node.state in _OUT else "fresh" if fresh else "silent"
    return NodeLine(node, state, seen_age_s, sum(node.shed.values()), figures_of(node))


def figures_of(node: NodeView) -> str:
    """Return in a few words how a node's machine is doing; empty when it did not say."""
    machine = node.machine
    words = [
        f"CPU {machine['cpu_share']:.0%}" if "cpu_share" in machine else "",
        f"{machine['temperature_c']:.0f} °C" if "temperature_c" in machine else "",
        f"{machine['disk_free_bytes'] / 1e9:.1f} GB free" if "disk_free_bytes" in machine else "",
        f"{sum(node.sent_bytes.values()) / 1e6:.1f} MB sent this month" if node.sent_bytes else "",
        f"clock {node.clock_error_s:+.0f} s" if node.clock_error_s else "",
    ]
    return " · ".join(word for word in words if word)


def _worst_first(line: NodeLine) -> tuple[int, str]:
    return ("quarantined", "silent", "fresh", "retired", "revoked").index(line.state), line.node.name


def rollout_line(rollout: RolloutView, nodes: Sequence[NodeView], now_s: float) -> RolloutLine:
    """Return a rollout with how far each stage is, by what its nodes report."""
    took = {
        node.name
        for node in nodes
        if any(model.model == rollout.model and model.committed == rollout.version for model in node.models)
    }
    stages = [
        StageLine(stage, stage_state(rollout, index), len(took.intersection(stage.nodes)), rollout.version)
        for index, stage in enumerate(rollout.stages)
    ]
    return RolloutLine(rollout, stages, now_s - rollout.updated_at_s)


def _sample_line(sample: SampleView, manifest: Manifest | None, now_s: float) -> SampleLine:
    choices = manifest.labels if manifest else ()
    return SampleLine(sample, picture_of(sample, manifest), choices, now_s - sample.at_s)
