"""Builders for tests of the factory."""

from collections.abc import Sequence

import numpy as np

from ganglion.factory.domain.evaluation import Evaluation, PairedComparison
from ganglion.factory.domain.ladder import Attempt
from ganglion.factory.domain.rows import LabelledRows, make_rows


def some_rows(count: int = 20, *, first: int = 0) -> LabelledRows:
    """Return distinct rows of two classes."""
    x = np.arange(first, first + count, dtype=np.float32).reshape(count, 1)
    return make_rows(x, ["even" if value % 2 == 0 else "odd" for value in range(first, first + count)], ["even", "odd"])


def an_evaluation(expected: str, predicted: str, confidences: Sequence[float] = ()) -> Evaluation:
    """Return an evaluation of one-letter classes."""
    return Evaluation(tuple(expected), tuple(predicted), tuple(confidences) or (0.9,) * len(expected))


def a_comparison(*, rows: int = 1000, lost: int = 0, won: int = 0) -> PairedComparison:
    return PairedComparison(rows, 0.9, 0.9 + (won - lost) / rows, lost, won)


def an_attempt(variant: str = "int8", *, lost: int = 0, won: int = 0, speed_ratio: float = 1.5) -> Attempt:
    return Attempt(variant, 100, a_comparison(lost=lost, won=won), speed_ratio, latency_us=10.0)
