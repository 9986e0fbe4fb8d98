"""What every runtime promises, asked of each one that there is."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from contract.engine_models import CLASSIFIERS, STATEFUL, ModelKind, scores_of
from ganglion.core.engine_options import EngineOptions
from ganglion.core.errors import InvalidPackage, InvalidRequest, TargetMismatch
from ganglion.core.manifest import TensorSpec
from ganglion.entrypoints.models.engines import runtime_for
from ganglion.ports.runtime import Engine

ROWS = np.array([[1, 0, 0], [0, 0.5, 0], [0, 0.1, 0.2]], np.float32)


def label(kind: ModelKind) -> str:
    return f"{kind.runtime}-{kind.file_name}"


@pytest.fixture(params=CLASSIFIERS, ids=label)
def kind(request: pytest.FixtureRequest) -> ModelKind:
    """Return each kind of classifier."""
    assert isinstance(request.param, ModelKind)
    return request.param


@pytest.fixture
def engine(kind: ModelKind, tmp_path: Path) -> Engine:
    """Return a loaded classifier."""
    return runtime_for(kind.runtime).load(kind.in_folder(tmp_path), threads=1)


@pytest.fixture(params=STATEFUL, ids=label)
def summing(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """Return a loaded model whose state is a sum."""
    assert isinstance(request.param, ModelKind)
    return runtime_for(request.param.runtime).load(request.param.in_folder(tmp_path), threads=1)


def one(number: float) -> dict[str, NDArray[np.float32]]:
    return {"x": np.full((1, 2), number, np.float32)}


def total(engine: Engine, number: float) -> float:
    return float(engine.infer(one(number))["y"][0, 0])


def test_a_runtime_knows_its_own_name(kind: ModelKind) -> None:
    assert runtime_for(kind.runtime).name == kind.runtime


def test_an_engine_answers_by_the_names_of_its_outputs(engine: Engine) -> None:
    outputs = engine.infer({"x": ROWS})

    assert list(outputs) == ["scores"]
    assert outputs["scores"].dtype == np.float32
    np.testing.assert_allclose(outputs["scores"], scores_of(ROWS), atol=1e-5)


def test_an_engine_says_what_its_file_takes_and_gives(engine: Engine) -> None:
    assert engine.inputs == (TensorSpec("x", "FP32", (-1, 3)),)
    assert engine.outputs == (TensorSpec("scores", "FP32", (-1, 3)),)
    assert engine.provider == "cpu"
    assert not engine.is_stateful


def test_the_number_of_rows_may_change_from_call_to_call(engine: Engine) -> None:
    for rows in (1, 3, 1, 2):
        outputs = engine.infer({"x": ROWS[:rows]})

        np.testing.assert_allclose(outputs["scores"], scores_of(ROWS[:rows]), atol=1e-5)


def test_what_was_answered_stays_when_the_next_call_comes(engine: Engine) -> None:
    first = engine.infer({"x": ROWS[:1]})["scores"]
    before = first.copy()

    engine.infer({"x": ROWS[1:2]})

    np.testing.assert_array_equal(first, before)


def test_inputs_may_lie_in_memory_in_any_way(engine: Engine) -> None:
    fixed = np.frombuffer(ROWS.tobytes(), np.float32).reshape(3, 3)
    strided = np.repeat(ROWS, 2, axis=1)[:, ::2]

    for rows in (fixed, np.asfortranarray(ROWS), strided):
        np.testing.assert_allclose(engine.infer({"x": rows})["scores"], scores_of(ROWS), atol=1e-5)


@pytest.mark.parametrize(
    "feeds",
    [
        {},
        {"y": ROWS},
        {"x": ROWS, "y": ROWS},
        {"x": ROWS.astype(np.float64)},
        {"x": ROWS.astype(object)},
        {"x": ROWS[:, :2]},
        {"x": ROWS[0]},
    ],
    ids=["none", "another name", "one too many", "FP64", "objects", "too narrow", "no rows"],
)
def test_tensors_that_the_model_does_not_take_are_the_callers_mistake(
    engine: Engine, feeds: dict[str, NDArray[np.float32]]
) -> None:
    engine.infer({"x": ROWS})

    with pytest.raises(InvalidRequest):
        engine.infer(feeds)

    np.testing.assert_allclose(engine.infer({"x": ROWS})["scores"], scores_of(ROWS), atol=1e-5)


def test_threads_may_ask_at_the_same_time(engine: Engine) -> None:
    random = np.random.default_rng(0)
    batches = [random.random((1 + index % 3, 3), np.float32) for index in range(200)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda rows: engine.infer({"x": rows})["scores"], batches))

    for rows, answer in zip(batches, answers, strict=True):
        np.testing.assert_allclose(answer, scores_of(rows), atol=1e-5)


@pytest.mark.parametrize("data", [b"", b"garbage" * 100, b"\x80\x04\x95pickle"])
def test_bytes_that_are_no_model_are_refused(kind: ModelKind, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / kind.file_name
    path.write_bytes(data)

    with pytest.raises(InvalidPackage, match=f"cannot load {kind.file_name}"):
        runtime_for(kind.runtime).load(path, threads=1)


def test_a_model_that_was_cut_short_is_refused(kind: ModelKind, tmp_path: Path) -> None:
    path = kind.in_folder(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(InvalidPackage):
        runtime_for(kind.runtime).load(path, threads=1)


def test_a_missing_model_is_refused(kind: ModelKind, tmp_path: Path) -> None:
    with pytest.raises(InvalidPackage):
        runtime_for(kind.runtime).load(tmp_path / kind.file_name, threads=1)


def test_a_model_for_hardware_that_is_not_here_is_refused(kind: ModelKind, tmp_path: Path) -> None:
    elsewhere = EngineOptions(providers=("npu",) if kind.runtime == "openvino" else ("tensorrt",))

    with pytest.raises(TargetMismatch, match="the package runs on"):
        runtime_for(kind.runtime).load(kind.in_folder(tmp_path), threads=1, options=elsewhere)


def test_hardware_that_is_not_here_is_passed_over(kind: ModelKind, tmp_path: Path) -> None:
    wishes = EngineOptions(providers=("npu", "cpu") if kind.runtime == "openvino" else ("tensorrt", "cpu"))

    engine = runtime_for(kind.runtime).load(kind.in_folder(tmp_path), threads=1, options=wishes)

    assert engine.provider == "cpu"
    np.testing.assert_allclose(engine.infer({"x": ROWS})["scores"], scores_of(ROWS), atol=1e-5)


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_the_number_of_threads_does_not_change_the_answer(kind: ModelKind, tmp_path: Path, threads: int) -> None:
    options = EngineOptions(threads=threads)

    engine = runtime_for(kind.runtime).load(kind.in_folder(tmp_path), threads=1, options=options)

    np.testing.assert_allclose(engine.infer({"x": ROWS})["scores"], scores_of(ROWS), atol=1e-5)


def test_a_sequence_on_a_model_without_state_is_the_engine_itself(engine: Engine) -> None:
    sequence = engine.open_sequence()
    sequence.reset()

    assert sequence is engine


def test_each_call_of_a_stateful_model_begins_anew(summing: Engine) -> None:
    assert summing.is_stateful
    assert [total(summing, 1.0), total(summing, 2.0), total(summing, 3.0)] == [1.0, 2.0, 3.0]


def test_the_calls_of_a_sequence_build_on_each_other(summing: Engine) -> None:
    sequence = summing.open_sequence()

    assert [total(sequence, 1.0), total(sequence, 2.0), total(sequence, 3.0)] == [1.0, 3.0, 6.0]


def test_sequences_do_not_know_of_each_other(summing: Engine) -> None:
    first, second = summing.open_sequence(), summing.open_sequence()

    assert [total(first, 1.0), total(second, 10.0), total(summing, 5.0)] == [1.0, 10.0, 5.0]
    assert [total(first, 1.0), total(second, 10.0)] == [2.0, 20.0]


def test_a_sequence_that_is_reset_begins_anew(summing: Engine) -> None:
    sequence = summing.open_sequence()
    total(sequence, 7.0)

    sequence.reset()

    assert total(sequence, 1.0) == 1.0


def test_a_refused_call_leaves_a_sequence_where_it_was(summing: Engine) -> None:
    sequence = summing.open_sequence()
    total(sequence, 1.0)

    with pytest.raises(InvalidRequest):
        sequence.infer({"x": np.zeros((1, 3), np.float32)})

    assert total(sequence, 1.0) == 2.0
