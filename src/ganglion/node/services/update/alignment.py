"""Make the world look like the stored state: the serving process, its start-up file, the packages on disk.

Level-triggered and idempotent, so it repairs what a kill between two steps left undone.
"""

import shutil
from collections.abc import Callable, Mapping

import anyio.to_thread
import msgspec
import structlog

from ganglion.core.errors import DiskUnusable
from ganglion.core.serving_errors import ServingUnreachable
from ganglion.node.domain.update.reconcile import Installed, ModelState, NodeState
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
from ganglion.wire.desired import CollectionSettings, UpdateState

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
        self._in_line: NodeState | None = None
        """The state that file and serving were last brought in line with."""
        self._cleaned: tuple[NodeState, frozenset[str]] | None = None
        self.settings_refused = ""
        """Why serving did not take the settings that it was last given."""
        self.unloadable: Mapping[str, str] = {}
        """Models whose committed version serving refused to load when it was last asked, and the error's code."""

    async def align(
        self, state: NodeState, status: ServingStatus, *, busy: frozenset[str], withheld: frozenset[str] = frozenset()
    ) -> bool:
        """Bring file and serving in line with `state`. True when serving had to change.

        Models in `busy` are being worked on, and are left alone until that has ended; no version of those `withheld`
        answers.
        A serving process that is lost on the way is left for the next time.
        Raises: DiskUnusable: the file could not be replaced; serving was brought in line all the same.
        """
        # The file goes first: if serving dies on the way it must start with what is committed now.
        served = _without_committed(state, withheld)
        self._in_line = None
        trouble = self._align_file(served)
        try:
            changed = await self._align_serving(served, status, busy)
        except ServingUnreachable:
            return False
        if trouble is not None:
            raise trouble
        self._in_line = state
        return changed

    async def clean(self, state: NodeState, *, busy: frozenset[str]) -> None:
        """Remove the packages that nobody needs, if file and serving are in line with `state`.

        Nobody may store another state meanwhile: of one that is older than what is stored it is not known what is
        needed by now, and by one that is newer than what is served it is not known what is needed still.
        """
        if state is self._in_line and (state, busy) != self._cleaned:
            await anyio.to_thread.run_sync(self._remove_unused, state, busy)
            self._cleaned = (state, busy)

    def _align_file(self, state: NodeState) -> DiskUnusable | None:
        active = ActiveModels(
            models={name: _with_spare(model) for name, model in state.models.items() if model.committed},
            # Never those on trial: a serving process that dies with them starts without.
            collection=state.settings.kept.collection,
        )
        if active != self._written:
            try:
                self._replace_file(msgspec.json.encode(active))
            except DiskUnusable as error:
                return error
            self._written = active
        return None

    async def _align_serving(self, state: NodeState, status: ServingStatus, busy: frozenset[str]) -> bool:
        changed = False
        unloadable: dict[str, str] = {}
        wish = (status.instance, state.settings.effective.collection)
        if wish != self._collection:
            refused = await self._call(Collect(settings=wish[1]))
            self._collection, self.settings_refused = wish, f"{refused.code}: {refused.message}" if refused else ""
        for name in sorted((state.models.keys() | status.models.keys()) - busy):
            serving = status.models.get(name, ModelServing(active="", loaded=(), behaviour={}))
            for command in commands(name, state.models.get(name, ModelState()), serving):
                refused = await self._call(command)
                if refused is not None:
                    if isinstance(command, Load):
                        unloadable[name] = refused.code
                    break
                changed = True
        self.unloadable = unloadable
        return changed

    async def _call(self, command: Command) -> Refused | None:
        reply = await self._control.call(command, timeout_s=_TIMEOUT_S)
        if isinstance(reply, Refused):
            log.error("serving.command_refused", command=type(command).__name__, reason=reply.message)
            return reply
        return None

    def _remove_unused(self, state: NodeState, busy: frozenset[str]) -> None:
        """Keep known-good, spare and what is under way; other packages, and what was downloaded of them, go."""
        kept = {str(path) for model in state.models.values() for path in _paths(model, self._places)}
        awaited = {model.update.assignment.sha256 for model in state.models.values() if model.update}
        for download in self._places.downloads.glob("*"):
            if download.stem not in awaited:
                download.unlink(missing_ok=True)
        for directory in self._places.packages.glob("*/*"):
            # Beside its place a package is being unpacked under another name.
            if str(directory) not in kept and directory.parent.name not in busy:
                shutil.rmtree(directory, ignore_errors=True)


def commands(name: str, model: ModelState, serving: ModelServing) -> list[Command]:
    """Return what serving must do so that `model` is served as stored."""
    update = model.update
    candidate = update.assignment.version if update and update.state is not UpdateState.STAGED else ""
    is_on_trial = update is not None and update.state in _SWITCHED
    if is_on_trial and not (update and update.is_held):
        return []
    wanted: list[Command] = []
    committed = model.committed
    # Beside a version that is held on trial the committed one stays active. After it nobody shares its requests.
    is_shared = bool(serving.weights) and not is_on_trial
    if committed and (serving.active != committed.version or is_shared):
        if committed.version not in serving.loaded:
            wanted.append(Load(name, committed.version, committed.path))
        wanted.append(Switch(name, committed.version))
    kept = {candidate, committed.version if committed else ""}
    wanted.extend(Unload(name, version) for version in serving.loaded if version not in kept)
    return wanted


def _without_committed(state: NodeState, withheld: frozenset[str]) -> NodeState:
    models = {
        name: msgspec.structs.replace(model, committed=None) if name in withheld else model
        for name, model in state.models.items()
    }
    return msgspec.structs.replace(state, models=models)


def _with_spare(model: ModelState) -> ActiveModel:
    assert model.committed is not None
    # A version with a term is served when the agent says that the term is not over, and not without its word.
    spare = _active(model.spare) if model.spare and not model.spare.offline_s_max else None
    return msgspec.structs.replace(_active(model.committed), spare=spare)


def _active(installed: Installed) -> ActiveModel:
    return ActiveModel(
        version=installed.version,
        path=installed.path,
        sha256=installed.sha256,
        offline_s_max=installed.offline_s_max,
    )


def _paths(model: ModelState, places: Places) -> list[str]:
    paths = [installed.path for installed in (model.committed, model.spare) if installed]
    if model.update:
        paths.append(str(places.package(model.update.assignment)))
    return paths
