"""How the inputs look on held-out rows, as histograms whose edges travel with the package."""

import math
from collections.abc import Sequence

import numpy as np

from ganglion.core import input_counts, input_values
from ganglion.core.input_counts import HISTOGRAMS_MAX
from ganglion.core.input_values import Values
from ganglion.core.manifest import HistogramReference, TensorSpec
from ganglion.core.steps import Tensors

_BINS = 10


def input_reference(specs: Sequence[TensorSpec], rows: Tensors) -> dict[str, HistogramReference]:
    """Return by name the histograms of these rows, at most HISTOGRAMS_MAX; a figure without finite values has none."""
    made: dict[str, HistogramReference] = {}
    for spec in specs:
        for name, figures in input_values.values(spec, rows[spec.name]).items():
            histogram = histogram_of(figures)
            is_sound = histogram is not None and not input_counts.fault_of(name, histogram.edges, histogram.counts)
            if histogram is not None and is_sound and len(made) < HISTOGRAMS_MAX:
                made[name] = histogram
    return made


def histogram_of(figures: Values) -> HistogramReference | None:
    """Return at most ten bins that hold about as many figures each; None when no figure is finite.

    A value that is met often has a bin of its own, and what is constant has one bin. Shape: figures [rows].
    """
    finite = figures[np.isfinite(figures)]
    if not finite.size:
        return None
    distinct, met = np.unique(finite, return_counts=True)
    starts, counts, left = [float(distinct[0])], [0], finite.size
    for value, count in zip(distinct.tolist(), met.tolist(), strict=True):
        share = left / (_BINS - len(starts) + 1)
        if counts[-1] and counts[-1] + count / 2 > share and len(starts) < _BINS:
            left -= counts[-1]
            starts.append(value)
            counts.append(0)
        counts[-1] += count
    end = math.nextafter(float(distinct[-1]), math.inf)
    return HistogramReference((*starts, end), tuple(counts))
