"""Are these the tensors that a model file takes? For runtimes that would not ask.

A runtime that is not given an input may quietly use the one of the request before, which was another client's.
"""

from collections.abc import Mapping

from ganglion.core import steps
from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import Tensor, Tensors


def check(specs: Mapping[str, TensorSpec], feeds: Tensors) -> None:
    """Compare names, types and shapes with the specs by name. Raises: InvalidRequest."""
    if feeds.keys() != specs.keys():
        raise InvalidRequest(f"the model takes {sorted(specs)}, not {sorted(feeds)}")
    for name, tensor in feeds.items():
        _check_tensor(specs[name], tensor)


def _check_tensor(spec: TensorSpec, tensor: Tensor) -> None:
    if tensor.dtype != steps.DTYPES[spec.datatype]:
        raise InvalidRequest(f"the model takes {spec.name!r} as {spec.datatype}, not as {tensor.dtype}")
    shape = tensor.shape
    fits = len(shape) == len(spec.shape) and all(
        size > 0 and declared in (-1, size) for declared, size in zip(spec.shape, shape, strict=True)
    )
    if not fits:
        raise InvalidRequest(f"the model takes {spec.name!r} as {list(spec.shape)}, not as {list(shape)}")
