"""What becomes of a wish, and what lies on the disk of it."""

import msgspec

from ganglion.node.domain import reconcile
from ganglion.node.domain.reconcile import Installed, ModelState
from ganglion.node.domain.update import Update
from ganglion.node.services.update_telling import event as told
from ganglion.testing.world.machine import Machine
from ganglion.wire.desired import Assignment
from ganglion.wire.records import EventRecord


def begun(before: ModelState, wish: Assignment | None) -> tuple[ModelState, list[EventRecord]]:
    """Return a model after a wish, and what to tell of it."""
    events: list[EventRecord] = []
    after = reconcile.begin(before, wish)
    if after.update is not None and after.update.is_final:
        events.append(told("update.rolled_back", after.update))
        # Withdrawn is not failed: the hub may want this version again.
        after = reconcile.begin(msgspec.structs.replace(before, update=None), wish)
        before = msgspec.structs.replace(before, update=None)
    if after.update is not None and after.update is not before.update:
        events.append(told("update.offered", after.update))
    return after, events


def installed_by(update: Update) -> Installed:
    """Return the version that an attempt has installed."""
    digest = update.assignment.sha256
    return Installed(update.assignment.version, f"packages/{digest}", digest)


def is_whole(machine: Machine, installed: Installed) -> bool:
    """Say whether a package on the disk is what it should be."""
    return machine.disk.packages.get(installed.sha256) == installed.sha256
