"""Steps on tensors of any meaning: arithmetic, element type, shape, and names."""

from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps.step import ELEMENTS_MAX, Action, Axis, Context, Conversion, Finite, Size, StepBase, numeric
from ganglion.core.steps.tensors import DTYPES, Number, Tensor

_Numbers = Annotated[tuple[Finite, ...], msgspec.Meta(min_length=1, max_length=65536)]


class Scale(StepBase, frozen=True, tag="scale"):
    """value * factor + offset, as FP32."""

    factor: Finite
    """What each value is multiplied by, first."""
    offset: Finite = 0.0
    """What is added, second."""

    def conversion(self) -> Conversion:
        """See the class."""
        factor, offset = np.float32(self.factor), np.float32(self.offset)
        return lambda tensor, _: numeric(tensor).astype(np.float32) * factor + offset


class Normalise(StepBase, frozen=True, tag="normalise"):
    """(value - mean) / std along `axis`, as FP32."""

    mean: _Numbers
    """One number per place along the axis."""
    std: _Numbers
    """As many numbers as `mean`, none of them 0."""
    axis: Axis = -1
    """The dimension of the channels or features, counted from the end if negative."""

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or 0 in self.std:
            raise ValueError("mean and std must have the same length, and no std may be 0")

    def conversion(self) -> Conversion:
        """See the class."""
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        axis = self.axis

        def convert(tensor: Tensor, _: Context) -> Tensor:
            shape = [1] * tensor.ndim
            shape[axis] = mean.size
            return np.asarray((numeric(tensor).astype(np.float32) - mean.reshape(shape)) / std.reshape(shape))

        return convert


class Clip(StepBase, frozen=True, tag="clip"):
    """Limit values to [low, high]."""

    low: Finite
    """Lower values become this."""
    high: Finite
    """Higher values become this; at least `low`."""

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError("low must not be above high")

    def conversion(self) -> Conversion:
        """See the class."""
        low, high = self.low, self.high
        return lambda tensor, _: np.clip(numeric(tensor), low, high)


class Cast(StepBase, frozen=True, tag="cast"):
    """Convert the element type. An integer type takes the nearest value that it has; what is no number becomes 0."""

    datatype: Number
    """The new type."""
    rounding: Literal["truncate", "nearest"] = "truncate"
    """How a fraction becomes an integer: quantised models want "nearest"."""

    def conversion(self) -> Conversion:
        """See the class."""
        dtype, rounds = DTYPES[self.datatype], self.rounding == "nearest"

        def convert(tensor: Tensor, _: Context) -> Tensor:
            if dtype.kind not in "iu":
                return numeric(tensor).astype(dtype)
            return _as_integers(np.rint(tensor) if rounds and tensor.dtype.kind == "f" else numeric(tensor), dtype)

        return convert


class Reshape(StepBase, frozen=True, tag="reshape"):
    """Give every row this shape; the batch dimension stays."""

    row: Annotated[tuple[Annotated[int, msgspec.Meta(ge=-1, le=ELEMENTS_MAX)], ...], msgspec.Meta(max_length=7)]
    """The shape of a row; at most one size may be -1, which is then what is left."""

    def __post_init__(self) -> None:
        if self.row.count(-1) > 1:
            raise ValueError("at most one size may be -1")

    def conversion(self) -> Conversion:
        """See the class."""
        row = self.row
        return lambda tensor, _: numeric(tensor).reshape(tensor.shape[0], *row)


class Transpose(StepBase, frozen=True, tag="transpose"):
    """Reorder the dimensions."""

    axes: Annotated[tuple[Size, ...], msgspec.Meta(max_length=8)]
    """The old place of each new dimension."""

    def __post_init__(self) -> None:
        if sorted(self.axes) != list(range(len(self.axes))):
            raise ValueError("axes must hold each dimension once, counted from 0")

    def conversion(self) -> Conversion:
        """See the class."""
        axes = self.axes
        return lambda tensor, _: np.ascontiguousarray(numeric(tensor).transpose(axes))


class Select(StepBase, frozen=True, tag="select"):
    """Keep some places along a dimension, in the order given: columns, channels or classes."""

    indices: Annotated[tuple[Size, ...], msgspec.Meta(min_length=1, max_length=65536)]
    """The places, counted from 0."""
    axis: Axis = -1
    """The dimension; 0 would choose among the rows of a request, and is refused."""

    def __post_init__(self) -> None:
        if self.axis == 0:
            raise ValueError("axis 0 is the batch")

    def conversion(self) -> Conversion:
        """See the class."""
        indices, axis = np.array(self.indices), self.axis
        return lambda tensor, _: np.take(numeric(tensor), indices, axis=axis)


class Rename(StepBase, frozen=True, tag="rename"):
    """Give the tensor another name: clients send `image`, the model takes `input.1`."""

    to: str
    """The new name; no other tensor may have it."""

    @property
    def makes(self) -> tuple[str, ...]:
        """See `StepBase`."""
        return (self.to,)

    @property
    def ends(self) -> tuple[str, ...]:
        """See `StepBase`."""
        return (self.tensor,)

    def bind(self) -> Action:
        """See the class."""
        old, new = self.tensor, self.to

        def run(tensors: dict[str, Tensor], context: Context) -> None:
            if new in tensors and new != old:
                raise InvalidRequest(f"there is a tensor {new!r} already")
            tensors[new] = tensors.pop(old)
            if old in context.frames:
                context.frames[new] = context.frames.pop(old)

        return run


class Keep(StepBase, frozen=True, tag="keep"):
    """Put the tensor aside as it is now, for `anomaly_score` to compare with what the model makes of it."""

    name: str
    """What to call it; the model is not given it."""

    def bind(self) -> Action:
        """See the class."""
        tensor, name = self.tensor, self.name

        def run(tensors: dict[str, Tensor], context: Context) -> None:
            context.kept[name] = tensors[tensor]

        return run


def _as_integers(tensor: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """A plain `astype` would wrap around, and differently on different processors."""
    limits = np.iinfo(dtype)
    if tensor.dtype.kind == "b":
        return tensor.astype(dtype)
    if tensor.dtype.kind == "f":
        # The largest 64-bit integers are no floats: above the last float below them, say what they are.
        wide = np.nan_to_num(tensor.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
        inside = wide.clip(float(limits.min), np.nextafter(float(limits.max) + 1.0, 0.0)).astype(dtype)
        return np.where(wide >= float(limits.max), dtype.type(limits.max), inside)
    held = np.iinfo(tensor.dtype)
    low, high = max(int(limits.min), int(held.min)), min(int(limits.max), int(held.max))
    return tensor.clip(low, high).astype(dtype)
