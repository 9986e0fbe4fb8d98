"""Train a multi-layer perceptron with scikit-learn."""

import math
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]  # it ships no types
from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]  # it ships no types

from ganglion.core.errors import InvalidRequest
from ganglion.factory.domain.rows import FloatRows

_CLASSES_MIN = 2
_BATCH_MAX = 200


class TrainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a classifier is trained."""

    hidden: tuple[int, ...] = (512, 512)
    """Units of each hidden layer. Much smaller nets get slower in INT8, not faster."""

    seed: int = 0
    """The same rows and seed give the same weights on the same machine."""

    epochs_max: int = 300
    """Training ends after this many passes over the rows at the latest."""

    patience_epochs: int = 15
    """Training ends when this many passes brought no improvement."""

    validation_share: float = 0.15
    """Share of the training rows on which early stopping looks."""

    validation_rows_min: int = 500
    """With fewer training rows none is spared: training then ends when the loss on the rows themselves settles."""


class Classifier(Protocol):
    """What the next steps need of a trained model."""

    def predict_proba(self, rows: FloatRows, /) -> NDArray[np.floating]:
        """Return probabilities. Shapes: rows [n, features], result [n, classes]."""
        ...


@dataclass(frozen=True, slots=True)
class Trained:
    """A classifier, and the label of each of its outputs."""

    classifier: Classifier
    labels: tuple[str, ...]


def train(values: FloatRows, y: tuple[str, ...], labels: tuple[str, ...], settings: TrainSettings) -> Trained:
    """Fit a classifier to preprocessed rows.

    Shapes: values [rows, features]. The outputs are those of `labels` that occur in `y`, in that order.
    Raises: InvalidRequest: fewer than two classes occur.
    """
    seen = tuple(label for label in labels if label in set(y))
    if len(seen) < _CLASSES_MIN:
        raise InvalidRequest(f"training needs rows of two classes at least; these are all {', '.join(seen)!r}")
    index = {label: position for position, label in enumerate(seen)}
    validates = _can_validate(y, settings)
    spared = math.ceil(settings.validation_share * len(y)) if validates else 0
    network = MLPClassifier(
        hidden_layer_sizes=settings.hidden,
        batch_size=batch_size(len(y) - spared),
        early_stopping=validates,
        validation_fraction=settings.validation_share,
        n_iter_no_change=settings.patience_epochs,
        max_iter=settings.epochs_max,
        random_state=settings.seed,
    )
    _fit(network, values, np.array([index[label] for label in y]))
    return Trained(network, seen)


def batch_size(rows: int) -> int:
    """Return the size that cuts rows into batches as equal as can be.

    The last batch counts as much as any other: a single row that is left over would pull the network to itself at the
    end of every pass.
    """
    return math.ceil(rows / math.ceil(rows / _BATCH_MAX))


def _fit(network: MLPClassifier, values: FloatRows, classes: NDArray[np.int64]) -> None:
    """Fit, or pass Ctrl-C on: scikit-learn makes a warning of it, and would hand out a half-trained network."""
    with warnings.catch_warnings():
        # Ending at epochs_max is a setting at work, and the evaluation says what it cost.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("error", message="Training interrupted", category=UserWarning)
        try:
            network.fit(values, classes)
        except UserWarning as warning:
            if isinstance(warning.__context__, KeyboardInterrupt):
                raise warning.__context__ from None
            raise


def _can_validate(y: tuple[str, ...], settings: TrainSettings) -> bool:
    """Validation rows are drawn per class, so every class must have one on each side."""
    counts = Counter(y)
    rows = settings.validation_share * len(y)
    return len(y) >= settings.validation_rows_min and min(counts.values()) >= _CLASSES_MIN and rows >= len(counts)
