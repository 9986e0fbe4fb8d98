"""The models of a path inside the serving core: all of them at the start, and each one again when somebody asks.

A version never changes under its clients. A new one is loaded beside the old one, answers from one moment to the
next, and only then the old one goes. A file that says no version, and has changed, is the next version of its model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import anyio
import anyio.to_thread

from ganglion.core.errors import GoldenMissing, InvalidPackage, NotFound
from ganglion.core.ids import ModelName, Version
from ganglion.core.manifest import MANIFEST_PATH
from ganglion.entrypoints.bare_models import is_model_file
from ganglion.entrypoints.model_folder import Source, Unusable, contents_of
from ganglion.entrypoints.source_opener import SourceOpener
from ganglion.node.services.serving_commands import ServingCommands
from ganglion.ports.serving_control import Load, Proof, Prove, Refused, Switch, Unload


@dataclass(frozen=True, slots=True)
class Loaded:
    """What could be loaded, in the order of names and versions, and what could not."""

    sources: tuple[Source, ...]
    unusable: tuple[Unusable, ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """A version in memory, and what its file was like when it was loaded: time of change and size."""

    source: Source
    stamp: tuple[int, int]


class ServedModels:
    """Loads what `path` holds, by the commands that the agent of a node would give."""

    def __init__(self, path: Path, *, commands: ServingCommands, opener: SourceOpener) -> None:
        self._path, self._commands, self._opener = path, commands, opener
        self._held: dict[str, dict[str, _Held]] = {}
        self._changing = anyio.Lock()

    async def load_all(self) -> Loaded:
        """Load every version; the newest of each model answers. Raises: NotFound: there is no model."""
        contents = await anyio.to_thread.run_sync(contents_of, self._path)
        loaded: list[Source] = []
        unusable = list(contents.unusable)
        async with self._changing:
            for model, versions in groupby(contents.sources, lambda source: source.name):
                result = await self._bring(model, list(versions))
                loaded += result.sources
                unusable += result.unusable
        return Loaded(tuple(loaded), tuple(unusable))

    async def load(self, model: str) -> None:
        """Look at the path again, and serve what it holds of one model now.

        Raises: NotFound: nothing. InvalidPackage: a version cannot be served; those that can, are.
        """
        contents = await anyio.to_thread.run_sync(contents_of, self._path)
        mine = [source for source in contents.sources if source.name == model]
        if not mine:
            raise NotFound(f"{self._path} holds no model {model[:80]!r}")
        async with self._changing:
            result = await self._bring(mine[0].name, mine)
        if result.unusable:
            raise InvalidPackage("; ".join(f"{each.path}: {each.reason}" for each in result.unusable))

    async def unload(self, model: str) -> None:
        """Let every version of a model go when its requests are answered. Raises: NotFound: none is loaded."""
        async with self._changing:
            if not self._held.get(model):
                raise NotFound(f"no version of the model {model[:80]!r} is loaded")
            await self._drop(model, keep=())

    async def _bring(self, model: ModelName, sources: Sequence[Source]) -> Loaded:
        held, present, unusable = self._held.setdefault(model, {}), [], []
        for source in sources:
            wanted = self._next(source)
            reason = await self._load_one(wanted)
            if reason:
                unusable.append(Unusable(source.path, reason))
            if wanted.version in held:
                present.append(wanted)
        if present:
            await self._commands.answer(Switch(model, present[-1].version))
            await self._drop(model, keep=[source.version for source in present])
        return Loaded(tuple(present), tuple(unusable))

    def _next(self, source: Source) -> Source:
        """Return a file without a version as the version that it is in memory, or will be."""
        held = self._held.get(source.name, {})
        if source.is_numbered or not held:
            return source
        newest = max(held, key=int)
        is_same = held[newest].stamp == _stamp(source.path)
        return replace(source, version=Version(newest if is_same else str(int(newest) + 1)))

    async def _load_one(self, source: Source) -> str:
        """Load and prove one version; return why it cannot be served, or nothing."""
        held, stamp = self._held[source.name], _stamp(source.path)
        before = held.get(source.version)
        if before is not None:
            return "" if before.stamp == stamp else "the version changed: give it another number, or unload it first"
        self._opener.learn(source)
        reply = await self._commands.answer(Load(source.name, source.version, str(source.path)))
        if isinstance(reply, Refused):
            return reply.message
        reason = "" if is_model_file(source.path) else await self._disproof(source)
        if not reason:
            held[source.version] = _Held(source, stamp)
        return reason

    async def _disproof(self, source: Source) -> str:
        """Return how a package deviates from its own golden outputs here; it is unloaded then."""
        reply = await self._commands.answer(Prove(source.name, source.version))
        match reply:
            case Proof(passed=True) | Refused(code=GoldenMissing.code):
                return ""
            case Proof(reason=reason) | Refused(message=reason):
                await self._commands.answer(Unload(source.name, source.version))
                return f"it does not give its golden outputs here: {reason}"
            case _:
                raise AssertionError(f"{reply} is no answer to a proof")

    async def _drop(self, model: str, *, keep: Sequence[str]) -> None:
        held = self._held[model]
        for version in [version for version in held if version not in keep]:
            await self._commands.answer(Unload(model, version))
            del held[version]


def _stamp(path: Path) -> tuple[int, int]:
    """Return what changes when a file or package does; (0, 0) for one that has gone."""
    try:
        status = (path / MANIFEST_PATH if path.is_dir() else path).stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size
