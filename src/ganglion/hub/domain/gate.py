"""May the next stage start? The one place that answers, from counts alone: go on, wait, or abort, with the numbers.

The rules are in `gate_rules`; here stands how they combine. docs/explanation/gates.md says it in words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain import evidence as ev
from ganglion.hub.domain import gate_rules as rules
from ganglion.hub.domain.evidence import Evidence, NodeEvidence, Outcome
from ganglion.hub.domain.gate_rules import Finding, Shifts
from ganglion.wire.rollout_resources import GateSettings

RECORDS_LAG_S = 10.0
"""Comparisons may arrive this much later than the commit that follows them; before that, none means nothing."""


class Answer(StrEnum):
    """The three answers."""

    GO_ON = "go_on"
    WAIT = "wait"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer and, in plain words, the figures behind it."""

    answer: Answer
    reason: str


def evaluate(settings: GateSettings, evidence: Evidence) -> Verdict:
    """Judge the current stage. A fatal finding ends the rollout; otherwise every rule must be content to go on."""
    findings = [*_behaviour_findings(settings, evidence), *_progress_findings(settings, evidence)]
    fatal = [finding.fact for finding in findings if finding.is_fatal]
    if fatal:
        return Verdict(Answer.ABORT, "; ".join(fatal))
    missing = "; ".join(finding.missing for finding in findings if finding.missing)
    settled = "; ".join(finding.fact for finding in findings if finding.fact and not finding.missing)
    if not missing:
        return Verdict(Answer.GO_ON, settled)
    if evidence.waited_s >= settings.deadline_s:
        return Verdict(Answer.ABORT, f"not decided within {settings.deadline_s:.0f} s: {missing}")
    return Verdict(Answer.WAIT, f"waiting for: {missing}. So far: {settled}")


def _progress_findings(settings: GateSettings, evidence: Evidence) -> Iterator[Finding]:
    yield rules.reports(settings, evidence.stage)
    yield rules.volume(settings, ev.merged(node.behaviour for node in evidence.stage))
    yield rules.soak(settings, evidence)


def _behaviour_findings(settings: GateSettings, evidence: Evidence) -> Iterator[Finding]:
    yield rules.self_rollbacks([*evidence.stage, *evidence.earlier])
    yield rules.error_rate(settings, ev.merged(node.behaviour for node in evidence.stage))
    for node_class, behaviour in sorted(ev.by_class(evidence.stage).items()):
        yield rules.latency(settings, behaviour, evidence.controls.get(node_class), node_class)
    yield from _likeness(settings, evidence)
    yield from _earlier(settings, evidence)


def _earlier(settings: GateSettings, evidence: Evidence) -> Iterator[Finding]:
    """Nodes of earlier stages can still end the rollout, but have nothing left to prove."""
    if not evidence.earlier:
        return
    yield _only_fatal(rules.error_rate(settings, ev.merged(node.behaviour for node in evidence.earlier)))
    for node_class, behaviour in sorted(ev.by_class(evidence.earlier).items()):
        yield _only_fatal(rules.latency(settings, behaviour, evidence.controls.get(node_class), node_class))


def _only_fatal(finding: Finding) -> Finding:
    return Finding(f"earlier stages: {finding.fact}", is_fatal=True) if finding.is_fatal else Finding("")


def _likeness(settings: GateSettings, evidence: Evidence) -> Iterator[Finding]:
    """Judge by agreement where it can be had; a shift alone proves nothing against a version that agrees.

    A retrained, better model is more confident: that is a shift, and no fault. So the shift is told in
    every verdict, and decides only when nothing could be compared or the agreement is in doubt.
    """
    new = ev.merged(node.behaviour for node in evidence.stage)
    shifts = rules.shifts(new, _controls_of(evidence))
    if not any(node.has_previous for node in evidence.stage):
        yield Finding("no previous version to compare with")
    elif new.compared == 0 and _will_not_compare(settings, evidence):
        yield _judged_by_shift(settings, shifts)
    else:
        agreement = rules.agreement(settings, new)
        in_doubt = new.compared >= settings.compared_min and bool(agreement.missing)
        if in_doubt and shifts.is_shifted:
            yield Finding(f"{agreement.fact} and {shifts.fact}", is_fatal=True)
        else:
            yield agreement
            yield Finding(shifts.fact)


def _judged_by_shift(settings: GateSettings, shifts: Shifts) -> Finding:
    fact = f"nothing could be compared, {shifts.fact}"
    is_needed = settings.compared_min > 0 and not shifts.is_measured
    return Finding(fact, missing=fact if is_needed else "", is_fatal=shifts.is_shifted)


def _will_not_compare(settings: GateSettings, evidence: Evidence) -> bool:
    """Say whether no comparison will come any more: nodes compare until they commit, and all have."""
    if any(node.outcome is Outcome.SILENT and node.has_previous for node in evidence.stage):
        return False
    soaked_s = evidence.soaked_s
    return soaked_s is not None and soaked_s >= max(settings.soak_s, RECORDS_LAG_S)


def _controls_of(evidence: Evidence) -> Behaviour:
    classes = {node.node_class for node in evidence.stage if _answered(node)}
    return ev.merged(behaviour for name, behaviour in evidence.controls.items() if name in classes)


def _answered(node: NodeEvidence) -> bool:
    return node.behaviour.requests > 0
