"""The short way to the words of one row says what the long way says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ganglion.core.manifest import Classification, Manifest
from ganglion.core.predictions import predictor
from unit.node.serving_builders import manifest_of

SCORES = arrays.arrays(np.float32, st.tuples(st.just(1), st.integers(1, 8)), elements=st.floats(width=32))


def manifest() -> Manifest:
    found = manifest_of()
    assert found.prediction == Classification("probabilities")
    return found


@given(SCORES)
def test_one_row_alone_is_called_what_it_is_called_among_others(scores: np.ndarray) -> None:
    predict = predictor(manifest())
    assert predict is not None

    (alone,) = predict({"probabilities": scores})
    among_others, _ = predict({"probabilities": np.concatenate([scores, scores])})

    assert alone.label == among_others.label
    assert alone.confidence == pytest.approx(among_others.confidence, nan_ok=True)
    assert alone.margin == pytest.approx(among_others.margin, nan_ok=True)
