"""`ganglion serve` with real files of every kind: no hub, no code."""

import json
import os
import shlex
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
from onnx import helper

from contract import test_golden_models as golden_models
from contract.engine_models import CLASSIFIERS, SHARED_MODELS, scores_of
from e2e.serve_world import GANGLION, START_S, Serve, StartServe, follow, outcome, put_version, spawn
from e2e.serving_world import run_directly, write_model
from ganglion.adapters.journal import JournalReader
from ganglion.adapters.package_files import pack
from ganglion.core import npy
from ganglion.core.manifest import describe_member
from ganglion.entrypoints.settings.tree import child_environment
from ganglion.ports.agent_store import JournalPosition
from ganglion.testing.waiting import wait_until
from ganglion.wire.records import RecordClass, ResultRecord
from integration.models import classifier, save, value

EXIT_BROKEN = 7
pytestmark = pytest.mark.e2e

ROWS = np.eye(3, dtype=np.float32)
FEATURE_ROWS = np.random.default_rng(9).standard_normal((4, 8)).astype(np.float32)


def swap_golden(package: Path) -> None:
    """Let the package promise other outputs than its model gives."""
    wrong = npy.encode(np.zeros((4, 3), np.float32))
    (package / "p.npy").write_bytes(wrong)
    manifest = json.loads((package / "manifest.json").read_bytes())
    manifest["members"]["p.npy"] = msgspec.to_builtins(describe_member(wrong))
    (package / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Return one process that serves a file of each kind, and the real models where the machine has them."""
    folder = tmp_path_factory.mktemp("models")
    for number, kind in enumerate(CLASSIFIERS):
        (folder / f"made{number}").mkdir()
        kind.in_folder(folder / f"made{number}")
    for model in golden_models.MODELS:
        (folder / model.name).symlink_to(model)
    serve = Serve.start(folder)
    yield serve
    serve.kill()


def check_made(number: int, everything: Serve) -> None:
    outputs = everything.model(f"made{number}").infer({"x": ROWS})

    np.testing.assert_allclose(outputs["scores"], scores_of(ROWS), atol=1e-6)


def check_recorded(model: Path, everything: Serve) -> None:
    served = everything.model(model.stem)
    for call in golden_models.recorded(model):
        outputs = served.infer({spec.name: row for spec, row in zip(served.inputs, call.inputs, strict=True)})
        for actual, expected in zip(outputs.values(), call.outputs, strict=True):
            wide = actual.astype(np.float64), expected.astype(np.float64)
            np.testing.assert_allclose(*wide, rtol=0, atol=golden_models.tolerance(model, expected))


def check_voice(clip: Path, everything: Serve) -> None:
    """The client carries the state of the recurrent model from call to call."""
    heard = golden_models.speech_probabilities(
        everything.model(golden_models.VOICE_MODEL.stem), golden_models.read_clip(clip)
    )

    with np.load(SHARED_MODELS / "golden" / f"{golden_models.VOICE_MODEL.stem}.npz") as arrays:
        np.testing.assert_allclose(heard, arrays[clip.stem], rtol=0, atol=golden_models.FLOAT_TOLERANCE)


CHECKS: dict[str, Callable[[Serve], None]] = {
    f"made for {kind.runtime} {kind.file_name}": partial(check_made, number) for number, kind in enumerate(CLASSIFIERS)
}
CHECKS |= {model.name: partial(check_recorded, model) for model in golden_models.ONE_ROW}
CHECKS |= {
    f"voice in {clip.name}": partial(check_voice, clip)
    for clip in golden_models.CLIPS.glob("*.wav")
    if golden_models.VOICE_MODEL.exists()
}


@pytest.mark.parametrize("name", CHECKS)
def test_a_model_of_a_folder_answers_as_its_runtime_does(everything: Serve, name: str) -> None:
    CHECKS[name](everything)


def test_the_suggested_line_works(start: StartServe, tmp_path: Path) -> None:
    serve = start(classifier(tmp_path / "gate 1.onnx"))

    answer = follow(serve)

    assert answer["model_name"] == "gate-1"
    assert len(serve.suggestion) < 300


def test_a_request_too_long_for_a_line_is_piped_from_the_model(start: StartServe, tmp_path: Path) -> None:
    (tmp_path / "a folder").mkdir()
    model = save(
        tmp_path / "a folder" / "wide.onnx",
        [helper.make_node("Abs", ["x"], ["y"])],
        inputs=[value("x", "N", 500)],
        outputs=[value("y", "N", 500)],
    )
    serve = start(model)

    answer = follow(serve)

    assert answer["model_name"] == "wide"
    assert len(serve.suggestion) < 300


def test_a_package_says_its_name_and_its_labels(start: StartServe, tmp_path: Path) -> None:
    write_model(tmp_path, name="meter", version="7", seed=5)
    serve = start(tmp_path / "meter" / "7", "--journal", str(tmp_path / "records"))

    outputs = serve.model("meter").infer({"x": FEATURE_ROWS})
    serve.end(signal.SIGTERM)

    np.testing.assert_allclose(outputs["p"], run_directly(5, FEATURE_ROWS), rtol=1e-5)
    records = JournalReader(tmp_path / "records").read(JournalPosition(), limit=10).records
    results = [msgspec.msgpack.decode(each.payload, type=ResultRecord) for each in records]
    assert [(each.model, each.version, len(each.labels)) for each in results] == [("meter", "7", 4)]
    assert {each.record_class for each in records} == {RecordClass.RESULT}


def test_a_package_file_is_served_as_its_directory_is(start: StartServe, tmp_path: Path) -> None:
    pack(write_model(tmp_path, name="meter", version="7", seed=5), tmp_path / "meter.ganglion")
    serve = start(tmp_path / "meter.ganglion")

    outputs = serve.model("meter").infer({"x": FEATURE_ROWS})

    np.testing.assert_allclose(outputs["p"], run_directly(5, FEATURE_ROWS), rtol=1e-5)


def test_the_newest_of_several_versions_answers(start: StartServe, tmp_path: Path) -> None:
    put_version(tmp_path, "9")
    put_version(tmp_path, "10")
    serve = start(tmp_path)

    answer = follow(serve)

    assert answer["model_version"] == "10"


def test_a_bad_file_costs_one_line_and_the_others_serve(start: StartServe, tmp_path: Path) -> None:
    classifier(tmp_path / "good.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    (tmp_path / "worse.ganglion").write_bytes(b"no package")
    serve = start(tmp_path)

    answer = follow(serve)
    _, errors = serve.end(signal.SIGTERM)

    assert answer["model_name"] == "good"
    complaints = [line for line in errors.splitlines() if line.startswith("not served: ")]
    assert [Path(line.split(": ")[1]).name for line in complaints] == ["worse.ganglion", "bad.onnx"]


def test_a_package_that_does_not_give_its_golden_outputs_is_not_served(start: StartServe, tmp_path: Path) -> None:
    classifier(tmp_path / "good.onnx")
    package = write_model(tmp_path, name="meter", version="7", seed=5)
    swap_golden(package)
    serve = start(tmp_path)

    _, errors = serve.end(signal.SIGTERM)

    assert not any("meter" in line for line in serve.lines)
    assert "does not give its golden outputs here" in errors


@pytest.mark.parametrize("content", [{}, {"bad.onnx": b"no model"}, {"LICENSE": b"text"}])
def test_nothing_to_serve_is_a_failure(tmp_path: Path, content: dict[str, bytes]) -> None:
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)

    process = spawn(tmp_path)
    output, errors = outcome(process)

    assert process.returncode != 0
    assert output == ""
    assert str(tmp_path) in errors.splitlines()[-2]


def test_a_port_that_is_taken_is_a_failure_with_its_remedy(tmp_path: Path, everything: Serve) -> None:
    process = spawn(classifier(tmp_path / "m.onnx"), "--port", str(everything.port))
    _, errors = outcome(process)

    assert process.returncode == EXIT_BROKEN
    assert "choose another port" in errors


def test_it_answers_on_a_unix_socket_too_and_takes_it_along_when_it_ends(start: StartServe, tmp_path: Path) -> None:
    place = tmp_path / "models.socket"
    serve = start(classifier(tmp_path / "m.onnx"), "--uds", str(place))

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place))
        client.sendall(b"GET /v2/models/m/ready HTTP/1.1\r\nHost: here\r\n\r\n")
        answer = client.recv(65536)
    follow(serve)
    serve.end(signal.SIGTERM)

    assert answer.startswith(b"HTTP/1.1 200")
    assert any(str(place) in line for line in serve.lines)
    assert not place.exists()


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_when_the_answers_are_out(start: StartServe, tmp_path: Path, signal_number: int) -> None:
    serve = start(classifier(tmp_path / "m.onnx"))
    connection = serve.connect()
    body = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]}]}).encode()
    connection.request("POST", "/v2/models/m/infer", body)
    status = connection.getresponse().status
    code, errors = serve.end(signal_number)
    connection.close()

    assert (status, code, errors) == (200, 0, "")


@pytest.mark.parametrize("moment", ["cli.main", "serve.supervisor"])
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_starts_ends_it_without_a_traceback(tmp_path: Path, moment: str, signal_number: int) -> None:
    process = spawn(classifier(tmp_path / "m.onnx"))
    own = Path(f"/proc/{process.pid}")
    children = own / f"task/{process.pid}/children"
    wait_until(lambda: children.read_text() != "", what="the early child", timeout_s=START_S)
    wait_until(lambda: moment in (own / "cmdline").read_text(), what=moment, timeout_s=START_S)

    process.send_signal(signal_number)
    output, errors = outcome(process)

    assert process.returncode in (-signal_number, 128 + signal_number, 0)
    assert (output, errors) == ("", "")


def test_a_model_without_inputs_answers_and_does_not_keep_others_from_it(start: StartServe, tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["y"], value_floats=[1.0, 2.0])
    save(tmp_path / "constant.onnx", [constant], inputs=[], outputs=[value("y", 2)])
    classifier(tmp_path / "good.onnx")
    serve = start(tmp_path)

    status, answer = serve.post("/v2/models/constant/infer", b'{"inputs":[]}')

    assert status == 200
    assert json.loads(answer)["outputs"][0]["data"] == [1.0, 2.0]
    assert serve.model("good").infer({"x": ROWS})["scores"].shape == (3, 3)


@pytest.mark.parametrize("redirection", [">/dev/full 2>&1", ">&- 2>&-", "<&-", "| head -n 1 >/dev/null"])
def test_it_serves_whether_anybody_listens_to_its_words_or_not(tmp_path: Path, redirection: str) -> None:
    model, place = classifier(tmp_path / "m.onnx"), tmp_path / "serve.socket"
    command = f"exec {shlex.join(GANGLION)} serve {model} --port 0 --uds {place} {redirection}"
    process = subprocess.Popen(["/bin/bash", "-c", command], start_new_session=True, env=child_environment())
    wait_until(place.exists, what="the socket", timeout_s=START_S)

    answers = [ask_metadata(place) for _ in range(3)]

    os.killpg(process.pid, signal.SIGTERM)
    process.wait(START_S)
    wait_until(lambda: not place.exists(), what="the end", timeout_s=START_S)
    assert answers == [200] * 3


def ask_metadata(place: Path) -> int:
    """Ask over a Unix socket; return the status."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(START_S)
        connection.connect(str(place))
        connection.sendall(b"GET /v2/models/m HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return int(connection.recv(4096).split()[1])


def test_a_journal_that_takes_no_records_is_named_and_the_models_answer(start: StartServe, tmp_path: Path) -> None:
    model = classifier(tmp_path / "m.onnx")
    serve = start(model, "--journal", str(model))

    follow(serve)
    _, errors = serve.end(signal.SIGTERM)

    assert "takes no records" in errors


def test_nothing_is_written_unless_asked_for(start: StartServe, tmp_path: Path) -> None:
    serve = start(classifier(tmp_path / "m.onnx"))
    follow(serve)

    serve.end(signal.SIGTERM)

    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
