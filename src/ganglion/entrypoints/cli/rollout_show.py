"""Rollouts, plans and the way back on a terminal: stages are counted as people count, long lists are cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganglion.entrypoints.cli.cells import moment, size

if TYPE_CHECKING:
    from ganglion.entrypoints.cli.context import Session
    from ganglion.wire.rollout_resources import (
        NodeReturn,
        RolloutEntry,
        RolloutPlan,
        RolloutView,
        StageView,
    )

NAMES_MAX = 8


@dataclass(frozen=True, slots=True)
class RolloutLine:
    """A rollout as one line of a table."""

    rollout_id: str
    model: str
    version: str
    state: str
    stage: str
    created_at_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class StageLine:
    """A stage as one line."""

    stage: str
    nodes: str
    started_at_s: float | None
    approved_by: str
    verdict: str
    verdict_reason: str


@dataclass(frozen=True, slots=True)
class RolloutRecord:
    """A rollout on a terminal."""

    rollout_id: str
    model: str
    version: str
    state: str
    stage: str
    waits_for: str
    limits: str
    nodes: str
    left_behind: str
    judged: str
    revert: str
    stages: list[StageLine]
    returns: "list[NodeReturn]"
    reason: str
    created_at_s: float
    updated_at_s: float
    history: "list[RolloutEntry]"


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A planned stage as one line."""

    stage: str
    earliest_at_s: float
    batches: int
    download: str
    variants: str
    nodes: str


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A plan on a terminal."""

    model: str
    version: str
    nodes: int
    download: str
    approvals: str
    misfits: str
    ahead: str
    stages: list[PlanLine]


def show_rollout(session: "Session", view: "RolloutView") -> None:
    """Print one rollout."""
    session.show(view, lines=record_of(view))


def show_plan(session: "Session", plan: "RolloutPlan") -> None:
    """Print a plan."""
    session.show(plan, lines=plan_of(plan))


def record_of(view: "RolloutView") -> RolloutRecord:
    """Return a rollout as people read it."""
    return RolloutRecord(
        rollout_id=view.rollout_id,
        model=view.model,
        version=view.version,
        state=view.state,
        stage=_stage(view),
        waits_for=_waits_for(view),
        limits=_limits(view),
        nodes=_counts(view),
        left_behind=cut(view.left_behind),
        judged=_judged(view),
        revert=_revert(view),
        stages=[_stage_line(stage) for stage in view.stages],
        returns=[each for each in view.revert.nodes if each.state != "returned"][:NAMES_MAX] if view.revert else [],
        reason=view.reason,
        created_at_s=view.created_at_s,
        updated_at_s=view.updated_at_s,
        history=view.history,
    )


def line_of(view: "RolloutView") -> RolloutLine:
    """Return a rollout as one line."""
    return RolloutLine(
        rollout_id=view.rollout_id,
        model=view.model,
        version=view.version,
        state=view.state,
        stage=_stage(view),
        created_at_s=view.created_at_s,
        reason=view.reason,
    )


def plan_of(plan: "RolloutPlan") -> PlanRecord:
    """Return a plan as people read it."""
    return PlanRecord(
        model=plan.model,
        version=plan.version,
        nodes=sum(max(stage.size, len(stage.nodes)) for stage in plan.stages),
        download=size(plan.download_bytes),
        approvals=f"{plan.approvals} for each stage" if plan.approvals else "",
        misfits=cut(plan.misfits),
        ahead=cut(plan.ahead),
        stages=[
            PlanLine(
                stage=stage.share,
                earliest_at_s=stage.earliest_at_s,
                batches=stage.batches,
                download=size(stage.download_bytes),
                variants=cut(sorted({node.variant for node in stage.nodes})),
                nodes=cut([node.node for node in stage.nodes], total=stage.size),
            )
            for stage in plan.stages
        ],
    )


def cut(names: Sequence[str], *, total: int = 0) -> str:
    """Return some of the names, and how many more there are; `total` when not all of them are here."""
    rest = max(len(names), total) - min(len(names), NAMES_MAX)
    return ", ".join(names[:NAMES_MAX]) + (f" and {rest} more" if rest else "")


def _stage(view: "RolloutView") -> str:
    return f"{min(view.stage + 1, len(view.stages))} of {len(view.stages)}"


def _stage_line(stage: "StageView") -> StageLine:
    return StageLine(
        stage=stage.share,
        nodes=cut(stage.nodes, total=stage.size),
        started_at_s=stage.started_at_s,
        approved_by=cut(stage.approved_by),
        verdict=stage.verdict,
        verdict_reason=stage.verdict_reason,
    )


def _waits_for(view: "RolloutView") -> str:
    match view.state:
        case "scheduled":
            return f"its time, {moment(view.limits.starts_at_s)}"
        case "queued":
            return "1 rollout before it" if view.place == 1 else f"{view.place} rollouts before it"
        case "awaiting_approval":
            index = 0 if view.stages[0].started_at_s is None else view.stage + 1
            missing = view.stages[index].approvals_missing
            return f"{missing} more approval{'' if missing == 1 else 's'} of stage {index + 1}"
        case _:
            return f"{view.held_back} nodes whose turn has not come" if view.held_back else ""


def _limits(view: "RolloutView") -> str:
    limits = view.limits
    words = [
        "EMERGENCY" if limits.emergency else "",
        f"for {limits.to}" if limits.to else "",
        f"for {limits.select or 'every node'}" if limits.select is not None else "",
        f"starts {moment(limits.starts_at_s)}" if limits.starts_at_s is not None else "",
        f"{limits.deadline_act} at {moment(limits.deadline_at_s)}" if limits.deadline_at_s is not None else "",
        f"{limits.approvals} approval{'' if limits.approvals == 1 else 's'} a stage" if limits.approvals else "",
        f"{limits.site_parallel_max} at a time in a site" if limits.site_parallel_max else "",
        f"{size(limits.site_bytes_per_s_max)}/s for a site" if limits.site_bytes_per_s_max else "",
        f"installs in {', '.join(limits.windows)}" if limits.windows else "",
    ]
    return "; ".join(word for word in words if word)


def _counts(view: "RolloutView") -> str:
    total = sum(max(stage.size, len(stage.nodes)) for stage in view.stages)
    retried = f", {len(view.retried)} tried again" if view.retried else ""
    return f"{view.given} of {total} given it, {view.committed} committed{retried}"


def _judged(view: "RolloutView") -> str:
    words = [
        f"{each.version}: {each.right} of {each.labelled} right ({each.right / each.labelled:.1%})"
        for each in sorted(view.judged, key=lambda each: each.version != view.version)
    ]
    return ", ".join(words)


def _revert(view: "RolloutView") -> str:
    back = view.revert
    if back is None:
        return ""
    total = back.returned + back.returning + back.silent + back.failed
    when = f", done {moment(back.reverted_at_s)}" if back.reverted_at_s is not None else ""
    rest = f"{back.returning} returning, {back.silent} silent, {back.failed} failed"
    return f"{back.returned} of {total} {'node is' if total == 1 else 'nodes are'} back, {rest}{when}"
