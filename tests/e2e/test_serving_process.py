"""The serving process as the supervisor runs it: real models, real signals, real kills."""

import http.client
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from e2e.serving_world import FEATURES, ModelAnswer, ServingUnderTest, ask, run_directly
from ganglion.entrypoints.settings.tree import child_environment
from ganglion.ports.serving_control import ActiveModel, Done, Load, Proof, Prove, Refused, Switch, Unload
from ganglion.testing.processes import free_port
from ganglion.testing.waiting import wait_until

pytestmark = pytest.mark.e2e

ROWS = np.random.default_rng(5).standard_normal((64, FEATURES)).astype(np.float32)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[ServingUnderTest]:
    serving = ServingUnderTest(tmp_path / "node")
    yield serving
    serving.kill()


def test_a_committed_model_answers_what_its_runtime_answers(serving: ServingUnderTest) -> None:
    serving.release("m", "1", seed=1)
    serving.start()
    connection = serving.connect()

    answers = [ask(connection, row, request_id=f"r{number}") for number, row in enumerate(ROWS)]
    connection.close()

    assert {answer.version for answer in answers} == {"1"}
    np.testing.assert_allclose([answer.scores for answer in answers], run_directly(1, ROWS), rtol=1e-5)
    assert [result.request_id for result in serving.results()] == [answer.request_id for answer in answers]


def test_an_answer_that_a_client_has_is_in_the_journal_even_after_a_kill(serving: ServingUnderTest) -> None:
    serving.release("m", "1", seed=1)
    serving.start()
    answered: list[str] = []

    def pour() -> None:
        connection = serving.connect()
        try:
            while True:
                answered.append(ask(connection, ROWS[0], request_id=f"r{len(answered)}").request_id)
        except (OSError, http.client.HTTPException):
            connection.close()

    pouring = threading.Thread(target=pour)
    pouring.start()
    wait_until(lambda: len(answered) > 200, what="some answers", timeout_s=20)
    serving.kill()
    pouring.join()

    recorded = [result.request_id for result in serving.results()]
    assert recorded[: len(answered)] == answered
    assert len(recorded) - len(answered) <= 1


def test_it_comes_back_with_what_is_committed_and_another_instance(serving: ServingUnderTest) -> None:
    serving.release("m", "1", seed=1)
    serving.start()
    before = serving.status().instance
    serving.kill()

    serving.start()

    status = serving.status()
    assert status.instance != before
    assert status.instance == serving.address()["instance"]
    assert status.models["m"].active == "1"


def test_it_goes_when_its_supervisor_is_gone(serving: ServingUnderTest) -> None:
    serving.start()
    assert serving.process is not None
    assert serving.process.stdin is not None

    errors = serving.end()

    assert serving.process.returncode == 0
    assert b"serving.stopped" in errors


def test_without_a_supervisor_it_runs_until_it_is_told_to_end(serving: ServingUnderTest) -> None:
    serving.start(stdin=subprocess.DEVNULL)
    assert serving.status().instance
    assert serving.process is not None

    serving.process.terminate()

    assert serving.process.wait(timeout=20) == 0


def test_sigterm_ends_it_after_the_answers(serving: ServingUnderTest) -> None:
    serving.release("m", "1", seed=1)
    serving.start()
    connection = serving.connect()
    assert ask(connection, ROWS[0], request_id="r").status == 200
    assert serving.process is not None

    serving.process.send_signal(signal.SIGTERM)

    assert serving.process.wait(timeout=20) == 0
    connection.close()


