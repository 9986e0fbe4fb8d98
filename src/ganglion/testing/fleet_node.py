"""A node in a few lines: it follows its desired state, tries versions, commits or goes back, and tells when it can.

It keeps the rules of the real node that the hub depends on, and nothing else: no engine, no disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from ganglion.core.behaviour import Behaviour
from ganglion.testing.chance import SeededChance
from ganglion.wire.desired import Assignment, DesiredState, ModelStatus, NodeReport
from ganglion.wire.identity import NodeFacts
from ganglion.wire.records import KNOWN_HERE, EventRecord

REQUESTS_PER_STEP = 40


@dataclass(frozen=True, slots=True)
class Habit:
    """How a version behaves wherever it runs."""

    errors: float = 0.0
    agreement: float = 1.0
    """Share of answers that are those of any other version."""
    latency_us: int = 1000
    confidence: float = 0.9
    refusal: float = 0.0
    """Chance that a node's own probation sends it back."""


@dataclass(slots=True)
class SimulatedNode:
    """One machine with one model. Not online means: works, and nobody hears of it."""

    node_id: str
    name: str
    site: str
    facts: NodeFacts
    chance: SeededChance
    online: bool = True
    desired: DesiredState | None = None
    committed: Assignment | None = None
    spare: Assignment | None = None
    """Committed before `committed`; going back to it is no trial."""
    update: Assignment | None = None
    failed: Assignment | None = None
    tried: int = 0
    """Answers of the version on probation so far."""
    untold: list[EventRecord] = field(default_factory=list)
    uncounted: list[tuple[str, Behaviour]] = field(default_factory=list)
    """Counts by version that have not reached the hub."""
    taken: list[tuple[str, str]] = field(default_factory=list)
    """(rollout id, version) of every commit, oldest first."""

    def take(self, desired: DesiredState) -> None:
        """Take in a desired state, as the real node does: newer ones only, and each wish once."""
        if self.desired and desired.revision <= self.desired.revision:
            return
        self.desired = desired
        wanted = next(iter(desired.assignments), None)
        if self.update and (wanted is None or not _same(self.update, wanted)):
            self._tell("update.rolled_back", self.update, "withdrawn: the hub wants something else now")
            self.update = None
        if wanted is None:
            self.committed = self.spare = None
        elif not self._has(wanted) and not self.update and not (self.failed and _was_tried(self.failed, wanted)):
            self.update, self.tried = wanted, 0
            self._tell("update.offered", wanted)

    def work(self, habits: Mapping[str, Habit]) -> None:
        """Answer some requests, and bring the update further."""
        if self.update and self.update.policy.held:
            self._hold(self.update, habits)
        elif self.update:
            self._try(self.update, habits[self.update.version])
        elif self.committed:
            self._answer(self.committed.version, habits[self.committed.version], compared=0)

    def report(self) -> NodeReport:
        """Return what is true now."""
        committed, attempt = self.committed, self.update or self.failed
        status = ModelStatus(
            model="meter",
            version=committed.version if committed else "",
            committed=committed.version if committed else "",
            update_version=attempt.version if attempt else "",
            update_state=(self._state(self.update) if self.update else "rolled_back") if attempt else "",
            shares=self._shares(),
        )
        return NodeReport(
            incarnation=self.desired.incarnation if self.desired else "",
            revision=self.desired.revision if self.desired else -1,
            models=(status,) if committed or attempt else (),
            facts=self.facts,
            epoch="epoch",
            made=0,
            waiting=len(self.untold),
        )

    def _try(self, update: Assignment, habit: Habit) -> None:
        compares = self.committed is not None and self.committed.version != update.version
        share = update.policy.compare_share if compares else 0.0
        if self._knows(update):
            self._answer(update.version, habit, compared=0)
            self._commit(update)
            return
        self._answer(update.version, habit, compared=round(REQUESTS_PER_STEP * share))
        self.tried += REQUESTS_PER_STEP
        wanted = update.policy.comparisons_min if compares else 0
        if self.tried < update.policy.inferences_min or self.tried * share < wanted:
            return
        if update.policy.agreement_min > 0 and self.chance.share() < habit.refusal:
            self.update, self.failed = None, update
            self._tell("update.rolled_back", update, "error rate 0.300 above 0.05")
            return
        self._commit(update)

    def _hold(self, update: Assignment, habits: Mapping[str, Habit]) -> None:
        """Let a version that is held on trial answer its share, or listen, beside the committed one."""
        habit, policy = habits[update.version], update.policy
        if self.committed is None or self.chance.share() < habit.refusal:
            self.update, self.failed = None, update
            self._tell("update.rolled_back", update, "trial: error rate 0.300 above 0.05")
            return
        answered = round(REQUESTS_PER_STEP * policy.traffic_share)
        rest = REQUESTS_PER_STEP - answered
        if answered:
            self.uncounted.append((update.version, self._counted(habit, answered)))
        behaviour = self._counted(habits[self.committed.version], rest)
        for _ in range(round(rest * policy.compare_share)):
            behaviour.count_comparison(1, self._times(1, habit.agreement), habit.latency_us)
            behaviour.count_heard([habit.confidence])
        self.uncounted.append((self.committed.version, behaviour))

    def _state(self, update: Assignment) -> str:
        return "shadow" if update.policy.held and not update.policy.traffic_share else "probation"

    def _shares(self) -> dict[str, float]:
        share = self.update.policy.traffic_share if self.update else 0.0
        if self.update is None or self.committed is None or not share:
            return {}
        return {self.committed.version: 1.0 - share, self.update.version: share}

    def _commit(self, update: Assignment) -> None:
        self.taken.append((update.rollout_id, update.version))
        self._tell("update.committed", update)
        self.spare, self.committed, self.update, self.failed = self.committed, update, None, None

    def _answer(self, version: str, habit: Habit, *, compared: int) -> None:
        behaviour = self._counted(habit, REQUESTS_PER_STEP)
        behaviour.count_comparison(compared, self._times(compared, habit.agreement), habit.latency_us)
        self.uncounted.append((version, behaviour))

    def _counted(self, habit: Habit, requests: int) -> Behaviour:
        behaviour = Behaviour()
        behaviour.merge(_answers(habit, requests, self._times(requests, habit.errors)))
        return behaviour

    def _times(self, trials: int, share: float) -> int:
        """Draw how often something with this chance happens."""
        if share in (0.0, 1.0):
            return int(trials * share)
        return sum(self.chance.share() < share for _ in range(trials))

    def _has(self, wanted: Assignment) -> bool:
        return self.committed is not None and self.committed.sha256 == wanted.sha256

    def _knows(self, update: Assignment) -> bool:
        return self.spare is not None and self.spare.sha256 == update.sha256 and not update.policy.anew

    def _tell(self, name: str, update: Assignment, reason: str = "") -> None:
        self.untold.append(
            EventRecord(
                name=name,
                model=update.model,
                version=update.version,
                rollout_id=update.rollout_id,
                reason=reason,
                facts={KNOWN_HERE: "yes"} if self._knows(update) else {},
            )
        )


@cache
def _answers(habit: Habit, requests: int, failed: int) -> Behaviour:
    """Return what a version counts of so many requests.

    Nobody may change it: it is counted anew by every node that merges it.
    """
    behaviour = Behaviour()
    for _ in range(failed):
        behaviour.count_error()
    for index in range(requests - failed):
        behaviour.count_answer(
            habit.latency_us + index * REQUESTS_PER_STEP // requests, [str(index % 10)], [habit.confidence]
        )
    return behaviour


def _same(one: Assignment, other: Assignment) -> bool:
    return (one.sha256, one.rollout_id) == (other.sha256, other.rollout_id)


def _was_tried(failed: Assignment, wanted: Assignment) -> bool:
    return _same(failed, wanted) and failed.policy.attempt >= wanted.policy.attempt
