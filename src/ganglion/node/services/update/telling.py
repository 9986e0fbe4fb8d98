"""How a node tells of its models: events of what happened, and for each report what is true now."""

from collections.abc import Mapping

from ganglion.node.domain.update.reconcile import ModelState
from ganglion.node.domain.update.table import Update
from ganglion.ports.serving_control import ServingStatus
from ganglion.wire.desired import ModelStatus, UpdateState
from ganglion.wire.records import KNOWN_HERE, EventRecord

_DIGITS = 6
"""Of a share that is told: 0.8 is what somebody asked for, and not 0.8000000000000002."""


def event(name: str, update: Update) -> EventRecord:
    """Return the event that an attempt has begun or ended."""
    assignment = update.assignment
    return EventRecord(
        name=name,
        model=assignment.model,
        version=assignment.version,
        rollout_id=assignment.rollout_id,
        reason=update.reason,
        facts={KNOWN_HERE: "yes"} if update.was_committed else {},
    )


def statuses(
    models: Mapping[str, ModelState], status: ServingStatus | None, reasons: Mapping[str, str]
) -> tuple[ModelStatus, ...]:
    """Return what is true of each model now. `reasons` say what a model waits for."""
    return tuple(_status(name, model, status, reasons.get(name, "")) for name, model in sorted(models.items()))


def _status(name: str, model: ModelState, status: ServingStatus | None, waiting: str) -> ModelStatus:
    version, state, reason = _shown_update(model)
    return ModelStatus(
        model=name,
        version=status.models[name].active if status and name in status.models else "",
        committed=model.committed.version if model.committed else "",
        update_version=version,
        update_state=state,
        reason=waiting or reason,
        shares=_shares(status.models[name].weights) if status and name in status.models else {},
    )


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    shares = {version: round(weight / total, _DIGITS) for version, weight in weights.items() if weight}
    return shares if len(shares) > 1 else {}


def _shown_update(model: ModelState) -> tuple[str, str, str]:
    if model.update:
        return model.update.assignment.version, model.update.state.value, model.update.reason
    if model.failed:
        return model.failed.version, UpdateState.ROLLED_BACK.value, model.failed_reason
    return "", "", ""
