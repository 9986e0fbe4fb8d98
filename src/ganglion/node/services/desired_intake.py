"""What a newer desired state changes of what a node remembers, and the events that tell of it."""

import msgspec

from ganglion.node.domain import reconcile
from ganglion.node.domain.reconcile import ModelState, NodeState
from ganglion.node.services import update_telling as telling
from ganglion.wire.desired import Assignment, DesiredState
from ganglion.wire.records import EventRecord


def taken(state: NodeState, desired: DesiredState) -> tuple[NodeState, list[EventRecord]]:
    """Return the state after `desired` was taken in: attempts begun, withdrawn, or left alone."""
    wanted = reconcile.wanted(desired)
    models = dict(state.models)
    events: list[EventRecord] = []
    for name in sorted(wanted.keys() | models.keys()):
        after, told = _taken_model(models.get(name, ModelState()), wanted.get(name))
        events += told
        if name not in wanted and after.update is None:
            models.pop(name, None)
            events.append(EventRecord(name="model.removed", model=name, reason="the hub wants it here no more"))
        else:
            models[name] = after
    return msgspec.structs.replace(state, desired=desired, models=models), events


def refused(desired: DesiredState, reason: str) -> EventRecord:
    """Return the event that a desired state was not believed, so that nothing of it was begun."""
    return EventRecord(name="desired.refused", reason=f"revision {desired.revision}: {reason}")


def _taken_model(before: ModelState, wish: Assignment | None) -> tuple[ModelState, list[EventRecord]]:
    events: list[EventRecord] = []
    after, is_begun = reconcile.begin(before, wish), before.update is None
    if after.update is not None and after.update.is_final:
        events.append(telling.event("update.rolled_back", after.update))
        # Withdrawn is not failed: the hub may want this version again.
        after, is_begun = reconcile.begin(msgspec.structs.replace(before, update=None), wish), True
    if is_begun and after.update is not None:
        events.append(telling.event("update.offered", after.update))
    return after, events
