"""Who changed the trust is written down, whatever happens between the change and its link."""

from collections.abc import Sequence

import pytest

from ganglion.hub.services.audit.chain import Audit
from ganglion.hub.services.audit.trust_deeds import TrustDeeds
from ganglion.ports.people_store import AuditQuery, AuditRow
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_store import MemoryControlStore


class World:
    """A hub's control database, and the version of its root."""

    def __init__(self) -> None:
        self.control, self.clock, self.chance, self.version = MemoryControlStore(), FakeClock(), SeededChance(2), 1
        self.audit = Audit(control=self.control, clock=self.clock, chance=self.chance, key=lambda: b"k" * 32)

    def start(self) -> TrustDeeds:
        return TrustDeeds(control=self.control, clock=self.clock, chance=self.chance, root_version=lambda: self.version)

    def die(self, *, after_the_change: bool) -> None:
        self.version += after_the_change
        raise PowerCut

    def links(self) -> Sequence[AuditRow]:
        with self.control.read() as tx:
            return tx.audit(AuditQuery(action="trust."))


@pytest.fixture
def world() -> World:
    return World()


class PowerCut(BaseException):
    """Ends everything: no handler of an Exception sees it."""


def test_a_change_is_written_down_once(world: World) -> None:
    deeds = world.start()

    with deeds.doing("ada", "trust.installed", "root"):
        world.version = 2
    world.start().settle()

    (link,) = world.links()
    assert (link.actor, link.action, link.subject) == ("ada", "trust.installed", "root")
    assert b'"root_version":"2"' in link.document
    assert b'"root_version_before":"1"' in link.document


def test_what_was_refused_is_no_deed(world: World) -> None:
    deeds = world.start()

    with pytest.raises(ValueError, match="refused"), deeds.doing("ada", "trust.installed"):
        raise ValueError("refused")
    world.start().settle()

    assert world.links() == []


@pytest.mark.parametrize("was_done", [True, False], ids=["after the change", "before the change"])
def test_after_a_power_cut_the_next_start_writes_it_down(world: World, was_done: bool) -> None:  # noqa: FBT001 - a table
    deeds = world.start()
    with pytest.raises(PowerCut), deeds.doing("ada", "trust.installed", "root"):
        world.die(after_the_change=was_done)

    for _ in range(2):
        world.start().settle()

    (link,) = world.links()
    assert link.actor == "ada"
    assert b"interrupted" in link.document
    assert f'"root_version":"{world.version}"'.encode() in link.document


def test_two_at_a_time_are_two_deeds(world: World) -> None:
    deeds = world.start()

    with deeds.doing("ada", "trust.model_offered", "model-a"), deeds.doing("bo", "trust.model_offered", "model-b"):
        pass

    assert sorted(link.subject for link in world.links()) == ["model-a", "model-b"]
