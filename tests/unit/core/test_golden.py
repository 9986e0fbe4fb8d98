import numpy as np
import pytest

from ganglion.core import golden
from ganglion.core.errors import GoldenMissing, InvalidPackage
from ganglion.core.manifest import TensorSpec
from ganglion.core.pipeline import Pipeline
from ganglion.core.steps import Tensors, bytes_tensor
from unit.core.builders import GOLDEN_INPUT, a_manifest, a_pipeline, one_hot, rows


def test_outputs_as_promised_pass() -> None:
    result = golden.prove(a_pipeline(), {"x": GOLDEN_INPUT}, {"scores": GOLDEN_INPUT})

    assert result.passed
    assert result.deviation_max == 0.0


def test_a_deviation_within_the_tolerance_passes_and_is_told() -> None:
    result = golden.prove(a_pipeline(), {"x": GOLDEN_INPUT}, {"scores": GOLDEN_INPUT + np.float32(5e-5)})

    assert result.passed
    assert result.deviation_max == pytest.approx(5e-5, rel=0.1)


def test_a_deviation_beyond_the_tolerance_fails_with_its_size() -> None:
    result = golden.prove(a_pipeline(), {"x": GOLDEN_INPUT}, {"scores": GOLDEN_INPUT + np.float32(0.5)})

    assert not result.passed
    assert "deviates by 0.5" in result.reason


def test_an_output_of_another_shape_fails() -> None:
    result = golden.prove(a_pipeline(), {"x": GOLDEN_INPUT}, {"scores": GOLDEN_INPUT[:1]})

    assert not result.passed
    assert "shape" in result.reason


def test_a_model_without_golden_inputs_is_never_proved() -> None:
    pipeline = a_pipeline(golden=None)

    with pytest.raises(GoldenMissing, match="nothing to prove"):
        golden.prove(pipeline, {"x": GOLDEN_INPUT}, {"scores": GOLDEN_INPUT})


def test_nan_never_passes() -> None:
    nan = np.full_like(GOLDEN_INPUT, np.nan)

    assert not golden.prove(a_pipeline(), {"x": nan}, {"scores": nan}).passed


def test_more_rows_than_a_batch_are_fed_in_parts_and_all_are_compared() -> None:
    many = np.tile(GOLDEN_INPUT, (5, 1))
    spoilt = many.copy()
    spoilt[-1] += 1

    assert golden.prove(a_pipeline(), {"x": many}, {"scores": many}).passed
    assert not golden.prove(a_pipeline(), {"x": many}, {"scores": spoilt}).passed


def test_parts_need_as_many_expected_rows_as_inputs() -> None:
    many = np.tile(GOLDEN_INPUT, (5, 1))

    with pytest.raises(InvalidPackage, match="10 rows"):
        golden.prove(a_pipeline(), {"x": many}, {"scores": many[:9]})


def test_inputs_with_different_numbers_of_rows_are_refused() -> None:
    specs = (TensorSpec("x", "FP32", (-1, 3)), TensorSpec("y", "FP32", (-1, 3)))
    pipeline = a_pipeline(inputs=specs)

    with pytest.raises(InvalidPackage, match="different numbers"):
        golden.prove(pipeline, {"x": GOLDEN_INPUT, "y": GOLDEN_INPUT[:1]}, {"scores": GOLDEN_INPUT})


def test_a_state_without_a_batch_and_a_scalar_are_fed_whole() -> None:
    specs = (
        TensorSpec("x", "FP32", (-1, 3)),
        TensorSpec("state", "FP32", (2, -1)),
        TensorSpec("rate", "INT64", ()),
    )
    inputs: Tensors = {"x": rows((1, 0, 0)), "state": rows((0,), (0,)), "rate": np.array(16_000)}
    pipeline = Pipeline(a_manifest(inputs=specs), one_hot)

    assert golden.prove(pipeline, inputs, {"scores": rows((1, 0, 0))}).passed


@pytest.mark.parametrize(("word", "passes"), [(b"mid", True), (b"low", False)])
def test_labels_must_be_the_very_same(word: bytes, passes: bool) -> None:  # noqa: FBT001 - parametrised
    expected = bytes_tensor([b"mid"])
    specs = (TensorSpec("label", "BYTES", (-1,)),)
    pipeline = Pipeline(a_manifest(outputs=specs, prediction=None), lambda _: {"label": bytes_tensor([word])})

    assert golden.prove(pipeline, {"x": GOLDEN_INPUT[:1]}, {"label": expected}).passed == passes
