"""Whatever is broken around a node, its doctor names it, says what to do, and is done in time."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from ganglion.adapters.system import SystemClock
from ganglion.entrypoints.diagnosis.doctor import doctor_report
from ganglion.entrypoints.settings.node import NodeSettings
from ganglion.node.services.identity import NodeIdentity
from ganglion.node.services.places import Places
from ganglion.ports.clock import Clock
from ganglion.testing.clock import FakeClock
from ganglion.wire import paths
from ganglion.wire.diagnosis import Verdict
from integration.scripted_hub import Reply, ScriptedHub, scripted_hub

READY = "/readyz"
LINK = ["name of the hub", "port of the hub", "certificate of the hub", "answer of the hub"]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ScriptedHub]:
    with scripted_hub(tmp_path / "tls") as scripted:
        scripted.answers(paths.CA, Reply(scripted.ca_pem))
        scripted.answers(READY, Reply(b"{}"))
        yield scripted


@pytest.fixture
def data(tmp_path: Path, hub: ScriptedHub) -> Path:
    """Return the directory of a node that joined this hub, and never ran."""
    made = tmp_path / "node"
    made.mkdir(mode=0o700)
    identity = NodeIdentity("node-1", "gate-1", "", hub.url.replace("127.0.0.1", "localhost"), hub.tls.ca_pin)
    joined(made, identity)
    Places(made).ca.write_bytes(hub.ca_pem)
    return made


def joined(data: Path, identity: NodeIdentity) -> None:
    Places(data).identity.write_bytes(msgspec.json.encode(identity))


def as_joined(data: Path) -> NodeIdentity:
    return msgspec.json.decode(Places(data).identity.read_bytes(), type=NodeIdentity)


def found(data: Path, clock: Clock | None = None) -> dict[str, tuple[Verdict, str]]:
    report = doctor_report(NodeSettings(data_dir=str(data)), clock=clock or SystemClock())
    assert all(check.remedy for check in report.checks if check.verdict is not Verdict.OK)
    return {check.name: (check.verdict, check.fact) for check in report.checks}


def test_where_nothing_is_wrong_every_step_to_the_hub_is_well(data: Path) -> None:
    checks = found(data)

    assert [checks[name][0] for name in LINK] == [Verdict.OK] * 4
    assert checks["clock"][0] is Verdict.OK


def test_a_hub_that_is_away_is_a_port_that_takes_no_connection_and_nothing_behind_it_is_tried(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    joined(data, msgspec.structs.replace(as_joined(data), hub_url=f"https://127.0.0.1:{port}"))

    checks = found(data)

    assert checks["port of the hub"][0] is Verdict.BAD
    assert "certificate of the hub" not in checks


def test_somebody_else_in_the_hubs_place_is_told_by_the_certificate(data: Path) -> None:
    joined(data, msgspec.structs.replace(as_joined(data), ca_pin="0" * 64))

    assert found(data)["certificate of the hub"][0] is Verdict.BAD


def test_a_name_that_cannot_be_one_is_told_as_such(data: Path) -> None:
    joined(data, msgspec.structs.replace(as_joined(data), hub_url="https://hub..example:8443"))

    assert found(data)["name of the hub"][0] is Verdict.BAD


@pytest.mark.parametrize(("seconds", "verdict"), [(60.0, Verdict.WARN), (7200.0, Verdict.BAD), (-7200.0, Verdict.BAD)])
def test_a_clock_that_is_wrong_is_told_by_the_hubs(data: Path, seconds: float, verdict: Verdict) -> None:
    wrong = FakeClock(utc_ns=SystemClock().utc_ns() + int(seconds * 1e9))

    assert found(data, wrong)["clock"][0] is verdict


def test_a_clock_of_1970_is_told_without_any_hub(data: Path) -> None:
    assert found(data, FakeClock(utc_ns=10**9))["own clock"][0] is Verdict.BAD


def test_a_hub_in_trouble_is_told_as_the_hubs(data: Path, hub: ScriptedHub) -> None:
    hub.answers(READY, Reply(b"broken", 503, "text/plain"))

    assert found(data)["answer of the hub"][0] is Verdict.WARN


def test_an_answer_without_an_end_is_not_waited_for(data: Path, hub: ScriptedHub) -> None:
    hub.answers(READY, replace(Reply(b"x"), announced_bytes=10**12, keeps_open=True))

    assert found(data)["answer of the hub"][0] is Verdict.OK


def test_a_directory_that_others_may_read_is_told(data: Path) -> None:
    data.chmod(0o755)

    assert found(data)["data directory"][0] is Verdict.WARN
    assert os.access(data, os.R_OK)


def test_what_lies_in_the_place_of_the_authority_is_told_and_ends_nothing(data: Path) -> None:
    Places(data).ca.write_bytes(b"\xff" * 100)

    assert found(data)["answer of the hub"][0] is Verdict.BAD
