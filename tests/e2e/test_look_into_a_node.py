"""The page "How to look into a node", with a real hub and a real node, and secrets that nobody may see."""

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from ganglion.entrypoints.settings.tree import child_environment
from ganglion.testing.processes import HubProcess, NodeProcess, free_port
from ganglion.testing.waiting import wait_until

pytestmark = pytest.mark.e2e

Type: TypeAlias = Callable[..., "subprocess.CompletedProcess[str]"]
PLANTED = "hunter2-of-the-operator"
BAD = 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where hub, node and login live."""
    return tmp_path_factory.mktemp("look")


@pytest.fixture(scope="module")
def command(folder: Path) -> Type:
    """Return what runs a command line of a person who has logged in."""

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "ganglion.entrypoints.cli.main", *words],
            cwd=folder,
            env=child_environment() | {"XDG_CONFIG_HOME": str(folder / "config"), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def node(folder: Path, command: Type) -> Iterator[Path]:
    """Start a hub and a node that has spoken to it; return the node's data directory."""
    data = folder / "node"
    with HubProcess(folder / "hub", port=free_port()) as hub:
        login = command("login", hub.url, "--token", hub.first_token(), "--ca-pin", hub.ca_pin)
        assert login.returncode == 0, login.stderr
        token = json.loads(command("node", "token", "edge-1", "-o", "json").stdout)["token"]
        joined = command("node", "join", hub.url, "--token", token, "--data", str(data))
        assert joined.returncode == 0, joined.stderr
        with NodeProcess(data, port=free_port()):
            wait_until(
                lambda: json.loads(command("node", "show", "edge-1", "-o", "json").stdout)["state"] == "active",
                what="the node's report",
                timeout_s=60.0,
            )
            yield data


def test_health_is_the_same_over_the_hub_and_on_the_machine(node: Path, command: Type) -> None:
    far = command("node", "health", "edge-1", "-o", "json")
    near = command("node", "health", "--data", str(node), "-o", "json")

    assert (far.returncode, near.returncode) == (0, 0), far.stderr + near.stderr
    far_names, near_names = ([check["name"] for check in json.loads(each.stdout)["checks"]] for each in (far, near))
    assert far_names == near_names
    assert {"disk", "memory", "outbox", "trust", "restarts"} <= set(far_names)


def test_the_machine_itself_tells_what_it_runs_and_how_it_stands_to_its_hub(node: Path, command: Type) -> None:
    def told() -> dict[str, object]:
        answer = command("node", "status", "--data", str(node), "-o", "json")
        assert answer.returncode == 0, answer.stderr
        return dict(json.loads(answer.stdout))

    wait_until(lambda: told()["hub_heard_at_s"], what="a first answer of the hub", timeout_s=30.0)

    assert told().items() >= {"name": "edge-1", "agent": "running", "serving": "running", "hub_trouble": ""}.items()
    assert "NODE CLASS" in command("node", "status", "edge-1").stdout


def test_the_doctor_tries_the_hub_step_by_step(node: Path, command: Type) -> None:
    near = command("node", "doctor", "--data", str(node), "-o", "json")
    far = command("node", "doctor", "edge-1", "-o", "json")

    for answer in (near, far):
        assert answer.returncode == 0, answer.stderr
        found = {check["name"]: check["verdict"] for check in json.loads(answer.stdout)["checks"]}
        steps = ("data directory", "name of the hub", "port of the hub", "certificate of the hub", "answer of the hub")
        assert [found[step] for step in steps] == ["ok"] * len(steps)
        assert found["clock"] == "ok"


def test_the_doctor_names_the_first_step_that_fails(node: Path, command: Type, tmp_path: Path) -> None:
    elsewhere = json.loads((node / "node.json").read_text())
    elsewhere["hub_url"] = f"https://127.0.0.1:{free_port()}"
    (tmp_path / "node.json").write_text(json.dumps(elsewhere))
    tmp_path.chmod(0o755)

    answer = command("node", "doctor", "--data", str(tmp_path), "-o", "json")

    found = {check["name"]: check for check in json.loads(answer.stdout)["checks"]}
    assert answer.returncode == BAD
    assert found["name of the hub"]["verdict"] == "ok"
    assert (found["port of the hub"]["verdict"], bool(found["port of the hub"]["remedy"])) == ("bad", True)
    assert "certificate of the hub" not in found
    assert found["data directory"]["verdict"] == "warn"


def test_logs_are_read_by_level_and_time_over_the_hub(node: Path, command: Type) -> None:
    far = command("node", "logs", "edge-1", "--grep", "process.started", "--since", "1h")
    near = command("node", "logs", "--data", str(node), "--grep", "process.started")

    assert far.returncode == 0, far.stderr
    assert {json.loads(line)["program"] for line in far.stdout.splitlines()} == {"agent", "serving"}
    assert far.stdout == near.stdout
    assert command("node", "logs", "edge-1", "--level", "loud").returncode != 0
    assert command("node", "logs", "edge-1", "--grep", "no such words").stdout == ""


@pytest.mark.parametrize("place", ["far", "near"])
def test_a_support_bundle_holds_no_secret(node: Path, command: Type, tmp_path: Path, place: str) -> None:
    """Keys are looked for by their bytes, and what a person logged by mistake by its words."""
    with (node / "logs" / "agent.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(f'{{"event": "mistake", "level": "info", "password": "{PLANTED}"}}\n')
    file = tmp_path / "bundle.tar.gz"
    whom = ("edge-1",) if place == "far" else ("--data", str(node))

    packed = command("node", "support-bundle", *whom, "--to", str(file))

    assert packed.returncode == 0, packed.stderr
    with tarfile.open(file) as archive:
        texts = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]  # all files
    assert {f"edge-1/{name}" for name in ("doctor.json", "log.jsonl", "settings.json", "state.json")} <= texts.keys()
    everything = b"".join(texts.values())
    assert b"mistake" in everything
    for secret in (
        PLANTED.encode(),
        *(key.read_bytes() for key in (node / "keys").iterdir() if key.is_file() and key.stat().st_size),
    ):
        assert secret not in everything
    assert file.stat().st_mode & 0o077 == 0


def test_who_asked_is_in_the_audit(node: Path, command: Type) -> None:
    assert node.exists()
    command("node", "health", "edge-1")

    asked = command("audit", "search", "--action", "node.commanded", "-o", "json")

    assert "health" in asked.stdout, asked.stderr
