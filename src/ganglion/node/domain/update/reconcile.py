"""From what the hub wants and what the node has, to what the node does next.

Level-triggered: the present state decides, not the path to it, so a node that was away, restored or
interrupted converges.
"""

from collections.abc import Mapping

import msgspec

from ganglion.node.domain.orders.held_envelope import HeldEnvelope
from ganglion.node.domain.orders.order_memory import OrderMemory
from ganglion.node.domain.update.settings_trial import SettingsTrial
from ganglion.node.domain.update.table import Update, UpdateEvent
from ganglion.wire.desired import Assignment, DesiredState, UpdateState

_UNCHECKED = frozenset({UpdateState.OFFERED, UpdateState.PRECHECKED})
"""States of an attempt whose assignment was not yet compared with the signed metadata."""


class Installed(msgspec.Struct, frozen=True):
    """A version whose unpacked package lies at `path`; `sha256` is the digest of the package it came from."""

    version: str
    path: str
    sha256: str
    offline_s_max: int = 0
    """How long it may be served without contact with the hub; 0: for ever."""


class ModelState(msgspec.Struct, frozen=True):
    """One model on this node."""

    committed: Installed | None = None
    """Known-good: what serving starts from."""
    spare: Installed | None = None
    """The version committed before; kept on disk so that going back needs no network."""
    update: Update | None = None
    failed: Assignment | None = None
    """The assignment that was last rolled back; it is not tried again until the hub wants something else."""
    failed_reason: str = ""


class NodeState(msgspec.Struct, frozen=True):
    """Everything the agent must remember, stored in one step with the events that tell of it."""

    desired: DesiredState | None = None
    models: dict[str, ModelState] = {}
    contact_at_s: float = 0.0
    """When the hub was last heard of, in seconds since 1970; kept up only while a model's term depends on it."""
    silent_s: float = 0.0
    """For how long this node has run since then: what a clock that begins anew at every start cannot hide."""
    audit_number: int = 0
    """Links of the node's audit chain so far."""
    audit_hash: str = ""
    """The hash of the newest of them."""
    envelope: HeldEnvelope | None = None
    """The newest envelope that was found signed."""
    orders: OrderMemory = OrderMemory()
    """The commands that were heard of."""
    settings: SettingsTrial = SettingsTrial()
    """The settings in force, and how those that the hub wants stand to them."""

    def with_model(self, name: str, model: ModelState) -> "NodeState":
        """Return this state with one model replaced."""
        return msgspec.structs.replace(self, models={**self.models, name: model})


def is_newer(offered: DesiredState, held: DesiredState | None) -> bool:
    """Say whether `offered` replaces `held`: a hub restored from a backup has another incarnation and always does."""
    return held is None or offered.incarnation != held.incarnation or offered.revision > held.revision


def wanted(desired: DesiredState | None) -> Mapping[str, Assignment]:
    """Return the assignment of each model."""
    return {assignment.model: assignment for assignment in desired.assignments} if desired else {}


def begin(model: ModelState, assignment: Assignment | None) -> ModelState:
    """Return the model after the hub's wish was taken in: an attempt begun, withdrawn, or nothing changed.

    A model that is not wanted any more loses its attempt here; `is_removable` says when it may go.
    """
    update = model.update
    if update is not None and not update.is_final:
        if assignment is not None and is_same_target(update.assignment, assignment):
            return msgspec.structs.replace(model, update=_restated(update, assignment))
        wish = f"{assignment.version}" if assignment else "nothing"
        withdrawn = update.after(UpdateEvent.WITHDRAWN, reason=f"withdrawn: the hub wants {wish} now")
        return msgspec.structs.replace(model, update=withdrawn)
    if assignment is None or not _needs_update(model, assignment):
        return model
    # A trial is a trial, also of a version that this node knows.
    is_held = assignment.policy.held
    is_trial = is_held or assignment.policy.anew
    known = model.spare if _knows(model.spare, assignment) and not is_trial else None
    update = Update(
        assignment=assignment,
        was_committed=known is not None,
        offline_s_max=known.offline_s_max if known else 0,
        control=model.committed.version if is_held and model.committed else "",
    )
    return msgspec.structs.replace(model, update=update)


