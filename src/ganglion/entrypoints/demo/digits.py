"""The demo's data: 1,797 real handwritten digits that scikit-learn brings along, told as meter readings.

Three parts that never mix: a tenth of the training images with labels (all that release 1 learns from), the
stream that the clients send, and the held-out images on which every release is judged.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # it ships no types

from ganglion.factory.domain.rows import LabelledRows, make_rows
from ganglion.testing.traffic import Row

SIDE = 8
PIXEL_MAX = 16.0
LABELS = tuple(str(digit) for digit in range(10))
_HELD_OUT = 597
_LABELLED_EVERY = 10


@dataclass(frozen=True, slots=True)
class Digits:
    """The three parts; `stream` rows carry their truth, which only labelling may look at."""

    labelled: LabelledRows
    stream: tuple[Row, ...]
    held_out: LabelledRows


def load(seed: int = 7) -> Digits:
    """Split the bundled images by a seeded shuffle."""
    bundle = load_digits()
    order = np.random.default_rng(seed).permutation(len(bundle.target))
    held_out, training = order[:_HELD_OUT], order[_HELD_OUT:]
    labelled, stream = training[::_LABELLED_EVERY], np.delete(training, slice(None, None, _LABELLED_EVERY))
    return Digits(
        labelled=_rows(bundle.data, bundle.target, labelled),
        stream=tuple(
            Row(key=int(index), values=tuple(map(float, bundle.data[index])), truth=str(bundle.target[index]))
            for index in stream
        ),
        held_out=_rows(bundle.data, bundle.target, held_out),
    )


def stream_rows(digits: Digits) -> LabelledRows:
    """Return the stream as labelled rows: only the bad version's maker, who has the labels, uses them."""
    values = np.asarray([row.values for row in digits.stream], np.float32)
    return make_rows(values, [row.truth for row in digits.stream], LABELS)


def transposed(rows: LabelledRows) -> LabelledRows:
    """Return the same images with rows and columns exchanged: the kind of mistake that no loader notices."""
    images = rows.x.reshape(-1, SIDE, SIDE).transpose(0, 2, 1)
    return LabelledRows(np.ascontiguousarray(images).reshape(len(rows), -1), rows.y, rows.labels)


def _rows(images: NDArray[np.float64], truths: NDArray[np.int64], indices: NDArray[np.int64]) -> LabelledRows:
    return make_rows(images[indices], [str(truth) for truth in truths[indices]], LABELS)
