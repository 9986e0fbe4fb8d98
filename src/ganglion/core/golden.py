"""Golden inputs: does this engine, on this machine, give the outputs that the package promises?"""

from dataclasses import dataclass

import numpy as np

from ganglion.core.errors import InvalidPackage
from ganglion.core.manifest import Golden
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import Tensors


@dataclass(frozen=True, slots=True)
class GoldenResult:
    """Whether every output is within tolerance, and the largest deviation seen."""

    passed: bool
    deviation_max: float
    reason: str = ""


def prove(pipeline: Pipeline, inputs: Tensors, expected: Tensors) -> GoldenResult:
    """Run the golden inputs, in batches that the limits allow, and compare with what is expected.

    Raises: InvalidPackage: the golden tensors do not fit each other.
    """
    golden = pipeline.manifest.golden
    rows = {len(tensor) for tensor in (*inputs.values(), *expected.values()) if tensor.ndim}
    if len(rows) != 1:
        raise InvalidPackage(f"golden tensors have different numbers of rows: {sorted(rows)}")
    step, worst = pipeline.manifest.limits.batch_max, 0.0
    for start in range(0, rows.pop(), step):
        part = {name: tensor[start : start + step] for name, tensor in inputs.items()}
        outputs = pipeline.answer(part).outputs
        for name, whole in expected.items():
            result = _compare(golden, name, outputs[name], whole[start : start + step])
            worst = max(worst, result.deviation_max)
            if not result.passed:
                return result
    return GoldenResult(passed=True, deviation_max=worst)


def _compare(golden: Golden, name: str, actual: np.ndarray, expected: np.ndarray) -> GoldenResult:
    if actual.shape != expected.shape:
        return GoldenResult(False, float("inf"), f"output {name!r} has shape {actual.shape}, expected {expected.shape}")
    wide, reference = actual.astype(np.float64), expected.astype(np.float64)
    deviation = float(np.max(np.abs(wide - reference), initial=0.0))
    close = np.allclose(wide, reference, atol=golden.absolute_tolerance, rtol=golden.relative_tolerance)
    if close:
        return GoldenResult(passed=True, deviation_max=deviation)
    return GoldenResult(False, deviation, f"output {name!r} deviates by {deviation:.4g}, more than the tolerance")
