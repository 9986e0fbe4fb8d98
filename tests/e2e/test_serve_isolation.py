"""A model that hangs, crashes or eats memory costs its own answers, and nobody else's for long."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from e2e.serve_world import Serve, StartServe, spawn
from e2e.serving_world import write_model
from e2e.wild_models import FOR_EVER, write_hoarder, write_spinner
from ganglion.adapters.package_files import pack
from ganglion.testing.waiting import wait_until
from integration.models import classifier

pytestmark = pytest.mark.e2e

HUNG_AFTER_ONE_SECOND = "[serve]\nrun_s_max = 1.0\n"
SOON_S = 20.0


def body_of(number: float, *, shape: tuple[int, ...] = (1,)) -> bytes:
    item = {"name": "x", "datatype": "FP32", "shape": shape, "data": [number] * max(1, shape[-1])}
    return json.dumps({"inputs": [item]}).encode()


def asked(serve: Serve, model: str, number: float, *, shape: tuple[int, ...] = (1,)) -> tuple[int, str]:
    """Return status and code of an answer; (0, "") when the connection ended without one."""
    with closing(serve.connect()) as connection:
        try:
            connection.request("POST", f"/v2/models/{model}/infer", body_of(number, shape=shape))
            response = connection.getresponse()
            return response.status, json.loads(response.read()).get("code", "")
        except (OSError, http.client.HTTPException):
            return 0, ""


def child_of(serve: Serve) -> int:
    children = Path(f"/proc/{serve.process.pid}/task/{serve.process.pid}/children").read_text().split()
    return int(children[0]) if children else 0


def await_answer(serve: Serve, model: str, number: float, status: int) -> None:
    wait_until(lambda: asked(serve, model, number)[0] == status, what=f"{status} from {model}", timeout_s=SOON_S)


def settings(tmp_path: Path, text: str) -> tuple[str, str]:
    (tmp_path / "serve.toml").write_text(text)
    return "--config", str(tmp_path / "serve.toml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    models = tmp_path / "models"
    models.mkdir()
    write_spinner(models / "spinner")
    write_hoarder(models / "hoarder.onnx")
    classifier(models / "good.onnx")
    return models


def test_a_run_that_does_not_end_is_answered_with_504_and_the_others_serve_again(
    start: StartServe, folder: Path, tmp_path: Path
) -> None:
    serve = start(folder, *settings(tmp_path, HUNG_AFTER_ONE_SECOND))

    hung = asked(serve, "spinner", FOR_EVER)

    assert hung == (504, "model_hung")
    await_answer(serve, "spinner", 3.0, 200)
    assert asked(serve, "good", 1.0, shape=(1, 3)) == (200, "")


def test_a_hanging_model_blocks_neither_health_checks_nor_a_short_model(start: StartServe, folder: Path) -> None:
    serve = start(folder)
    hanging = threading.Thread(target=asked, args=(serve, "spinner", FOR_EVER), daemon=True)
    hanging.start()

    for path in ("live", "ready"):
        with closing(serve.connect()) as connection:
            connection.request("GET", f"/v2/health/{path}")
            assert connection.getresponse().status == http.client.OK
    assert asked(serve, "good", 1.0, shape=(1, 3)) == (200, "")

    assert hanging.is_alive()
    serve.kill()
    hanging.join(SOON_S)


def test_a_version_that_hangs_again_and_again_is_quarantined_until_its_file_changes(
    start: StartServe, folder: Path, tmp_path: Path
) -> None:
    serve = start(folder, *settings(tmp_path, HUNG_AFTER_ONE_SECOND + "deaths_max = 2\n"))
    for _ in range(2):
        await_answer(serve, "spinner", 3.0, 200)
        assert asked(serve, "spinner", FOR_EVER) == (504, "model_hung")

    await_answer(serve, "spinner", 3.0, 503)
    assert asked(serve, "spinner", 3.0) == (503, "model_quarantined")
    assert asked(serve, "good", 1.0, shape=(1, 3)) == (200, "")

    manifest = folder / "spinner" / "manifest.json"
    os.utime(manifest, ns=(1, 1))
    status, _ = serve.post("/v2/repository/models/spinner/load")
    assert (status, asked(serve, "spinner", 3.0)) == (200, (200, ""))


def test_a_crash_is_blamed_on_what_ran_and_an_older_version_takes_over(start: StartServe, tmp_path: Path) -> None:
    for version in ("1", "2"):
        write_spinner(tmp_path / "models" / "spinner" / version, version=version)
    serve = start(tmp_path / "models", *settings(tmp_path, "[serve]\ndeaths_max = 1\n"))
    before = child_of(serve)
    idle = worked_ticks(before)
    running = threading.Thread(target=asked, args=(serve, "spinner", FOR_EVER), daemon=True)
    running.start()
    wait_until(lambda: worked_ticks(before) > idle + 50, what="a long run", timeout_s=SOON_S)

    os.kill(before, signal.SIGSEGV)

    running.join(SOON_S)
    await_answer(serve, "spinner", 3.0, 200)
    _, content = serve.post("/v2/models/spinner/infer", body_of(3.0))
    assert json.loads(content)["model_version"] == "1"
    assert child_of(serve) != before


def worked_ticks(pid: int) -> int:
    """Return how long a process has computed, in hundredths of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_memory_beyond_the_limit_fails_the_request_alone(start: StartServe, folder: Path, tmp_path: Path) -> None:
    serve = start(folder, *settings(tmp_path, "[serve]\nmemory_bytes_max = 1500000000\n"))
    before = child_of(serve)

    status, code = asked(serve, "hoarder", 1e10)

    assert (status, code) == (500, "model_failed")
    assert asked(serve, "hoarder", 3.0) == (200, "")
    assert child_of(serve) == before


