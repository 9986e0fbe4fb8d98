"""What the judges and the timeline hear of a machine's attempts."""

from ganglion.core.behaviour import Behaviour
from ganglion.node.domain.update.table import Update
from ganglion.node.services.update.effects import policy_of
from ganglion.testing.world.machine import Machine
from ganglion.wire.desired import Assignment, UpdateState
from ganglion.wire.records import EventRecord


def note_wish(machine: Machine, before: Assignment | None, after: Assignment | None) -> None:
    """A machine hears what the hub wants of it."""
    laws, now_s = machine.around.laws, machine.now_s
    if before != after:
        laws.healthy.wished_anew(machine.name)
    if after is None:
        return
    had = {machine.serves, before.version if before else ""}
    if after.rollout_id:
        laws.previous.given(after.rollout_id, machine.name, had=had)
    laws.arms.heard(now_s, after.rollout_id, machine.name, version=after.version, had=had)


def note_begin(machine: Machine, events: list[EventRecord]) -> None:
    """An attempt may have begun."""
    update = machine.model.update
    if update is not None and any(event.name == "update.offered" for event in events):
        wish = update.assignment.sha256, update.assignment.rollout_id
        machine.around.laws.healthy.began(machine.now_s, machine.name, wish)


def note_commit(machine: Machine, update: Update, behaviour: Behaviour, elapsed_s: float) -> None:
    """A version is about to be kept: say what its policy still asks for."""
    missing = ""
    policy = policy_of(update, machine.model)
    if elapsed_s < policy.probation_s:
        missing = f"{policy.probation_s:.0f} s of probation, after {elapsed_s:.0f}"
    elif behaviour.requests < policy.inferences_min:
        missing = f"{policy.inferences_min} answers, after {behaviour.requests}"
    machine.around.laws.healthy.committed(machine.now_s, machine.name, missing=missing)


def note_end(machine: Machine, update: Update) -> None:
    """An attempt has ended, and that is stored."""
    version = update.assignment.version
    tally = machine.around.tally
    if update.state is UpdateState.COMMITTED:
        tally.updates += 1
        tally.reached.setdefault(version, {}).setdefault(machine.name, machine.now_s)
        return
    tally.reverts += 1
    if not update.reason.startswith("withdrawn"):
        machine.around.note(f"{machine.name} rolls back {version}: {update.reason}")
        wish = update.assignment.sha256, update.assignment.rollout_id
        machine.around.laws.healthy.failed(machine.name, wish)
