"""Which targets a hub takes from its settings."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ganglion.core.errors import InvalidSettings
from ganglion.entrypoints.hub_wiring.alerts import Alerting, open_alerting
from ganglion.entrypoints.settings.alerts import AlertSettings, TargetSettings
from ganglion.hub.services.alerts.hub_facts import HubItself
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryControlStore, MemoryTelemetryStore


@dataclass
class World:
    """What services get from outside."""

    control: MemoryControlStore = field(default_factory=MemoryControlStore)
    telemetry: MemoryTelemetryStore = field(default_factory=MemoryTelemetryStore)
    clock: FakeClock = field(default_factory=FakeClock)
    chance: SeededChance = field(default_factory=SeededChance)


def opened(name: str = "chat", **target: Any) -> Alerting:
    settings = AlertSettings(targets={name: TargetSettings(**target)})
    itself = HubItself(free_bytes=lambda: 1, roles=tuple, certificate_expires_at_s=lambda: 1.0)
    return open_alerting(settings, World(), last_seen_at_s=lambda row: row.last_seen_at_s, itself=itself)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"url": "http://elsewhere.example/hook"}, "no https address"),
        ({"url": "ftp://127.0.0.1/"}, "no https address"),
        ({"url": ""}, "no https address"),
        ({"url": "https://[::1"}, "no name and address"),
        ({"url": "https://a.example", "name": "../chat"}, "no name and address"),
        ({"url": "https://a.example", "secret": "short"}, "at least 16 characters"),
        ({"url": "https://a.example", "secret_file": "/nowhere/secret"}, "cannot be read"),
        ({"url": "https://a.example", "secret": "x" * 20, "secret_file": "/nowhere/secret"}, "not both"),
        ({"url": "https://a.example", "ca_file": "/nowhere/ca.pem"}, "is not there"),
    ],
)
def test_a_target_that_cannot_be_told_is_refused(target: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidSettings, match=reason):
        opened(**target)


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("\n")

    with pytest.raises(InvalidSettings, match="at least 16 characters"):
        opened(url="https://a.example", secret_file=str(file))


@pytest.mark.parametrize("url", ["https://user:word@a.example:8443/hook?key=k3y", "https://a.example:8443/k3y"])
def test_only_the_host_of_an_address_is_ever_named(url: str) -> None:
    (target,) = opened(url=url, secret="x" * 16).delivery.targets()

    assert (target.host, target.severity_min) == ("a.example:8443", "info")
