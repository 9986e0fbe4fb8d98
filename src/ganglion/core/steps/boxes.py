"""Boxes: [K, 4] as x1, y1, x2, y2; which are good enough, and which say the same."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ganglion.core.steps.classification import sigmoid
from ganglion.core.steps.tensors import Tensor


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes of one image with one score and one class each, best first. Shapes: [K, 4], [K], [K]."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor

    def at(self, boxes: Tensor) -> "Found":
        """Return the same with the boxes written in another way."""
        return replace(self, boxes=boxes)

    def only(self, places: Tensor) -> "Found":
        """Return those at these places."""
        return Found(self.boxes[places], self.scores[places], self.labels[places])


def candidates(classes: Tensor, boxes: Tensor, *, score_min: float, count_max: int) -> Found:
    """Return the anchors whose best class has at least `score_min`, best first, equal ones in their order.

    Shapes: classes [anchors, classes], boxes [anchors, 4]. A box that is no number is none.
    """
    labels = classes.argmax(axis=1)
    scores = classes[np.arange(len(classes)), labels]
    places = np.flatnonzero((scores >= score_min) & np.isfinite(boxes).all(axis=1))
    places = places[np.argsort(-scores[places], kind="stable")[:count_max]]
    return Found(boxes[places], scores[places], labels[places])


def without_overlap(found: Found, *, iou_max: float, limit: int) -> Found:
    """Return the boxes that no better one of their class overlaps by more than `iou_max`, at most `limit`."""
    kept: list[int] = []
    rest = np.arange(len(found.scores))
    while rest.size and len(kept) < limit:
        best, rest = rest[0], rest[1:]
        kept.append(int(best))
        is_other = found.labels[rest] != found.labels[best]
        rest = rest[is_other | (overlap(found.boxes[best], found.boxes[rest]) <= iou_max)]
    return found.only(np.array(kept, np.intp))


def overlap(box: Tensor, others: Tensor) -> Tensor:
    """Return the intersection over union of a box [4] with others [K, 4]; 0 where neither has an area."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = sides.clip(0).prod(axis=1)
    union = _area(box[None]) + _area(others) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def corners(boxes: Tensor) -> Tensor:
    """Return boxes (middle x, middle y, width, height) by their corners."""
    half = boxes[..., 2:] / 2
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)


def from_grid(cells: Tensor, *, rows: int, columns: int) -> Tensor:
    """Return the boxes of grid cells [N, rows * columns, 4] (x, y, w, h as the network says them), in shares."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    place = np.stack([column, row], axis=-1).astype(cells.dtype)
    middle = (place + np.tanh(cells[..., :2])) / np.array([columns, rows], cells.dtype)
    return corners(np.concatenate([middle, sigmoid(cells[..., 2:])], axis=-1))


def padded(rows: list[Tensor], limit: int, dtype: type[np.generic], fill: int) -> Tensor:
    """Return rows of different lengths as one tensor [N, limit, ...]."""
    tensor: np.ndarray[Any, Any] = np.full((len(rows), limit, *rows[0].shape[1:]), fill, dtype)
    for index, row in enumerate(rows):
        tensor[index, : len(row)] = row
    return tensor


def _area(boxes: Tensor) -> Tensor:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1))
