"""The gate's findings on distributions: what moved in the stage as a whole, and at each of its sites.

Agreement comes first where it can be had, for a shift alone proves little: a retrained, better model is more
confident. A version that is *less* sure of itself than the old one on inputs like its own is stopped all the same.
"""

from collections.abc import Iterator
from dataclasses import replace

from ganglion.hub.domain.gate import likeness, shifts
from ganglion.hub.domain.gate.evidence import Evidence, NodeEvidence, Work
from ganglion.hub.domain.gate.findings import Doubt, Finding
from ganglion.hub.domain.gate.node_spread import NODES_TO_LEARN_FROM
from ganglion.hub.domain.gate.shifts import Shifts
from ganglion.wire.rollout_resources import GateSettings

SITES_MAX = 200
"""Sites judged one by one, those with most answers first; the stage as a whole is always judged."""


def stage_shifts(settings: GateSettings, evidence: Evidence, doubt: Doubt) -> Shifts:
    """Measure the stage as a whole."""
    return shifts.measured(settings, "", evidence.stage, evidence.controls, doubt)


def site_shifts(settings: GateSettings, evidence: Evidence, doubt: Doubt) -> Iterator[Shifts]:
    """Measure each site that has controls enough to know how its nodes differ, when the stage lies in more than one."""
    sites: dict[str, list[NodeEvidence]] = {}
    for node in evidence.stage:
        if node.behaviour.requests:
            sites.setdefault(node.site, []).append(node)
    if len(sites) < 2:  # noqa: PLR2004 - one site is the stage
        return
    controls: dict[str, list[Work]] = {}
    for work in evidence.controls:
        controls.setdefault(work.site, []).append(work)
    busiest = sorted(sites, key=lambda site: -sum(node.behaviour.requests for node in sites[site]))
    for site in busiest[:SITES_MAX]:
        if len(controls.get(site, ())) > NODES_TO_LEARN_FROM:
            yield shifts.measured(settings, site, sites[site], controls[site], doubt)


def findings(moved: Shifts) -> Iterator[Finding]:
    """Tell what moved. Whether it ends the rollout is for the caller, who knows the agreement."""
    if not moved.is_measured:
        few = f"shift not measured: fewer than {likeness.CELL_ROWS_MIN} rows on a side"
        yield Finding(rule="shift", fact=few, scope=moved.scope)
        return
    for shift in moved.found:
        yield Finding(
            rule=shift.rule,
            fact=_placed(moved, shift.text),
            scope=moved.scope,
            figure=shift.figure,
            limit=shift.limit,
            sample=shift.distance.rows,
        )
    if moved.inputs:
        inputs = _placed(moved, f"{moved.inputs}, so no shift is blamed on the version")
        yield Finding(rule="inputs", fact=inputs, scope=moved.scope)
    elif moved.left_out:
        left_out = f"{moved.left_out} nodes were left out, their inputs are unlike the controls'"
        yield Finding(rule="inputs", fact=_placed(moved, left_out), scope=moved.scope, sample=moved.left_out)


def fatal(finding: Finding, why: str, doubt: Doubt) -> Finding:
    """Return the finding as the reason of an abort."""
    return replace(finding, fact=f"{why}{finding.fact}: {doubt.told()}", is_fatal=True)


def _placed(moved: Shifts, words: str) -> str:
    return f"at {moved.scope}: {words}" if moved.scope else words
