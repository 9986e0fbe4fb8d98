"""Do two versions of a model agree on an input? By label where they give one, else by the form of their outputs."""

from collections.abc import Sequence

import numpy as np

from ganglion.core.steps import Tensor, Tensors


def compared_and_agreed(
    labels: Sequence[str], other_labels: Sequence[str], outputs: Tensors, other_outputs: Tensors
) -> tuple[int, int]:
    """Return how many rows can be compared, and on how many both agree.

    Without labels a whole answer counts as one row. Its values are not compared, as a version is made to answer
    otherwise than the one before it; what must agree is `has_same_form`.
    """
    if labels or other_labels:
        if len(labels) != len(other_labels):
            return 0, 0
        return len(labels), sum(one == other for one, other in zip(labels, other_labels, strict=True))
    return 1, int(has_same_form(outputs, other_outputs))


def has_same_form(outputs: Tensors, others: Tensors) -> bool:
    """Say whether both have the same names and shapes, and `others` no NaN or infinity in an output without any."""
    return outputs.keys() == others.keys() and all(_is_alike(outputs[name], others[name]) for name in outputs)


def _is_alike(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and (_is_finite(other) or not _is_finite(one))


def _is_finite(tensor: Tensor) -> bool:
    return tensor.dtype.kind != "f" or bool(np.isfinite(tensor).all())
