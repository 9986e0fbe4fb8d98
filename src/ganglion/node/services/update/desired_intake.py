"""What a newer desired state changes of what a node remembers, and the events that tell of it."""

import msgspec

from ganglion.node.domain.orders import bounds
from ganglion.node.domain.update import reconcile
from ganglion.node.domain.update.reconcile import ModelState, NodeState
from ganglion.node.domain.update.settings_trial import Settings
from ganglion.node.services.update import order_telling, telling
from ganglion.trust.limits import InForce
from ganglion.wire.desired import Assignment, DesiredState
from ganglion.wire.records import EventRecord

_DIGITS_MAX = 20
"""Of a revision: it may be a number of a megabyte."""


def taken_within(
    state: NodeState, desired: DesiredState, limits: InForce
) -> tuple[NodeState, list[EventRecord], EventRecord | None]:
    """Return the state after what lies within the limits was taken in, and the event of what was refused, if it was.

    The held desired state stays the same object when nothing was taken.
    """
    found = bounds.bounded(desired, limits, held=state.desired)
    if found.desired is None:
        return state, [], refused(desired, found.reason)
    after, events = taken(state, found.desired, kept=found.kept)
    for wish, no in found.refused_wishes:
        after, told = _failed(after, wish, no)
        events += told
    orders = after.orders
    for command in desired.commands:
        why = dict(found.refused_commands).get(command.id)
        if why and orders.is_new(command):
            orders = orders.after(command, why, is_believed=False)
            events.append(order_telling.refused(command, why))
    after = msgspec.structs.replace(after, orders=orders)
    return after, events, refused(desired, found.reason) if found.reason else None


def taken(
    state: NodeState, desired: DesiredState, *, kept: frozenset[str] = frozenset()
) -> tuple[NodeState, list[EventRecord]]:
    """Return the state after `desired` was taken in: attempts begun, withdrawn, or left alone.

    Models that are `kept` and not wanted stay as they are.
    """
    wanted = reconcile.wanted(desired)
    models = dict(state.models)
    events: list[EventRecord] = []
    for name in sorted(wanted.keys() | (models.keys() - kept)):
        after, told = _taken_model(models.get(name, ModelState()), wanted.get(name))
        events += told
        if name not in wanted and after.update is None:
            models.pop(name, None)
            events.append(EventRecord(name="model.removed", model=name, reason="the hub wants it here no more"))
        else:
            models[name] = after
    settings = state.settings.offered(Settings(desired.collection, desired.agent), desired.revision)
    return msgspec.structs.replace(state, desired=desired, models=models, settings=settings), events


def refused(desired: DesiredState, reason: str) -> EventRecord:
    """Return the event that a desired state was not believed, so that nothing of it was begun."""
    return EventRecord(name="desired.refused", reason=f"revision {str(desired.revision)[:_DIGITS_MAX]}: {reason}")


def _failed(state: NodeState, wish: Assignment, why: str) -> tuple[NodeState, list[EventRecord]]:
    """Return the state in which a refused assignment counts as tried and rolled back, so that its rollout learns why.

    A version that this node serves already has not failed: limits that became narrower do not take it away.
    """
    model = state.models.get(wish.model, ModelState())
    if model.committed is not None and model.committed.sha256 == wish.sha256:
        return state, []
    if model.failed is not None and reconcile.is_same_target(model.failed, wish) and model.failed_reason == why:
        return state, []
    told = EventRecord(
        name="update.rolled_back", model=wish.model, version=wish.version, rollout_id=wish.rollout_id, reason=why
    )
    return state.with_model(wish.model, msgspec.structs.replace(model, failed=wish, failed_reason=why)), [told]


def unreadable(reason: str) -> EventRecord:
    """Return the event that what the hub sent is no desired state at all."""
    return EventRecord(name="desired.refused", reason=f"it cannot be read: {reason[:300]}")


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
