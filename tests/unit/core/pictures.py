"""Encoded images for tests."""

import io
import zlib

import numpy as np
from PIL import Image, PngImagePlugin

from ganglion.core.steps import Tensor

_EXIF_ORIENTATION = 0x0112


def colours(height: int, width: int, *, channels: int = 3, seed: int = 0) -> Tensor:
    """Return an image of noise [height, width, channels]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def png(pixels: Tensor) -> bytes:
    """Return pixels [height, width] or [height, width, 3 or 4] as PNG."""
    return encoded(Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels), "PNG")


def jpeg(pixels: Tensor, *, orientation: int = 0) -> bytes:
    """Return pixels as JPEG, with an orientation that viewers follow if wanted."""
    exif = Image.Exif()
    if orientation:
        exif[_EXIF_ORIENTATION] = orientation
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95, subsampling=0, exif=exif)
    return stream.getvalue()


def encoded(picture: Image.Image, kind: str) -> bytes:
    """Return a picture in one of Pillow's formats."""
    stream = io.BytesIO()
    picture.save(stream, kind)
    return stream.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """Return a PNG that promises many pixels and holds none."""
    small = bytearray(png(np.zeros((1, 1, 3), np.uint8)))
    small[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    small[29:33] = zlib.crc32(bytes(small[12:29])).to_bytes(4, "big")
    return bytes(small)


def with_text(pixels: Tensor, text: str) -> bytes:
    """Return a PNG with a text beside the image."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("note", text, zip=True)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", pnginfo=notes)
    return stream.getvalue()
