"""JPEG and PNG files to pixels, by Pillow, and with nothing believed that a file says of itself.

The format follows from the first bytes, so that only two of Pillow's many readers ever see foreign bytes. The
size is read from the header and refused before any pixel is decoded.
"""

import io
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np

from ganglion.core.errors import InvalidRequest, MissingExtra
from ganglion.core.steps.tensors import Tensor

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_UPRIGHT_TAG = 0x0112
_TURNS: dict[int, tuple[bool, int]] = {
    2: (True, 0),
    3: (False, 2),
    4: (True, 2),
    5: (True, 1),
    6: (False, 3),
    7: (True, 3),
    8: (False, 1),
}
"""EXIF orientation: mirror left to right first? Then how many quarter turns to the left."""

ReadImages: TypeAlias = Callable[[list[bytes]], list[Tensor]]
_T = TypeVar("_T")


def image_reader(*, is_grey: bool, pixels_max: int, bytes_max: int) -> ReadImages:
    """Return the function from files to images [height, width, channels]. Raises: MissingExtra: there is no Pillow.

    That function raises InvalidRequest: a file is damaged, of another format, or too large.
    """
    open_image = _opener()

    def read(files: list[bytes]) -> list[Tensor]:
        pictures, pixels = [], 0
        for row, file in enumerate(files):
            if len(file) > bytes_max:
                raise InvalidRequest(f"image {row} has {len(file)} bytes, at most {bytes_max} are allowed")
            picture = _guarded(row, partial(open_image, file))
            pixels += picture.width * picture.height
            if pixels > pixels_max:
                size = f"{picture.width} x {picture.height}"
                raise InvalidRequest(f"image {row} ({size}) makes {pixels} pixels, at most {pixels_max} are allowed")
            pictures.append(picture)
        return [_guarded(row, partial(_pixels, each, is_grey=is_grey)) for row, each in enumerate(pictures)]

    return read


def _opener() -> "Callable[[bytes], ImageFile]":
    try:
        from PIL import JpegImagePlugin, PngImagePlugin  # noqa: PLC0415 - an extra: most models take no image files
    except ModuleNotFoundError as error:
        raise MissingExtra("decoding images needs Pillow; run: pip install 'ganglion[images]'") from error

    # Whoever sends pictures with odd EXIF parts would otherwise write into this program's log.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")

    def open_image(file: bytes) -> "ImageFile":
        if file.startswith(_JPEG):
            return JpegImagePlugin.JpegImageFile(io.BytesIO(file))
        if file.startswith(_PNG):
            return PngImagePlugin.PngImageFile(io.BytesIO(file))
        raise InvalidRequest(f"it is neither JPEG nor PNG: it begins with {file[:8]!r}")

    return open_image


def _guarded(row: int, read: Callable[[], _T]) -> _T:
    try:
        return read()
    except InvalidRequest as error:
        raise InvalidRequest(f"image {row}: {error.message}") from error
    except Exception as error:  # Pillow's readers raise whatever their parsing stumbles over.
        raise InvalidRequest(f"image {row} is damaged: {error}") from error


def _pixels(picture: "ImageFile", *, is_grey: bool) -> Tensor:
    picture.load()
    pixels = _eight_bits(picture, "L" if is_grey else "RGB")
    is_mirrored, turns = _TURNS.get(_orientation(picture), (False, 0))
    upright = np.rot90(pixels[:, ::-1] if is_mirrored else pixels, turns)
    return np.ascontiguousarray(upright)


def _eight_bits(picture: "ImageFile", mode: str) -> Tensor:
    """Pillow cuts 16-bit grey values off at 255; a viewer shows their upper half."""
    if picture.mode.startswith("I"):
        grey = (np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)[..., None]
        return np.repeat(grey, len(mode), axis=-1)
    pixels = np.asarray(picture.convert(mode))
    return pixels.reshape(picture.height, picture.width, len(mode))


def _orientation(picture: "ImageFile") -> int:
    """An image whose EXIF part is damaged is shown as it lies."""
    try:
        return int(picture.getexif().get(_UPRIGHT_TAG, 1))
    except Exception:  # noqa: BLE001 - as in `_guarded`
        return 1
