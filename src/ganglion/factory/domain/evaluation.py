"""How good is a model, and is another one better? Counts over the same held-out rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ganglion.core.errors import Rejected

Z_95_ONE_SIDED = 1.64


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a model said of every held-out row, beside the truth."""

    expected: tuple[str, ...]
    predicted: tuple[str, ...]
    confidences: tuple[float, ...]

    @property
    def correct(self) -> tuple[bool, ...]:
        """Say for each row whether the model was right."""
        return tuple(truth == answer for truth, answer in zip(self.expected, self.predicted, strict=True))

    @property
    def accuracy(self) -> float:
        """Return the share of rows that the model got right. Raises: Rejected: there are no rows."""
        if not self.expected:
            raise Rejected("there are no held-out rows to evaluate on")
        return sum(self.correct) / len(self.expected)


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """Two models on the same rows. `lost` rows only the reference got right, `won` only the candidate."""

    rows: int
    reference_accuracy: float
    candidate_accuracy: float
    lost: int
    won: int

    @property
    def loss(self) -> float:
        """Return how much accuracy the candidate loses; negative when it gains."""
        return (self.lost - self.won) / self.rows

    @property
    def loss_upper(self) -> float:
        """Return the loss that is not exceeded with 95 % confidence.

        Source: normal approximation of the paired difference, variance (lost + won) / rows^2.
        """
        return self.loss + Z_95_ONE_SIDED * math.sqrt(self.lost + self.won) / self.rows


def compare(reference: Evaluation, candidate: Evaluation) -> PairedComparison:
    """Compare two evaluations row by row. Raises: Rejected: they are not of the same rows, or of none."""
    if reference.expected != candidate.expected:
        raise Rejected("two models can only be compared on the same held-out rows")
    pairs: Sequence[tuple[bool, bool]] = list(zip(reference.correct, candidate.correct, strict=True))
    return PairedComparison(
        rows=len(pairs),
        reference_accuracy=reference.accuracy,
        candidate_accuracy=candidate.accuracy,
        lost=sum(was and not is_now for was, is_now in pairs),
        won=sum(is_now and not was for was, is_now in pairs),
    )
