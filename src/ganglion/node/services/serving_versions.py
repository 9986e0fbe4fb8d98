"""Loaded versions and which of them answers. One event loop owns all of it; worker threads see tensors only."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import anyio

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import (
    Conflict,
    GanglionError,
    InvalidPackage,
    InvalidRequest,
    ModelFailed,
    ModelNotReady,
    NotFound,
)
from ganglion.core.pipeline import Answer, Pipeline
from ganglion.core.steps import DATATYPES, Tensors
from ganglion.ports.clock import Clock
from ganglion.ports.serving_control import ModelServing

_WARM_UP_RUNS = 20
_WARM_UP_S = 2.0
"""A slow model is warm after fewer runs."""


@dataclass(frozen=True, slots=True)
class Package:
    """An opened package: its pipeline with the model loaded, and a way to read its golden inputs and outputs."""

    pipeline: Pipeline
    golden: Callable[[], tuple[Tensors, Tensors]]


OpenPackage: TypeAlias = Callable[[Path], Package]
"""Raises: NotFound, InvalidPackage."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a version made of one request, and how long steps and engine took."""

    outcome: Answer | ModelFailed
    latency_us: int


class LoadedVersion:
    """A version in memory, warm, with what it has done so far."""

    def __init__(self, name: str, path: Path, package: Package, *, element_us: float) -> None:
        self.name, self.path, self.package = name, path, package
        self._element_us = element_us
        self.behaviour = Behaviour()
        """Counts since the last switch to this version."""
        self.requests_total, self.errors_total = 0, 0
        self._in_flight = 0
        self._idle: anyio.Event | None = None

    @property
    def pipeline(self) -> Pipeline:
        """Check and answer with this version."""
        return self.package.pipeline

    def expected_us(self, inputs: Tensors) -> float:
        """Return how long these inputs should take, at the most: overhead counts as if it grew with them."""
        return self._element_us * _elements(inputs)

    def count(self, run: Run) -> None:
        """Count one request that was answered, or that the model could not answer."""
        self.requests_total += 1
        if isinstance(run.outcome, GanglionError):
            self.errors_total += 1
            self.behaviour.count_error()
            return
        labels, confidences = words_of(run.outcome)
        self.behaviour.count_answer(run.latency_us, labels, confidences)

    def enter(self) -> None:
        """Begin a request: the version stays until `leave`."""
        self._in_flight += 1

    def leave(self) -> None:
        """End a request."""
        self._in_flight -= 1
        if not self._in_flight and self._idle is not None:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until no request is in flight; there must be no new ones."""
        if self._in_flight:
            self._idle = anyio.Event()
            await self._idle.wait()


class ServedModel:
    """All loaded versions of one model."""

    def __init__(self) -> None:
        self.versions: dict[str, LoadedVersion] = {}
        self.active: LoadedVersion | None = None
        self.compared: LoadedVersion | None = None
        self.compare_share = 0.0


class ServingTable:
    """Models by name. A model stays known when its last version is gone: it is not ready then, and not unknown."""

    def __init__(self) -> None:
        self._models: dict[str, ServedModel] = {}

    @property
    def models(self) -> Mapping[str, ServedModel]:
        """Every known model."""
        return self._models

    def expect(self, model: str) -> ServedModel:
        """Make a model known before any version of it is loaded."""
        return self._models.setdefault(model, ServedModel())

    def answering(self, model: str, version: str = "") -> tuple[ServedModel, LoadedVersion]:
        """Return the version that answers requests for `model`, or for `version` of it.

        Raises: NotFound: no such model or version. ModelNotReady: it does not answer now.
        """
        served = self._models.get(model)
        if served is None:
            raise NotFound(f"there is no model {model[:80]!r} on this node")
        active = served.active
        if version and (active is None or active.name != version):
            if version not in served.versions:
                raise NotFound(f"there is no version {version[:80]!r} of model {model!r} on this node")
            raise ModelNotReady(f"version {version} of model {model!r} is loaded but does not answer requests now")
        if active is None:
            raise ModelNotReady(f"model {model!r} has no version that answers yet")
        return served, active

    def loaded(self, model: str, version: str) -> LoadedVersion:
        """Return a loaded version. Raises: NotFound."""
        served = self._models.get(model)
        if served is None or version not in served.versions:
            raise NotFound(f"version {version!r} of model {model!r} is not loaded")
        return served.versions[version]

    def count_versions(self) -> int:
        """Return how many versions are in memory."""
        return sum(len(served.versions) for served in self._models.values())

    def add(self, model: str, version: LoadedVersion) -> LoadedVersion | None:
        """Add a version beside what is there; return the one of the same name that it replaces, if any.

        Raises: Conflict: that one is active.
        """
        served = self.expect(model)
        before = served.versions.get(version.name)
        if before is not None and before is served.active:
            raise Conflict(
                f"version {version.name} of model {model!r} is active: switch to another before replacing it"
            )
        if before is not None and before is served.compared:
            served.compared, served.compare_share = None, 0.0
        served.versions[version.name] = version
        return before

    def switch(self, model: str, version: str, *, compare_with: str, compare_share: float) -> None:
        """Let a loaded version answer; its counts start at zero unless it answered already. Raises: NotFound."""
        chosen = self.loaded(model, version)
        compared = self.loaded(model, compare_with) if compare_with and compare_with != version else None
        served = self._models[model]
        if chosen is not served.active:
            chosen.behaviour = Behaviour()
        served.active, served.compared = chosen, compared
        served.compare_share = compare_share if compared else 0.0

    def remove(self, model: str, version: str) -> LoadedVersion | None:
        """Take a version out, so that no new request reaches it."""
        served = self._models.get(model)
        removed = served.versions.pop(version, None) if served else None
        if served is None or removed is None:
            return None
        if removed is served.active:
            served.active = None
        if removed is served.compared or served.active is None:
            served.compared, served.compare_share = None, 0.0
        return removed

    def report(self) -> dict[str, ModelServing]:
        """Return what is loaded and how it behaves."""
        return {
            name: ModelServing(
                active=served.active.name if served.active else "",
                loaded=tuple(served.versions),
                behaviour={version.name: version.behaviour for version in served.versions.values()},
            )
            for name, served in self._models.items()
        }


def run(pipeline: Pipeline, inputs: Tensors, clock: Clock) -> Run:
    """Answer inputs that the pipeline's check accepted. Whatever goes wrong from here on is the model's failure."""
    began_s = clock.monotonic_s()
    outcome: Answer | ModelFailed
    try:
        outcome = pipeline.answer_checked(inputs)
        unsendable = [name for name, tensor in outcome.outputs.items() if tensor.dtype not in DATATYPES]
        if unsendable:
            outcome = ModelFailed(f"outputs {unsendable} are not tensors of numbers")
    except GanglionError as error:
        outcome = ModelFailed(error.message)
    except Exception as error:  # noqa: BLE001 - the edge to the model: its outputs may not fit its manifest in any way
        outcome = ModelFailed(f"{type(error).__name__}: {error}")
    return Run(outcome, math.ceil((clock.monotonic_s() - began_s) * 1e6))


def words_of(answer: Answer) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the labels and the confidences of an answer, one per row."""
    predictions = answer.predictions
    return tuple([p.label for p in predictions]), tuple([p.confidence for p in predictions])


