"""A small PNG file that is the same on every machine, made without any image library."""

import functools
import struct
import zlib

import numpy as np

_HEIGHT, _WIDTH = 96, 128
_SEED = 0
_HEAD = struct.Struct(">II5B")
_EIGHT_BITS, _RGB = 8, 2
_STORED = 0
"""No compression: what compressors make of the same bytes differs from one to the next."""


@functools.cache
def picture() -> bytes:
    """Return coloured noise as PNG."""
    pixels = np.random.default_rng(_SEED).integers(0, 256, (_HEIGHT, 1 + 3 * _WIDTH), np.uint8)
    pixels[:, 0] = 0  # Each line begins with its filter: none.
    head = _HEAD.pack(_WIDTH, _HEIGHT, _EIGHT_BITS, _RGB, 0, 0, 0)
    body = zlib.compress(pixels.tobytes(), _STORED)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
