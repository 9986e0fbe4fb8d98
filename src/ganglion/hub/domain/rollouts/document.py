"""The document of a rollout: what it wants, who was given the version, and what came of it. No I/O, no clock.

The document says for every node that was given the version what it had before, so that an abort can give
each node its own previous version back. What may happen next stands in `rollouts.table`, what then changes in
`rollouts.machine`. The shell stores the document and the assignments in one transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from ganglion.core.errors import InvalidRequest
from ganglion.hub.domain.rollouts.stages import PlannedStage
from ganglion.wire.desired import DeploymentPolicy
from ganglion.wire.rollout_resources import GateFinding, GateSettings

REASON_MAX = 500
"""Characters of a person's reason."""
HISTORY_MAX = 200
"""Older entries are dropped, the first one (who started it) is kept."""


class RolloutState(StrEnum):
    """Where a rollout stands."""

    SCHEDULED = "scheduled"
    """Nobody was given anything: it waits for its time."""
    QUEUED = "queued"
    """Nobody was given anything: another rollout of the model goes first."""
    AWAITING_APPROVAL = "awaiting_approval"
    """The next stage, which may be the first, waits for people."""
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    ABORTED = "aborted"


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """The nodes that a stage adds, and what the gate last said of them."""

    share: str
    node_ids: tuple[str, ...]
    started_at_s: float | None = None
    held_s: float = 0.0
    """How long the rollout was paused in this stage."""
    verdict: str = ""
    verdict_reason: str = ""
    findings: tuple[GateFinding, ...] = ()
    """What each rule of the gate last found."""
    is_overdue: bool = False
    """The deadline has paused the rollout in this stage; who resumes it gives it as much time again."""
    approved_by: tuple[str, ...] = ()
    """People who let this stage start, in the order in which they said so."""


class Previous(msgspec.Struct, frozen=True):
    """What a node served of the model before this rollout."""

    version: str
    variant: str


