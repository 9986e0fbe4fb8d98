"""Wiring of interactive sessions at the hub."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from ganglion.adapters.files import replace_file
from ganglion.adapters.shell_recordings import CastFiles
from ganglion.hub.domain.shells.limits import ShellRelayLimits
from ganglion.hub.services.nodes.node_settings import NodeSettings
from ganglion.hub.services.releases.repository import Repository
from ganglion.hub.services.shells.shells import Shells
from ganglion.ports.clock import Chance, Clock
from ganglion.ports.hub_store import ControlStore


class _World(Protocol):
    @property
    def clock(self) -> Clock: ...
    @property
    def chance(self) -> Chance: ...
    @property
    def control(self) -> ControlStore: ...


def shells_of(
    data: Path,
    limits: ShellRelayLimits,
    world: _World,
    node_settings: NodeSettings,
    *,
    repository: Repository,
    changed: Callable[[Sequence[str]], None],
) -> Shells:
    """Return what stands between people and nodes; recordings lie in the hub's own directory."""
    return Shells(
        control=world.control,
        node_settings=node_settings,
        recordings=CastFiles(data / "shells", replace=partial(replace_file, mode=0o600)),
        clock=world.clock,
        chance=world.chance,
        envelope=lambda: repository.envelope()[1],
        changed=changed,
        limits=limits,
    )