def warm_up(package: Package, clock: Clock) -> float:
    """Run a golden row until the runtime is warm; return the microseconds that it takes per input element.

    The fastest run counts: slower ones waited for something else on this machine.
    Raises: InvalidPackage: the model fails on its own golden inputs.
    """
    pipeline, feeds = package.pipeline, _smallest(package)
    best_us, until_s = math.inf, clock.monotonic_s() + _WARM_UP_S
    for _ in range(_WARM_UP_RUNS):
        result = run(pipeline, feeds, clock)
        if isinstance(result.outcome, GanglionError):
            raise InvalidPackage(f"the model fails on its own golden inputs: {result.outcome.message}")
        best_us = min(best_us, result.latency_us)
        if clock.monotonic_s() > until_s:
            break
    return best_us / _elements(feeds)


def _smallest(package: Package) -> Tensors:
    """Return one golden row, or all of it for a model whose inputs have no batch dimension."""
    inputs, _ = package.golden()
    is_batched = all(spec.shape[:1] == (-1,) for spec in package.pipeline.manifest.inputs)
    feeds = {name: tensor[:1] for name, tensor in inputs.items()} if is_batched else inputs
    try:
        package.pipeline.check(feeds)
    except InvalidRequest as error:
        raise InvalidPackage(f"the golden inputs are not what the model takes: {error.message}") from error
    return feeds


def _elements(tensors: Tensors) -> int:
    return sum([tensor.size for tensor in tensors.values()])
