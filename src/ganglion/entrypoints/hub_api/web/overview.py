"""What the page shows, gathered from the services and put in the order in which it matters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ganglion.core.manifest import Manifest
from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.web import words
from ganglion.entrypoints.hub_api.web.manifests import Manifests
from ganglion.entrypoints.hub_api.web.pictures import picture_of
from ganglion.entrypoints.hub_wiring.hub import Hub
from ganglion.hub.services.nodes.fleet import Committed
from ganglion.hub.services.nodes.fleet_states import WORST_FIRST
from ganglion.ports.hub_store import NodeQuery, NodeTerm
from ganglion.trust.roles import Caller
from ganglion.wire.alert_resources import AlertView, Severity
from ganglion.wire.resources import NodeView, SampleView
from ganglion.wire.rollout_resources import RolloutView, StageView

ROLLOUTS_MAX = 5
NODES_MAX = 200
_STAGE_MAX = 100
"""Nodes of a stage that are asked how far they are."""
_MEGABYTE = 1_000_000
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
    """Those to look at first."""
    counts: Mapping[str, int]
    """Nodes by state, also of those that are not shown."""
    rollouts: list[RolloutLine]
    samples: list[SampleLine]
    alerts: list[AlertView] = field(default_factory=list)
    """Those that fire, the worst first, for who may see all of the fleet."""

    @property
    def nodes_hidden(self) -> int:
        """Return how many nodes there are beside those that are shown."""
        return max(sum(self.counts.values()) - len(self.nodes), 0)

    def nodes_in(self, state: str) -> int:
        """Return how many nodes are in `state`, shown or not."""
        return self.counts.get(state, 0)

    @property
    def renews(self) -> bool:
        """Say whether the page may be loaded anew by itself: never under somebody who is typing a label."""
        return all(line.has_buttons for line in self.samples)


def look(hub: Hub, manifests: Manifests, caller: Caller, *, group: str = "") -> Overview:
    """Return what there is to see now for this caller, of the nodes those of a group. Raises: NotFound."""
    now_s = hub.now_s()
    picture = hub.organisation.states.picture(scopes.sight_of(caller, group=group), most=NODES_MAX)
    nodes = hub.fleet.page(NodeQuery(terms=(NodeTerm("name", tuple(picture.names)),))) if picture.names else []
    lines = sorted((_node_line(node, now_s, hub.settings.silent_after_s) for node in nodes), key=_worst_first)
    newest = hub.rollouts.list(most=scopes.shown_to(caller, _STAGE_MAX))[:ROLLOUTS_MAX]
    rollouts = scopes.visible_rollouts(hub, caller, newest)
    took = hub.fleet.committed({name for rollout in rollouts for name in names_in(rollout)})
    samples = scopes.of_visible_nodes(hub, caller, hub.curation.samples(limit=hub.settings.page.samples_max))
    return Overview(
        at_s=now_s,
        nodes=lines,
        counts=picture.counts,
        rollouts=[rollout_line(rollout, took, now_s) for rollout in rollouts],
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
        f"{_sent(sum(node.sent_bytes.values()))} sent this month" if node.sent_bytes else "",
        f"clock {node.clock_error_s:+.0f} s" if node.clock_error_s else "",
    ]
    return " · ".join(word for word in words if word)


def _sent(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= _MEGABYTE else f"{size_bytes / 1e3:.0f} kB"


def _worst_first(line: NodeLine) -> tuple[int, str]:
    return WORST_FIRST.index(line.state), line.node.name


def names_in(rollout: RolloutView) -> set[str]:
    """Return the nodes that the stages of a rollout name."""
    return {name for stage in rollout.stages for name in stage.nodes}


def rollout_line(rollout: RolloutView, took: Committed, now_s: float) -> RolloutLine:
    """Return a rollout with how far each stage is, by what its nodes report."""
    model, version = rollout.model, rollout.version
    stages = [
        StageLine(
            stage,
            stage_state(rollout, index),
            sum(took.get(name, {}).get(model) == version for name in stage.nodes),
            version,
        )
        for index, stage in enumerate(rollout.stages)
    ]
    return RolloutLine(rollout, stages, now_s - rollout.updated_at_s)


def _sample_line(sample: SampleView, manifest: Manifest | None, now_s: float) -> SampleLine:
    choices = manifest.labels if manifest else ()
    return SampleLine(sample, picture_of(sample, manifest), choices, now_s - sample.at_s)
