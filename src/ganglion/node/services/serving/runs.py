"""Runs an opened package on checked inputs, and finds out how long that takes, in all and stage by stage."""

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeAlias

import msgspec

from ganglion.core import made_up
from ganglion.core.errors import GanglionError, InvalidPackage, InvalidRequest
from ganglion.core.manifest import Manifest
from ganglion.core.pipeline import Answer, Infer, Pipeline
from ganglion.core.serving_errors import InputUnusable, ModelFailed
from ganglion.core.steps import DATATYPES, Tensors
from ganglion.node.domain.serving.sequences import SequenceLimits, Sequences
from ganglion.ports.clock import Clock
from ganglion.ports.runtime import CanInfer

_WARM_UP_RUNS = 20
_WARM_UP_S = 2.0
"""A slow model is warm after fewer runs."""


class Stopwatch(threading.local):
    """When the engine began and ended its last run in this thread."""

    began_s: float = 0.0
    ended_s: float = 0.0


class Package(msgspec.Struct, frozen=True):
    """An opened package: its pipeline with the model loaded, and a way to read its golden inputs and outputs.

    `golden` raises GoldenMissing for a model that has none. Without a stopwatch all time counts as the engine's.
    """

    pipeline: Pipeline
    golden: Callable[[], tuple[Tensors, Tensors]]
    stopwatch: Stopwatch | None = None
    sequences: "Sequences[Package] | None" = None
    """The same model once per open sequence; None when its file holds no state."""


OpenPackage: TypeAlias = Callable[[Path], Package]
"""Raises: NotFound, InvalidPackage."""


def timed_package(
    manifest: Manifest,
    infer: Infer,
    golden: Callable[[], tuple[Tensors, Tensors]],
    clock: Clock,
    *,
    open_sequence: Callable[[], CanInfer] | None = None,
) -> Package:
    """Return a package that knows how long its engine takes apart from its steps.

    `open_sequence` opens an engine that remembers, for a model whose file holds state.
    """
    stopwatch, now = Stopwatch(), clock.monotonic_s

    def timed(feeds: Tensors) -> Tensors:
        stopwatch.began_s = now()
        outputs = infer(feeds)
        stopwatch.ended_s = now()
        return outputs

    sequences: Sequences[Package] | None = None
    if open_sequence is not None:
        begin = partial(_open_late, manifest, open_sequence, golden, clock)
        sequences = Sequences(begin, SequenceLimits())
    return Package(Pipeline(manifest, timed), golden, stopwatch, sequences)


def _open_late(
    manifest: Manifest,
    open_sequence: Callable[[], CanInfer],
    golden: Callable[[], tuple[Tensors, Tensors]],
    clock: Clock,
) -> Package:
    """Return a package whose engine is opened by its first request, where that runs: it may take a while."""
    opened: list[CanInfer] = []

    def infer(feeds: Tensors) -> Tensors:
        if not opened:
            opened.append(open_sequence())
        return opened[0].infer(feeds)

    return timed_package(manifest, infer, golden, clock)


class Run(msgspec.Struct, frozen=True, gc=False):
    """What a version made of one request, and how long steps and engine took. Times are of the monotonic clock."""

    outcome: Answer | GanglionError
    latency_us: int
    labels: tuple[str, ...] = ()
    """The answer in words, one label and one confidence per row, when the model makes predictions."""
    confidences: tuple[float, ...] = ()
    began_s: float = 0.0
    infer_began_s: float = 0.0
    infer_ended_s: float = 0.0
    ended_s: float = 0.0
    is_shared: bool = False
    """It came out of a run for several requests, which is counted for itself."""


def run(package: Package, inputs: Tensors, clock: Clock) -> Run:
    """Answer inputs that the pipeline's check accepted. Whatever goes wrong from here on is the model's failure."""
    began_s = clock.monotonic_s()
    try:
        answer = package.pipeline.answer_checked(inputs)
        ended_s = clock.monotonic_s()
        for name, tensor in answer.outputs.items():
            if tensor.dtype not in DATATYPES:
                return failed_run(f"output {name!r} is not a tensor that the protocol knows", began_s, clock)
    except InputUnusable as error:
        return Run(error, 0)  # The client's fault: the model was not asked.
    except GanglionError as error:
        return failed_run(error.message, began_s, clock)
    except Exception as error:  # noqa: BLE001 - the edge to the model: its outputs may not fit its manifest in any way
        return failed_run(f"{type(error).__name__}: {error}", began_s, clock)
    watch, predictions = package.stopwatch, answer.predictions
    return Run(
        answer,
        math.ceil((ended_s - began_s) * 1e6),
        tuple([prediction.label for prediction in predictions]),
        tuple([prediction.confidence for prediction in predictions]),
        began_s,
        watch.began_s if watch else began_s,
        watch.ended_s if watch else ended_s,
        ended_s,
    )