def why_not_held(model: ModelState) -> str:
    """Return why a version that is held on trial has to go; empty when it need not, or is not held."""
    update = model.update
    if update is None or not update.is_held:
        return ""
    committed = model.committed.version if model.committed else ""
    if not update.control or not committed:
        return "no version answers beside which it could be tried"
    if committed != update.control:
        return f"version {update.control}, beside which it was tried, is committed no more"
    return ""


def settle(model: ModelState) -> ModelState:
    """Return the model after its attempt has ended; a version that was rolled back is remembered."""
    update = model.update
    assert update is not None, "only an attempt can be settled"
    assert update.is_final, "an attempt is settled when it has ended"
    if update.state is UpdateState.ROLLED_BACK:
        return msgspec.structs.replace(model, update=None, failed=update.assignment, failed_reason=update.reason)
    return msgspec.structs.replace(model, update=None, failed=None, failed_reason="")


def commit(model: ModelState, installed: Installed) -> ModelState:
    """Return the model with `installed` known-good and the version before it as the spare."""
    spare = model.committed if model.committed and model.committed.version != installed.version else model.spare
    return msgspec.structs.replace(model, committed=installed, spare=spare)


def lose_committed(model: ModelState, assignment: Assignment | None) -> ModelState:
    """Return the model after the package of its committed version was found damaged.

    The version before it takes its place, and the hub's wish is brought again, as one that this node has known.
    """
    lost = model.committed
    known = assignment is not None and _knows(lost, assignment)
    after = begin(msgspec.structs.replace(model, committed=model.spare, spare=None), assignment)
    if known and after.update is not None and after.update is not model.update:
        term_s = lost.offline_s_max if lost else 0
        again = msgspec.structs.replace(after.update, was_committed=True, offline_s_max=term_s)
        after = msgspec.structs.replace(after, update=again)
    return after


def quarantine_committed(model: ModelState, assignment: Assignment | None, *, reason: str) -> ModelState:
    """Return the model after its committed version took the serving process down too often.

    The version before it takes its place, and the hub's wish counts as failed: it is not brought again until the hub
    wants something else. Without a version before it the model stays as it is, for a person to decide.
    """
    if model.committed is None or model.spare is None:
        return model
    after = msgspec.structs.replace(model, committed=model.spare, spare=None)
    if assignment is None or not _knows(model.committed, assignment):
        return after
    return msgspec.structs.replace(after, failed=assignment, failed_reason=reason)


def is_same_target(one: Assignment, other: Assignment) -> bool:
    """Say whether two assignments mean the same bytes in the same rollout."""
    return (one.sha256, one.rollout_id) == (other.sha256, other.rollout_id)


def _restated(update: Update, assignment: Assignment) -> Update:
    """Return the attempt with the hub's newest word for the same bytes: an earlier word may be signed with an old key.

    Once its signature was checked the word stays: what comes later was never looked at. Only of a version that waits
    for its window another policy is taken, and everything is checked again.
    """
    if update.state is UpdateState.STAGED and assignment.policy != update.assignment.policy:
        return msgspec.structs.replace(update.after(UpdateEvent.RESTATED), assignment=assignment)
    if update.state not in _UNCHECKED or assignment == update.assignment:
        return update
    return msgspec.structs.replace(update, assignment=assignment)


def _needs_update(model: ModelState, assignment: Assignment) -> bool:
    if _knows(model.committed, assignment):
        return False
    failed = model.failed
    return not (failed and is_same_target(failed, assignment) and failed.policy.attempt >= assignment.policy.attempt)


def _knows(installed: Installed | None, assignment: Assignment) -> bool:
    return installed is not None and installed.sha256 == assignment.sha256
