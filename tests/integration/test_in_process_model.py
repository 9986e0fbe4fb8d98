"""`ganglion.Model`: real models inside this process."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ganglion
from contract.engine_models import STATEFUL, ModelKind
from e2e.serving_world import FEATURES, run_directly, write_model
from ganglion import Model, Result
from ganglion.adapters.package_files import pack
from ganglion.core.errors import InvalidPackage, InvalidRequest, NotFound, Rejected
from ganglion.core.manifest import TensorSpec
from ganglion.entrypoints.models.array_inputs import named
from integration.models import classifier

ROWS = np.random.default_rng(3).standard_normal((8, FEATURES)).astype(np.float32)


def as_directory(package: Path) -> Path:
    return package


def as_file(package: Path) -> Path:
    pack(package, package.parent / "package.ganglion")
    return package.parent / "package.ganglion"


def without_package(package: Path) -> Path:
    return package / "model.onnx"


@pytest.mark.parametrize("form", [as_directory, as_file, without_package])
def test_every_form_of_a_model_answers_what_its_runtime_answers(tmp_path: Path, form: Callable[[Path], Path]) -> None:
    package = write_model(tmp_path, name="m", version="1", seed=4)

    with Model.load(form(package)) as model:
        outputs = model.predict(ROWS).outputs

    np.testing.assert_allclose(outputs["p"], run_directly(4, ROWS), rtol=1e-5)


def test_a_package_gives_a_label_and_a_confidence_per_row(tmp_path: Path) -> None:
    with Model.load(write_model(tmp_path, name="m", version="1", seed=4)) as model:
        result = model.predict(ROWS)

    expected = run_directly(4, ROWS)
    assert result.labels == tuple("abc"[row] for row in expected.argmax(axis=1))
    assert result.confidences == pytest.approx(expected.max(axis=1).tolist())


def test_a_bare_file_gives_no_labels(tmp_path: Path) -> None:
    with Model.load(classifier(tmp_path / "m.onnx")) as model:
        result = model.predict([1.0, 2.0, 3.0])

    assert (result.labels, result.confidences) == ((), ())
    assert repr(result) == "Result(scores [1, 3])"


def test_a_path_may_be_text(tmp_path: Path) -> None:
    with Model.load(str(classifier(tmp_path / "gate.onnx"))) as model:
        assert repr(model) == "Model(gate:1)"
        assert (model.inputs[0].name, model.outputs[0].name) == ("x", "scores")


def test_inputs_that_do_not_fit_are_refused_as_the_server_would(tmp_path: Path) -> None:
    with Model.load(classifier(tmp_path / "m.onnx")) as model, pytest.raises(InvalidRequest, match="shape"):
        model.predict(np.zeros((1, 4), np.float32))


def test_a_closed_model_says_so_and_closing_twice_is_fine(tmp_path: Path) -> None:
    model = Model.load(classifier(tmp_path / "m.onnx"))

    model.close()
    model.close()

    with pytest.raises(Rejected, match="closed"):
        model.predict([1.0, 2.0, 3.0])
    with pytest.raises(Rejected, match="closed"):
        model.open_sequence()


def test_what_a_package_file_was_unpacked_to_goes_with_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = as_file(write_model(tmp_path / "packages", name="m", version="1", seed=4))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))

    model = Model.load(file)
    unpacked = list(scratch.iterdir())
    model.close()

    assert len(unpacked) == 1
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("kind", STATEFUL, ids=lambda kind: f"{kind.runtime} {kind.file_name}")
def test_a_model_with_state_forgets_between_calls_unless_it_is_a_sequence(tmp_path: Path, kind: ModelKind) -> None:
    with Model.load(kind.in_folder(tmp_path)) as model, model.open_sequence() as sequence:
        apart = [model.predict([1.0, 2.0]).outputs["y"].tolist() for _ in range(2)]
        together = [sequence.predict([1.0, 2.0]).outputs["y"].tolist() for _ in range(2)]

    assert apart == [[[1.0, 2.0]], [[1.0, 2.0]]]
    assert together == [[[1.0, 2.0]], [[2.0, 4.0]]]


@pytest.mark.parametrize(("content", "error"), [(None, NotFound), (b"no model", InvalidPackage)])
def test_what_cannot_be_loaded_is_told_and_leaves_nothing(
    tmp_path: Path, content: bytes | None, error: type[Exception]
) -> None:
    file = tmp_path / "m.onnx"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(error):
        Model.load(file)


def test_threads_may_share_one_model(tmp_path: Path) -> None:
    expected = run_directly(4, ROWS)
    answers: dict[int, np.ndarray] = {}

    with Model.load(write_model(tmp_path, name="m", version="1", seed=4)) as model:

        def ask(row: int) -> None:
            for _ in range(50):
                answers[row] = np.asarray(model.predict(ROWS[row]).outputs["p"])

        threads = [threading.Thread(target=ask, args=(row,)) for row in range(len(ROWS))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    np.testing.assert_allclose(np.concatenate([answers[row] for row in range(len(ROWS))]), expected, rtol=1e-5)


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be read"):
        named(tmp_path / "photo.jpg", [TensorSpec("photo", "BYTES", (-1,))])


def test_importing_ganglion_loads_no_runtime() -> None:
    code = "import sys, ganglion; sys.exit(any(name in sys.modules for name in ('numpy', 'onnxruntime', 'msgspec')))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_ganglion_does_not_have_is_an_attribute_error() -> None:
    missing = "Engine"

    with pytest.raises(AttributeError, match="Engine"):
        getattr(ganglion, missing)

    assert ganglion.Result is Result
