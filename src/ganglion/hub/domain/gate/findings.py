"""What a rule of the gate says, and how sure it must be to end a rollout."""

import math
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
LIKELY = 2.0
"""A figure that is above its limit by more than this many errors is waited for: chance seldom does that."""


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

    def halved(self) -> "Doubt":
        """Return the part of each of two groups of nodes that one rule looks at apart."""
        return Doubt(self.alpha / 2)

    def told(self) -> str:
        """Return in words how sure a fatal finding is."""
        return f"chance does this in fewer than 1 of {1 / self.alpha:,.0f} rollouts"


@dataclass(frozen=True, slots=True)
class Rate:
    """Hits among trials."""

    hits: int
    trials: int

    def __add__(self, other: "Rate") -> "Rate":
        """Return both together."""
        return Rate(self.hits + other.hits, self.trials + other.trials)

    @property
    def share(self) -> float:
        """Return the share of hits; 0 when nothing was tried."""
        return self.hits / self.trials if self.trials else 0.0


def is_beyond(new: Rate, old: Rate, limit: float, doubt: Doubt, *, known_at: int = CONTROLS_MIN) -> bool:
    """Say whether the chance of a hit is above `limit` beyond doubt, and above that of the old version.

    Where the old version keeps the limit, it is the limit that counts. Where it does not, what troubles
    both is not the new one's fault: then the new one must be beyond the highest rate that the old one may have.
    `known_at` is how many trials of the old version tell that it does not.
    """
    if old.trials >= known_at and old.share > limit:
        return is_beyond_both(new, old, limit, doubt)
    return _may_be_beyond(new, limit) and exceeds(sequential.rate_evidence(new.hits, new.trials, limit), doubt.alpha)


def is_beyond_both(new: Rate, old: Rate, limit: float, doubt: Doubt) -> bool:
    """Say the same where the limit itself was read from the old version: its rate is only as sure as its trials are."""
    if not _may_be_beyond(new, max(limit, old.share)):
        return False
    ceiling = max(limit, sequential.rate_ceiling(old.hits, old.trials, doubt.alpha / 2))
    return exceeds(sequential.rate_evidence(new.hits, new.trials, ceiling), doubt.alpha / 2)


def is_over(new: Rate, old: Rate, limit: float) -> bool:
    """Say whether a stage must wait: its rate is above the limit, and above the old version's by more than is likely.

    Two equal rates differ by chance, and then each of them is the larger one half of the time.
    """
    if new.share <= limit or old.share <= limit:
        return new.share > limit
    middle = (new.hits + old.hits) / (new.trials + old.trials)
    error = math.sqrt(middle * (1.0 - middle) * (1.0 / new.trials + 1.0 / old.trials))
    return new.share - old.share > LIKELY * error


def _may_be_beyond(new: Rate, limit: float) -> bool:
    return new.hits >= HITS_MIN and new.share > limit
