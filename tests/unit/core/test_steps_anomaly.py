"""How unusual a row is."""

from typing import Any

import msgspec
import numpy as np
import pytest

from ganglion.core import steps
from ganglion.core.errors import InvalidRequest
from ganglion.core.steps import AnomalyScore, Context, Keep, Reconstruction, Scale, Step, ZScore
from unit.core.builders import rows

FED = {"x": rows((1, 1), (1, 1))}


@pytest.mark.parametrize(
    ("metric", "expected"), [("mean_square", [0, 2.5]), ("mean_absolute", [0, 1.5]), ("max_absolute", [0, 2])]
)
def test_a_reconstruction_is_compared_with_what_was_fed(metric: Any, expected: list[float]) -> None:
    step = AnomalyScore("out", Reconstruction("x", metric), threshold=1.0)

    made = steps.apply([step], {"out": rows((1, 1), (2, 3))}, Context(feeds=FED))

    assert made["score"].tolist() == pytest.approx(expected)
    assert made["score"].dtype == np.float32
    assert made["is_anomaly"].tolist() == [False, True]


def test_a_kept_tensor_comes_before_what_was_fed() -> None:
    context = Context()
    context.feeds = steps.apply([Keep("x", "x"), Scale("x", 100.0)], FED, context)

    made = steps.apply([AnomalyScore("out", Reconstruction("x"), 1.0)], {"out": rows((1, 1), (1, 1))}, context)

    assert made["score"].tolist() == [0, 0]


def test_rows_of_any_shape_are_compared_value_by_value() -> None:
    images = np.zeros((2, 4, 4, 3), np.uint8)

    made = steps.apply(
        [AnomalyScore("out", Reconstruction("x"), 1.0)], {"out": images + 2}, Context(feeds={"x": images})
    )

    assert made["score"].tolist() == [4, 4]


def test_a_z_score_is_the_largest_deviation_of_a_row() -> None:
    step = AnomalyScore("x", ZScore(mean=(0.0, 10.0), std=(1.0, 2.0)), threshold=3.0)

    made = steps.apply([step], {"x": rows((1, 12), (0, 2), (-3, 10))})

    assert made["score"].tolist() == [1, 4, 3]
    assert made["is_anomaly"].tolist() == [False, True, False]


def test_what_is_no_number_is_an_anomaly() -> None:
    step = AnomalyScore("x", ZScore((0.0,), (1.0,)), threshold=3.0)

    assert steps.apply([step], {"x": rows((np.nan,), (np.inf,))})["is_anomaly"].tolist() == [True, True]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (AnomalyScore("out", Reconstruction("y"), 1.0), "no 'y' to compare with"),
        (AnomalyScore("out", Reconstruction("x"), 1.0), r"rows have \(2, 3\) values, those of 'x' have \(2, 2\)"),
        (AnomalyScore("out", ZScore((0.0,) * 4, (1.0,) * 4), 1.0), "step anomaly_score on 'out'"),
    ],
)
def test_what_cannot_be_compared_is_refused(step: Step, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        steps.apply([step], {"out": np.zeros((2, 3), np.float32)}, Context(feeds=FED))


@pytest.mark.parametrize(
    "fields",
    [
        {"method": {"kind": "z_score", "mean": [0], "std": [0]}, "threshold": 1},
        {"method": {"kind": "z_score", "mean": [0], "std": [1, 1]}, "threshold": 1},
        {"method": {"kind": "reconstruction", "input": "x"}, "threshold": 0},
        {"method": {"kind": "reconstruction"}, "threshold": 1},
        {"method": {"kind": "guess"}, "threshold": 1},
    ],
)
def test_a_method_that_makes_no_sense_is_refused_when_it_is_parsed(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"step": "anomaly_score", "tensor": "x", **fields}, Step)
