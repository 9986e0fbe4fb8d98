"""Loaded models whose every run leaves a mark, and the versions that are not loaded any more."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial

from ganglion.adapters.run_marks import Label, RunMarks
from ganglion.adapters.system import SystemClock
from ganglion.core.manifest import Manifest
from ganglion.core.serving_errors import ModelQuarantined
from ganglion.core.steps import Tensors
from ganglion.node.services.serving.runs import Package, timed_package
from ganglion.ports.runtime import CanInfer, Engine


class MarkedModels:
    """Opens models for a process that may be taken down by one of them."""

    def __init__(self, marks: RunMarks, quarantined: Collection[Label] = ()) -> None:
        self._marks, self._quarantined = marks, frozenset(quarantined)
        self._now_s = SystemClock.monotonic_s

    def is_quarantined(self, label: Label) -> bool:
        """Whether this version, with these bytes, took the process down too often."""
        return label in self._quarantined

    @contextmanager
    def loading(self, label: Label) -> Iterator[None]:
        """Mark that a version is being loaded in this thread. Raises: ModelQuarantined."""
        if self.is_quarantined(label):
            raise ModelQuarantined(reason_of(label))
        with self._marks.loading(label, self._now_s()):
            yield

    def package(
        self, label: Label, manifest: Manifest, engine: Engine, golden: Callable[[], tuple[Tensors, Tensors]]
    ) -> Package:
        """Return a package of an opened engine."""
        open_sequence = partial(self._open_sequence, label, engine) if engine.is_stateful else None
        infer = self._marks.around(label, engine.infer, self._now_s)
        return timed_package(manifest, infer, golden, SystemClock(), open_sequence=open_sequence)

    def _open_sequence(self, label: Label, engine: Engine) -> CanInfer:
        remembering = engine.open_sequence()
        return _Marked(self._marks.around(label, remembering.infer, self._now_s))


class _Marked:
    """An engine whose runs are marked."""

    def __init__(self, infer: Callable[[Tensors], Tensors]) -> None:
        self.infer = infer


def reason_of(label: Label) -> str:
    """Return why a version is not loaded, in words for a client."""
    return f"version {label.version} of model {label.model!r} took the serving process down too often"
