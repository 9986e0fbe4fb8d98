"""Loaded versions and which of them answers. One event loop owns all of it; worker threads see tensors only."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import anyio

from ganglion.core.behaviour import Behaviour
from ganglion.core.errors import Conflict, GanglionError, NotFound
from ganglion.core.pipeline import Pipeline
from ganglion.core.serving_errors import ModelNotReady, ModelQuarantined
from ganglion.core.steps import Tensors
from ganglion.core.typicality import typicality
from ganglion.node.domain.serving import traffic
from ganglion.node.domain.serving.batching import Why
from ganglion.node.domain.serving.traffic import TrafficSplit
from ganglion.node.services.serving.batch_runs import BatchPlan, Together
from ganglion.node.services.serving.counts import Counted, Moments, Statistics, Tally
from ganglion.node.services.serving.runs import Package, Run, elements_of
from ganglion.ports.serving_control import ModelServing

NO_WEIGHTS: Mapping[str, float] = {}


class LoadedVersion:
    """A version in memory, warm, with what it has done so far."""

    def __init__(
        self, name: str, path: Path, package: Package, *, element_us: float, batching: BatchPlan | None = None
    ) -> None:
        self.name, self.path, self.package = name, path, package
        self.batching = batching
        """How requests share a run; None: each runs alone."""
        self.typicality = typicality(package.pipeline.manifest.drift)
        """How it answered held-out data; None: its package says nothing of that."""
        self.token = object()
        """Stands for this version where a reference to it would keep its memory."""
        self._element_us = element_us
        self._tally = Tally()
        self._in_flight = 0
        self._idle: anyio.Event | None = None

    @property
    def pipeline(self) -> Pipeline:
        """Check and answer with this version."""
        return self.package.pipeline

    def expected_us(self, inputs: Tensors) -> float:
        """Return how long these inputs should take, at the most: overhead counts as if it grew with them."""
        return self._element_us * elements_of(inputs)

    @property
    def behaviour(self) -> Behaviour:
        """Counts since the last switch to this version."""
        return self._tally.behaviour

    @property
    def statistics(self) -> Statistics:
        """Counts since the version was loaded."""
        return self._tally.statistics

    def count(self, run: Run, moments: Moments, *, rows: int, at_ns: int) -> None:
        """Count one request that was answered, or that the model could not answer."""
        if isinstance(run.outcome, GanglionError):
            self._tally.add_failure(run.latency_us)
        else:
            counted = Counted(run.latency_us, run.labels, run.confidences, moments, rows, run.is_shared)
            self._tally.add(counted, at_ns=at_ns)

    def count_batch(self, together: Together, *, requests: int, rows: int, why: Why) -> None:
        """Count one batch; its requests are counted one by one, too."""
        self._tally.add_batch(together, requests=requests, rows=rows, why=why)

    def stop_batching(self) -> None:
        """Let each request run alone from now on."""
        self.batching = None
        self.token = object()  # What was noted of forms of requests is not true any more.

    def count_expired(self) -> None:
        """Count one request whose time was over before its turn came."""
        self._tally.statistics.expired += 1

    def count_cancelled(self) -> None:
        """Count one request whose client had gone before its turn came."""
        self._tally.statistics.cancelled += 1

    def restart_behaviour(self) -> None:
        """Begin to count the behaviour anew."""
        self._tally.restart_behaviour()

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
        self.beside: frozenset[str] = frozenset()
        """Versions that answer by name, apart from the active one: somebody who may has said so."""
        self.split: TrafficSplit | None = None
        """How versions share the requests that ask for none; None: the active one answers them all."""
        self.withheld: dict[str, str] = {}
        """Versions that are not loaded because they took the process down too often, and that in words."""
        self.refused = ""
        """Why the last version that was to be loaded could not be; empty when it could."""

    def is_asked(self, version: LoadedVersion) -> bool:
        """Say whether a version answers clients: candidates of an update, and versions to go back to, do not."""
        return version is self.active or version.name in self.beside

    def share_of(self, version: LoadedVersion) -> float:
        """Return the share of the requests without a version that it answers."""
        if self.split is None:
            return float(version is self.active)
        return self.split.weights.get(version.name, 0.0) / self.split.total

    def forget(self, version: LoadedVersion) -> None:
        """Ask a version no more, because it goes, or because other bytes take its name."""
        if version is self.active:
            self.active = None
        if version is self.compared or self.active is None:
            self.compared, self.compare_share = None, 0.0
        self.beside -= {version.name}
        self.split = None if self.split is None else traffic.without(self.split, version.name)


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

        Raises: NotFound: no such model or version. ModelNotReady, ModelQuarantined: it does not answer now.
        """
        served = self._models.get(model)
        if served is None:
            raise NotFound(f"there is no model {model[:80]!r} on this node")
        active = served.active
        if version in served.withheld or (active is None and not version and served.withheld):
            raise ModelQuarantined(served.withheld.get(version) or next(iter(served.withheld.values())))
        if version and (active is None or active.name != version):
            return served, _named(served, model, version)
        if active is None:
            reason = f": {served.refused}" if served.refused else ""
            raise ModelNotReady(f"model {model!r} has no version that answers yet{reason}")
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
        if before is not None:
            served.forget(before)
        served.versions[version.name] = version
        served.withheld.pop(version.name, None)
        served.refused = ""
        return before

    def switch(
        self,
        model: str,
        version: str,
        *,
        compare_with: str,
        compare_share: float,
        beside: Iterable[str] = (),
        weights: Mapping[str, float] = NO_WEIGHTS,
    ) -> None:
        """Let loaded versions answer: `version`, those `beside` it by name, and those with weights by chance, too.

        The counts of a version start at zero unless it was active, or beside the active one and stays there.
        Raises: NotFound: one is not loaded. InvalidRequest: the weights are none. Nothing has changed then.
        """
        chosen = self.loaded(model, version)
        compared = self.loaded(model, compare_with) if compare_with and compare_with != version else None
        others = {name: self.loaded(model, name) for name in {*beside, *weights} - {version}}
        split = traffic.split_of(model, weights)
        served = self._models[model]
        for each in (chosen, *others.values()):
            # Who is put to the test counts from then on, also one that answered by its name before.
            if each is not served.active and (each is chosen or not served.is_asked(each)):
                each.restart_behaviour()
        served.active, served.compared = chosen, compared
        served.compare_share = compare_share if compared else 0.0
        served.beside, served.split = frozenset(others), split

    def remove(self, model: str, version: str) -> LoadedVersion | None:
        """Take a version out, so that no new request reaches it."""
        served = self._models.get(model)
        removed = served.versions.pop(version, None) if served else None
        if served is None or removed is None:
            return None
        served.forget(removed)
        return removed

    def report(self) -> dict[str, ModelServing]:
        """Return what is loaded and how it behaves."""
        return {
            name: ModelServing(
                active=served.active.name if served.active else "",
                loaded=tuple(served.versions),
                behaviour={version.name: version.behaviour for version in served.versions.values()},
                beside=tuple(sorted(served.beside)),
                weights=dict(served.split.weights) if served.split else {},
            )
            for name, served in self._models.items()
        }


def _named(served: ServedModel, model: str, version: str) -> LoadedVersion:
    """Return a version that a client asks for and that is not the active one. Raises: NotFound, ModelNotReady."""
    found = served.versions.get(version)
    if found is None:
        raise NotFound(f"there is no version {version[:80]!r} of model {model!r} on this node")
    if not served.is_asked(found):
        raise ModelNotReady(f"version {version} of model {model!r} is loaded but does not answer requests now")
    return found
