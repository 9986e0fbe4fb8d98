"""Runs several requests by one call of the engine: steps for each request, the model for all of them together.

Whatever goes wrong on the common way, each request is run again alone, so that one bad input fails alone.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from ganglion.core.batching_rules import BatchingRules
from ganglion.core.errors import GanglionError
from ganglion.core.manifest import Manifest
from ganglion.core.pipeline import Answer
from ganglion.core.serving_errors import InputUnusable, ModelFailed
from ganglion.core.steps import DATATYPES, Context, Tensors
from ganglion.node.services.serving.runs import Package, Run, elements_of, example_row, failed_run, run, shared_run
from ganglion.ports.clock import Clock

_WARM_UP_RUNS = 5
_WARM_UP_S = 0.5


class BatchCosts(msgspec.Struct, frozen=True):
    """What runs of two sizes took, to expect those between."""

    one_us: float
    full_us: float
    full_rows: int
    row_elements: float

    def expected_us(self, rows: int, row_elements: float) -> float:
        """Return how long `rows` rows should take, if larger rows take as much longer."""
        row_us = max(0.0, self.full_us - self.one_us) / max(1, self.full_rows - 1)
        return (self.one_us + row_us * (rows - 1)) * max(1.0, row_elements / self.row_elements)


class BatchPlan(msgspec.Struct, frozen=True):
    """A version's batching: the rules within its own limits, and what its batches cost, where that can be known."""

    rules: BatchingRules
    costs: BatchCosts | None

    def expected_us(self, rows: int, row_elements: float) -> float:
        """Return how long a batch should take; infinite when nobody knows."""
        return math.inf if self.costs is None else self.costs.expected_us(rows, row_elements)


class Together(msgspec.Struct, frozen=True, gc=False):
    """What became of a batch: a run per request, and what the common run took."""

    runs: tuple[Run, ...]
    is_shared: bool
    """False: the requests were run one by one."""
    pre_us: int = 0
    infer_us: int = 0
    post_us: int = 0

    @property
    def was_needless(self) -> bool:
        """Whether the common run failed on requests that each succeed alone."""
        return not self.is_shared and not any(isinstance(each.outcome, GanglionError) for each in self.runs)


class _NotJoinable(Exception):
    """The requests have no common run."""


class _Ready(msgspec.Struct, frozen=True, gc=False):
    """A request after the steps before the model."""

    context: Context
    rows: int


def run_together(package: Package, requests: Sequence[Tensors], clock: Clock) -> Together:
    """Answer requests that the pipeline's check accepted. Does not raise."""
    if len(requests) == 1:
        return _one_by_one(package, requests, clock)
    try:
        return _run_joined(package, requests, clock)
    except Exception:  # noqa: BLE001 - the edge to the model: whose fault it is shows when each request runs alone
        return _one_by_one(package, requests, clock)


def _one_by_one(package: Package, requests: Sequence[Tensors], clock: Clock) -> Together:
    return Together(tuple([run(package, inputs, clock) for inputs in requests]), is_shared=False)


def _run_joined(package: Package, requests: Sequence[Tensors], clock: Clock) -> Together:
    began_s = clock.monotonic_s()
    prepared = [_prepare(package, inputs) for inputs in requests]
    ready = [each for each in prepared if isinstance(each, _Ready)]
    feeds = _join([each.context.feeds for each in ready])
    infer_began_s = clock.monotonic_s()
    outputs = package.pipeline.infer(feeds)
    infer_ended_s = clock.monotonic_s()
    _check_rows(outputs, sum([each.rows for each in ready]))
    runs: list[Run] = []
    start = 0
    for each in prepared:
        if isinstance(each, Run):
            runs.append(each)
            continue
        own = {name: tensor[start : start + each.rows] for name, tensor in outputs.items()}
        start += each.rows
        answer = _conclude(package, own, each.context)
        ended_s = clock.monotonic_s()
        times_s = (began_s, infer_began_s, infer_ended_s, ended_s)
        runs.append(
            shared_run(answer, times_s) if isinstance(answer, Answer) else failed_run(answer.message, began_s, clock)
        )
    ended_s = clock.monotonic_s()
    return Together(
        tuple(runs),
        is_shared=True,
        pre_us=_us(infer_began_s - began_s),
        infer_us=_us(infer_ended_s - infer_began_s),
        post_us=_us(ended_s - infer_ended_s),
    )


