"""What `--target` means: a runtime, the hardware below it, or a variant, out of those that a file or package offers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import msgspec

from ganglion.core.engine_options import PROVIDERS_OF, EngineOptions, RuntimeName
from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import Manifest, Target
from ganglion.entrypoints.models import engines
from ganglion.entrypoints.models.engines import RUNTIMES
from ganglion.entrypoints.models.model_folder import Contents, Source, Unusable

_ALSO_RUNS: dict[str, tuple[RuntimeName, ...]] = {".onnx": ("onnxruntime", "openvino")}
"""Files that more than the runtime they were made for can run."""


@dataclass(frozen=True, slots=True)
class ChosenTarget:
    """One word; the empty one leaves each file and package to what it was made for."""

    word: str = ""

    def for_file(self, path: Path) -> Target:
        """Return how to run a bare model file. Raises: InvalidRequest: not so; the message says how it can be."""
        own = engines.runtime_of_file(path)
        if not self.word:
            return Target(runtime=own)
        for target in _ways(path, own):
            if self.word in (target.runtime, *target.options.providers):
                return target
        raise InvalidRequest(f"{path.name} cannot be served for {self.word!r}; there is {_listed(_ways(path, own))}")

    def of_package(self, manifest: Manifest) -> Target | None:
        """Return how to run a package; None when it is not for this target."""
        target = manifest.target
        if self.word in ("", target.runtime, manifest.variant, target.precision):
            return target
        if self.word not in target.options.providers:
            return None
        options = msgspec.structs.replace(target.options, providers=(self.word,))
        return msgspec.structs.replace(target, options=options)

    def applied(self, manifest: Manifest) -> Manifest:
        """Return a package's manifest with the target that was chosen. Raises: InvalidRequest: it is not for it."""
        target = self.of_package(manifest)
        if target is None:
            raise InvalidRequest(f"no variant for {self.word!r}; there is {describe(manifest)}")
        return msgspec.structs.replace(manifest, target=target)

    def choose(self, contents: Contents) -> Contents:
        """Leave of each model version what this target means.

        Of several variants that it may mean, those of runtimes that are installed go first.
        """
        sources: list[Source] = []
        unusable = list(contents.unusable)
        for _, offers in groupby(contents.sources, key=lambda source: (source.name, source.version)):
            alike = list(offers)
            fitting = sorted((each for each in alike if self._fits(each)), key=_is_foreign)
            sources += fitting[:1]
            if not fitting:
                unusable.append(Unusable(alike[0].path, self._lacking(alike)))
            unusable += [Unusable(each.path, _passed_over(fitting[0], each)) for each in fitting[1:]]
        return replace(contents, sources=tuple(sources), unusable=tuple(unusable))

    def _fits(self, source: Source) -> bool:
        if source.manifest is not None:
            return self.of_package(source.manifest) is not None
        try:
            self.for_file(source.path)
        except InvalidRequest:
            return False
        return True

    def _lacking(self, offers: Iterable[Source]) -> str:
        listed = "; ".join(_listed_source(each) for each in offers)
        return f"nothing of it is for the target {self.word!r}; there is {listed}"


def describe(manifest: Manifest) -> str:
    """Return what a package is for, in words."""
    target = manifest.target
    return f"variant {manifest.variant} ({target.runtime} on {' or '.join(target.options.providers)}, {target.arch})"


def _listed_source(source: Source) -> str:
    if source.manifest is not None:
        return describe(source.manifest)
    return _listed(_ways(source.path, engines.runtime_of_file(source.path)))


def _listed(ways: Iterable[Target]) -> str:
    found: dict[str, list[str]] = {}
    for target in ways:
        found.setdefault(target.runtime, []).append(target.options.providers[0])
    installed = engines.available_runtimes()
    return ", ".join(
        f"{runtime} ({', '.join(providers)}{'' if runtime in installed else '; not installed'})"
        for runtime, providers in found.items()
    )


def _ways(path: Path, own: RuntimeName) -> Iterator[Target]:
    """Yield every way to run a file: with its own runtime first, and on the processor first."""
    others = _ALSO_RUNS.get(path.suffix.lower(), ())
    for runtime in (own, *(each for each in RUNTIMES if each in others and each != own)):
        for provider in sorted(PROVIDERS_OF[runtime], key=lambda each: (each != "cpu", each)):
            yield Target(runtime=runtime, options=EngineOptions(providers=(provider,)))


def _is_foreign(source: Source) -> bool:
    manifest = source.manifest
    return manifest is not None and manifest.target.runtime not in engines.available_runtimes()


def _passed_over(winner: Source, other: Source) -> str:
    if winner.manifest is not None and other.manifest is not None and winner.manifest.variant != other.manifest.variant:
        return f"{describe(winner.manifest)} is served; --target {other.manifest.variant} takes this one"
    return f"{winner.path} is {winner.name}:{winner.version} already"
