"""The gate's rules that count: who reported, who went back, which requests failed, which answers agreed.

To end a rollout a figure must break its limit beyond doubt at any look (`core.sequential`), so that a few unlucky
requests abort nothing. To go on, the figure itself must be within its limit.
"""

import math
from collections.abc import Callable, Iterator, Sequence

from ganglion.core.behaviour import Behaviour
from ganglion.hub.domain.gate import evidence as ev
from ganglion.hub.domain.gate.evidence import Evidence, NodeEvidence, Outcome
from ganglion.hub.domain.gate.findings import CONTROLS_MIN, HITS_MIN, Doubt, Finding, Rate, is_beyond, is_over
from ganglion.wire.rollout_resources import GateSettings

SITE_COMPARED_MIN = 20
"""Comparisons at one site before they are judged: a version that is simply wrong there is found by few."""
_NAMES_MAX = 3


def self_rollbacks(settings: GateSettings, nodes: Sequence[NodeEvidence], *, others: int = 0) -> Finding:
    """A node that went back by itself has proved something that no average can outweigh."""
    back = [node for node in nodes if node.outcome is Outcome.ROLLED_BACK]
    if not back:
        return Finding(rule="updates", fact="no node rolled back", figure=0.0, sample=len(nodes) + others)
    named = "; ".join(f"{node.name}: {node.reason or 'no reason given'}" for node in back[:_NAMES_MAX])
    words = f"rolled back unasked ({named}{_more(back)})"
    return _given_up("updates", words, len(back), len(nodes) + others, settings.rollback_share_max)


def crashes(settings: GateSettings, nodes: Sequence[NodeEvidence], *, others: int = 0) -> Finding:
    """Count nodes that committed the version and then gave it up, for it took the serving process down too often."""
    fell = [node for node in nodes if node.has_crashed]
    if not fell:
        return Finding(rule="crashes", fact="", figure=0.0, sample=len(nodes) + others)
    named = ", ".join(node.name for node in fell[:_NAMES_MAX])
    words = f"gave the version up after crashes ({named}{_more(fell)})"
    return _given_up("crashes", words, len(fell), len(nodes) + others, settings.crash_share_max)


def _more(nodes: Sequence[NodeEvidence]) -> str:
    return f" and {len(nodes) - _NAMES_MAX} more" if len(nodes) > _NAMES_MAX else ""


def _given_up(rule: str, words: str, number: int, nodes: int, share_max: float) -> Finding:
    share = number / nodes
    limit = f", limit {share_max:.1%}" if share_max else ""
    fact = f"{number} of {_nodes(nodes)} {words}{limit}"
    return Finding(rule=rule, fact=fact, is_fatal=share > share_max, figure=share, limit=share_max, sample=nodes)


def errors(settings: GateSettings, nodes: Sequence[NodeEvidence], old: Behaviour, doubt: Doubt) -> Iterator[Finding]:
    """Look at failed requests. The old version's own failures are no fault of the new one.

    The old version is that of the controls in the same hours; for a node on which the version before failed as
    often, it is that one.
    """
    failing = [node for node in nodes if _failed_before(node, settings.error_rate_max)]
    usual = [node for node in nodes if node not in failing] if failing else nodes
    if failing:
        doubt = doubt.halved()
        new, past = ev.tallied(node.behaviour for node in failing), ev.tallied(node.before for node in failing)
        yield _error_rate(settings, new, past, doubt, known_at=HITS_MIN)
    if usual or not failing:
        yield _error_rate(settings, ev.tallied(node.behaviour for node in usual), old, doubt)


def _failed_before(node: NodeEvidence, limit: float) -> bool:
    before = _errors(node.before)
    return before.hits >= HITS_MIN and before.share > limit


def _error_rate(
    settings: GateSettings, new: Behaviour, old: Behaviour, doubt: Doubt, *, known_at: int = CONTROLS_MIN
) -> Finding:
    limit, rate, control = settings.error_rate_max, _errors(new), _errors(old)
    fact = f"errors {rate.hits} of {rate.trials} ({rate.share:.1%}, limit {limit:.1%})"
    if control.hits and control.share > limit:
        fact += f", the old version {control.share:.1%}"
    is_fatal = is_beyond(rate, control, limit, doubt, known_at=known_at)
    return Finding(
        rule="errors",
        fact=f"{fact}: {doubt.told()}" if is_fatal else fact,
        missing=fact if is_over(rate, control, limit) and not is_fatal else "",
        is_fatal=is_fatal,
        figure=rate.share,
        limit=limit,
        sample=rate.trials,
    )


