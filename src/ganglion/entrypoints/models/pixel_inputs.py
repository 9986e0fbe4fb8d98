"""For programs that have pixels, and a model that takes image files: the same steps, without the one that decodes."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import Manifest, TensorSpec
from ganglion.core.pipeline import Infer, Pipeline
from ganglion.core.steps import OBJECT, DecodeImage, Tensor
from ganglion.entrypoints.models.array_inputs import Inputs, fitted

_GREY, _RGB, _RGBA = 1, 3, 4
_GREY_NDIM, _IMAGE_NDIM = 2, 3


@dataclass(frozen=True, slots=True)
class PixelInput:
    """The input of a model that a decoded image can be given to."""

    pipeline: Pipeline
    spec: TensorSpec

    @classmethod
    def of(cls, manifest: Manifest, infer: Infer) -> "PixelInput | None":
        """Return it, unless the model does not begin with decoding its only input."""
        first = manifest.preprocess[0] if manifest.preprocess else None
        if len(manifest.inputs) != 1 or not isinstance(first, DecodeImage) or first.tensor != manifest.inputs[0].name:
            return None
        channels = _GREY if first.colour == "grey" else _RGB
        spec = TensorSpec(first.tensor, "UINT8", (-1, -1, -1, channels), layout="NHWC")
        changed = msgspec.structs.replace(manifest, inputs=(spec,), preprocess=manifest.preprocess[1:])
        return cls(Pipeline(changed, infer), spec)

    def pixels_in(self, inputs: Inputs) -> Tensor | None:
        """Return the pixels that were given, or None when it is a file after all. Raises: InvalidRequest."""
        value = inputs.get(self.spec.name) if isinstance(inputs, Mapping) else inputs
        if isinstance(value, np.ndarray) and value.dtype != OBJECT:
            return fitted(self.spec, _with_channels(value, self.spec.shape[-1]))
        return _from_pillow(value, is_grey=self.spec.shape[-1] == _GREY)


def _with_channels(pixels: Tensor, wanted: int) -> Tensor:
    """Return [..., height, width, channels]: grey pixels get their channel, transparency goes."""
    if pixels.ndim == _GREY_NDIM and wanted == _GREY:
        return pixels[..., np.newaxis]
    if pixels.ndim >= _IMAGE_NDIM and pixels.shape[-1] == _RGBA and wanted == _RGB:
        return pixels[..., :_RGB]
    return pixels


def _from_pillow(value: object, *, is_grey: bool) -> Tensor | None:
    """Return the pixels of an image of Pillow's, upright as `decode_image` makes them."""
    if "PIL.Image" not in sys.modules:
        return None  # Whoever has such an image has imported this.
    from PIL import Image, ImageOps  # noqa: PLC0415 - an extra

    if not isinstance(value, Image.Image):
        return None
    try:
        upright = ImageOps.exif_transpose(value).convert("L" if is_grey else "RGB")
        pixels = np.asarray(upright)
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"the image cannot be read: {error}") from error
    return _with_channels(pixels, _GREY if is_grey else _RGB)[np.newaxis]