def test_a_limit_below_what_the_process_needs_is_refused_at_the_start(folder: Path, tmp_path: Path) -> None:
    process = spawn(folder, *settings(tmp_path, "[serve]\nmemory_bytes_max = 1000\n"))

    _, errors = process.communicate(timeout=SOON_S)

    assert process.returncode != 0
    assert "memory_bytes_max is 1000" in errors


def test_the_models_go_when_their_supervisor_is_killed(start: StartServe, folder: Path) -> None:
    serve = start(folder)
    child = child_of(serve)

    serve.kill()

    wait_until(lambda: not Path(f"/proc/{child}").exists() or is_zombie(child), what="its end", timeout_s=SOON_S)


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_signal_while_a_model_hangs_ends_everything_within_the_drain(
    start: StartServe, folder: Path, tmp_path: Path
) -> None:
    serve = start(folder, *settings(tmp_path, "[serve]\ndrain_s = 0.2\n"))
    hanging = threading.Thread(target=asked, args=(serve, "spinner", FOR_EVER), daemon=True)
    hanging.start()

    code, _ = serve.end(signal.SIGTERM)

    hanging.join(SOON_S)
    assert code == 0
    assert not hanging.is_alive()


def test_without_a_supervisor_there_is_one_process(start: StartServe, folder: Path) -> None:
    serve = start(folder, "--no-supervise")

    assert child_of(serve) == 0
    assert asked(serve, "good", 1.0, shape=(1, 3)) == (200, "")


def test_the_supervisor_imports_nothing_heavy() -> None:
    program = "import sys, ganglion.entrypoints.serve.supervisor; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()

    assert {"numpy", "typer", "msgspec", "asyncio", "structlog"} & set(loaded) == set()


def test_what_a_killed_process_unpacked_is_removed_by_the_next_one(
    start: StartServe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    package = tmp_path / "meter.ganglion"
    pack(write_model(tmp_path / "packages", name="meter", version="7", seed=1), package)
    serve = start(package)
    before, unpacked = child_of(serve), [*scratch.iterdir()]

    os.kill(before, signal.SIGKILL)

    wait_until(lambda: child_of(serve) not in (0, before), what="another process", timeout_s=SOON_S)
    wait_until(lambda: is_ready(serve), what="answers", timeout_s=SOON_S)
    assert len(unpacked) == 1
    assert len([*scratch.iterdir()]) == 1
    assert not unpacked[0].exists()


def is_ready(serve: Serve) -> bool:
    with closing(serve.connect()) as connection:
        try:
            connection.request("GET", "/v2/health/ready")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False


def test_a_wrong_option_ends_the_process_that_was_started_early(folder: Path) -> None:
    process = spawn(folder, "--threads", "many")

    _, errors = process.communicate(timeout=SOON_S)

    assert process.returncode == 2
    assert "--threads" in errors
