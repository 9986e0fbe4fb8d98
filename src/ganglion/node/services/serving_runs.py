"""Runs an opened package on checked inputs, and finds out how long that takes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ganglion.core.errors import GanglionError, InvalidPackage, InvalidRequest, ModelFailed
from ganglion.core.pipeline import Answer, Pipeline
from ganglion.core.steps import DATATYPES, Tensors
from ganglion.ports.clock import Clock

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
    return best_us / elements_of(feeds)


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


def elements_of(tensors: Tensors) -> int:
    """Return how many numbers the tensors hold."""
    return sum([tensor.size for tensor in tensors.values()])
