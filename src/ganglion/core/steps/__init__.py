"""Declarative pre- and postprocessing: the same numpy code in evaluation and on the node.

Each step works on one named tensor. A step that a release does not know, or a field that makes no sense, is an
error when the manifest is parsed, never a silent skip. Steps are pure: what a request's steps must know of each
other is in the request's own `Context`.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ganglion.core.steps.anomaly import AnomalyScore, Reconstruction, ZScore
from ganglion.core.steps.classification import Sigmoid, Softmax, Threshold, TopK, label_of, softmax
from ganglion.core.steps.detection import AnchorBoxes, Detect, GridBoxes
from ganglion.core.steps.image import Colour, DecodeImage, Layout, Resize
from ganglion.core.steps.programme import Programme
from ganglion.core.steps.signal import BandFilter, FftMagnitude, LogMel, Window
from ganglion.core.steps.step import Context
from ganglion.core.steps.tensor import Cast, Clip, Keep, Normalise, Rename, Reshape, Scale, Select, Transpose
from ganglion.core.steps.tensors import (
    DATATYPES,
    DTYPES,
    OBJECT,
    Datatype,
    Tensor,
    Tensors,
    bytes_tensor,
    from_bytes,
    shaped,
    size_bytes,
    to_bytes,
)

__all__ = [
    "DATATYPES",
    "DTYPES",
    "OBJECT",
    "AnchorBoxes",
    "AnomalyScore",
    "BandFilter",
    "Cast",
    "Clip",
    "Colour",
    "Context",
    "Datatype",
    "DecodeImage",
    "Detect",
    "FftMagnitude",
    "GridBoxes",
    "Keep",
    "Layout",
    "LogMel",
    "Normalise",
    "Programme",
    "Reconstruction",
    "Rename",
    "Reshape",
    "Resize",
    "Scale",
    "Select",
    "Sigmoid",
    "Softmax",
    "Step",
    "Tensor",
    "Tensors",
    "Threshold",
    "TopK",
    "Transpose",
    "Window",
    "ZScore",
    "apply",
    "bytes_tensor",
    "from_bytes",
    "label_of",
    "missing_name",
    "sent_as",
    "shaped",
    "size_bytes",
    "softmax",
    "to_bytes",
]

Step: TypeAlias = (
    Scale
    | Normalise
    | Clip
    | Cast
    | Reshape
    | Transpose
    | Select
    | Rename
    | Keep
    | DecodeImage
    | Resize
    | Colour
    | Layout
    | Window
    | FftMagnitude
    | BandFilter
    | LogMel
    | Softmax
    | Sigmoid
    | TopK
    | Threshold
    | GridBoxes
    | AnchorBoxes
    | Detect
    | AnomalyScore
)
"""Every step that a manifest may name."""


def apply(steps: Sequence[Step], tensors: Tensors, context: Context | None = None) -> Tensors:
    """Run `steps` in order and return the tensors after the last.

    Raises: InvalidRequest: a step names a tensor that is not there, or does not fit what it holds. MissingExtra.
    """
    if not steps:
        return tensors
    return Programme(steps).run(tensors, context or Context())


def sent_as(steps: Sequence[Step], name: str) -> tuple[str, tuple[Step, ...]]:
    """Return what clients call the tensor that is `name` after the steps, and the steps that work on it, in order."""
    working: list[Step] = []
    for step in reversed(steps):
        if isinstance(step, Rename) and step.to == name:
            name = step.tensor
        elif step.tensor == name:
            working.append(step)
    return name, tuple(reversed(working))


def missing_name(steps: Sequence[Step], names: Iterable[str]) -> str:
    """Return the first tensor that a step would look for in vain, given what is there before; "" if there is none."""
    known = set(names)
    for step in steps:
        if step.tensor not in known:
            return step.tensor
        known.difference_update(step.ends)
        known.update(step.makes)
    return ""
