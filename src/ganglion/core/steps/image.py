"""Steps on images: decode, resize, colours, layout.

Between `decode_image` and `resize` the images of one request may differ in size. Such a tensor is an array of
objects [N] with one image [height, width, channels] in each place; only the steps in this module take it.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import geometry
from ganglion.core.steps.geometry import Frame, Placement
from ganglion.core.steps.image_codec import image_reader
from ganglion.core.steps.resampling import Method, resampler
from ganglion.core.steps.step import Action, Context, Conversion, StepBase, check_rank, check_size, numeric
from ganglion.core.steps.tensors import OBJECT, Tensor

_IMAGES_NDIM = 4
_IMAGE_NDIM = 3
_CHANNELS = {1, 3, 4}
_RGB = 3
_GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
"""Recommendation ITU-R BT.601, as in JPEG: red, green, blue."""

Side = Annotated[int, msgspec.Meta(ge=1, le=8192)]


class DecodeImage(StepBase, frozen=True, tag="decode_image"):
    """JPEG or PNG files (BYTES [N]) become pixels: UINT8 [N, height, width, channels], upright as people see them.

    Transparency is dropped, 16 bits become 8, of an animation the first image counts. Needs the extra `images`.
    """

    colour: Literal["rgb", "grey"] = "rgb"
    """Three channels, or one."""
    pixels_max: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 25_000_000
    """Pixels of all images of one request together; more are refused before anything is decoded."""
    bytes_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 20_000_000
    """Bytes of one file."""

    def bind(self) -> Action:
        """See the class."""
        name = self.tensor
        read = image_reader(is_grey=self.colour == "grey", pixels_max=self.pixels_max, bytes_max=self.bytes_max)

        def run(tensors: dict[str, Tensor], context: Context) -> None:
            images = read(_files(tensors[name]))
            context.frames[name] = Frame.of_originals([_size(image) for image in images])
            tensors[name] = together(images)

        return run


class Resize(StepBase, frozen=True, tag="resize"):
    """Bring every image to one size, and remember how, so that `detect` can say where a box lies in the original."""

    height: Side
    """Pixels."""
    width: Side
    """Pixels."""
    fit: Literal["stretch", "letterbox", "crop"] = "stretch"
    """Change the shape, add bars, or cut off what is too much."""
    method: Method = "bilinear"
    """How pixels are mixed: "bilinear" and "nearest" as in OpenCV; "antialias" by Pillow, from the extra `images`."""
    fill: Annotated[float, msgspec.Meta(ge=0, le=255)] = 114
    """Value of the bars."""
    place: Literal["centre", "corner"] = "centre"
    """Where a letterboxed image goes: the middle, or the upper left."""

    def bind(self) -> Action:
        """See the class."""
        name, target, place, sample = self.tensor, (self.width, self.height), self._placing(), resampler(self.method)
        fill = self.fill

        def run(tensors: dict[str, Tensor], context: Context) -> None:
            images = apart(tensors[name])
            check_size(len(images), target[1], target[0], images[0].shape[2])
            before = context.frames.get(name) or Frame.of_originals([_size(image) for image in images])
            placements = [place(_size(image)) for image in images]
            resized = [_placed(image, where, sample, fill) for image, where in zip(images, placements, strict=True)]
            context.frames[name] = before.then(placements)
            tensors[name] = together(resized)

        return run

    def _placing(self) -> Callable[[tuple[int, int]], Placement]:
        target = (self.width, self.height)
        if self.fit == "stretch":
            return lambda source: geometry.stretched(source, target)
        if self.fit == "crop":
            return lambda source: geometry.cropped(source, target)
        is_centred = self.place == "centre"
        return lambda source: geometry.letterboxed(source, target, centred=is_centred)


class Colour(StepBase, frozen=True, tag="colour"):
    """Reorder or reduce the colours of images [N, height, width, channels]; grey is 0.299 R + 0.587 G + 0.114 B."""

    convert: Literal["swap_red_blue", "rgb_to_grey", "bgr_to_grey", "grey_to_rgb"]
    """What to do: "swap_red_blue" makes BGR of RGB, and RGB of BGR."""

    def conversion(self) -> Conversion:
        """See the class."""
        change, channels = _CHANGES[self.convert], 1 if self.convert == "grey_to_rgb" else _RGB

        def convert(tensor: Tensor, _: Context) -> Tensor:
            images = apart(tensor)
            if any(image.shape[-1] != channels for image in images):
                raise InvalidRequest(f"the images must have {channels} channels, they have {images[0].shape[-1]}")
            return change(tensor) if tensor.dtype != OBJECT else together([change(image) for image in images])

        return convert


class Layout(StepBase, frozen=True, tag="layout"):
    """Move the channels of images: first (NCHW, as in PyTorch) or last (NHWC, as in TensorFlow)."""

    to: Literal["nchw", "nhwc"]
    """The order of the dimensions afterwards; before, it must be the other one."""

    def conversion(self) -> Conversion:
        """See the class."""
        axes = (0, 3, 1, 2) if self.to == "nchw" else (0, 2, 3, 1)

        def convert(tensor: Tensor, _: Context) -> Tensor:
            check_rank(numeric(tensor), _IMAGES_NDIM, meaning="images with four dimensions")
            return np.ascontiguousarray(tensor.transpose(axes))

        return convert


def apart(tensor: Tensor) -> list[Tensor]:
    """Return the images [height, width, channels] of a tensor. Raises: InvalidRequest: it holds none."""
    if tensor.dtype == OBJECT:
        if not all(isinstance(each, np.ndarray) and each.ndim == _IMAGE_NDIM for each in tensor.ravel()):
            raise InvalidRequest("the tensor holds BYTES, not images: decode_image must come first")
    else:
        check_rank(tensor, _IMAGES_NDIM, meaning="images [N, height, width, channels]")
    images = list(tensor)
    if not images or any(image.shape[2] not in _CHANNELS or image.size == 0 for image in images):
        raise InvalidRequest(f"images have 1, 3 or 4 channels in their last dimension, not {list(tensor.shape)}")
    return images


def together(images: list[Tensor]) -> Tensor:
    """Return images as one tensor: of numbers if they have one size, otherwise of objects."""
    if len({image.shape for image in images}) == 1:
        return np.stack(images) if len(images) > 1 else images[0][None]
    tensor = np.empty(len(images), OBJECT)
    for index, image in enumerate(images):
        tensor[index] = image
    return tensor


def _files(tensor: Tensor) -> list[bytes]:
    elements = list(tensor.ravel())
    if tensor.dtype != OBJECT or tensor.ndim != 1 or not all(isinstance(each, bytes) for each in elements):
        raise InvalidRequest(f"the tensor must be BYTES [N], one image file per row; its shape is {list(tensor.shape)}")
    return elements


def _size(image: Tensor) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _placed(image: Tensor, where: Placement, sample: Callable[[Tensor, Placement], Tensor], fill: float) -> Tensor:
    content = sample(image, where)
    if where.inner == where.size:
        return content
    canvas = np.full((where.size[1], where.size[0], image.shape[2]), fill, content.dtype)
    (left, top), (width, height) = where.corner, where.inner
    canvas[top : top + height, left : left + width] = content
    return canvas


def _grey(image: Tensor, weights: Tensor) -> Tensor:
    grey = image.astype(np.float32) @ weights
    return np.asarray((grey if image.dtype.kind == "f" else np.rint(grey)).astype(image.dtype)[..., None])


_CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "swap_red_blue": lambda image: np.ascontiguousarray(image[..., ::-1]),
    "rgb_to_grey": lambda image: _grey(image, _GREY_WEIGHTS),
    "bgr_to_grey": lambda image: _grey(image, _GREY_WEIGHTS[::-1].copy()),
    "grey_to_rgb": lambda image: np.repeat(image, _RGB, axis=-1),
}
