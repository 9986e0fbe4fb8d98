"""A shell on a real node through a real hub, as a person at a terminal has it."""

import hashlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3

from e2e.persons_terminal import PersonsTerminal
from ganglion.adapters.shell_notice import notice_in
from ganglion.adapters.system import SystemClock
from ganglion.core import asciicast
from ganglion.entrypoints.diagnosis.findings import health_report
from ganglion.entrypoints.hub_client.client import HubClient
from ganglion.entrypoints.settings.client import ClientSettings
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.entrypoints.settings.tree import child_environment
from ganglion.testing.processes import HubProcess, NodeProcess, free_port, join
from ganglion.testing.waiting import wait_until
from ganglion.trust.ceremony import proposal
from ganglion.trust.ceremony import proposals as ceremony
from ganglion.trust.ceremony.proposal import Proposal
from ganglion.trust.envelope import Envelope, Limits, NamedAction
from ganglion.wire.diagnosis import HealthReport
from ganglion.wire.resources import TokenRequest
from ganglion.wire.shell_resources import ShellView
from integration.trust_world import World
from unit.trust.ceremonies import signer

pytestmark = pytest.mark.e2e

NODE, REASON = "gate-1", "camera is stuck"
SHELL = Envelope(limits=Limits(actions=(NamedAction(name="shell", command=("/bin/sh", "-i"), time_s=600.0),)))
SOON_S = 60.0


@dataclass
class Place:
    """A hub whose envelope names a shell, and a node that lets one be opened."""

    directory: Path
    hub: HubProcess
    client: HubClient
    token: str
    serving_port: int

    @property
    def metrics(self) -> str:
        return urllib3.request("GET", f"http://127.0.0.1:{self.serving_port}/metrics").data.decode()

    @property
    def node(self) -> Path:
        return self.directory / "node"

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "ganglion.entrypoints.cli.main", *words]

    def at_terminal(self, *words: str) -> PersonsTerminal:
        known = ("--hub", self.hub.url, "--token", self.token, "--ca-pin", self.hub.ca_pin)
        return PersonsTerminal(
            self.command("node", "shell", NODE, *words, *known),
            environment=child_environment(),
            columns=101,
            rows=37,
        )

    def on_the_machine(self, *words: str) -> None:
        command = self.command("node", *words, "--data", str(self.node))
        subprocess.run(command, env=child_environment(), capture_output=True, timeout=60, check=True)

    def health(self) -> HealthReport:
        return health_report(NodeSettings(data_dir=str(self.node)), clock=SystemClock())

    def last_session(self) -> ShellView:
        return self.client.shells(NODE)[0]

    def recorded_session(self) -> ShellView:
        """Return the newest session when its recording has come."""
        wait_until(lambda: self.last_session().recording_bytes, what="the recording", timeout_s=SOON_S)
        return self.last_session()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("shell")
    with HubProcess(directory / "hub", port=free_port()) as hub:
        token = hub.first_token()
        ca_pem = (directory / "hub" / "tls" / "ca.pem").read_bytes()
        with HubClient(hub.url, ca_pem=ca_pem, token=token, settings=ClientSettings()) as client:
            _sign(client, directory)
            join(hub.url, client.create_node_token(TokenRequest(NODE)).token, directory / "node")
            (directory / "node.toml").write_text("[node.shell]\nenabled = true\n", encoding="utf-8")
            with NodeProcess(directory / "node", port=free_port(), config=directory / "node.toml") as node:
                yield Place(directory, hub, client, token, node.port)


def _sign(client: HubClient, directory: Path) -> None:
    world = World(None, client, directory, None, b"")  # type: ignore[arg-type]  # the ceremony needs the client alone
    world.take_keys_off()
    start = Proposal(proposal.read_present(client.trust_documents()))
    world.publish(ceremony.limit(start, SHELL, signer("warden").public_key, world.terms()), "ada", "bo", "warden")


def test_a_person_works_on_a_node_and_everything_is_recorded_on_both_sides(place: Place) -> None:
    with place.at_terminal("--minutes", "5", "--reason", REASON) as terminal:
        terminal.until_prompt()
        terminal.type("stty size\r")
        terminal.until("37 101")
        terminal.type("echo $((20 + 22))-answers; env | grep -c GANGLION_CLIENT\r")
        terminal.until("42-answers")
        terminal.type("sleep 600\r")
        terminal.until("sleep 600")
        terminal.type("\x03")
        terminal.type("echo after-the-break\r")
        terminal.until("after-the-break\r\n")
        terminal.resize(90, 20)
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.type("stty size\r")
        terminal.until("20 90")

        # Whoever is at the machine sees it.
        notice = notice_in(place.node / "run")
        assert notice is not None
        assert (notice.person, notice.reason) == ("admin", REASON)
        (found,) = [check for check in place.health().checks if check.name == "shell"]
        assert "open by admin (admin)" in found.fact
        assert "\nganglion_shell_open 1" in place.metrics

        terminal.type("\r~.")
        assert terminal.ended() == 0
        assert terminal.modes == terminal.modes_before

    seen = place.recorded_session()
    assert (seen.closed_by, seen.person, seen.reason) == ("left", "admin", REASON)
    recording = place.client.shell_recording(NODE, seen.id)
    assert hashlib.sha256(recording).hexdigest() == seen.recording_sha256
    assert (place.node / "shells" / f"{seen.id}.cast").read_bytes() == recording
    _, events = asciicast.read(recording)
    assert "42-answers" in "".join(event.text for event in events if event.kind == "o")
    assert "sleep 600\r\x03" in "".join(event.text for event in events if event.kind == "i")
    assert "90x20" in [event.text for event in events if event.kind == "r"]
    told = {link.action: link.facts for link in place.client.audit({"actor": f"node:{NODE}"})}
    assert told["shell.closed"]["sha256"] == told["shell.recorded"]["sha256"] == seen.recording_sha256


def test_somebody_at_the_machine_ends_a_session_and_all_that_it_started(place: Place) -> None:
    with place.at_terminal("--reason", REASON) as terminal:
        terminal.until_prompt()
        terminal.type("setsid sleep 987654 & echo on-its-way\r")
        terminal.until("on-its-way\r\n")

        place.on_the_machine("shell", "close")

        assert terminal.ended() == 1
        assert "somebody on the machine closed it" in terminal.text
        assert terminal.modes == terminal.modes_before
    assert not _runs("987654")
    assert notice_in(place.node / "run") is None
    assert "\nganglion_shell_open 0" in place.metrics


def _runs(argument: str) -> bool:
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and argument.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False
