"""The step that says how unusual a row is, and whether that is too much."""

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias

import msgspec
import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps.step import Action, Context, Finite, StepBase, as_floats
from ganglion.core.steps.tensors import Tensor

_Numbers = Annotated[tuple[Finite, ...], msgspec.Meta(min_length=1, max_length=65536)]

SCORE, FLAG = "score", "is_anomaly"


class Reconstruction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="reconstruction", tag_field="kind"):
    """How far an autoencoder's output is from what it was given."""

    input: str
    """What to compare with: a name that `keep` gave, or an input of the model as it was fed."""
    metric: Literal["mean_square", "mean_absolute", "max_absolute"] = "mean_square"
    """How the differences of a row become one number."""


class ZScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="z_score", tag_field="kind"):
    """How many standard deviations the values are from their mean: the largest |value - mean| / std of a row."""

    mean: _Numbers
    """One number for each value of a row."""
    std: _Numbers
    """As many numbers as `mean`, all above 0."""

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or min(self.std) <= 0:
            raise ValueError("mean and std must have the same length, and every std must be above 0")


Method: TypeAlias = Reconstruction | ZScore


class AnomalyScore(StepBase, frozen=True, tag="anomaly_score"):
    """Make `score` FP32 [N] and `is_anomaly` BOOL [N]: whether the score is above the threshold."""

    method: Method
    """{"kind": "reconstruction", "input": ...} or {"kind": "z_score", "mean": [...], "std": [...]}"""
    threshold: Annotated[float, msgspec.Meta(gt=0, le=1e30)]
    """The largest score that is still normal."""

    @property
    def makes(self) -> tuple[str, ...]:
        """See `StepBase`."""
        return (self.tensor, SCORE, FLAG)

    def bind(self) -> Action:
        """See the class."""
        name, threshold = self.tensor, self.threshold
        score_of = _reconstruction(self.method) if isinstance(self.method, Reconstruction) else _z_score(self.method)

        def run(tensors: dict[str, Tensor], context: Context) -> None:
            score = score_of(_rows(tensors[name]), context).astype(np.float32)
            # What is no number is not normal either.
            tensors[SCORE], tensors[FLAG] = score, ~np.asarray(score <= np.float32(threshold))

        return run


_METRICS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean_square": lambda difference: np.mean(difference**2, axis=1),
    "mean_absolute": lambda difference: np.mean(np.abs(difference), axis=1),
    "max_absolute": lambda difference: np.max(np.abs(difference), axis=1),
}


def _reconstruction(method: Reconstruction) -> Callable[[Tensor, Context], Tensor]:
    source, metric = method.input, _METRICS[method.metric]

    def score(output: Tensor, context: Context) -> Tensor:
        given = context.kept.get(source, context.feeds.get(source))
        if given is None:
            raise InvalidRequest(f"there is no {source!r} to compare with, neither kept nor fed to the model")
        original = _rows(given)
        if original.shape != output.shape:
            raise InvalidRequest(f"rows have {output.shape} values, those of {source!r} have {original.shape}")
        return metric(output - original)

    return score


def _z_score(method: ZScore) -> Callable[[Tensor, Context], Tensor]:
    mean, std = np.array(method.mean), np.array(method.std)
    return lambda values, _: np.max(np.abs(values - mean) / std, axis=1)


def _rows(tensor: Tensor) -> Tensor:
    if tensor.ndim == 0 or tensor.size == 0:
        raise InvalidRequest(f"the tensor has no rows: its shape is {list(tensor.shape)}")
    return as_floats(tensor).astype(np.float64).reshape(tensor.shape[0], -1)
