"""What a rule of the gate says, and how sure it must be to end a rollout."""

from dataclasses import dataclass

from ganglion.core import sequential
from ganglion.core.sequential import exceeds
from ganglion.wire.rollout_resources import GateFinding

CHANCE = 0.01
"""Of so many rollouts of a healthy version one may be aborted by chance, over all stages, rules, places and looks."""
RULES = 15
"""Rules that could err by chance, and share it: errors and p99, of this stage and of those before; typical latency,
memory, power; agreement, confidence, answers in doubt and class mix, each of the stage and of its sites."""
CONTROLS_MIN = 100
"""Requests of the old version before its own failures excuse those of the new one."""
HITS_MIN = 5
"""Fewer failures than this end nothing, however unlikely they are: one broken request is often sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule found."""

    rule: str
    fact: str
    missing: str = ""
    """Why the rollout may not go on yet; empty when this rule is content."""
    is_fatal: bool = False
    """The rollout must end, and `fact` says why."""
    scope: str = ""
    figure: float | None = None
    limit: float | None = None
    sample: int = 0

    def shown(self) -> GateFinding:
        """Return the finding for people and programs."""
        waits = "wait" if self.missing else "go_on"
        return GateFinding(
            rule=self.rule,
            answer="abort" if self.is_fatal else waits,
            text=self.fact or self.missing,
            scope=self.scope,
            figure=self.figure,
            limit=self.limit,
            sample=self.sample,
        )


@dataclass(frozen=True, slots=True)
class Doubt:
    """How rarely one rule may err: the chance of the whole rollout, divided among all that is looked at."""

    alpha: float

    @classmethod
    def shared(cls, *, stages: int, scopes: int = 1) -> "Doubt":
        """Return the part of one rule in one of so many classes or sites, in a rollout of so many stages."""
        return cls(CHANCE / (max(1, stages) * RULES * max(1, scopes)))

    def told(self) -> str:
        """Return in words how sure a fatal finding is."""
        return f"chance does this in fewer than 1 of {1 / self.alpha:,.0f} rollouts"


@dataclass(frozen=True, slots=True)
class Rate:
    """Hits among trials."""

    hits: int
    trials: int

    @property
    def share(self) -> float:
        """Return the share of hits; 0 when nothing was tried."""
        return self.hits / self.trials if self.trials else 0.0


def is_beyond(new: Rate, old: Rate, limit: float, doubt: Doubt) -> bool:
    """Say whether the chance of a hit is above `limit` beyond doubt, and above that of the old version.

    Where the old version keeps the limit, it is the limit that counts. Where it does not, what troubles
    both is not the new one's fault: then the new one must be beyond the highest rate that the old one may have.
    """
    if new.hits < HITS_MIN or new.share <= limit:
        return False
    if old.trials >= CONTROLS_MIN and old.share > limit:
        ceiling = sequential.rate_ceiling(old.hits, old.trials, doubt.alpha / 2)
        return exceeds(sequential.rate_evidence(new.hits, new.trials, ceiling), doubt.alpha / 2)
    return exceeds(sequential.rate_evidence(new.hits, new.trials, limit), doubt.alpha)
