"""The models of a path inside the serving core: all of them at the start, and each one again when somebody asks.

A version never changes under its clients. A new one is loaded beside the old one, answers from one moment to the
next, and only then the old one goes. A file that says no version, and has changed, is the next version of its model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import anyio
import anyio.to_thread

from ganglion.core.errors import GoldenMissing, InvalidPackage, InvalidSettings, NotFound
from ganglion.core.ids import ModelName, Version
from ganglion.entrypoints.models.bare_models import is_model_file
from ganglion.entrypoints.models.model_folder import Contents, Source, Unusable, contents_of
from ganglion.entrypoints.serve.source_opener import SourceOpener, stamp_of
from ganglion.node.services.serving.commands import ServingCommands
from ganglion.ports.serving_control import Load, Proof, Prove, Refused, Switch, Unload

NO_SPLIT: Mapping[str, Mapping[str, float]] = {}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What could be loaded, in the order of names and versions, and what could not."""

    sources: tuple[Source, ...]
    unusable: tuple[Unusable, ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """A version in memory, and what its file was like when it was loaded."""

    source: Source
    stamp: str


class ServedModels:
    """Loads what `path` holds, by the commands that the agent of a node would give."""

    def __init__(
        self,
        path: Path,
        *,
        commands: ServingCommands,
        opener: SourceOpener,
        split: Mapping[str, Mapping[str, float]] = NO_SPLIT,
    ) -> None:
        self._path, self._commands, self._opener, self._split = path, commands, opener, split
        self._held: dict[str, dict[str, _Held]] = {}
        self._changing = anyio.Lock()

    async def load_all(self) -> Loaded:
        """Load every version; the newest of each model answers. Raises: NotFound: there is no model."""
        contents = await anyio.to_thread.run_sync(self._contents)
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
        contents = await anyio.to_thread.run_sync(self._contents)
        mine = [source for source in contents.sources if source.name == model]
        if not mine:
            raise NotFound(f"{self._path} holds no model {model[:80]!r}")
        async with self._changing:
            result = await self._bring(mine[0].name, mine)
        if result.unusable:
            raise InvalidPackage("; ".join(f"{each.path}: {each.reason}" for each in result.unusable))

    def _contents(self) -> Contents:
        return self._opener.target.choose(contents_of(self._path))

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
            wanted_versions = [source.version for source in sources]
            await self._answer_with(model, [source.version for source in present], found=wanted_versions)
            await self._drop(model, keep=[source.version for source in present])
        return Loaded(tuple(present), tuple(unusable))

    async def _answer_with(self, model: str, versions: Sequence[str], *, found: Sequence[str]) -> None:
        """Let all loaded versions answer by name, and those with a weight share what asks for none.

        Raises: InvalidSettings: the weights are of no version that was found.
        """
        wished = {version: weight for version, weight in self._split.get(model, {}).items() if weight}
        weights = {version: weight for version, weight in self._split.get(model, {}).items() if version in versions}
        sharing = [version for version in versions if version in wished]
        if wished and not sharing:
            if wished.keys() & set(found):
                return  # It is there and was not loaded, as when it is quarantined: no other one answers in its name.
            known = ", ".join(versions)
            raise InvalidSettings(f"serve.split of model {model} names none of the versions that are there: {known}")
        newest = (sharing or versions)[-1]
        reply = await self._commands.answer(
            Switch(model, newest, beside=tuple(version for version in versions if version != newest), weights=weights)
        )
        if isinstance(reply, Refused):
            raise InvalidSettings(f"serve.split of model {model}: {reply.message}")

    def _next(self, source: Source) -> Source:
        """Return a file without a version as the version that it is in memory, or will be."""
        held = self._held.get(source.name, {})
        if source.is_numbered or not held:
            return source
        newest = max(held, key=int)
        is_same = held[newest].stamp == stamp_of(source.path)
        return replace(source, version=Version(newest if is_same else str(int(newest) + 1)))

    async def _load_one(self, source: Source) -> str:
        """Load and prove one version; return why it cannot be served, or nothing."""
        held, stamp = self._held[source.name], stamp_of(source.path)
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
