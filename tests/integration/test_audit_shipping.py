"""A hub that ships its audit chain, and a machine without a hub that proves what arrived."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ganglion.core.errors import CheckFailed, NotFound
from ganglion.entrypoints.cli.app import app
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.hub.domain.audit_limits import AuditSettings, ShippingSettings
from ganglion.wire import paths
from integration.hub_api_world import ServedHub, serving


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    return tmp_path / "shipped"


@pytest.fixture
def hub(tmp_path: Path, shipped: Path) -> Iterator[ServedHub]:
    audit = AuditSettings(shipping=ShippingSettings(target=str(shipped)))
    with serving(HubSettings(data_dir=str(tmp_path / "hub"), port=0, audit=audit)) as served:
        yield served


def ship(hub: ServedHub) -> list[str]:
    answer = hub.post(paths.AUDIT_SEGMENTS, {}).json
    assert isinstance(answer, dict)
    return [str(name) for name in answer["names"]]


def public_key(hub: ServedHub) -> str:
    answer = hub.post(paths.AUDIT_VERIFICATION, {"writer": "hub", "kept": []}).json
    assert isinstance(answer, dict)
    return str(answer["public_key"])


def prove(shipped: Path, *options: str) -> dict[str, object]:
    result = CliRunner().invoke(app, ["audit", "verify", "--from", str(shipped), "--output", "json", *options])
    if result.exception is not None:
        raise result.exception
    proof = json.loads(result.stdout)
    assert isinstance(proof, dict)
    return proof


def test_what_a_hub_ships_is_proved_by_a_machine_that_knows_no_hub(hub: ServedHub, shipped: Path) -> None:
    hub.post(paths.ACCOUNTS, {"name": "ada", "role": "viewer"})
    names = ship(hub)
    key = public_key(hub)

    proof = prove(shipped, "--public-key", key)

    assert [name for name in names if not (shipped / name).is_file()] == []
    assert proof["faults"] == []
    assert proof["public_key"] == key
    assert "ada" in (shipped / names[-1]).read_text()


def test_the_second_time_goes_on_where_the_first_ended(hub: ServedHub, shipped: Path) -> None:
    first = ship(hub)
    hub.post(paths.ACCOUNTS, {"name": "ada", "role": "viewer"})
    second = ship(hub)

    assert not set(first) & set(second)
    assert prove(shipped)["segments"] == len(first) + len(second)
    assert prove(shipped)["faults"] == []


def test_a_segment_that_was_changed_fails_the_command(hub: ServedHub, shipped: Path) -> None:
    hub.post(paths.ACCOUNTS, {"name": "ada", "role": "viewer"})
    file = shipped / ship(hub)[0]
    file.chmod(0o600)
    file.write_text(file.read_text().replace("ada", "eve"))

    with pytest.raises(CheckFailed):
        prove(shipped)


def test_an_empty_place_is_no_proof(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        prove(tmp_path)


def test_a_hub_that_ships_nowhere_says_which_setting_it_needs(tmp_path: Path) -> None:
    with serving(HubSettings(data_dir=str(tmp_path / "hub"), port=0)) as hub:
        answer = hub.post(paths.AUDIT_SEGMENTS, {})

    assert answer.status == 400
    assert "hub.audit.shipping.target" in json.dumps(answer.json)
