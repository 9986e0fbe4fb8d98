"""The figures by which inputs are counted: each column of a small table, otherwise the mean of a row."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ganglion.core import input_counts
from ganglion.core.input_counts import FEATURES_MAX
from ganglion.core.manifest import HistogramReference, TensorSpec
from ganglion.core.steps import Tensor, Tensors

Values = NDArray[np.float64]

_TABLE_RANK = 2
_VALUES_MAX = 65536
"""The mean of a longer row is that of so many of its values, evenly apart."""


def values(spec: TensorSpec, tensor: Tensor) -> dict[str, Values]:
    """Return the figures of all rows, by the names of their histograms; none of an input that holds no numbers.

    Shapes: tensor as its spec says, each figure [rows]. An input without rows is one row.
    """
    if tensor.dtype.kind not in "buif" or not tensor.size:
        return {}
    table = tensor if spec.has_batch else tensor[None]
    with np.errstate(over="ignore", invalid="ignore"):  # Infinities of both signs have no mean; no warning is needed.
        if table.ndim == _TABLE_RANK and table.shape[1] <= FEATURES_MAX:
            columns = table.astype(np.float64)
            return {input_counts.feature_name(spec.name, at): columns[:, at] for at in range(columns.shape[1])}
        flat = table.reshape(len(table), -1)
        apart = -(-flat.shape[1] // _VALUES_MAX)
        return {spec.name: flat[:, ::apart].mean(axis=1, dtype=np.float64)}


def bins(
    specs: Sequence[TensorSpec], inputs: Tensors, reference: Mapping[str, HistogramReference]
) -> dict[str, tuple[int, int]]:
    """Return of the first row, by histogram of the reference, its bin and how many bins there are; NaN has none."""
    found: dict[str, tuple[int, int]] = {}
    for spec in specs if reference else ():
        tensor = inputs.get(spec.name)
        if tensor is None:
            continue
        for name, figures in values(spec, tensor[:1] if spec.has_batch else tensor).items():
            histogram, value = reference.get(name), float(figures[0])
            if histogram is not None and value == value:  # noqa: PLR0124 - only NaN differs from itself
                found[name] = input_counts.bin_of(histogram.edges, value), input_counts.bins_of(histogram.edges)
    return found
