"""A hub does not begin anew where another one was, and names what is damaged."""

import random
from pathlib import Path

import pytest

from ganglion.adapters.hub_store import open_control
from ganglion.adapters.system import SystemChance, SystemClock
from ganglion.core.errors import DataCorrupt
from ganglion.entrypoints.hub_wiring.hub import open_hub
from ganglion.entrypoints.settings.hub import HubSettings
from ganglion.ports.clock import utc_s
from ganglion.trust.lifetimes import RepositorySettings


def start_and_stop(data: Path) -> None:
    with open_hub(HubSettings(data_dir=str(data), port=0), clock=SystemClock(), chance=SystemChance()):
        pass


@pytest.mark.parametrize("name", ["control.db", "telemetry.db"])
@pytest.mark.parametrize("content", [None, b""])
def test_a_hub_that_lost_a_database_is_not_started_as_a_new_one(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    start_and_stop(tmp_path)
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(DataCorrupt, match=name):
        start_and_stop(tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_damage_anywhere_in_the_control_database_is_named(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "control.db"
    open_control(path).close()
    chance, data = random.Random(seed), bytearray(path.read_bytes())
    for _ in range(len(data) // 13):
        data[chance.randrange(100, len(data))] = chance.randrange(256)
    path.write_bytes(data)

    with pytest.raises(DataCorrupt, match=r"control\.db"):
        open_control(path)


def test_what_the_hub_signs_lives_as_long_as_its_settings_say(tmp_path: Path) -> None:
    lives = RepositorySettings(root_life_days=40, targets_life_days=30, snapshot_life_days=20, timestamp_life_days=2)
    settings = HubSettings(data_dir=str(tmp_path), port=0, trust=lives)
    clock = SystemClock()

    with open_hub(settings, clock=clock, chance=SystemChance()) as hub:
        days = {role.name: ((role.expires_at_s or 0.0) - utc_s(clock)) / 86_400 for role in hub.repository.roles()}

    assert {name: round(days[name]) for name in ("root", "targets", "snapshot", "timestamp")} == {
        "root": 40,
        "targets": 30,
        "snapshot": 20,
        "timestamp": 2,
    }
