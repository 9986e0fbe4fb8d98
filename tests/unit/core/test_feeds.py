"""Are these the tensors that a model file takes?"""

import numpy as np
import pytest

from ganglion.core import feeds
from ganglion.core.errors import InvalidRequest
from ganglion.core.manifest import TensorSpec
from ganglion.core.steps import Tensor

SPECS = {"x": TensorSpec("x", "FP32", (-1, 3)), "rate": TensorSpec("rate", "INT64", ())}
RATE = np.array(16_000, np.int64)


def test_tensors_as_declared_are_accepted() -> None:
    feeds.check(SPECS, {"x": np.zeros((5, 3), np.float32), "rate": RATE})


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"x": np.zeros((1, 3), np.float32)}, r"takes \['rate', 'x'\], not \['x'\]"),
        ({"x": np.zeros((1, 3), np.float32), "rate": RATE, "y": RATE}, "takes"),
        ({"x": np.zeros((1, 3)), "rate": RATE}, "'x' as FP32, not as float64"),
        ({"x": np.zeros((1, 4), np.float32), "rate": RATE}, r"as \[-1, 3\], not as \[1, 4\]"),
        ({"x": np.zeros(3, np.float32), "rate": RATE}, r"not as \[3\]"),
        ({"x": np.zeros((0, 3), np.float32), "rate": RATE}, r"not as \[0, 3\]"),
        ({"x": np.zeros((1, 3), np.float32), "rate": RATE[None]}, r"'rate' as \[\], not as \[1\]"),
    ],
)
def test_other_tensors_are_refused_by_name(tensors: dict[str, Tensor], reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        feeds.check(SPECS, tensors)
