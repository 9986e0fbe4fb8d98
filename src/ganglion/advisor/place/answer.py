"""What `ganglion advise place` answers. These structs are its published JSON."""

import msgspec

from ganglion.advisor.figures import SCHEMA_VERSION, Figure, Question, ThumbRule
from ganglion.advisor.thumb import PlacementKind


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One rule, applied to one placement."""

    rule: str
    """law.residency, physics.latency, physics.rate, physics.link, physics.memory, physics.power, physics.hardware,
    availability.outage, availability.path or cost."""
    outcome: str
    """pass, fail or unknown."""
    reason: str
    need: Figure | None = None
    limit: Figure | None = None
    margin: Figure | None = None
    """Limit minus need: negative when the rule fails."""
    fact: str = ""
    """The missing fact, when the outcome is unknown."""


class TierVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What comes of all answering steps on one tier."""

    tier: str
    kind: str
    verdict: str
    """feasible, infeasible or not_measured."""
    first_failing_rule: str
    """Empty unless infeasible."""
    reason: str
    checks: tuple[Check, ...]
    """In the order of judgement: law, physics, availability, cost."""
    cost_month: Figure | None = None


class StepPlacement(msgspec.Struct, frozen=True):
    """Where one step runs."""

    step: str
    tier: str
    reason: str


class Fallback(msgspec.Struct, frozen=True):
    """What to do when what stands above it does not answer."""

    tier: str
    """Empty: nothing runs; the answer is missing, and the consequence is what the workload says."""
    action: str


class PlaceFlip(msgspec.Struct, frozen=True, kw_only=True):
    """What would change the answer."""

    tier: str
    rule: str
    effect: str
    """becomes_feasible; becomes_infeasible; passes_rule: another rule still fails; becomes_cheapest."""
    at: Figure
    """The value at which it happens, all else being equal."""
    text: str


class PlaceAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a workload and a fleet."""

    kind: str = "place"
    schema_version: int = SCHEMA_VERSION
    name: str = ""
    status: str
    """placed, no_feasible_placement or not_measured."""
    answer: str
    decided_by: str = ""
    """law, physics, availability, cost, only_feasible, nearest (a price is missing), or not_measured."""
    quantile: str
    """The quantile at which latencies are compared."""
    placement: tuple[StepPlacement, ...] = ()
    fallbacks: tuple[Fallback, ...] = ()
    feasible: tuple[str, ...] = ()
    tiers: tuple[TierVerdict, ...] = ()
    chosen: TierVerdict | None = None
    """The verdict on the placement that was chosen; `tier` names its tiers in the order of the steps."""
    flips: tuple[PlaceFlip, ...] = ()
    questions: tuple[Question, ...] = ()
    contradictions: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    rules_of_thumb: tuple[ThumbRule, ...] = ()
    placement_kinds: tuple[PlacementKind, ...] = ()
    """The five kinds of placement, with what people say each is best for."""
    schools_disagree: tuple[str, ...] = ()
