"""Steps of object detectors: from a network's numbers to boxes in the client's own image."""

from typing import Annotated, Literal

import msgspec
import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import boxes as boxes_of
from ganglion.core.steps.boxes import Found
from ganglion.core.steps.classification import sigmoid
from ganglion.core.steps.geometry import Frame
from ganglion.core.steps.step import Action, Context, StepBase, as_floats, check_rank
from ganglion.core.steps.tensors import Tensor

_BOX = 4
_GRID_NDIM = 4
_ANCHORS_NDIM = 3

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Power = Annotated[float, msgspec.Meta(ge=0, le=4)]


class GridBoxes(StepBase, frozen=True, tag="grid_boxes"):
    """Read a grid of cells [N, 5 + classes, rows, columns], as FastestDet makes it: objectness, x, y, w, h, classes.

    A cell's box has its middle at (column + tanh x, row + tanh y) and the size (sigmoid w, sigmoid h); its score for
    a class is objectness^a * class^b. Objectness and classes are probabilities already. The grid itself is dropped.
    """

    scores: str = "scores"
    """Name of the scores [N, cells, classes] to make."""
    boxes: str = "boxes"
    """Name of the boxes [N, cells, 4] to make: x1, y1, x2, y2 in shares of the image."""
    objectness_power: Power = 0.6
    """The exponent a."""
    class_power: Power = 0.4
    """The exponent b."""

    @property
    def makes(self) -> tuple[str, ...]:
        """See `StepBase`."""
        return (self.scores, self.boxes)

    @property
    def ends(self) -> tuple[str, ...]:
        """See `StepBase`."""
        return (self.tensor,)

    def bind(self) -> Action:
        """See the class."""

        def run(tensors: dict[str, Tensor], _: Context) -> None:
            grid = as_floats(tensors.pop(self.tensor))
            check_rank(grid, _GRID_NDIM, meaning="a grid [N, 5 + classes, rows, columns]")
            if grid.shape[1] <= _BOX + 1:
                raise InvalidRequest(f"the grid has {grid.shape[1]} channels; 5 and one per class are needed")
            cells = grid.reshape(*grid.shape[:2], -1).transpose(0, 2, 1)
            tensors[self.boxes] = boxes_of.from_grid(cells[..., 1:5], rows=grid.shape[2], columns=grid.shape[3])
            objectness = cells[..., :1] ** self.objectness_power
            tensors[self.scores] = objectness * cells[..., 5:] ** self.class_power

        return run


class AnchorBoxes(StepBase, frozen=True, tag="anchor_boxes"):
    """Read one box and its classes per anchor from a single tensor, as the YOLO family makes it.

    Boxes are taken as they are; `detect` is told their form and unit. The tensor itself is dropped.
    """

    order: Literal["channels_first", "channels_last"] = "channels_first"
    """[N, 4 + classes, anchors] (YOLOv8 and later) or [N, anchors, 4 + classes]."""
    objectness: bool = False
    """A fifth number beside the box says whether anything is there (YOLOv5); scores are multiplied by it."""
    logits: bool = False
    """Scores are not probabilities yet."""
    scores: str = "scores"
    """Name of the scores [N, anchors, classes] to make."""
    boxes: str = "boxes"
    """Name of the boxes [N, anchors, 4] to make."""

    @property
    def makes(self) -> tuple[str, ...]:
        """See `StepBase`."""
        return (self.scores, self.boxes)

    @property
    def ends(self) -> tuple[str, ...]:
        """See `StepBase`."""
        return (self.tensor,)

    def bind(self) -> Action:
        """See the class."""
        first = _BOX + self.objectness

        def run(tensors: dict[str, Tensor], _: Context) -> None:
            anchors = as_floats(tensors.pop(self.tensor))
            check_rank(anchors, _ANCHORS_NDIM, meaning="one box and its classes per anchor, in three dimensions")
            if self.order == "channels_first":
                anchors = anchors.transpose(0, 2, 1)
            if anchors.shape[2] <= first:
                raise InvalidRequest(f"an anchor has {anchors.shape[2]} numbers; {first} and one per class are needed")
            scores = sigmoid(anchors[..., _BOX:]) if self.logits else anchors[..., _BOX:]
            tensors[self.boxes] = np.ascontiguousarray(anchors[..., :_BOX])
            tensors[self.scores] = scores[..., 1:] * scores[..., :1] if self.objectness else scores

        return run


