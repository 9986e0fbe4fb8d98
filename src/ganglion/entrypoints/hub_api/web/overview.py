"""What the page shows, gathered from the services and put in the order in which it matters."""

from collections.abc import Sequence
from dataclasses import dataclass

from ganglion.core.manifest import Manifest
from ganglion.entrypoints.hub_api import scopes
from ganglion.entrypoints.hub_api.web.manifests import Manifests
from ganglion.entrypoints.hub_api.web.pictures import picture_of
from ganglion.entrypoints.hub_wiring import Hub
from ganglion.trust.roles import Caller
from ganglion.wire.resources import NodeView, SampleView
from ganglion.wire.rollout_resources import RolloutView, StageView

ROLLOUTS_MAX = 5
NODES_MAX = 200
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

    def nodes_in(self, state: str) -> int:
        """Return how many of the nodes shown are in `state`."""
        return sum(line.state == state for line in self.nodes)

    @property
    def renews(self) -> bool:
        """Say whether the page may be loaded anew by itself: never under somebody who is typing a label."""
        return all(line.has_buttons for line in self.samples)


def look(hub: Hub, manifests: Manifests, caller: Caller) -> Overview:
    """Return what there is to see now for this caller."""
    now_s, nodes = hub.now_s(), scopes.visible_nodes(hub, caller, hub.fleet.nodes())
    lines = sorted((_node_line(node, now_s, hub.settings.silent_after_s) for node in nodes), key=_worst_first)
    rollouts = scopes.visible_rollouts(hub, caller, hub.rollouts.list()[:ROLLOUTS_MAX])
    samples = scopes.of_visible_nodes(hub, caller, hub.curation.samples(limit=hub.settings.page.samples_max))
    return Overview(
        at_s=now_s,
        nodes=lines[:NODES_MAX],
        nodes_hidden=max(len(lines) - NODES_MAX, 0),
        rollouts=[_rollout_line(rollout, nodes, now_s) for rollout in rollouts],
        samples=[_sample_line(sample, manifests.find(sample.model, sample.version), now_s) for sample in samples],
    )


_OUT = frozenset({"quarantined", "retired", "revoked"})


def stage_state(rollout: RolloutView, index: int) -> str:
    """Return the word for one stage of a rollout."""
    if rollout.state == "completed" or index < rollout.stage:
        return "done"
    if index > rollout.stage:
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


def _rollout_line(rollout: RolloutView, nodes: Sequence[NodeView], now_s: float) -> RolloutLine:
    took = {
        node.name
        for node in nodes
        if any(model.model == rollout.model and model.committed == rollout.version for model in node.models)
    }
    stages = [
        StageLine(stage, stage_state(rollout, index), len(took.intersection(stage.nodes)))
        for index, stage in enumerate(rollout.stages)
    ]
    return RolloutLine(rollout, stages, now_s - rollout.updated_at_s)


def _sample_line(sample: SampleView, manifest: Manifest | None, now_s: float) -> SampleLine:
    choices = manifest.labels if manifest else ()
    return SampleLine(sample, picture_of(sample, manifest), choices, now_s - sample.at_s)
