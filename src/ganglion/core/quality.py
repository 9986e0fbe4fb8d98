"""How good an input is to look at: blur, exposure, occlusion and frozen pictures; flat, saturated and missing series.

Every look is bounded: of a picture an even grid of small tiles is read, of a series its newest part. Values are shares
or lie on the scale of the sensor, so that one set of edges (`core.quality_counts`) fits all inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import Tensor, Tensors

Values = NDArray[np.float32]
Bools = NDArray[np.bool_]

_GRID = 8
_TILE_MAX = 32
"""A picture is judged by at most _GRID x _GRID tiles of _TILE_MAX x _TILE_MAX pixels, whatever its size."""
_TILE_MIN = 3
_STEPS_MAX, _CHANNELS_MAX = 4096, 16
"""A series is judged by its newest steps, and by its first channels."""
_COLOURS = frozenset({1, 3, 4})
_DARK, _BRIGHT = 0.02, 0.98
_TEXTURE_MIN = 0.01
"""A tile whose standard deviation is below this shows nothing: a lens cap, a sticker, fog."""
_BYTE_MAX = 255.0


@dataclass(frozen=True, slots=True)
class Look:
    """What was measured of one input, and what was seen of it, to compare the next one with."""

    measures: dict[str, float]
    seen: dict[str, Values]


def look(specs: Sequence[TensorSpec], row: Tensors, *, before: Look | None = None) -> Look:
    """Measure one row of each input; `before` is the look at the input that came some time before.

    Shapes: each tensor as its spec says, of which the first row counts. Inputs that hold no numbers are left out. Of a
    model with several inputs, each measure begins with the input's name and a dot.
    """
    measures: dict[str, float] = {}
    seen: dict[str, Values] = {}
    for spec in specs:
        tensor = row.get(spec.name)
        if tensor is None or tensor.dtype.kind not in "buif" or not tensor.size:
            continue
        prefix = f"{spec.name}." if len(specs) > 1 else ""
        found, seen[spec.name] = _look_at(spec, tensor)
        earlier = before.seen.get(spec.name) if before else None
        if earlier is not None and earlier.shape == seen[spec.name].shape:
            found["change"] = change(earlier, seen[spec.name])
        measures |= {f"{prefix}{name}": value for name, value in found.items()}
    return Look(measures, seen)


def picture(pixels: Tensor) -> tuple[dict[str, float], Values]:
    """Measure a picture.

    Shapes: pixels [height, width] or [height, width, channels], any number type. Returns sharpness (variance of the
    Laplacian on a scale from black 0 to white 1), brightness (0 to 1), clipped (share of pixels that are black or
    white), covered (share of tiles without texture), and the tiles [tiles, h, w].
    Source: sharpness as in Pech-Pacheco et al. (2000), "Diatom autofocusing in brightfield microscopy".
    """
    tiles = _tiles(pixels)
    clipped = (tiles <= _DARK) | (tiles >= _BRIGHT)
    measures = {
        "brightness": float(tiles.mean()),
        "clipped": float(clipped.mean()),
        "covered": float((tiles.std(axis=(1, 2)) < _TEXTURE_MIN).mean()),
    }
    if min(tiles.shape[1:]) >= _TILE_MIN:
        around = tiles[:, :-2, 1:-1] + tiles[:, 2:, 1:-1] + tiles[:, 1:-1, :-2] + tiles[:, 1:-1, 2:]
        measures["sharpness"] = float((around - 4.0 * tiles[:, 1:-1, 1:-1]).var())
    return measures, tiles


def series(steps: Tensor) -> tuple[dict[str, float], Values]:
    """Measure a series, or a row of plain figures.

    Shapes: steps [time] or [time, channels]. Returns missing (share of values that are not finite), flatline (longest
    run of equal values, as a share of the time) and saturation (share of the time at the lowest or highest value, when
    it is met more than once running), both of the worst channel, and the finite values.
    """
    newest = steps[-_STEPS_MAX:].reshape(min(len(steps), _STEPS_MAX), -1)[:, :_CHANNELS_MAX]
    is_finite = np.isfinite(newest)
    clean = np.nan_to_num(_as_float(newest), nan=0.0, posinf=0.0, neginf=0.0)
    measures = {"missing": float(1.0 - is_finite.mean())}
    if len(clean) > 1:
        is_same = clean[1:] == clean[:-1]
        measures["flatline"] = max(_longest_run(is_same[:, at]) for at in range(clean.shape[1])) / (len(clean) - 1)
        measures["saturation"] = float(_is_at_end(clean, is_same).mean(axis=0).max())
    return measures, clean


def change(before: Values, now: Values) -> float:
    """Return the mean distance of two looks at inputs of one shape; a frozen source gives exactly 0."""
    return float(np.abs(now - before).mean())


def _look_at(spec: TensorSpec, tensor: Tensor) -> tuple[dict[str, float], Values]:
    if spec.image is not None and tensor.size // len(tensor) == spec.image[0] * spec.image[1]:
        return picture(tensor[0].reshape(spec.image))
    letters = spec.layout if len(spec.layout) == tensor.ndim else _guessed(tensor.shape)
    row, letters = (tensor[0], letters[1:]) if letters[:1] == "N" else (tensor, letters)
    if "H" in letters and "W" in letters:
        return picture(_moved(row, letters, "HW"))
    if "T" in letters:
        return series(_moved(row, letters, "T"))
    measures, seen = series(row.reshape(-1))
    # Neighbours in a row of plain figures are different things: that they are equal says nothing.
    return {"missing": measures["missing"]}, seen


def _guessed(shape: tuple[int, ...]) -> str:
    """Return what the dimensions mean when nobody says so: only pictures are told by their shape."""
    if len(shape) == len("NCHW"):
        return "NCHW" if shape[1] in _COLOURS else "NHWC" if shape[-1] in _COLOURS else ""
    return "N" if len(shape) > 1 else ""


def _moved(row: Tensor, letters: str, first: str) -> Tensor:
    """Return the row with these dimensions first and all others as one behind them."""
    order = [letters.index(letter) for letter in first]
    order += [at for at in range(row.ndim) if at not in order]
    turned = row.transpose(order)
    return turned.reshape((*turned.shape[: len(first)], -1))


def _tiles(pixels: Tensor) -> Values:
    """Return an even grid of tiles [tiles, h, w], grey, from black 0 to white 1."""
    height, width = pixels.shape[:2]
    rows, columns = _starts(height), _starts(width)
    size = (min(_TILE_MAX, max(1, height // len(rows))), min(_TILE_MAX, max(1, width // len(columns))))
    parts = [pixels[top : top + size[0], left : left + size[1]] for top in rows for left in columns]
    tiles = np.stack(parts)
    # The fourth channel of a picture is how solid it is.
    colours = tiles[..., :3] if pixels.ndim > len(size) else tiles
    grey = _as_float(colours).reshape(len(parts), *size, -1).mean(axis=-1)
    factor, offset = _scale(tiles)
    with np.errstate(over="ignore", invalid="ignore"):  # An infinite pixel stays one, or is none: both are made up for.
        scaled: Values = np.nan_to_num(grey * np.float32(factor) + np.float32(offset)).clip(0.0, 1.0)
    return scaled


def _starts(length: int) -> list[int]:
    count = max(1, min(_GRID, length // _TILE_MIN))
    part = length // count
    return [at * part + max(0, (part - _TILE_MAX) // 2) for at in range(count)]


def _scale(tiles: NDArray[Any]) -> tuple[float, float]:
    """Return factor and offset that bring pixels to the scale from 0 to 1.

    Floats say nothing of their scale: up to 1 they are taken as they are, up to 255 as bytes, and what is normalised
    about 0 by its own extremes.
    """
    if tiles.dtype.kind in "bui":
        return 1.0 / (1 if tiles.dtype.kind == "b" else np.iinfo(tiles.dtype).max), 0.0
    finite = tiles[np.isfinite(tiles)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0.0:
        return (1.0, 0.0) if high <= 1.0 else (1.0 / max(high, _BYTE_MAX), 0.0)
    span = high - low
    return (1.0 / span, -low / span) if span > 0.0 else (0.0, 0.0)


def _as_float(tensor: Tensor) -> Values:
    with np.errstate(over="ignore"):
        return tensor.astype(np.float32)


def _is_at_end(values: Values, is_same: Bools) -> Bools:
    """Return which steps are at their channel's lowest or highest value, together with a neighbour."""
    at_end: Bools = (values == values.min(axis=0)) | (values == values.max(axis=0))
    none = np.zeros((1, values.shape[1]), np.bool_)
    beside: Bools = np.concatenate([is_same, none]) | np.concatenate([none, is_same])
    return at_end & beside


def _longest_run(flags: Bools) -> int:
    """Return how many steps in a row are set."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.view(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max()) if edges.size else 0
