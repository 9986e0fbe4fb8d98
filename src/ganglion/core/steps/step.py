"""What every step is, and what the steps of one request share.

A step is a value from the manifest. `bind` turns it into the function that runs, once per loaded model, so that
filters and constants are computed once. Whatever one request must remember between its steps is in its `Context`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

import msgspec
import numpy as np

from ganglion.core.errors import InvalidRequest
from ganglion.core.steps.geometry import Frame
from ganglion.core.steps.tensors import OBJECT, Tensor, Tensors

ELEMENTS_MAX = 100_000_000
"""No step makes a tensor of more elements."""


@dataclass(slots=True)
class Context:
    """What one request's steps know of each other. Made for the request, and gone with it."""

    labels: tuple[str, ...] = ()
    """The manifest's, in the order of the classes."""
    frames: dict[str, Frame] = field(default_factory=dict)
    """Where in the original image the content of an image tensor lies."""
    kept: dict[str, Tensor] = field(default_factory=dict)
    """What `keep` put aside."""
    feeds: Tensors = field(default_factory=dict)
    """What the model was given."""


Finite: TypeAlias = Annotated[float, msgspec.Meta(ge=-1e30, le=1e30)]
"""JSON has 1e999, which is infinite."""
Axis: TypeAlias = Annotated[int, msgspec.Meta(ge=-8, le=7)]
Size: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=ELEMENTS_MAX)]
Action: TypeAlias = Callable[[dict[str, Tensor], Context], None]
Conversion: TypeAlias = Callable[[Tensor, Context], Tensor]


class StepBase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step"):
    """A step works on one named tensor."""

    tensor: str
    """The tensor that the step reads."""

    @property
    def kind(self) -> str:
        """Return the step's name in a manifest."""
        return str(self.__struct_config__.tag)

    @property
    def makes(self) -> tuple[str, ...]:
        """Return the names of the tensors that are there after the step, and were perhaps not before."""
        return (self.tensor,)

    @property
    def ends(self) -> tuple[str, ...]:
        """Return the names of the tensors that are not there any more after the step, unless it makes them anew."""
        return ()

    def bind(self) -> Action:
        """Return the function that runs the step on a request's tensors. Raises: MissingExtra."""
        name, convert = self.tensor, self.conversion()

        def run(tensors: dict[str, Tensor], context: Context) -> None:
            tensors[name] = convert(tensors[name], context)

        return run

    def conversion(self) -> Conversion:
        """Return the function that makes the tensor's new value, for a step that rewrites its tensor."""
        raise NotImplementedError  # A step that rewrites no tensor has its own `bind` and is never asked.


def numeric(tensor: Tensor) -> Tensor:
    """Return a tensor of numbers as it is. Raises: InvalidRequest: it holds bytes, or images of different sizes."""
    if tensor.dtype != OBJECT:
        return tensor
    is_images = tensor.size > 0 and isinstance(tensor.flat[0], np.ndarray)
    hint = "images of different sizes: resize them first" if is_images else "BYTES, not numbers"
    raise InvalidRequest(f"the tensor holds {hint}")


def as_floats(tensor: Tensor) -> Tensor:
    """Return numbers as FP32, or as FP64 when they are that already."""
    wanted = np.float64 if tensor.dtype == np.float64 else np.float32
    return numeric(tensor).astype(wanted, copy=False)


def check_size(*shape: int) -> None:
    """Raises: InvalidRequest: a tensor of this shape would be larger than any step may make."""
    if math.prod(shape) > ELEMENTS_MAX:
        raise InvalidRequest(f"the result would be {list(shape)}, more than {ELEMENTS_MAX} elements")


def check_rank(tensor: Tensor, *ranks: int, meaning: str) -> None:
    """Raises: InvalidRequest: the tensor has another number of dimensions."""
    if tensor.ndim not in ranks:
        raise InvalidRequest(f"the tensor must be {meaning}, its shape is {list(tensor.shape)}")
