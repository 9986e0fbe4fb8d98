"""May the next stage start? The one place that answers, from counts alone: go on, wait, or abort, with the numbers.

The rules are in `gate.rules`, `gate.speed_rules` and `gate.shift_rules`; here stands how they combine.
docs/explanation/gates.md says it in words.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.gate import evidence as ev
from ganglion.hub.domain.gate import rules
from ganglion.hub.domain.gate import shift_rules as gate_shift
from ganglion.hub.domain.gate import speed_rules as gate_speed
from ganglion.hub.domain.gate.evidence import Evidence, Outcome
from ganglion.hub.domain.gate.findings import Doubt, Finding
from ganglion.hub.domain.gate.shifts import Shifts
from ganglion.wire.rollout_resources import GateFinding, GateSettings

RECORDS_LAG_S = 10.0
"""Comparisons may arrive this much later than the commit that follows them; before that, none means nothing."""
REASONS_MAX = 6
"""Reasons that the text of an abort names."""
FINDINGS_MAX = 60
"""Findings that a verdict carries, those that stand in the way first."""


class Answer(StrEnum):
    """The three answers."""

    GO_ON = "go_on"
    WAIT = "wait"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer and, in plain words and in figures, what is behind it."""

    answer: Answer
    reason: str
    findings: tuple[GateFinding, ...] = field(default=(), compare=False)
    pauses: bool = False
    """Wait, and let a person decide: the deadline has passed."""


def evaluate(settings: GateSettings, evidence: Evidence) -> Verdict:
    """Judge the current stage. A fatal finding ends the rollout; otherwise every rule must be content to go on."""
    findings = [*_behaviour_findings(settings, evidence), *_progress_findings(settings, evidence)]
    shown = _shown(findings)
    fatal = [finding.fact for finding in findings if finding.is_fatal]
    if fatal:
        return Verdict(Answer.ABORT, _few(fatal), shown)
    missing = "; ".join(finding.missing for finding in findings if finding.missing)
    settled = "; ".join(finding.fact for finding in findings if finding.fact and not finding.missing)
    if not missing:
        return Verdict(Answer.GO_ON, settled, shown)
    if evidence.waited_s >= settings.deadline_s:
        return _late(settings, missing, shown)
    return Verdict(Answer.WAIT, f"waiting for: {missing}. So far: {settled}", shown)


def _late(settings: GateSettings, missing: str, shown: tuple[GateFinding, ...]) -> Verdict:
    reason = f"not decided within {settings.deadline_s:.0f} s: {missing}"
    if settings.on_deadline == "abort":
        return Verdict(Answer.ABORT, reason, shown)
    return Verdict(Answer.WAIT, reason, shown, pauses=settings.on_deadline == "pause")


def _few(facts: list[str]) -> str:
    """Return the first reasons in words; with hundreds of sites the others are told by their number."""
    more = [f"and {len(facts) - REASONS_MAX} findings more"] if len(facts) > REASONS_MAX else []
    return "; ".join([*facts[:REASONS_MAX], *more])


def _shown(findings: list[Finding]) -> tuple[GateFinding, ...]:
    worst_first = sorted(findings, key=lambda finding: (not finding.is_fatal, not finding.missing))
    return tuple(finding.shown() for finding in worst_first if finding.fact or finding.missing)[:FINDINGS_MAX]


def _progress_findings(settings: GateSettings, evidence: Evidence) -> Iterator[Finding]:
    yield rules.reports(settings, evidence)
    yield rules.volume(settings, evidence)
    yield rules.soak(settings, evidence)


def _behaviour_findings(settings: GateSettings, evidence: Evidence) -> Iterator[Finding]:
    everybody = [*evidence.stage, *evidence.earlier]
    yield rules.self_rollbacks(settings, everybody, others=evidence.others.nodes)
    if any(node.has_crashed for node in everybody):
        yield rules.crashes(settings, everybody, others=evidence.others.nodes)
    doubt = _doubt(evidence)
    old = ev.tallied(work.behaviour for work in evidence.controls)
    yield from rules.errors(settings, evidence.stage, old, doubt)
    by_class = _doubt(evidence, scopes=len({node.node_class for node in evidence.stage}))
    yield from gate_speed.slowest(settings, evidence, by_class)
    yield from gate_speed.typical(settings, evidence, by_class)
    yield from gate_speed.machines(settings, evidence, by_class)
    yield from _likeness(settings, evidence)
    if evidence.past_classes:
        named = ", ".join(evidence.past_classes)
        fact = f"no node of {named} has the old version any more: compared with the same nodes in the hours before"
        yield Finding(rule="controls", fact=fact)
    yield from _earlier(settings, evidence, old)


