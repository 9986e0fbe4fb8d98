"""Draws a small grey image with characters, so that a sample can be labelled over a terminal line."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ganglion.wire.resources import SampleTensorView

_SHADES = " .:-=+*#%@"
_SIDE_MIN, _SIDE_MAX = 4, 64
_VALUES_SHOWN = 16


def shaded(tensor: "SampleTensorView") -> str:
    """Return the tensor as an image if it has the size of a square one, otherwise its first values."""
    side = math.isqrt(len(tensor.values))
    if side * side == len(tensor.values) and _SIDE_MIN <= side <= _SIDE_MAX:
        return "\n".join(_row(tensor.values, row, side) for row in range(side))
    shown = " ".join(f"{value:.4g}" for value in tensor.values[:_VALUES_SHOWN])
    return f"{shown} …" if len(tensor.values) > _VALUES_SHOWN else shown


def _row(values: "Sequence[float]", row: int, side: int) -> str:
    """Return one row; a pixel is two characters wide, because characters are tall."""
    low, high = min(values), max(values)
    scale = (len(_SHADES) - 1) / (high - low) if high > low else 0.0
    pixels = values[row * side : (row + 1) * side]
    return "".join(2 * _SHADES[round((value - low) * scale)] for value in pixels).rstrip()
