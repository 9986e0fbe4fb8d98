"""Training a classifier."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]  # it ships no types

from ganglion.factory.steps.train import TrainSettings, train

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