def _prepare(package: Package, inputs: Tensors) -> _Ready | Run:
    try:
        context = package.pipeline.prepare(inputs)
    except InputUnusable as error:
        return Run(error, 0)
    rows = {tensor.shape[0] if tensor.ndim else 0 for tensor in context.feeds.values()}
    if len(rows) != 1:
        raise _NotJoinable
    return _Ready(context, rows.pop())


def _join(feeds: Sequence[Tensors]) -> Tensors:
    """Put the rows of all requests below each other. `np.concatenate` would convert what differs, so nothing may."""
    if not feeds:
        raise _NotJoinable
    first, *others = feeds
    for other in others:
        if first.keys() != other.keys() or any(
            tensor.dtype != other[name].dtype or tensor.shape[1:] != other[name].shape[1:]
            for name, tensor in first.items()
        ):
            raise _NotJoinable
    if not others:
        return first
    return {name: np.concatenate([each[name] for each in feeds]) for name in first}


def _check_rows(outputs: Tensors, rows: int) -> None:
    for tensor in outputs.values():
        if not tensor.ndim or tensor.shape[0] != rows or tensor.dtype not in DATATYPES:
            raise _NotJoinable


def _conclude(package: Package, outputs: Tensors, context: Context) -> Answer | ModelFailed:
    try:
        answer = package.pipeline.conclude(outputs, context)
    except GanglionError as error:
        return ModelFailed(error.message)
    except Exception as error:  # noqa: BLE001 - as in `run`: outputs may not fit the manifest in any way
        return ModelFailed(f"{type(error).__name__}: {error}")
    for name, tensor in answer.outputs.items():
        if tensor.dtype not in DATATYPES:
            return ModelFailed(f"output {name!r} is not a tensor that the protocol knows")
    return answer


def _us(span_s: float) -> int:
    return round(span_s * 1e6)


# --- when a version is loaded ---------------------------------------------------------------------


def plan_batches(package: Package, rules: BatchingRules, clock: Clock) -> BatchPlan | None:
    """Try a full batch on a warm model, and return how to go on; None: its requests cannot share a run.

    A model without golden inputs that takes nothing made up is believed, and shows what it does with the first batch.
    """
    size = min(rules.max_size, package.pipeline.manifest.limits.batch_max)
    if size < 2 or not can_share(package.pipeline.manifest):  # noqa: PLR2004 - one request alone is no batch
        return None
    preferred = tuple([rows for rows in rules.preferred_sizes if rows <= size])
    fitting = msgspec.structs.replace(rules, max_size=size, preferred_sizes=preferred)
    row = example_row(package)
    if row is None:
        return BatchPlan(fitting, None)
    full = _fastest_us(package, [row] * size, clock)
    if full is None:
        return None
    if package.pipeline.takes_files:
        return BatchPlan(fitting, None)  # Two requests of one shape may cost very different times.
    one = run(package, row, clock).latency_us
    return BatchPlan(fitting, BatchCosts(one, full, size, elements_of(row)))


def can_share(manifest: Manifest) -> bool:
    """Whether all that goes in and comes out has rows that do not change each other."""
    return all(spec.has_batch for spec in (*manifest.inputs, *manifest.outputs))


def _fastest_us(package: Package, requests: Sequence[Tensors], clock: Clock) -> float | None:
    best_us, until_s = math.inf, clock.monotonic_s() + _WARM_UP_S
    for _ in range(_WARM_UP_RUNS):
        began_s = clock.monotonic_s()
        if not run_together(package, requests, clock).is_shared:
            return None
        ended_s = clock.monotonic_s()
        best_us = min(best_us, (ended_s - began_s) * 1e6)
        if ended_s > until_s:
            break
    return best_us
