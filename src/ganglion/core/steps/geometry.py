"""Where the pixels of a prepared image come from: straight lines from the original to what the model sees, and back."""

from dataclasses import dataclass

import numpy as np

from ganglion.core.steps.tensors import Tensor


@dataclass(frozen=True, slots=True)
class Frame:
    """For each row of an image tensor: point in the tensor = point in the original * scale + offset. Pairs are (x, y).

    Shapes: all [N, 2]. Unit: pixels; a pixel's left edge has its number as coordinate.
    """

    source: Tensor
    """Size of the original image."""
    size: Tensor
    """Size of the image in the tensor."""
    scale: Tensor
    offset: Tensor

    @classmethod
    def of_originals(cls, sizes: list[tuple[int, int]]) -> "Frame":
        """Return the frame of images (width, height) that nothing has been done to."""
        source = np.array(sizes, np.float64).reshape(-1, 2)
        return cls(source, source, np.ones_like(source), np.zeros_like(source))

    def then(self, placements: "list[Placement]") -> "Frame":
        """Return the frame after each image was placed anew."""
        scale = np.array([each.scale for each in placements])
        offset = np.array([each.offset for each in placements])
        size = np.array([each.size for each in placements], np.float64)
        return Frame(self.source, size, self.scale * scale, self.offset * scale + offset)

    def to_source(self, row: int, boxes: Tensor) -> Tensor:
        """Return boxes [K, 4] (x1, y1, x2, y2) of a row's tensor as pixels of the original, cut at its edges."""
        points = (boxes.reshape(-1, 2, 2) - self.offset[row]) / self.scale[row]
        return np.asarray(np.clip(points, 0.0, self.source[row]).reshape(-1, 4))


@dataclass(frozen=True, slots=True)
class Placement:
    """What a resize does to one image: which part it takes, and where that part goes. Pairs are (x, y)."""

    box: tuple[float, float, float, float]
    """The part of the image that is used: left, top, right, bottom."""
    inner: tuple[int, int]
    """The size that this part gets."""
    corner: tuple[int, int]
    """Where its upper left corner goes."""
    size: tuple[int, int]
    """The size of the result."""

    @property
    def scale(self) -> tuple[float, float]:
        """Return the factors from the image to the result."""
        left, top, right, bottom = self.box
        return self.inner[0] / (right - left), self.inner[1] / (bottom - top)

    @property
    def offset(self) -> tuple[float, float]:
        """Return where the image's own corner would lie in the result."""
        scale_x, scale_y = self.scale
        return self.corner[0] - self.box[0] * scale_x, self.corner[1] - self.box[1] * scale_y


def stretched(source: tuple[int, int], size: tuple[int, int]) -> Placement:
    """Use the whole image, and change its shape if need be."""
    return Placement(_all_of(source), size, (0, 0), size)


def letterboxed(source: tuple[int, int], size: tuple[int, int], *, centred: bool) -> Placement:
    """Use the whole image in its own shape, with bars where it does not reach."""
    factor = min(size[0] / source[0], size[1] / source[1])
    width = min(size[0], max(1, round(source[0] * factor)))
    height = min(size[1], max(1, round(source[1] * factor)))
    corner = ((size[0] - width) // 2, (size[1] - height) // 2) if centred else (0, 0)
    return Placement(_all_of(source), (width, height), corner, size)


def cropped(source: tuple[int, int], size: tuple[int, int]) -> Placement:
    """Use the largest part from the middle that has the wanted shape."""
    factor = max(size[0] / source[0], size[1] / source[1])
    width, height = size[0] / factor, size[1] / factor
    left, top = (source[0] - width) / 2, (source[1] - height) / 2
    return Placement((left, top, left + width, top + height), size, (0, 0), size)


def _all_of(source: tuple[int, int]) -> tuple[float, float, float, float]:
    return 0.0, 0.0, float(source[0]), float(source[1])
