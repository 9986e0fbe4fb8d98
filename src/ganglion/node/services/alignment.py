"""Make the world look like the stored state: the serving process, its start-up file, the packages on disk.

Level-triggered and idempotent, so it repairs what a kill between two steps left undone.
"""

import shutil
from collections.abc import Callable

import msgspec
import structlog

from ganglion.core.errors import ServingUnreachable
from ganglion.node.domain.reconcile import ModelState, NodeState
from ganglion.node.services.places import Places
from ganglion.ports.serving_control import (
    ActiveModel,
    ActiveModels,
    Collect,
    Command,
    Load,
    ModelServing,
    Refused,
    ServingControl,
    ServingStatus,
    Switch,
    Unload,
)
from ganglion.wire.messages import CollectionSettings, UpdateState

log = structlog.get_logger()

_TIMEOUT_S = 120.0
_SWITCHED = frozenset({UpdateState.PROBATION})


class Alignment:
    """Compares what is with what should be, and acts on the difference."""

    def __init__(
        self, *, control: ServingControl, places: Places, replace_file: Callable[[bytes], None], written: ActiveModels
    ) -> None:
        self._control, self._places, self._replace_file = control, places, replace_file
        self._written = written
        self._collection: tuple[str, CollectionSettings] | None = None

    async def align(self, state: NodeState, status: ServingStatus) -> bool:
        """Bring file, serving and disk in line with `state`. True when serving had to change.

        A serving process that is lost on the way is left for the next time.
        """
        # The file goes first: if serving dies on the way it must start with what is committed now.
        self._align_file(state)
        try:
            changed = await self._align_serving(state, status)
        except ServingUnreachable:
            return False
        self._remove_unused(state)
        return changed

    def _align_file(self, state: NodeState) -> None:
        active = ActiveModels(
            models={
                name: ActiveModel(version=model.committed.version, path=model.committed.path)
                for name, model in state.models.items()
                if model.committed
            },
            collection=state.desired.collection if state.desired else CollectionSettings(),
        )
        if active != self._written:
            self._replace_file(msgspec.json.encode(active))
            self._written = active

    async def _align_serving(self, state: NodeState, status: ServingStatus) -> bool:
        changed = False
        wish = (status.instance, self._written.collection)
        if wish != self._collection:
            await self._call(Collect(settings=self._written.collection))
            self._collection = wish
        for name in sorted(state.models.keys() | status.models.keys()):
            serving = status.models.get(name, ModelServing(active="", loaded=(), behaviour={}))
            for command in commands(name, state.models.get(name, ModelState()), serving):
                if not await self._call(command):
                    break
                changed = True
        return changed

    async def _call(self, command: Command) -> bool:
        reply = await self._control.call(command, timeout_s=_TIMEOUT_S)
        if isinstance(reply, Refused):
            log.error("serving.command_refused", command=type(command).__name__, reason=reply.message)
            return False
        return True

    def _remove_unused(self, state: NodeState) -> None:
        """Keep known-good, spare and what is under way; everything else below packages/ goes."""
        kept = {str(path) for model in state.models.values() for path in _paths(model, self._places)}
        if not self._places.packages.is_dir():
            return
        for directory in self._places.packages.glob("*/*"):
            if str(directory) not in kept:
                shutil.rmtree(directory, ignore_errors=True)


def commands(name: str, model: ModelState, serving: ModelServing) -> list[Command]:
    """Return what serving must do so that `model` is served as stored."""
    update = model.update
    candidate = update.assignment.version if update else ""
    if update and update.state in _SWITCHED:
        return []
    wanted: list[Command] = []
    committed = model.committed
    if committed and serving.active != committed.version:
        if committed.version not in serving.loaded:
            wanted.append(Load(name, committed.version, committed.path))
        wanted.append(Switch(name, committed.version))
    kept = {candidate, committed.version if committed else ""}
    wanted.extend(Unload(name, version) for version in serving.loaded if version not in kept)
    return wanted


def _paths(model: ModelState, places: Places) -> list[str]:
    paths = [installed.path for installed in (model.committed, model.spare) if installed]
    if model.update:
        paths.append(str(places.package(model.update.assignment)))
    return paths