def test_a_taken_port_is_one_clear_line_and_an_exit_code(serving: ServingUnderTest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = serving.spawn(port=taken.getsockname()[1])
        _, errors = process.communicate(timeout=30)

    assert process.returncode == 7
    (line,) = [line for line in errors.splitlines() if b'"error"' in line]
    assert b"port_in_use" in line
    assert b"Traceback" not in errors


def test_a_port_that_becomes_free_in_time_is_taken(serving: ServingUnderTest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = serving.spawn(port=port, options=("--bind-wait-s", "20"))
        wait_until((serving.data / "journal").is_dir, what="the process to begin", timeout_s=20)
        assert process.poll() is None

    wait_until(lambda: serving.address().get("port"), what="the process to listen", timeout_s=20)
    assert serving.address()["port"] == port


def test_a_second_process_on_the_same_data_is_refused(serving: ServingUnderTest) -> None:
    serving.start()
    second = ServingUnderTest(serving.data)

    process = second.spawn()
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 7
    assert b"data_in_use" in errors
    assert serving.status().instance == serving.address()["instance"]


@pytest.mark.parametrize("damage", ["model", "active"])
def test_damage_is_reported_and_the_rest_serves(serving: ServingUnderTest, damage: str) -> None:
    serving.release("good", "1", seed=1)
    package = serving.release("bad", "1", seed=2)
    if damage == "model":
        model = package / "model.onnx"
        model.write_bytes(model.read_bytes()[:-1] + b"\x00")
    else:
        (serving.data / "active.json").write_bytes(b'{"models": {')

    serving.start()

    connection = serving.connect()
    expected = {"model": (200, 503), "active": (404, 404)}[damage]
    assert tuple(ask(connection, ROWS[0], request_id="r", model=name).status for name in ("good", "bad")) == expected
    connection.close()
    errors = serving.end()
    assert (b"package_invalid" if damage == "model" else b"active_models.unreadable") in errors


def test_a_start_on_a_damaged_package_serves_the_version_before_it_without_an_agent(
    serving: ServingUnderTest,
) -> None:
    first = serving.release("demo", "1", seed=1)
    second = serving.release("demo", "2", seed=2)
    (second / "model.onnx").write_bytes(b"damaged")
    serving.active["demo"] = ActiveModel("2", str(second), spare=ActiveModel("1", str(first)))
    serving.write_active()

    serving.start()

    assert serving.status().models["demo"].active == "1"


def test_a_version_is_replaced_under_load_without_a_failed_request(serving: ServingUnderTest) -> None:
    serving.release("m", "1", seed=1)
    second = serving.release("m", "2", seed=2, active=False)
    serving.start()
    expected = {"1": run_directly(1, ROWS[:1])[0], "2": run_directly(2, ROWS[:1])[0]}
    answers: list[ModelAnswer] = []
    stop = threading.Event()

    def pour() -> None:
        connection = serving.connect()
        while not stop.is_set():
            answers.append(ask(connection, ROWS[0], request_id=f"r{len(answers)}"))
        connection.close()

    pouring = threading.Thread(target=pour)
    pouring.start()
    try:
        wait_until(lambda: len(answers) > 50, what="answers of version 1", timeout_s=20)
        assert serving.tell(Load("m", "2", str(second))) == Done()
        proof = serving.tell(Prove("m", "2"))
        assert serving.tell(Switch("m", "2", compare_with="1", compare_share=1.0)) == Done()
        wait_until(lambda: serving.status().models["m"].behaviour["2"].compared > 20, what="comparisons", timeout_s=20)
        status = serving.status().models["m"]
        assert serving.tell(Unload("m", "1")) == Done()
        answered = len(answers)
        wait_until(lambda: len(answers) > answered + 50, what="answers of version 2", timeout_s=20)
    finally:
        stop.set()
        pouring.join()

    assert isinstance(proof, Proof)
    assert proof.passed
    assert (status.active, status.loaded) == ("2", ("1", "2"))
    assert {answer.status for answer in answers} == {200}
    assert sorted({answer.version for answer in answers}) == ["1", "2"]
    for answer in answers:
        np.testing.assert_allclose(answer.scores, expected[answer.version], rtol=1e-5)


def test_a_disk_that_takes_nothing_is_reported_and_the_committed_model_serves(serving: ServingUnderTest) -> None:
    serving.release("m", "1", seed=1)
    for name in ("run", "journal"):
        (serving.data / name).write_text("a file where a directory should be")
    port = free_port()
    serving.spawn(port=port)

    def answered() -> ModelAnswer | None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            return ask(connection, ROWS[0], request_id="r")
        except ConnectionRefusedError:
            return None
        finally:
            connection.close()

    answer = wait_until(answered, what="an answer", timeout_s=20)

    np.testing.assert_allclose(answer.scores, run_directly(1, ROWS[:1])[0], rtol=1e-5)
    errors = serving.end()
    assert b"control.unavailable" in errors
    assert b"journal.record_shed" in errors


def test_a_damaged_package_is_refused_and_the_active_version_stays(serving: ServingUnderTest) -> None:
    serving.release("m", "1", seed=1)
    second = serving.release("m", "2", seed=2, active=False)
    (second / "surprise.txt").write_text("not in the manifest")
    serving.start()

    reply = serving.tell(Load("m", "2", str(second)))

    assert isinstance(reply, Refused)
    assert reply.code == "package_invalid"
    assert serving.status().models["m"].active == "1"


def test_the_process_imports_neither_the_command_line_nor_the_hub() -> None:
    program = (
        "import sys, ganglion.entrypoints.node.serving_process;"
        "unwanted = {'typer', 'sqlalchemy', 'fastapi', 'urllib3', 'tuf', 'sklearn', 'ganglion.hub.services',"
        "            'ganglion.entrypoints.cli'};"
        "print(sorted(unwanted & sys.modules.keys()))"
    )

    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, timeout=30, env=child_environment()
    )

    assert result.stdout.strip() == b"[]"