def _doubt(evidence: Evidence, *, scopes: int = 1) -> Doubt:
    return Doubt.shared(stages=evidence.stages, scopes=scopes)


def _earlier(settings: GateSettings, evidence: Evidence, old: Behaviour) -> Iterator[Finding]:
    """Nodes of earlier stages can still end the rollout, but have nothing left to prove."""
    if not evidence.earlier:
        return
    errors = rules.errors(settings, evidence.earlier, old, _doubt(evidence))
    doubt = _doubt(evidence, scopes=len({node.node_class for node in evidence.earlier}))
    slow = gate_speed.slowest(settings, replace(evidence, stage=evidence.earlier), doubt, are_cold=False)
    for finding in (*errors, *slow):
        if finding.is_fatal:
            yield replace(finding, fact=f"earlier stages: {finding.fact}")


def _likeness(settings: GateSettings, evidence: Evidence) -> Iterator[Finding]:
    """Judge by agreement where it can be had, and by shifts where they show a version that is worse.

    A retrained, better model is more confident: that is a shift, and no fault. So a shift is told in every verdict.
    It decides when the version is less sure of itself, when nothing could be compared, or when the agreement is in
    doubt.
    """
    if not any(node.has_previous for node in evidence.stage):
        yield Finding(rule="agreement", fact="no previous version to compare with")
        return
    doubt = _doubt(evidence)
    shifts = gate_shift.stage_shifts(settings, evidence, doubt)
    new = ev.tallied(node.behaviour for node in evidence.stage)
    agreement = rules.agreement(settings, new, doubt)
    alone = new.compared == 0 and _will_not_compare(settings, evidence)
    in_doubt = new.compared >= settings.compared_min and bool(agreement.missing)
    if alone:
        yield from _by_shift(settings, shifts)
    elif not (in_doubt and shifts.is_surely_unlike):
        yield agreement
    yield from rules.agreement_by_site(settings, evidence.stage, lambda sites: _doubt(evidence, scopes=sites))
    why = _why(settings, shifts, agreement.fact, alone=alone, in_doubt=in_doubt)
    yield from _told(shifts, why, doubt)
    yield from _sites(settings, evidence, alone=alone)


def _by_shift(settings: GateSettings, shifts: Shifts) -> Iterator[Finding]:
    fact = "nothing could be compared"
    is_needed = settings.compared_min > 0 and (not shifts.is_measured or bool(shifts.inputs))
    missing = f"{fact}, {_first(shifts)}" if is_needed else ""
    yield Finding(rule="agreement", fact=fact, missing=missing)


def _first(shifts: Shifts) -> str:
    return shifts.inputs or next(gate_shift.findings(shifts)).fact


def _why(settings: GateSettings, shifts: Shifts, agreement: str, *, alone: bool, in_doubt: bool) -> str | None:
    """Return the beginning of the sentence that ends the rollout, or None when these shifts do not."""
    if alone and shifts.is_unlike:
        return "nothing could be compared, "
    if in_doubt and shifts.is_surely_unlike:
        return f"{agreement} and "
    if shifts.is_apart(settings.agreement_min):
        return f"the answers cannot agree with the old version's on {settings.agreement_min:.0%} of like inputs: "
    return "less sure of itself than the old version: " if shifts.is_doubtful else None


def _told(shifts: Shifts, why: str | None, doubt: Doubt) -> Iterator[Finding]:
    for finding in gate_shift.findings(shifts):
        shifted = {shift.rule for shift in shifts.found if shift.is_shifted and shift.is_worse}
        is_blamed = why is not None and finding.rule in shifted
        yield gate_shift.fatal(finding, why, doubt) if is_blamed and why is not None else finding


def _sites(settings: GateSettings, evidence: Evidence, *, alone: bool) -> Iterator[Finding]:
    """Tell only of sites that end the rollout: the stage as a whole tells the rest."""
    doubt = _doubt(evidence, scopes=len({node.site for node in evidence.stage}))
    for shifts in gate_shift.site_shifts(settings, evidence, doubt):
        why = _why(settings, shifts, "", alone=alone, in_doubt=False)
        if why is not None:
            yield from (finding for finding in _told(shifts, why, doubt) if finding.is_fatal)


def _will_not_compare(settings: GateSettings, evidence: Evidence) -> bool:
    """Say whether no comparison will come any more: nodes compare until they commit, and all have."""
    if evidence.others.silent or any(node.outcome is Outcome.SILENT and node.has_previous for node in evidence.stage):
        return False
    soaked_s = evidence.soaked_s
    return soaked_s is not None and soaked_s >= max(settings.soak_s, RECORDS_LAG_S)
