"""Rules of thumb and hardware families, as data: they are shown beside an answer and never decide one."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from ganglion.advisor.figures import Figure, State, ThumbRule


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule: it speaks when `least` <= the fact < `below`."""

    id: str
    school: str
    subject: str
    suggests: str
    says: str
    origin: str
    date: str
    unit: str = ""
    least: float | None = None
    below: float | None = None


class PlacementKind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the five kinds of placement."""

    id: str
    tiers: tuple[str, ...]
    best_for: str
    origin: str
    date: str


class ThumbRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file `rules_of_thumb.toml`."""

    rule: tuple[Rule, ...]
    placement: tuple[PlacementKind, ...]


class Family(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A family of hardware."""

    id: str
    name: str
    power_w: tuple[float, float]
    memory_gb: tuple[float, float]
    precisions: tuple[str, ...]
    best_for: str
    not_for: str
    origin: str
    source: str
    date: str


class LadderRung(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to try with a model that does not fit."""

    id: str
    precision: str
    memory: float
    says: str


class Hardware(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file `hardware.toml`."""

    family: tuple[Family, ...]
    rung: tuple[LadderRung, ...]


Spoken: TypeAlias = "Sequence[tuple[Rule, bool]]"


def rules_from(tree: object) -> ThumbRules:
    """Return the rules of a decoded TOML file. Raises: msgspec.ValidationError."""
    return msgspec.convert(tree, ThumbRules)


def hardware_from(tree: object) -> Hardware:
    """Return the hardware of a decoded TOML file. Raises: msgspec.ValidationError."""
    return msgspec.convert(tree, Hardware)


def spoken(rules: ThumbRules, facts: Mapping[str, float]) -> tuple[Rule, ...]:
    """Return the rules that have something to say of these facts (subject → number in the rule's unit)."""
    return tuple(rule for rule in rules.rule if rule.subject == "always" or _speaks(rule, facts.get(rule.subject)))


def shown(rules: Sequence[Rule]) -> tuple[ThumbRule, ...]:
    """Return rules as an answer shows them."""
    return tuple(
        ThumbRule(id=rule.id, school=rule.school, says=rule.says, origin=rule.origin, date=rule.date) for rule in rules
    )


def disagreements(rules: Sequence[Rule]) -> tuple[str, ...]:
    """Return where two schools look at one fact and suggest different things."""
    said: list[str] = []
    for subject in dict.fromkeys(rule.subject for rule in rules if rule.subject != "always"):
        of = {rule.school: rule for rule in rules if rule.subject == subject}
        if len({rule.suggests for rule in of.values()}) > 1:
            voices = "; ".join(f"{school}: {rule.suggests}" for school, rule in of.items())
            said.append(f"Schools disagree on {subject.replace('_', ' ')}: {voices}. A measurement decides.")
    return tuple(said)


def cost_rules(rules: ThumbRules, figures: Mapping[str, Figure]) -> tuple[ThumbRule, ...]:
    """Return the rules that look at a monthly API bill."""
    bill = figures.get("cloud_month")
    if bill is None or bill.state is not State.COMPUTED or bill.value is None or not bill.unit.startswith("USD"):
        return ()
    return shown([rule for rule in spoken(rules, {"api_spend": bill.value}) if rule.subject == "api_spend"])


def _speaks(rule: Rule, fact: float | None) -> bool:
    if fact is None:
        return False
    return (rule.least is None or fact >= rule.least) and (rule.below is None or fact < rule.below)
