"""Images to other sizes. The same numbers on every machine: golden inputs must give the same outputs everywhere.

"bilinear" and "nearest" follow OpenCV's INTER_LINEAR and INTER_NEAREST, up to rounding: models are mostly trained
behind those. "antialias" is Pillow's bilinear, which looks at every pixel when it makes an image smaller.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from ganglion.core.errors import InvalidRequest, MissingExtra
from ganglion.core.steps.geometry import Placement
from ganglion.core.steps.tensors import Tensor

Method: TypeAlias = Literal["bilinear", "nearest", "antialias"]
Resample: TypeAlias = Callable[[Tensor, Placement], Tensor]


def resampler(method: Method) -> Resample:
    """Return the function from an image [h, w, c] and what is wanted of it to [inner height, inner width, c].

    UINT8 stays UINT8, rounded; other numbers become FP32. Raises: MissingExtra: "antialias" without Pillow.
    """
    if method == "nearest":
        return _nearest
    return _bilinear if method == "bilinear" else _antialias()


def _nearest(image: Tensor, where: Placement) -> Tensor:
    left, top, right, bottom = where.box
    rows = _nearest_places(top, bottom, where.inner[1], image.shape[0])
    columns = _nearest_places(left, right, where.inner[0], image.shape[1])
    return np.asarray(image[rows[:, None], columns[None, :]])


def _nearest_places(start: float, end: float, count: int, size: int) -> Tensor:
    places = np.floor(start + np.arange(count) * (end - start) / count)
    return np.asarray(places.clip(0, size - 1), np.intp)


def _bilinear(image: Tensor, where: Placement) -> Tensor:
    height, width, channels = image.shape
    left, top, right, bottom = where.box
    lines = _between(_centres(top, bottom, where.inner[1]), height)
    columns = _between(_centres(left, right, where.inner[0]), width).spread(channels)
    # Pixels side by side in one dimension: numpy copies single numbers faster than groups of three.
    mixed = columns.mix(lines.mix(image.reshape(height, -1), axis=0), axis=1)
    if image.dtype == np.uint8:
        mixed = np.rint(mixed, out=mixed).astype(np.uint8)
    return mixed.reshape(where.inner[1], where.inner[0], channels)


def _centres(start: float, end: float, count: int) -> Tensor:
    """Return where the centres of the new pixels lie among the centres of the old."""
    return np.asarray(start + (np.arange(count) + 0.5) * ((end - start) / count) - 0.5)


@dataclass(frozen=True, slots=True)
class _Between:
    """Places between two neighbours along an axis: low + weight * (high - low)."""

    low: Tensor
    high: Tensor
    weight: Tensor

    def spread(self, channels: int) -> "_Between":
        """Return the places of each channel, where channels lie side by side."""
        low, high = (np.add.outer(each * channels, np.arange(channels)).ravel() for each in (self.low, self.high))
        return _Between(low, high, self.weight.repeat(channels))

    def mix(self, values: Tensor, *, axis: int) -> Tensor:
        """Return values [lines, columns] at the places along an axis, as FP32."""
        below = np.take(values, self.low, axis=axis).astype(np.float32, copy=False)
        mixed = np.take(values, self.high, axis=axis).astype(np.float32, copy=False)
        mixed -= below
        mixed *= self.weight[:, None] if axis == 0 else self.weight
        mixed += below
        return np.asarray(mixed)


def _between(places: Tensor, size: int) -> _Between:
    """Beyond the edge the last pixel goes on."""
    inside = places.clip(0, size - 1)
    low = np.floor(inside).astype(np.intp)
    return _Between(low, np.minimum(low + 1, size - 1), (inside - low).astype(np.float32))


def _antialias() -> Resample:
    try:
        from PIL import Image  # noqa: PLC0415 - an extra: most models take no images
    except ModuleNotFoundError as error:
        raise MissingExtra("resizing with antialias needs Pillow; run: pip install 'ganglion[images]'") from error

    def resample(image: Tensor, where: Placement) -> Tensor:
        if image.dtype != np.uint8:
            raise InvalidRequest(f"antialias takes UINT8 images, not {image.dtype}: resize before other arithmetic")
        height, width, channels = image.shape
        left, top, right, bottom = where.box
        box = (max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom))
        picture = Image.fromarray(image[..., 0] if channels == 1 else image)
        resized = np.asarray(picture.resize(where.inner, Image.Resampling.BILINEAR, box=box))
        return resized.reshape(where.inner[1], where.inner[0], channels)

    return resample
