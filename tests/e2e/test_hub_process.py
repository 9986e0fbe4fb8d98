"""`ganglion hub run` as a process: its first words, its end, and what a kill leaves."""

import contextlib
import json
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from ganglion.core.errors import DataInUse, DataTooNew, PortInUse
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.testing.processes import HubProcess
from ganglion.testing.waiting import wait_until
from ganglion.wire import codec, paths
from ganglion.wire.desired import DesiredState
from ganglion.wire.problems import exit_code_of
from ganglion.wire.records import Ack, RecordClass, ResultRecord
from integration.hub_api_world import Caller, make_package, serving

pytestmark = pytest.mark.e2e

SOON_S = 20.0
STARTS_A_HUB = """
import sys
from pathlib import Path
from ganglion.testing.processes import HubProcess
hub = HubProcess(Path(sys.argv[1]), port=0)
hub.start()
print(hub.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[HubProcess]:
    """Yield a hub that has been started for the first time."""
    with HubProcess(tmp_path / "hub", port=0) as program:
        yield program


@contextlib.contextmanager
def calling(process: HubProcess) -> Iterator[Caller]:
    address = json.loads((process.data / "run" / "hub.json").read_bytes())
    ca_file = process.data / "tls" / "ca.pem"
    with urllib3.PoolManager(ca_certs=str(ca_file), timeout=urllib3.Timeout(SOON_S)) as pool:
        token = process.first_token()
        yield Caller(url=address["url"], token=token, ca_file=ca_file, ca_pin=address["ca_pin"], pool=pool)
        pool.clear()


def refused_start(process: HubProcess) -> tuple[int, str]:
    """Start a hub that cannot start, and return its exit code and what it said."""
    with pytest.raises(Exception, match="ended at its start"):
        process.start()
    return process.stop(), process.errors.read_text()


def test_a_program_that_is_killed_leaves_no_hub_that_it_started(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTS_A_HUB, str(tmp_path / "hub")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        hub = Path("/proc") / program.stdout.readline().strip()
        lived = hub.exists()

        program.kill()

    assert lived
    wait_until(lambda: not (hub / "exe").exists(), what="the hub to be gone", timeout_s=SOON_S)


def test_the_first_start_says_once_how_to_log_in(process: HubProcess) -> None:
    address = json.loads((process.data / "run" / "hub.json").read_bytes())
    token = process.first_token()
    first = process.output.read_text()
    process.stop()
    process.start()

    assert address["pid"] > 0
    assert f"ganglion login {address['url']} --token {token} --ca-pin {address['ca_pin']}" in first
    assert "development trust" in first
    assert token not in process.output.read_text().removeprefix(first)
    with calling(process) as caller:
        assert caller.call("GET", "/readyz").status == 200


def test_secrets_are_private_and_not_in_the_log(process: HubProcess) -> None:
    with calling(process) as caller:
        join_token = caller.post(paths.NODE_TOKENS, {"name": "n1"}).json
        node = caller.join("n2")
    process.stop()

    logged = process.errors.read_text()
    assert isinstance(join_token, dict)
    for secret in (process.first_token(), join_token["token"].split(".")[0], node.token, node.key.hex()):
        assert secret not in logged
    assert stat.S_IMODE(process.data.stat().st_mode) == 0o700
    for file in (process.data / "keys").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_sigterm_answers_who_waits_and_ends_cleanly(process: HubProcess) -> None:
    with calling(process) as caller, ThreadPoolExecutor(1) as threads:
        node = caller.join("patient")
        known = codec.decode_json(node.desired(-1, 0).body, DesiredState).revision
        waiting = threads.submit(node.desired, known, 50)
        waits = "ganglion_long_polls 1.0"
        wait_until(lambda: waits in caller.call("GET", "/metrics").body.decode(), what="the question", timeout_s=SOON_S)

        code = process.stop()

        assert waiting.result(timeout=SOON_S).status == 204
    assert code == 0
    assert not (process.data / "run" / "hub.json").exists()
    assert [line["event"] for line in process.log_lines()][-1] == "hub.stopped"


def test_what_is_not_http_is_one_line_of_the_log(process: HubProcess) -> None:
    with calling(process) as caller, contextlib.closing(caller.connect()) as line:
        line.sendall(b"not http\r\n\r\n")

        assert line.recv(1000).startswith(b"HTTP/1.1 400 ")

    process.stop()
    lines = process.errors.read_text().splitlines()
    assert all(line.startswith("{") for line in lines)
    assert "library.warned" in [json.loads(line)["event"] for line in lines]


def test_a_killed_hub_has_everything_that_it_acknowledged(process: HubProcess, tmp_path: Path) -> None:
    package = make_package(tmp_path).read_bytes()
    with calling(process) as caller:
        node = caller.join("n1")
        assert caller.call("POST", paths.RELEASES, body=package).status == 201
        node.send(*[(RecordClass.RESULT, ResultRecord(f"r{n}", "digits", "1", 9, ("one",), (0.9,))) for n in range(50)])
        process.kill()

    process.start()

    with calling(process) as caller:
        assert caller.call("GET", paths.release_package("digits", "1", "fp32")).body == package
        node.caller = caller
        node.seq = 0
        again = node.send((RecordClass.RESULT, ResultRecord("r0", "digits", "1", 9, ("one",), (0.9,))))
        assert codec.decode_json(again.body, Ack).cursor == 50
        results = caller.call("GET", f"{paths.RESULTS}?node=n1&limit=1000").json
        assert isinstance(results, list)
        assert len(results) == 50


def test_a_second_hub_on_the_same_data_is_refused(process: HubProcess) -> None:
    second = HubProcess(process.data, port=0)
    second.errors = process.data.parent / "second.log"
    known = (process.data / "run" / "hub.json").read_bytes()

    second._runs = process.data / "run" / "nowhere.json"
    code, said = refused_start(second)

    assert code == exit_code_of(DataInUse)
    assert str(process.data) in said
    assert (process.data / "run" / "hub.json").read_bytes() == known
    with calling(process) as caller:
        assert caller.call("GET", "/healthz").status == 200


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code, said = refused_start(HubProcess(tmp_path / "hub", port=port))

    assert code == exit_code_of(PortInUse)
    assert f"127.0.0.1:{port}" in said
    # The one chance to show the first token was not used up.
    with HubProcess(tmp_path / "hub", port=0) as process:
        assert process.first_token()


@pytest.mark.parametrize("name", ["control.db", "telemetry.db"])
def test_data_of_a_newer_release_is_refused(tmp_path: Path, name: str) -> None:
    process = HubProcess(tmp_path / "hub", port=0)
    with serving(HubSettings(data_dir=str(process.data), port=0)):
        pass
    with contextlib.closing(sqlite3.connect(process.data / name)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'of_tomorrow'")
        database.commit()

    code, said = refused_start(process)

    assert code == exit_code_of(DataTooNew)
    assert "newer release" in said