class Detect(StepBase, frozen=True, tag="detect"):
    """Keep the best boxes of scores [N, anchors, classes], per class without those that overlap a better one.

    Makes `boxes` FP32 [N, limit, 4] (x1, y1, x2, y2), `scores` FP32 [N, limit] and `labels` INT64 [N, limit], best
    first; places without a box have the label -1 and zeros. An anchor counts for its best class only. What the step
    read is dropped.
    """

    boxes: str = "boxes"
    """Name of the boxes [N, anchors, 4] or [N, anchors, 1, 4] to read."""
    form: Literal["corners", "centre"] = "corners"
    """x1, y1, x2, y2, or the middle x, y and width, height."""
    unit: Literal["share", "pixel"] = "share"
    """Boxes are in shares of the model's image, or in its pixels."""
    background: bool = False
    """Class 0 means that nothing is there: it is left out, and labels count from the class after it."""
    score_min: Share = 0.5
    """A box with a lower score is dropped."""
    iou_max: Share = 0.45
    """A box that shares more than this with a better one of its class is dropped: intersection over union."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    """Boxes per image."""
    candidates_max: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 1000
    """So many of the best are compared with each other."""
    image: str = ""
    """The image tensor that the boxes lie in, as the model is given it; empty for the only one. Boxes become pixels of
    the original image; when no image was decoded or resized here, they stay in the model's unit."""

    @property
    def makes(self) -> tuple[str, ...]:
        """See `StepBase`."""
        return ("boxes", "scores", "labels")

    @property
    def ends(self) -> tuple[str, ...]:
        """See `StepBase`."""
        return (self.tensor, self.boxes)

    def bind(self) -> Action:
        """See the class."""

        def run(tensors: dict[str, Tensor], context: Context) -> None:
            scores, boxes = _pair(tensors, self)
            found = [self._row(scores[row], boxes[row]) for row in range(len(scores))]
            frame = _frame(context, self.image, rows=len(scores))
            for name in self.ends:
                tensors.pop(name, None)
            tensors["boxes"] = self._boxes(found, frame)
            tensors["scores"] = boxes_of.padded([each.scores for each in found], self.limit, np.float32, 0)
            tensors["labels"] = boxes_of.padded([each.labels for each in found], self.limit, np.int64, -1)

        return run

    def _row(self, scores: Tensor, boxes: Tensor) -> Found:
        classes = scores[:, 1:] if self.background else scores
        candidates = boxes_of.candidates(classes, boxes, score_min=self.score_min, count_max=self.candidates_max)
        corners = boxes_of.corners(candidates.boxes) if self.form == "centre" else candidates.boxes
        return boxes_of.without_overlap(candidates.at(corners), iou_max=self.iou_max, limit=self.limit)

    def _boxes(self, found: list[Found], frame: Frame | None) -> Tensor:
        if frame is None:
            return boxes_of.padded([each.boxes for each in found], self.limit, np.float32, 0)
        is_share = self.unit == "share"
        pixels = [
            each.boxes * np.tile(frame.size[row], 2) if is_share else each.boxes for row, each in enumerate(found)
        ]
        originals = [frame.to_source(row, each) for row, each in enumerate(pixels)]
        return boxes_of.padded(originals, self.limit, np.float32, 0)


def _pair(tensors: dict[str, Tensor], step: Detect) -> tuple[Tensor, Tensor]:
    if step.boxes not in tensors:
        raise InvalidRequest(f"there is no tensor {step.boxes!r}")
    scores, boxes = as_floats(tensors[step.tensor]), as_floats(tensors[step.boxes])
    check_rank(scores, _ANCHORS_NDIM, meaning="scores [N, anchors, classes]")
    boxes = boxes.reshape(*scores.shape[:2], _BOX)
    if scores.shape[2] <= step.background:
        raise InvalidRequest(f"scores have {scores.shape[2]} classes, the background among them")
    return scores, boxes


def _frame(context: Context, image: str, *, rows: int) -> Frame | None:
    """Return where the image lies in the original, if anybody made it from one."""
    if not image and len(context.frames) > 1:
        raise InvalidRequest(f"say in `image` which of {sorted(context.frames)} the boxes lie in")
    if image and image not in context.frames:
        raise InvalidRequest(f"{image!r} is no image that was decoded or resized")
    frame = context.frames[image] if image else next(iter(context.frames.values()), None)
    if frame is not None and len(frame.source) != rows:
        raise InvalidRequest(f"the model answered {rows} rows for {len(frame.source)} images")
    return frame
