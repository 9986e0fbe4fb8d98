"""Real child processes, with models that behave and models that do not."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ganglion.core.errors import InvalidPackage, NotFound, Overloaded, TargetMismatch
from ganglion.core.manifest import Limits
from ganglion.entrypoints.cli import model
from ganglion.entrypoints.processes.sandboxes import open_sandbox
from ganglion.entrypoints.settings.tree import sandbox_environment
from ganglion.ports.sandbox_limits import SandboxLimits
from ganglion.testing.waiting import wait_until
from ganglion.trust.model_files.limits import ModelFileLimits
from integration.sandbox_world import ROWS, a_sandbox, a_sandbox_with, package_of
from unit.trust.onnx_models import a_model, allocation_bomb, custom_operator, endless_loop

READY = "import os, signal, sys, time; os.write(1, b'ready\\n'); "


def test_a_model_that_behaves_is_measured(tmp_path: Path) -> None:
    trial = a_sandbox().try_out(package_of(tmp_path / "p", a_model()))

    assert trial.proof.passed
    assert trial.proof.deviation_max == 0.0
    assert trial.load_ms > 0
    assert trial.golden_ms > 0
    assert 0 < trial.memory_bytes_peak < 200_000_000


def test_a_model_that_answers_differently_is_told_apart(tmp_path: Path) -> None:
    trial = a_sandbox().try_out(package_of(tmp_path / "p", a_model(), expected=ROWS + 1))

    assert not trial.proof.passed
    assert "deviates by 1" in trial.proof.reason


def test_the_gate_stands_before_the_engine(tmp_path: Path) -> None:
    with pytest.raises(InvalidPackage, match="which needs a native library"):
        a_sandbox().try_out(package_of(tmp_path / "p", custom_operator()))


def test_the_settings_of_the_gate_reach_the_child(tmp_path: Path) -> None:
    strict = open_sandbox(SandboxLimits(), ModelFileLimits(file_bytes_max=10))

    with pytest.raises(InvalidPackage, match="file_bytes_max allows 10"):
        strict.try_out(package_of(tmp_path / "p", a_model()))


def test_a_package_that_changed_after_it_was_unpacked_is_refused(tmp_path: Path) -> None:
    directory = package_of(tmp_path / "p", a_model())
    (directory / "model.onnx").write_bytes(a_model().SerializeToString() + b"\0")

    with pytest.raises(InvalidPackage, match=r"model\.onnx has"):
        a_sandbox().try_out(directory)


def test_a_place_without_a_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no model package"):
        a_sandbox().try_out(tmp_path)


def test_a_package_for_other_hardware_is_not_tried(tmp_path: Path) -> None:
    directory = package_of(tmp_path / "p", a_model())
    manifest = json.loads((directory / "manifest.json").read_bytes())
    manifest["target"]["arch"] = "x86_64" if os.uname().machine == "aarch64" else "aarch64"
    (directory / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(TargetMismatch, match="not for this machine"):
        a_sandbox().try_out(directory)


# --- limits ---------------------------------------------------------------------------------------


def test_memory_beyond_the_settings_is_not_given(tmp_path: Path) -> None:
    directory = package_of(tmp_path / "p", allocation_bomb(1 << 28), limits=Limits(memory_bytes_max=8_000_000_000))

    with pytest.raises(InvalidPackage, match=r"(?i)in the sandbox.*alloc"):
        a_sandbox(memory_bytes_max=500_000_000).try_out(directory)


def test_memory_beyond_the_manifest_is_not_given(tmp_path: Path) -> None:
    directory = package_of(tmp_path / "p", allocation_bomb(1 << 28), limits=Limits(memory_bytes_max=500_000_000))

    with pytest.raises(InvalidPackage, match=r"(?i)in the sandbox.*alloc"):
        a_sandbox(memory_bytes_max=8_000_000_000).try_out(directory)


def test_memory_within_both_is_given_and_measured(tmp_path: Path) -> None:
    directory = package_of(tmp_path / "p", allocation_bomb(1 << 25), expected=ROWS)

    trial = a_sandbox(memory_bytes_max=500_000_000).try_out(directory)

    assert trial.proof.passed
    assert 120_000_000 < trial.memory_bytes_peak < 500_000_000


def test_processor_time_has_an_end(tmp_path: Path) -> None:
    directory = package_of(tmp_path / "p", endless_loop(), limits=Limits(loops_allowed=True))

    with pytest.raises(InvalidPackage, match="used more than 1 s of processor time"):
        a_sandbox(cpu_s_max=1).try_out(directory)


def test_elapsed_time_has_an_end(tmp_path: Path) -> None:
    directory = package_of(tmp_path / "p", endless_loop(), limits=Limits(loops_allowed=True))

    with pytest.raises(InvalidPackage, match="not done after 2 s"):
        a_sandbox(wall_s_max=2).try_out(directory)


# --- what native code may come to do --------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (READY + "os.abort()", "took its process down: SIGABRT"),
        (READY + "os.kill(os.getpid(), signal.SIGSEGV)", "took its process down: SIGSEGV"),
        (READY + "os.kill(os.getpid(), signal.SIGKILL)", "ended by the system, most likely for its memory"),
        (READY + "sys.exit(3)", "took its process down: exit code 3"),
        (READY + "os.write(1, b'{')", "took its process down: exit code 0"),
        (READY + "os.write(1, b'{\"trial\": 5}')", "took its process down: exit code 0"),
    ],
)
def test_a_crash_is_a_reason(tmp_path: Path, script: str, reason: str) -> None:
    with pytest.raises(InvalidPackage, match=reason):
        a_sandbox_with(script).try_out(tmp_path)


def test_a_child_that_does_not_end_itself_is_ended(tmp_path: Path) -> None:
    stubborn = READY + "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32)); time.sleep(600)"

    with pytest.raises(InvalidPackage, match="not done after 1 s"):
        a_sandbox_with(stubborn, wall_s_max=1).try_out(tmp_path)


def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    fork = f"pid = os.fork() or time.sleep(600); open({str(note)!r}, 'w').write(str(pid)); time.sleep(600)"

    with pytest.raises(InvalidPackage, match="not done after 1 s"):
        a_sandbox_with(READY + fork, wall_s_max=1).try_out(tmp_path)

    grandchild = int(note.read_text())
    wait_until(lambda: not is_running(grandchild), what="the end of the grandchild", timeout_s=5)


def test_a_report_without_end_is_not_read(tmp_path: Path) -> None:
    flood = READY + "\nwhile True: os.write(1, b'x' * 65536)"

    with pytest.raises(InvalidPackage, match="in the sandbox the model"):
        a_sandbox_with(flood).try_out(tmp_path)


def test_a_child_that_cannot_start_is_no_fault_of_the_model(tmp_path: Path) -> None:
    with pytest.raises(Overloaded, match="could not start"):
        a_sandbox_with("raise SystemExit(9)").try_out(tmp_path)


def test_the_child_goes_when_the_process_that_tries_is_killed(tmp_path: Path) -> None:
    directory = package_of(tmp_path / "p", endless_loop(), limits=Limits(loops_allowed=True))
    program = (
        "from pathlib import Path\n"
        "from integration.sandbox_world import a_sandbox\n"
        f"a_sandbox().try_out(Path({str(directory)!r}))\n"
    )
    tests = str(Path(__file__).parents[1])
    with subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": tests}) as trying:
        child = wait_until(lambda: children_of(trying.pid), what="a child", timeout_s=20)[0]

        trying.kill()

    wait_until(lambda: not is_running(child), what="the end of the child", timeout_s=10)


def test_the_child_inherits_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANGLION_CLIENT_TOKEN", "secret")
    monkeypatch.setenv("SOME_PASSWORD", "secret")

    assert "secret" not in sandbox_environment().values()


def test_where_the_kernel_allows_it_there_is_no_network() -> None:
    program = (
        "import socket, sys\n"
        "from ganglion.adapters.sandbox import leave_network\n"
        "left = leave_network()\n"
        "try: socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)\n"
        "except OSError: print(left, 'unreachable')\n"
        "else: print(left, 'reached')\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept_one, args=[server], daemon=True).start()
        port = str(server.getsockname()[1])
        done = subprocess.run([sys.executable, "-c", program, port], capture_output=True, text=True, check=True)

    assert done.stdout.strip() in ("True unreachable", "False reached")


def test_a_trial_leaves_nothing_behind(tmp_path: Path) -> None:
    directory = package_of(tmp_path / "p", a_model())
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}

    a_sandbox().try_out(directory)

    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before
    assert np.array_equal(np.load(directory / "x.npy"), ROWS)


def accept_one(server: socket.socket) -> None:
    try:
        connection, _ = server.accept()
    except OSError:
        return
    connection.close()


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


# --- the command ----------------------------------------------------------------------------------


def verified(directory: Path, *options: str) -> dict[str, object]:
    shown = CliRunner().invoke(model.app, ["verify", str(directory), *options, "-o", "json"], catch_exceptions=False)
    return dict(json.loads(shown.stdout))


def test_verify_shows_what_the_sandbox_measured(tmp_path: Path) -> None:
    shown = verified(package_of(tmp_path / "p", a_model()))

    assert shown["passed"] is True
    assert None not in (shown["load_ms"], shown["golden_ms"], shown["memory_bytes_peak"])


def test_verify_without_the_sandbox_measures_nothing_and_keeps_the_gate(tmp_path: Path) -> None:
    shown = verified(package_of(tmp_path / "p", a_model()), "--no-sandbox")

    assert shown["passed"] is True
    assert shown["memory_bytes_peak"] is None
    with pytest.raises(InvalidPackage, match="native library"):
        verified(package_of(tmp_path / "q", custom_operator()), "--no-sandbox")


def test_verify_uses_the_limits_of_the_nodes_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANGLION_NODE_SANDBOX_MEMORY_BYTES_MAX", "500000000")
    monkeypatch.setenv("GANGLION_NODE_MODEL_FILES_OPERATOR_DOMAINS", "ai.onnx,com.example")

    with pytest.raises(InvalidPackage, match=r"(?i)alloc"):
        verified(package_of(tmp_path / "p", allocation_bomb(1 << 28), limits=Limits(memory_bytes_max=8_000_000_000)))
    with pytest.raises(InvalidPackage, match="cannot load"):
        verified(package_of(tmp_path / "q", custom_operator("com.example")))
