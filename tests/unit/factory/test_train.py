"""Training a classifier."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]  # it ships no types

from ganglion.factory.steps.train import TrainSettings, batch_size, train

VALUES = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
QUICK = TrainSettings(hidden=(2,), epochs_max=2)


def test_the_outputs_are_the_labels_that_occur() -> None:
    trained = train(VALUES, ("b", "a"), ("a", "b", "never seen"), QUICK)

    assert trained.labels == ("a", "b")
    assert trained.classifier.predict_proba(VALUES).shape == (2, 2)


def test_an_interrupted_training_gives_no_half_trained_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def press_ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MLPClassifier, "_backprop", press_ctrl_c)

    with pytest.raises(KeyboardInterrupt):
        train(VALUES, ("b", "a"), ("a", "b"), QUICK)


@pytest.mark.parametrize(("rows", "size"), [(1, 1), (2, 2), (200, 200), (201, 101), (400, 200), (401, 134), (627, 157)])
def test_no_batch_is_much_smaller_than_the_others(rows: int, size: int) -> None:
    assert batch_size(rows) == size


def test_training_gives_the_network_equal_batches_of_the_rows_that_are_not_spared() -> None:
    values = np.tile(VALUES, (300, 1))

    trained = train(values, ("b", "a") * 300, ("a", "b"), QUICK)

    assert isinstance(trained.classifier, MLPClassifier)
    assert trained.classifier.batch_size == 170
