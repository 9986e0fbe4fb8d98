"""Scores: probabilities, the best classes, yes or no."""

from typing import Any

import msgspec
import numpy as np
import pytest

from ganglion.core import steps
from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import Context, Sigmoid, Softmax, Step, Threshold, TopK
from unit.core.builders import rows


def test_softmax_survives_scores_that_would_overflow() -> None:
    probabilities = steps.apply([Softmax("x")], {"x": rows((1000.0, 1000.0), (-1000.0, 1000.0))})["x"]

    assert np.allclose(probabilities, [[0.5, 0.5], [0.0, 1.0]])


def test_softmax_works_along_any_dimension() -> None:
    probabilities = steps.apply([Softmax("x", axis=1)], {"x": np.zeros((1, 4, 2, 3), np.float32)})["x"]

    assert np.all(probabilities == 0.25)


def test_whole_numbers_become_fp32_probabilities() -> None:
    probabilities = steps.apply([Softmax("x")], {"x": np.array([[-128, 127]], np.int8)})["x"]

    assert probabilities.dtype == np.float32
    assert probabilities[0, 1] == pytest.approx(1.0)


def test_sigmoid_treats_each_score_alone_and_survives_large_ones() -> None:
    shares = steps.apply([Sigmoid("x")], {"x": rows((0.0, 100.0, -100.0, 1e30, -1e30, 2.0))})["x"]

    assert shares.dtype == np.float32
    assert np.allclose(shares, [[0.5, 1.0, 0.0, 1.0, 0.0, 0.880797]])


def test_the_best_classes_come_first_with_their_labels() -> None:
    context = Context(labels=("low", "mid"))

    made = steps.apply([TopK("x", 2)], {"x": rows((0.1, 0.2, 0.7), (0.5, 0.5, 0.0))}, context)

    assert made["top_indices"].tolist() == [[2, 1], [0, 1]]
    assert np.allclose(made["top_scores"], [[0.7, 0.2], [0.5, 0.5]])
    assert made["top_labels"].tolist() == [[b"2", b"mid"], [b"low", b"mid"]]
    assert made["x"].shape == (2, 3)


def test_a_threshold_answers_beside_the_scores_or_in_their_place() -> None:
    scores = {"x": rows((0.2, 0.5, 0.9))}

    beside = steps.apply([Threshold("x", 0.5, to="is_high")], scores)
    instead = steps.apply([Threshold("x", 0.5, to="x")], scores)

    assert beside["is_high"].tolist() == instead["x"].tolist() == [[False, True, True]]
    assert beside["x"] is scores["x"]


def test_more_classes_than_there_are_cannot_be_named() -> None:
    with pytest.raises(InvalidRequest, match="there are 3 classes, fewer than 4"):
        steps.apply([TopK("x", 4)], {"x": rows((1, 2, 3))})
    with pytest.raises(InvalidRequest, match=r"scores \[N, classes\]"):
        steps.apply([TopK("x", 1)], {"x": np.zeros(3, np.float32)})


@pytest.mark.parametrize(
    "fields",
    [
        {"step": "top_k", "k": 0},
        {"step": "top_k", "k": 1, "labels": "top_scores"},
        {"step": "top_k", "k": 1, "scores": "x"},
        {"step": "top_k", "k": 1, "indices": ""},
        {"step": "threshold", "at": 0.5},
    ],
)
def test_names_that_collide_are_refused_when_they_are_parsed(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"tensor": "x", **fields}, Step)
