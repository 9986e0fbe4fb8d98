"""Golden inputs: does this engine, on this machine, give the outputs that the package promises?"""

from dataclasses import dataclass

import numpy as np

from ganglion.core.errors import GoldenMissing, InvalidPackage
from ganglion.core.manifest import Golden, Manifest
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import OBJECT, Tensor, Tensors


@dataclass(frozen=True, slots=True)
class GoldenResult:
    """Whether every output is within tolerance, and the largest deviation seen."""

    passed: bool
    deviation_max: float
    reason: str = ""


def prove(pipeline: Pipeline, inputs: Tensors, expected: Tensors) -> GoldenResult:
    """Run the golden inputs, in batches that the limits allow, and compare with what is expected.

    Raises: GoldenMissing: the model has none. InvalidPackage: the golden tensors do not fit each other.
    """
    tolerance = golden_of(pipeline.manifest)
    rows = _batched_rows(pipeline, inputs)
    step = pipeline.manifest.limits.batch_max
    if rows <= step:
        return _prove_part(pipeline, tolerance, inputs, expected)
    _check_rows(expected, rows)
    worst = 0.0
    for start in range(0, rows, step):
        part = slice(start, start + step)
        result = _prove_part(pipeline, tolerance, _rows_of(inputs, part), _rows_of(expected, part))
        worst = max(worst, result.deviation_max)
        if not result.passed:
            return result
    return GoldenResult(passed=True, deviation_max=worst)


def golden_of(manifest: Manifest) -> Golden:
    """Return what there is to prove. Raises: GoldenMissing: nothing."""
    if manifest.golden is None:
        raise GoldenMissing(f"{manifest.name}:{manifest.version} has no golden inputs: there is nothing to prove")
    return manifest.golden


def _batched_rows(pipeline: Pipeline, inputs: Tensors) -> int:
    """Return how many rows can be fed in parts; 0 when an input has no batch dimension, as a recurrent state."""
    specs = pipeline.manifest.inputs
    if any(spec.shape[:1] != (-1,) for spec in specs):
        return 0
    rows = {inputs[spec.name].shape[:1] for spec in specs if spec.name in inputs}
    if len(rows) > 1:
        raise InvalidPackage(f"golden inputs have different numbers of rows: {sorted(rows)}")
    return next(iter(rows))[0] if rows and () not in rows else 0


def _check_rows(expected: Tensors, rows: int) -> None:
    for name, tensor in expected.items():
        if tensor.shape[:1] != (rows,):
            raise InvalidPackage(f"golden output {name!r} has shape {tensor.shape}, the inputs have {rows} rows")


def _rows_of(tensors: Tensors, part: slice) -> Tensors:
    return {name: tensor[part] for name, tensor in tensors.items()}


def _prove_part(pipeline: Pipeline, tolerance: Golden, inputs: Tensors, expected: Tensors) -> GoldenResult:
    outputs = pipeline.answer(inputs).outputs
    worst = 0.0
    for name, tensor in expected.items():
        result = _compare(tolerance, name, outputs[name], tensor)
        worst = max(worst, result.deviation_max)
        if not result.passed:
            return result
    return GoldenResult(passed=True, deviation_max=worst)


def _compare(tolerance: Golden, name: str, actual: Tensor, expected: Tensor) -> GoldenResult:
    if actual.shape != expected.shape:
        return GoldenResult(False, float("inf"), f"output {name!r} has shape {actual.shape}, expected {expected.shape}")
    if OBJECT in (actual.dtype, expected.dtype):
        is_same = np.array_equal(actual, expected)
        return GoldenResult(is_same, 0.0 if is_same else float("inf"), "" if is_same else f"output {name!r} differs")
    wide, reference = actual.astype(np.float64), expected.astype(np.float64)
    deviation = float(np.max(np.abs(wide - reference), initial=0.0))
    close = np.allclose(wide, reference, atol=tolerance.absolute_tolerance, rtol=tolerance.relative_tolerance)
    if close:
        return GoldenResult(passed=True, deviation_max=deviation)
    return GoldenResult(False, deviation, f"output {name!r} deviates by {deviation:.4g}, more than the tolerance")
