"""The classification extension: the best classes of an output as text, for clients that want no numbers."""

from collections.abc import Sequence

import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import Tensor, bytes_tensor


def best_classes(scores: Tensor, count: int, labels: Sequence[str], *, name: str) -> Tensor:
    """Return [..., count] texts "SCORE:INDEX:LABEL", best first, for scores [..., classes].

    Fewer when there are fewer classes; without the label where there is none. Raises: InvalidRequest: no scores.
    """
    if not scores.ndim or scores.dtype.kind not in "iuf":
        raise InvalidRequest(f"output {name!r} has no scores to classify by")
    with np.errstate(invalid="ignore"):  # A signalling NaN becomes a quiet one, which is all that is meant here.
        values = scores.astype(np.float64)
    # A stable sort of what is turned round puts equal scores in the order of their classes, and NaN last.
    order = np.argsort(-values, axis=-1, kind="stable")[..., :count]
    best = np.take_along_axis(values, order, axis=-1)
    texts = [
        _text(score, index, labels) for score, index in zip(best.ravel().tolist(), order.ravel().tolist(), strict=True)
    ]
    return bytes_tensor(texts).reshape(order.shape)


def _text(score: float, index: int, labels: Sequence[str]) -> bytes:
    label = f":{labels[index]}" if index < len(labels) else ""
    return f"{score:f}:{index}{label}".encode()
