"""What `ganglion node run` refuses at its start, and what it starts in spite of."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ganglion.adapters.files import lock_directory
from ganglion.core.errors import DataCorrupt, DataInUse, InvalidSettings, PortInUse
from ganglion.core.identity_errors import NotJoined
from ganglion.entrypoints.node import supervisor as node_supervisor
from ganglion.entrypoints.node.supervisor import Program
from ganglion.entrypoints.settings.node import NodeSettings, ServingSettings
from ganglion.node.services.identity import NodeIdentity
from ganglion.node.services.places import Places


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def an_enrolled_node(directory: Path) -> Places:
    identity = NodeIdentity(node_id="n", name="gate", site="porto", hub_url="https://127.0.0.1:1", ca_pin="0" * 64)
    places = Places(directory)
    places.identity.write_bytes(msgspec.json.encode(identity))
    return places


def run(directory: Path, *, port: int = 0, host: str = "127.0.0.1") -> None:
    settings = NodeSettings(data_dir=str(directory), serving=ServingSettings(host=host, port=port))
    asyncio.run(node_supervisor.supervise(settings))


def test_a_taken_port_is_named_before_anything_is_started(tmp_path: Path, taken_port: int) -> None:
    an_enrolled_node(tmp_path)

    with pytest.raises(PortInUse, match=f"127.0.0.1:{taken_port}"):
        run(tmp_path, port=taken_port)

    lock_directory(tmp_path).release()


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    an_enrolled_node(tmp_path)

    with pytest.raises(InvalidSettings, match=r"192\.0\.2\.1"):
        run(tmp_path, host="192.0.2.1")


def test_a_directory_that_was_never_enrolled_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotJoined):
        run(tmp_path)


def test_a_damaged_identity_is_refused_while_there_is_nothing_to_serve(tmp_path: Path) -> None:
    an_enrolled_node(tmp_path).identity.write_bytes(b"{")

    with pytest.raises(DataCorrupt, match=r"node\.json"):
        run(tmp_path)


def test_what_was_committed_is_served_with_a_damaged_identity_too(
    tmp_path: Path, taken_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    places = an_enrolled_node(tmp_path)
    places.identity.write_bytes(b"{")
    places.active.write_bytes(b"{}")

    # It got as far as the address: the identity did not stop it.
    with pytest.raises(PortInUse):
        run(tmp_path, port=taken_port)
    assert "identity.unusable" in "".join(capsys.readouterr())


def test_a_second_supervisor_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    an_enrolled_node(tmp_path)
    monkeypatch.setattr(node_supervisor, "_LOCK_TRIES", 2)
    monkeypatch.setattr(node_supervisor, "_LOCK_PAUSE_S", 0.01)
    lock = lock_directory(tmp_path)

    with pytest.raises(DataInUse):
        run(tmp_path)
    lock.release()


SLOW_SERVING = """
import pathlib, sys, threading
threading.Event().wait(0.5)
file = pathlib.Path({data!r}, "run", "serving.json")
file.parent.mkdir(exist_ok=True)
file.touch()
sys.stdin.read()
"""
AGENT = """
import os, pathlib, signal
data = pathlib.Path({data!r})
(data / "seen").write_text(str((data / "run" / "serving.json").exists()))
os.kill(os.getppid(), signal.SIGTERM)
"""


def test_serving_has_the_cores_to_itself_until_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = an_enrolled_node(tmp_path)
    places.listening.parent.mkdir()
    places.listening.write_text("of the start before")
    for name, program in {"slow_serving": SLOW_SERVING, "an_agent": AGENT}.items():
        (tmp_path / f"{name}.py").write_text(program.format(data=str(tmp_path)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    programs = (Program("serving", "slow_serving"), Program("agent", "an_agent"))
    monkeypatch.setattr(node_supervisor, "PROGRAMS", programs)

    run(tmp_path)

    assert (tmp_path / "seen").read_text() == "True"


def test_a_serving_process_that_does_not_come_up_keeps_no_agent_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_enrolled_node(tmp_path)
    (tmp_path / "an_agent.py").write_text(AGENT.format(data=str(tmp_path)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(node_supervisor, "_HEAD_START_S", 0.05)
    programs = (Program("serving", "no_such_module"), Program("agent", "an_agent"))
    monkeypatch.setattr(node_supervisor, "PROGRAMS", programs)

    run(tmp_path)

    assert (tmp_path / "seen").read_text() == "False"
