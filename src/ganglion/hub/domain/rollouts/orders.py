"""What people order besides pause, resume, abort and promote: approve, skip, retry. No I/O, no clock."""

import msgspec

from ganglion.core.errors import Conflict
from ganglion.core.identity_errors import Forbidden
from ganglion.core.transitions import IllegalTransition
from ganglion.hub.domain.rollouts.document import Cause, Rollout, RolloutState, noted, with_stage
from ganglion.hub.domain.rollouts.machine import Decision, handle
from ganglion.hub.domain.rollouts.table import OPEN_STATES, RolloutEffect, RolloutEvent

RETRY_PAUSE_S = 60.0
"""A node that was given the version less than this ago is not given it anew: the order may have come twice."""
_NAMES_MAX = 5


def approve(rollout: Rollout, cause: Cause, *, stage: int | None = None) -> Decision:
    """Let a stage start, the next one if none is named; it may be said ahead of time. Twice by one person is once.

    Whoever let the stage start that runs now, and names none, has said it again and not let the next one start.

    Raises: IllegalTransition: it has ended. Forbidden: whoever started it approves nothing of it.
    Conflict: it needs no approvals, or has no such stage.
    """
    index = rollout.next_stage if stage is None else stage
    if rollout.state not in OPEN_STATES:
        raise IllegalTransition(rollout.state, RolloutEvent.APPROVE)
    if rollout.terms.approvals == 0:
        raise Conflict("no stage of this rollout needs an approval")
    if stage is None and _is_approved_again(rollout, cause.actor):
        return Decision(rollout)
    if not 0 <= index < len(rollout.stages):
        raise Conflict(f"the rollout has the stages 1 to {len(rollout.stages)}; there is no stage {index + 1}")
    if cause.actor == rollout.started_by:
        raise Forbidden(
            f"{cause.actor} started this rollout, and who starts one approves nothing of it: another person who is"
            f" operator or admin runs `ganglion rollout approve {rollout.rollout_id} --stage {index + 1}`"
        )
    approved = rollout.stages[index].approved_by
    if cause.actor in approved or index < rollout.next_stage:
        return Decision(rollout)
    seen = msgspec.structs.replace(rollout.stages[index], approved_by=(*approved, cause.actor))
    reason = f"stage {index + 1} of {len(rollout.stages)}{_because(cause.reason)}"
    after = noted(with_stage(rollout, index, seen), "approved", Cause(cause.at_s, cause.actor, reason))
    after = msgspec.structs.replace(after, updated_at_s=cause.at_s)
    is_held = rollout.state is RolloutState.AWAITING_APPROVAL and index == rollout.next_stage
    if is_held and rollout.has_begun and not after.missing_approvals(index):
        return handle(after, RolloutEvent.APPROVE, cause)
    return Decision(after)


def skip(rollout: Rollout, cause: Cause, *, names: dict[str, str]) -> Decision:
    """Wait no longer for the nodes of the present stage that were given the version and tell nothing.

    The gate judges by the others from now on. `names`: those nodes, by id. Raises: IllegalTransition: it has ended or
    not begun. Conflict: nobody told anything, so that there would be nothing to judge by.
    """
    if rollout.state not in OPEN_STATES or not rollout.has_begun:
        raise IllegalTransition(rollout.state, RolloutEvent.GO_ON)
    silent = {node_id: name for node_id, name in names.items() if node_id not in rollout.left_behind}
    if not silent:
        return Decision(rollout)
    if not any(node_id in rollout.committed for node_id in rollout.current.node_ids):
        raise Conflict("no node of this stage has committed: wait, promote the rollout or abort it")
    behind = {**rollout.left_behind, **dict.fromkeys(silent, cause.at_s)}
    after = msgspec.structs.replace(rollout, left_behind=behind, updated_at_s=cause.at_s)
    reason = f"{_listed(silent)} left behind{_because(cause.reason)}"
    return Decision(noted(after, "skipped", Cause(cause.at_s, cause.actor, reason)))


def retry(rollout: Rollout, cause: Cause, *, names: dict[str, str]) -> Decision:
    """Give the version anew to nodes of the stages so far that went back or never told.

    `names`: nodes in service, by id. Raises: IllegalTransition: it has ended or not begun.
    """
    if rollout.state not in OPEN_STATES or not rollout.has_begun:
        raise IllegalTransition(rollout.state, RolloutEvent.GO_ON)
    again = {
        node_id: names[node_id]
        for node_id in rollout.node_ids_so_far()
        if node_id in names and _is_retried(rollout, node_id, cause.at_s)
    }
    if not again:
        return Decision(rollout)
    after = msgspec.structs.replace(
        rollout,
        given_at_s={key: at_s for key, at_s in rollout.given_at_s.items() if key not in again},
        rolled_back={key: at_s for key, at_s in rollout.rolled_back.items() if key not in again},
        left_behind={key: at_s for key, at_s in rollout.left_behind.items() if key not in again},
        retried_at_s={**rollout.retried_at_s, **dict.fromkeys(again, cause.at_s)},
        attempts={**rollout.attempts, **{key: rollout.attempts.get(key, 0) + 1 for key in again}},
        updated_at_s=cause.at_s,
    )
    reason = f"{_listed(again)} given it anew{_because(cause.reason)}"
    return Decision(noted(after, "retried", Cause(cause.at_s, cause.actor, reason)), RolloutEffect.ASSIGN_STAGE)


def _is_approved_again(rollout: Rollout, person: str) -> bool:
    return rollout.state is RolloutState.RUNNING and rollout.has_begun and person in rollout.current.approved_by


def _is_retried(rollout: Rollout, node_id: str, now_s: float) -> bool:
    if node_id in rollout.committed or not rollout.was_given(node_id):
        return False
    # The wall clock may have jumped back: a time to come was long ago.
    return abs(now_s - rollout.given_at_s.get(node_id, 0.0)) >= RETRY_PAUSE_S


def _listed(names: dict[str, str]) -> str:
    shown = ", ".join(sorted(names.values())[:_NAMES_MAX])
    more = f" and {len(names) - _NAMES_MAX} more" if len(names) > _NAMES_MAX else ""
    return f"{'1 node' if len(names) == 1 else f'{len(names)} nodes'} ({shown}{more})"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
