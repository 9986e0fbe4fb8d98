"""Versions come and go while `ganglion serve` answers: the folder says which, a client says when."""

import http.client
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from contract.engine_models import scores_of
from e2e.serve_world import Serve, StartServe, follow, put_version
from integration.models import classifier

pytestmark = pytest.mark.e2e

ROWS = np.eye(3, dtype=np.float32)


def versions_of(serve: Serve) -> dict[str, str]:
    """Return the state of each version that the server knows."""
    _, content = serve.post("/v2/repository/index")
    return {each["version"]: each["state"] for each in json.loads(content)}


def test_a_new_version_is_loaded_on_a_clients_word_and_the_old_one_answers_until_then(
    start: StartServe, tmp_path: Path
) -> None:
    put_version(tmp_path, "1")
    serve = start(tmp_path)
    put_version(tmp_path, "2")

    before = follow(serve)["model_version"]
    status, _ = serve.post("/v2/repository/models/gate/load")
    after = follow(serve)["model_version"]

    assert (before, status, after) == ("1", 200, "2")
    assert versions_of(serve) == {"1": "READY", "2": "READY"}


def test_a_file_that_was_replaced_becomes_the_next_version(start: StartServe, tmp_path: Path) -> None:
    file = classifier(tmp_path / "gate.onnx", factor=1.0)
    serve = start(tmp_path)
    before = serve.model("gate").infer({"x": ROWS})["scores"]
    classifier(tmp_path / "new", factor=4.0).replace(file)

    status, _ = serve.post("/v2/repository/models/gate/load")
    after = serve.model("gate").infer({"x": ROWS})["scores"]

    assert status == http.client.OK
    np.testing.assert_allclose(after, scores_of(ROWS), atol=1e-6)
    assert not np.allclose(before, after)
    assert versions_of(serve) == {"2": "READY"}


def test_a_model_that_did_not_change_stays_as_it_is(start: StartServe, tmp_path: Path) -> None:
    classifier(tmp_path / "gate.onnx")
    serve = start(tmp_path)

    status, _ = serve.post("/v2/repository/models/gate/load")

    assert status == http.client.OK
    assert versions_of(serve) == {"1": "READY"}


def test_a_replacement_that_cannot_be_served_changes_nothing(start: StartServe, tmp_path: Path) -> None:
    file = classifier(tmp_path / "gate.onnx")
    serve = start(tmp_path)
    file.write_bytes(b"no model")

    status, content = serve.post("/v2/repository/models/gate/load")
    answer = follow(serve)

    assert status == http.client.UNPROCESSABLE_ENTITY
    assert "gate.onnx" in json.loads(content)["error"]
    assert answer["model_version"] == "1"


def test_a_version_that_changed_under_its_number_is_refused_and_the_one_in_memory_goes_on(
    start: StartServe, tmp_path: Path
) -> None:
    put_version(tmp_path, "1")
    put_version(tmp_path, "2")
    serve = start(tmp_path)
    put_version(tmp_path, "2", factor=1.0)

    status, content = serve.post("/v2/repository/models/gate/load")
    answer = follow(serve)

    assert status == http.client.UNPROCESSABLE_ENTITY
    assert "another number" in json.loads(content)["error"]
    assert answer["model_version"] == "2"


def test_versions_that_are_gone_from_the_folder_go_from_memory(start: StartServe, tmp_path: Path) -> None:
    put_version(tmp_path, "1")
    put_version(tmp_path, "2")
    serve = start(tmp_path)
    shutil.rmtree(tmp_path / "gate" / "2")

    status, _ = serve.post("/v2/repository/models/gate/load")

    assert status == http.client.OK
    assert versions_of(serve) == {"1": "READY"}


def test_an_unloaded_model_is_not_ready_until_it_is_loaded_again(start: StartServe, tmp_path: Path) -> None:
    classifier(tmp_path / "gate.onnx")
    serve = start(tmp_path)

    unloaded, _ = serve.post("/v2/repository/models/gate/unload")
    gone = versions_of(serve)
    again, _ = serve.post("/v2/repository/models/gate/unload")
    loaded, _ = serve.post("/v2/repository/models/gate/load")

    assert (unloaded, again, loaded) == (200, 404, 200)
    assert gone == {"": "UNAVAILABLE"}
    assert follow(serve)["model_version"] == "1"


def test_a_model_that_is_not_there_cannot_be_loaded(start: StartServe, tmp_path: Path) -> None:
    serve = start(classifier(tmp_path / "gate.onnx"))

    status, content = serve.post("/v2/repository/models/other/load")

    assert status == http.client.NOT_FOUND
    assert "other" in json.loads(content)["error"]
