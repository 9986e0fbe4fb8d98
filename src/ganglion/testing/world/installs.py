"""What an installation takes, and what lies on the disk of it."""

from ganglion.node.domain.update.reconcile import Installed
from ganglion.node.domain.update.table import Update, UpdateEffect
from ganglion.testing.world.machine import Machine

_TAKES = {
    UpdateEffect.PRECHECK: 0.1, UpdateEffect.TRUST: 1.0, UpdateEffect.LOAD: 3.0, UpdateEffect.PROVE: 1.0,
    UpdateEffect.SWITCH: 0.2, UpdateEffect.LISTEN: 0.2,
}  # fmt: skip
"""How the time of an installation is spread over its steps."""
_WHOLE = sum(_TAKES.values())
_LOOKS = 6
_LOOK_S, _LOOK_S_MIN = 5.0, 0.5


def steps_s(install_s: float) -> dict[UpdateEffect, float]:
    """Return how long each step takes of an installation that takes `install_s`."""
    return {effect: install_s * part / _WHOLE for effect, part in _TAKES.items()}


def look_every_s(probation_s: float) -> float:
    """Return how often a version on trial is looked at."""
    return max(min(_LOOK_S, probation_s / 2), probation_s / _LOOKS, _LOOK_S_MIN)


def installed_by(update: Update) -> Installed:
    """Return the version that an attempt has installed."""
    digest = update.assignment.sha256
    return Installed(update.assignment.version, f"packages/{digest}", digest)


def is_whole(machine: Machine, installed: Installed) -> bool:
    """Say whether a package on the disk is what it should be."""
    return machine.disk.packages.get(installed.sha256) == installed.sha256
