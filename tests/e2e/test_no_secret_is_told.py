"""Whatever goes wrong, no secret is written anywhere but where it belongs."""

import base64
import http.client
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ganglion.testing.processes import free_port
from ganglion.testing.waiting import wait_until

pytestmark = pytest.mark.e2e

GANGLION = (sys.executable, "-m", "ganglion.entrypoints.cli.main")
SOON_S = 40.0


@dataclass
class Stage:
    """Processes with everything that they write kept in files."""

    directory: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GANGLION_")}
        return inherited | {"HOME": str(self.directory), "XDG_CONFIG_HOME": str(self.directory / "config")}

    def log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        with self.log(name).open("ab") as log:
            process = subprocess.Popen([*GANGLION, *words], stdout=log, stderr=log, env=self.environment)
        self.running.append(process)
        return process

    def run(self, *words: str, told: bool = True) -> str:
        """Run a command; with `told` what it prints is kept, for no secret belongs there."""
        command = [*GANGLION, *words]
        done = subprocess.run(command, capture_output=True, check=False, timeout=SOON_S, env=self.environment)
        with self.log("commands").open("ab") as log:
            log.write(done.stderr + (done.stdout if told else b""))
        return done.stdout.decode()

    def end(self) -> None:
        for process in reversed(self.running):
            process.terminate()
            process.wait(SOON_S)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.end()


def spellings(secret: str) -> set[bytes]:
    """Return what to look for; keys may be told raw, in hexadecimal or in base 64."""
    spelt = {secret.encode()}
    if len(secret) == 64 and all(digit in "0123456789abcdef" for digit in secret):
        raw = bytes.fromhex(secret)
        spelt |= {raw, base64.b64encode(raw).rstrip(b"="), secret.upper().encode()}
    return spelt


def request(port: int, token: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=SOON_S)) as connection:
        connection.request("GET", "/v2/models/none", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status


def answers(port: int) -> bool:
    try:
        return request(port, "") == http.HTTPStatus.NOT_FOUND
    except OSError:
        return False


def test_no_secret_is_written_where_it_does_not_belong(stage: Stage, tmp_path: Path) -> None:
    hub, node, port = tmp_path / "hub", tmp_path / "node", free_port()
    stage.start("hub", "hub", "run", "--data", str(hub), "--port", "0")
    wait_until(lambda: b"ganglion login" in stage.log("hub").read_bytes(), what="the hub", timeout_s=SOON_S)
    login = next(line.split() for line in stage.log("hub").read_text().splitlines() if "ganglion login" in line)
    url, account, pin = login[2], login[4], login[6]
    stage.run("login", url, "--token", account, "--ca-pin", pin)

    join = json.loads(stage.run("node", "token", "gate", "-o", "json", told=False))["token"]
    stage.run("node", "join", url, "--token", join, "--data", str(node))
    stage.run("node", "join", url, "--token", join, "--data", str(tmp_path / "second"))
    stage.run("node", "list", "--hub", url, "--token", f"{account}x", "--ca-pin", pin)
    stage.run("--debug", "node", "join", url, "--token", f"{join}x", "--data", str(tmp_path / "third"))
    client = stage.run("node", "client", "add", "camera", "--data", str(node), "-o", "json", told=False)
    client_token = json.loads(client)["token"]
    first_key = (node / "keys" / "node.key").read_bytes().hex()
    stage.start("node", "node", "run", "--data", str(node), "--port", str(port))
    wait_until(lambda: answers(port), what="the node", timeout_s=SOON_S)
    assert request(port, client_token) == http.HTTPStatus.NOT_FOUND
    stage.run("node", "rekey", "--data", str(node))
    seen = wait_for_contact(stage)
    stage.run("node", "revoke", "gate")
    stage.run("account", "create", "second", told=False)
    stage.end()

    second_key = (node / "keys" / "node.key").read_bytes().hex()
    assert second_key != first_key
    assert '"active"' in seen
    secrets = [account, join, join.partition(".")[0], client_token, first_key, second_key]
    written = everything(stage, tmp_path, but=account)
    leaks = [
        (name, index) for name, data in written.items() for index, secret in enumerate(secrets)
        if any(spelling in data for spelling in spellings(secret))
    ]  # fmt: skip
    assert leaks == []
    assert any(b"node.rekeyed" in data for data in written.values()), "the logs were read"


def wait_for_contact(stage: Stage) -> str:
    seen = ""

    def is_active() -> bool:
        nonlocal seen
        seen = stage.run("node", "list", "-o", "json")
        return '"active"' in seen

    wait_until(is_active, what="the node's report", timeout_s=SOON_S)
    return seen


def everything(stage: Stage, directory: Path, *, but: str) -> dict[str, bytes]:
    """Return all that was written: logs, databases, state. Without the three places where secrets belong.

    These are the keys, the login of this user, and the one greeting of the hub that shows the first account's token.
    """
    shutil.rmtree(directory / "config", ignore_errors=True)
    files = [file for file in directory.rglob("*") if file.is_file() and file.suffix != ".key"]
    written = {str(file.relative_to(directory)): file.read_bytes() for file in files}
    greeting = [line for line in written["hub.log"].splitlines() if but.encode() in line and not line.startswith(b"{")]
    assert len(greeting) == 2
    written["hub.log"] = b"\n".join(line for line in written["hub.log"].splitlines() if line not in greeting)
    assert stage.log("commands").exists()
    return written