class HistoryEntry(msgspec.Struct, frozen=True):
    """One line of the history, for people."""

    at_s: float
    event: str
    actor: str
    reason: str


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for besides model, version, gate and policy, as it was asked."""

    stages: tuple[str, ...] = ()
    seed: str = ""
    """With the node ids it decides the order of the nodes."""
    group: str = ""
    """The rollout is for this group alone; empty: for the selector or for everybody."""
    selector: str | None = None
    starts_at_s: float | None = None
    deadline_at_s: float | None = None
    deadline_act: str = "pause"
    approvals: int = 0
    """People other than the one who started it that each stage needs."""
    if_busy: str = "refuse"
    is_emergency: bool = False
    site_parallel_max: int = 0
    site_bytes_per_s_max: int = 0

    @property
    def is_limited(self) -> bool:
        """Say whether it is for a part of the fleet."""
        return bool(self.group) or self.selector is not None


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """What a document says of nodes that are stored beside it, in parts: they are too many."""

    sizes: tuple[int, ...]
    """Nodes of each stage."""
    given: int
    committed: int
    failed: int
    """Went back, and did not commit since."""
    held_back: int
    """Of the stages so far, and not given the version yet."""
    last_committed_at_s: float | None
    newest: int
    """The number of the newest part."""
    first_bytes: int
    later_bytes: int
    digest: str
    """Of all parts, so that no two contents have one document."""


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout. A value: every function returns the next one."""

    rollout_id: str
    model: str
    version: str
    state: RolloutState = RolloutState.RUNNING
    stage: int = 0
    stages: tuple[Stage, ...]
    gate: GateSettings
    policy: DeploymentPolicy
    terms: Terms = Terms()
    started_by: str = ""
    previous: dict[str, Previous | None] = {}
    """By node that was given the version; None when it had no version of the model."""
    given_at_s: dict[str, float] = {}
    """By node: when it was last given the version. Nodes of a stage may be given it one after the other."""
    committed: dict[str, float] = {}
    """By node: when the hub learned of its commit. The hub's clock, for a node's may be wrong."""
    rolled_back: dict[str, float] = {}
    """By node: when the hub learned that its attempt failed; a new attempt takes it out of here."""
    left_behind: dict[str, float] = {}
    """By node: when a person stopped waiting for it. What it tells later counts."""
    retried_at_s: dict[str, float] = {}
    """By node: when it was last given the version anew. What it told of it before counts no more."""
    attempts: dict[str, int] = {}
    """By node: how often it was given the version anew."""
    waiting_since_s: float | None = None
    """When it joined the queue of its model; None while its time has not come."""
    paused_at_s: float | None = None
    """Since when the stage's clock stands still: a person paused it, or the next stage waits for people."""
    deadline_passed: bool = False
    """The deadline has done its work: what people decide after it stands."""
    is_partial: bool = False
    """Its stages leave nodes out that it could be for, as was wanted: who joins later does not follow."""
    aborted_at_s: float | None = None
    returned: dict[str, float] = {}
    """After an abort, by node: when the hub learned that it serves what it had before."""
    reverted_at_s: float | None = None
    """After an abort: when every node that could be reached was back."""
    reason: str = ""
    created_at_s: float
    updated_at_s: float
    history: tuple[HistoryEntry, ...] = ()
    apart: Apart | None = None
    """Only in a stored document: its lists of nodes are cut, and these figures are of all."""

    @property
    def current(self) -> Stage:
        """Return the newest stage that was started, or the first."""
        return self.stages[self.stage]

    @property
    def is_last_stage(self) -> bool:
        """Say whether no stage follows."""
        return self.stage == len(self.stages) - 1

    @property
    def has_begun(self) -> bool:
        """Say whether its first stage was started."""
        return self.stages[0].started_at_s is not None

    @property
    def next_stage(self) -> int:
        """Return the index of the stage that would start next; the number of stages when none is left."""
        return self.stage + 1 if self.has_begun else 0

    def waited_s(self, now_s: float) -> float:
        """Return how long the current stage has run, pauses not counted."""
        started_at_s = self.current.started_at_s if self.current.started_at_s is not None else now_s
        paused_s = now_s - self.paused_at_s if self.paused_at_s is not None else 0.0
        return now_s - started_at_s - self.current.held_s - paused_s

    def soaked_s(self, now_s: float) -> float | None:
        """Return the time since the newest commit in the current stage, or None before the first."""
        seen = [self.committed[node_id] for node_id in self.current.node_ids if node_id in self.committed]
        return now_s - max(seen) if seen else None

    def was_given(self, node_id: str) -> bool:
        """Say whether a node has been given the version, and since the last time that it was to get it anew."""
        # Documents of older releases have no times.
        return node_id in self.given_at_s or (node_id in self.previous and node_id not in self.retried_at_s)

    def node_ids_so_far(self) -> list[str]:
        """Return the nodes of the stages that have started, in their order."""
        started = self.stages[: self.stage + 1] if self.has_begun else ()
        return [node_id for stage in started for node_id in stage.node_ids]

    @property
    def commits(self) -> int:
        """Return how many nodes committed, in a short document too."""
        return self.apart.committed if self.apart else len(self.committed)

    @property
    def failures(self) -> int:
        """Return how many nodes went back and did not commit since, in a short document too."""
        return self.apart.failed if self.apart else len(self.rolled_back.keys() - self.committed.keys())

    @property
    def last_committed_at_s(self) -> float | None:
        """Return when the hub learned of the newest commit, in a short document too; None: of none."""
        return self.apart.last_committed_at_s if self.apart else max(self.committed.values(), default=None)

    @property
    def gifts(self) -> int:
        """Return how many nodes were given the version, in a short document too."""
        return self.apart.given if self.apart else len(self.given_at_s) or len(self.previous)

    def size_of(self, index: int) -> int:
        """Return how many nodes a stage has, in a short document too."""
        return self.apart.sizes[index] if self.apart else len(self.stages[index].node_ids)

    def missing_approvals(self, index: int) -> int:
        """Return how many people must still let a stage start."""
        return max(0, self.terms.approvals - len(self.stages[index].approved_by))