def shared_run(answer: Answer, times_s: tuple[float, float, float, float]) -> Run:
    """Return one request's part of a common run that began, inferred from, to, and ended at these times."""
    began_s, _, _, ended_s = times_s
    return Run(
        answer,
        math.ceil((ended_s - began_s) * 1e6),
        tuple([prediction.label for prediction in answer.predictions]),
        tuple([prediction.confidence for prediction in answer.predictions]),
        *times_s,
        is_shared=True,
    )


def failed_run(reason: str, began_s: float, clock: Clock) -> Run:
    """Return the run of a request that the model could not answer."""
    return Run(ModelFailed(reason), math.ceil((clock.monotonic_s() - began_s) * 1e6))


def warm_up(package: Package, clock: Clock) -> float:
    """Run one row until the runtime is warm; return the microseconds that it takes per input element.

    The fastest run counts: slower ones waited for something else on this machine. A model without golden inputs
    is warmed up with made-up ones; if it takes none of them, it is not, and waits for the thread with each request.
    So does one that takes files: a large picture costs a thousand times what a small one does; and one that may
    hold loops, whose time is in the values and not in their number.
    Raises: InvalidPackage: the model fails on its own golden inputs.
    """
    is_predictable = not (package.pipeline.takes_files or package.pipeline.manifest.limits.loops_allowed)
    if package.pipeline.manifest.golden is not None:
        feeds = _smallest(package)
        fastest_us = _fastest_us(package, feeds, clock)
        return fastest_us / elements_of(feeds) if is_predictable else math.inf
    for feeds in _made_up(package):
        try:
            fastest_us = _fastest_us(package, feeds, clock)
            return fastest_us / elements_of(feeds) if is_predictable else math.inf
        except InvalidPackage:
            continue
    return math.inf


def example_row(package: Package) -> Tensors | None:
    """Return one row that the model takes: of its golden inputs, or made up; None when it takes nothing made up.

    Raises: InvalidPackage: the golden inputs are not what it takes.
    """
    if package.pipeline.manifest.golden is not None:
        return _smallest(package)
    for feeds in _made_up(package):
        with contextlib.suppress(GanglionError):
            package.pipeline.answer_checked(feeds)
            return feeds
    return None


def _fastest_us(package: Package, feeds: Tensors, clock: Clock) -> float:
    best_us, until_s = math.inf, clock.monotonic_s() + _WARM_UP_S
    for _ in range(_WARM_UP_RUNS):
        result = run(package, feeds, clock)
        if isinstance(result.outcome, GanglionError):
            raise InvalidPackage(f"the model fails on its own golden inputs: {result.outcome.message}")
        best_us = min(best_us, result.latency_us)
        if clock.monotonic_s() > until_s:
            break
    return best_us


def _made_up(package: Package) -> Iterator[Tensors]:
    """Yield rows that the pipeline takes, for the engine to say which of them it takes."""
    with contextlib.suppress(InvalidRequest):
        for feeds in made_up.candidates(package.pipeline.manifest.inputs):
            package.pipeline.check(feeds)
            yield feeds


def _smallest(package: Package) -> Tensors:
    """Return one golden row, or all of it for a model whose inputs have no batch dimension."""
    inputs, _ = package.golden()
    is_batched = all(spec.has_batch for spec in package.pipeline.manifest.inputs)
    feeds = {name: tensor[:1] for name, tensor in inputs.items()} if is_batched else inputs
    try:
        package.pipeline.check(feeds)
    except InvalidRequest as error:
        raise InvalidPackage(f"the golden inputs are not what the model takes: {error.message}") from error
    return feeds


def elements_of(tensors: Tensors) -> int:
    """Return how many numbers the tensors hold; 1 for a model that takes none, whose runs take time all the same."""
    return sum([tensor.size for tensor in tensors.values()]) or 1
