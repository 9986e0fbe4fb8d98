"""Steps on scores: probabilities, the best classes, and yes or no."""

from typing import Annotated

import msgspec
import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps.step import (
    Action,
    Axis,
    Context,
    Conversion,
    Finite,
    StepBase,
    as_floats,
    check_rank,
    numeric,
)
from ganglion.core.steps.tensors import Tensor, bytes_tensor

_SCORES_NDIM = 2


class Softmax(StepBase, frozen=True, tag="softmax"):
    """Turn scores into probabilities that add up to 1 along a dimension."""

    axis: Axis = -1
    """The dimension of the classes."""

    def conversion(self) -> Conversion:
        """See the class."""
        axis = self.axis
        return lambda tensor, _: softmax(as_floats(tensor), axis=axis)


class Sigmoid(StepBase, frozen=True, tag="sigmoid"):
    """Turn scores into independent probabilities: 1 / (1 + e^-score)."""

    def conversion(self) -> Conversion:
        """See the class."""
        return lambda tensor, _: sigmoid(as_floats(tensor))


class TopK(StepBase, frozen=True, tag="top_k"):
    """Add the k best classes of each row of scores [N, classes], best first; the scores stay as they are."""

    k: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    """How many; the model must have as many classes."""
    scores: str = "top_scores"
    """Name of the scores [N, k]."""
    indices: str = "top_indices"
    """Name of the classes' numbers [N, k], INT64. Of equal scores the first class comes first."""
    labels: str = "top_labels"
    """Name of the classes' labels [N, k], BYTES: the manifest's, or the number where it has none."""

    def __post_init__(self) -> None:
        if len({self.tensor, self.scores, self.indices, self.labels}) < len(self.makes) or "" in self.makes:
            raise ValueError("tensor, scores, indices and labels must be four different names")

    @property
    def makes(self) -> tuple[str, ...]:
        """See `StepBase`."""
        return (self.tensor, self.scores, self.indices, self.labels)

    def bind(self) -> Action:
        """See the class."""

        def run(tensors: dict[str, Tensor], context: Context) -> None:
            scores = numeric(tensors[self.tensor])
            check_rank(scores, _SCORES_NDIM, meaning="scores [N, classes]")
            if scores.shape[1] < self.k:
                raise InvalidRequest(f"there are {scores.shape[1]} classes, fewer than {self.k}")
            best = np.argsort(-as_floats(scores), axis=1, kind="stable")[:, : self.k].astype(np.int64)
            tensors[self.scores] = np.take_along_axis(scores, best, axis=1)
            tensors[self.indices] = best
            names = [label_of(context.labels, index).encode() for index in best.ravel().tolist()]
            tensors[self.labels] = bytes_tensor(names).reshape(best.shape)

        return run


class Threshold(StepBase, frozen=True, tag="threshold"):
    """Add whether each value is at least `at`, as BOOL."""

    at: Finite
    """The smallest value that is enough."""
    to: str
    """Name of the answer; the tensor's own name replaces it."""

    @property
    def makes(self) -> tuple[str, ...]:
        """See `StepBase`."""
        return (self.tensor, self.to)

    def bind(self) -> Action:
        """See the class."""
        name, to, at = self.tensor, self.to, self.at

        def run(tensors: dict[str, Tensor], _: Context) -> None:
            tensors[to] = np.asarray(numeric(tensors[name]) >= at)

        return run


def label_of(labels: tuple[str, ...], index: int) -> str:
    """Return the label of a class, or its number if it has none."""
    return labels[index] if 0 <= index < len(labels) else str(index)


def softmax(scores: Tensor, *, axis: Axis = -1) -> Tensor:
    """Return probabilities along an axis; safe for large scores."""
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True))


def sigmoid(scores: Tensor) -> Tensor:
    """Return 1 / (1 + e^-score); safe for large scores."""
    small = np.exp(-np.abs(scores))
    return np.asarray(np.where(scores >= 0, 1.0, small) / (1.0 + small), scores.dtype)