@dataclass(frozen=True, slots=True)
class Cause:
    """When, by whom and why."""

    at_s: float
    actor: str
    reason: str


def person(at_s: float, actor: str, reason: str) -> Cause:
    """Return what somebody orders. Raises: InvalidRequest: the reason would fill the history, which is kept."""
    if len(reason) > REASON_MAX:
        raise InvalidRequest(f"a reason has at most {REASON_MAX} characters, this one {len(reason)}")
    return Cause(at_s, actor, reason)


def planned(stages: Iterable[PlannedStage]) -> tuple[Stage, ...]:
    """Return stages that have not been started."""
    return tuple(Stage(share=stage.share, node_ids=stage.node_ids) for stage in stages)


def replanned(rollout: Rollout, stages: Iterable[PlannedStage]) -> Rollout:
    """Return a rollout that has not begun with its stages as they are now; what people approved stays approved."""
    approved = {stage.share: stage.approved_by for stage in rollout.stages}
    fresh = (msgspec.structs.replace(stage, approved_by=approved.get(stage.share, ())) for stage in planned(stages))
    return msgspec.structs.replace(rollout, stages=tuple(fresh))


def with_committed(rollout: Rollout, node_ids: Iterable[str], *, now_s: float) -> Rollout:
    """Note commits that the hub has just learned of."""
    new = {node_id: now_s for node_id in node_ids if node_id not in rollout.committed}
    return msgspec.structs.replace(rollout, committed={**rollout.committed, **new}) if new else rollout


def with_rolled_back(rollout: Rollout, node_ids: Iterable[str], *, now_s: float) -> Rollout:
    """Note failed attempts that the hub has just learned of."""
    new = {node_id: now_s for node_id in node_ids if node_id not in rollout.rolled_back}
    return msgspec.structs.replace(rollout, rolled_back={**rollout.rolled_back, **new}) if new else rollout


def with_joined(rollout: Rollout, node_ids: Sequence[str], cause: Cause) -> Rollout:
    """Add nodes that joined meanwhile to the current stage."""
    if not node_ids:
        return rollout
    stage = msgspec.structs.replace(rollout.current, node_ids=(*rollout.current.node_ids, *node_ids))
    number = "1 node" if len(node_ids) == 1 else f"{len(node_ids)} nodes"
    told = Cause(cause.at_s, cause.actor, f"{number} joined since it began: the last stage takes them along")
    return noted(with_stage(rollout, rollout.stage, stage), "joined", told)


def with_previous(rollout: Rollout, previous: Mapping[str, Previous | None]) -> Rollout:
    """Note what nodes had before; what is known already stays, for it was true when they were given the version."""
    return msgspec.structs.replace(rollout, previous={**previous, **rollout.previous})


def with_given(rollout: Rollout, node_ids: Iterable[str], *, now_s: float) -> Rollout:
    """Note that nodes were given the version."""
    return msgspec.structs.replace(rollout, given_at_s={**rollout.given_at_s, **dict.fromkeys(node_ids, now_s)})


def with_stage(rollout: Rollout, index: int, stage: Stage) -> Rollout:
    """Return the rollout with one stage replaced."""
    return msgspec.structs.replace(rollout, stages=_replaced(rollout.stages, index, stage))


def noted(rollout: Rollout, event: str, cause: Cause) -> Rollout:
    """Return the rollout with one more line in its history."""
    entries = (*rollout.history, HistoryEntry(cause.at_s, event, cause.actor, cause.reason))
    if len(entries) > HISTORY_MAX:
        entries = (entries[0], *entries[-HISTORY_MAX + 1 :])
    return msgspec.structs.replace(rollout, history=entries)


def _replaced(stages: Sequence[Stage], index: int, stage: Stage) -> tuple[Stage, ...]:
    return (*stages[:index], stage, *stages[index + 1 :])