def agreement(settings: GateSettings, behaviour: Behaviour, doubt: Doubt) -> Finding:
    """Compare the two versions' answers to the same live inputs, once there are enough of them."""
    compared, limit = behaviour.compared, settings.agreement_min
    if compared < settings.compared_min:
        few = f"{compared} of {settings.compared_min} comparisons with the previous version"
        return Finding(
            rule="agreement", fact=few, missing=few, figure=behaviour.agreement, limit=limit, sample=compared
        )
    if compared == 0:
        return Finding(rule="agreement", fact="nothing compared with the previous version")
    fact = _agreed(behaviour, limit)
    is_fatal = _disagrees(behaviour, limit, doubt)
    return Finding(
        rule="agreement",
        fact=f"{fact}: {doubt.told()}" if is_fatal else fact,
        missing=fact if behaviour.agreement < limit and not is_fatal else "",
        is_fatal=is_fatal,
        figure=behaviour.agreement,
        limit=limit,
        sample=compared,
    )


def agreement_by_site(
    settings: GateSettings, stage: Sequence[NodeEvidence], doubt: Callable[[int], Doubt]
) -> Iterator[Finding]:
    """Find the site on which a version is wrong that is right everywhere else. Each site may end the rollout."""
    compared: dict[str, list[Behaviour]] = {}
    for node in stage:
        if node.behaviour.compared:
            compared.setdefault(node.site, []).append(node.behaviour)
    sites = {site: ev.tallied(behaviours) for site, behaviours in compared.items()}
    if len(sites) < 2:  # noqa: PLR2004 - one site is the stage
        return
    limit, one_of_many = settings.agreement_min, doubt(len(sites))
    for site, behaviour in sorted(sites.items()):
        enough = min(settings.compared_min, SITE_COMPARED_MIN)
        if behaviour.compared >= enough and _disagrees(behaviour, limit, one_of_many):
            yield Finding(
                rule="agreement",
                fact=f"at {site or 'no site'}: {_agreed(behaviour, limit)}: {one_of_many.told()}",
                is_fatal=True,
                scope=site,
                figure=behaviour.agreement,
                limit=limit,
                sample=behaviour.compared,
            )


def _agreed(behaviour: Behaviour, limit: float) -> str:
    share = f"{behaviour.agreement:.1%}, limit {limit:.1%}"
    return f"agreement with the previous version {behaviour.agreed} of {behaviour.compared} ({share})"


def _disagrees(behaviour: Behaviour, limit: float, doubt: Doubt) -> bool:
    differed = Rate(behaviour.compared - behaviour.agreed, behaviour.compared)
    return is_beyond(differed, Rate(0, 0), 1.0 - limit, doubt)


def reports(settings: GateSettings, evidence: Evidence) -> Finding:
    """Count commits. A silent node is not counted as one, and at least one node must have spoken.

    A node that is set aside is not waited for, nor one that went back within what is allowed: the share is one of
    the others.
    """
    stage, others = evidence.stage, evidence.others
    nodes, committed = len(stage) + others.nodes, ev.count(stage, Outcome.COMMITTED) + others.committed
    shown_aside = sum(node.is_set_aside for node in stage)
    aside = shown_aside + others.set_aside
    silent = ev.count(stage, Outcome.SILENT) - shown_aside + others.silent
    expected = nodes - aside - ev.count(stage, Outcome.ROLLED_BACK)
    by_share = math.ceil(settings.reports_min_share * expected - 1e-9)
    needed = max(1, by_share, min(settings.reports_min, nodes))
    fact = f"{committed} of {_nodes(nodes)} committed, {silent} silent"
    if aside:
        fact += f", {aside} set aside after {settings.silence_s_max:.0f} s of silence or by a person"
    missing = f"{fact}, {needed} needed" if committed < needed else ""
    return Finding(rule="reports", fact=fact, missing=missing, figure=committed, limit=needed, sample=nodes)


def volume(settings: GateSettings, evidence: Evidence) -> Finding:
    """Count the new version's answers in this stage."""
    answers = sum(node.behaviour.requests for node in evidence.stage)
    needed = math.ceil(settings.inferences_min * evidence.counted_share)
    missing = f"{answers} of {needed} answers" if answers < needed else ""
    return Finding(
        rule="answers", fact=f"{answers} answers", missing=missing, figure=answers, limit=needed, sample=answers
    )


def soak(settings: GateSettings, evidence: Evidence) -> Finding:
    """Measure the time since the last node of the stage took the version."""
    soaked_s = evidence.soaked_s or 0.0
    fact = f"soak {soaked_s:.0f} of {settings.soak_s:.0f} s"
    is_short = evidence.soaked_s is None or soaked_s < settings.soak_s
    return Finding(rule="soak", fact=fact, missing=fact if is_short else "", figure=soaked_s, limit=settings.soak_s)


def _errors(behaviour: Behaviour) -> Rate:
    return Rate(behaviour.errors, behaviour.requests)


def _nodes(number: int) -> str:
    return "1 node" if number == 1 else f"{number} nodes"
