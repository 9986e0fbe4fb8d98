"""Closed segments of the audit chain: shipped once, in order, whatever happens on the way."""

from dataclasses import dataclass, field

import pytest

from ganglion.core.errors import InvalidRequest, InvalidSettings
from ganglion.core.identity_errors import SegmentStoreUnavailable
from ganglion.entrypoints.key_holders.segment_proof import prove_segments
from ganglion.hub.domain.audit_limits import AuditSettings, ShippingSettings, check_kept_long_enough
from ganglion.hub.services.audit.chain import Audit, Deed
from ganglion.hub.services.audit.shipping import AuditShipping, ShippingRights, shipped_of
from ganglion.ports.people_store import AuditQuery
from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_segments import MemorySegments
from ganglion.testing.memory_store import MemoryControlStore

DAY_S = 86_400.0
AWAY = SegmentStoreUnavailable("the store is away")


@dataclass
class World:
    """A hub's chain, and a place to ship it to."""

    clock: FakeClock = field(default_factory=FakeClock)
    control: MemoryControlStore = field(default_factory=MemoryControlStore)
    store: MemorySegments = field(default_factory=MemorySegments)
    settings: ShippingSettings = field(default_factory=lambda: ShippingSettings(links_max=4))

    def __post_init__(self) -> None:
        audit = AuditSettings(retention_days=10, short_on_purpose=True)
        self.audit = Audit(
            control=self.control, clock=self.clock, chance=SeededChance(1), key=lambda: b"k" * 32, settings=audit
        )
        self.shipping = self.shipping_to(self.store)

    def shipping_to(self, store: MemorySegments | None) -> AuditShipping:
        rights = ShippingRights(sign=self.audit.sign, public_key=lambda: self.audit.public_key)
        return AuditShipping(control=self.control, clock=self.clock, rights=rights, store=store, settings=self.settings)

    def act(self, times: int) -> None:
        for number in range(times):
            self.audit.record(Deed(actor="ada", action="node.revoked", subject=f"gate-{number}"))

    def faults(self, public_key: str = "") -> list[str]:
        return [fault.kind for fault in prove_segments(self.store, "hub", public_key=public_key).faults]

    def numbers(self) -> list[int]:
        with self.control.read() as tx:
            return [row.number for row in tx.audit(AuditQuery(writer="hub", newest_first=False, limit=1000))]

    def prune(self) -> int:
        return self.audit.prune(shipped_through=lambda tx: shipped_of(tx).number)


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_shipped_proves_itself_without_the_hub(world: World) -> None:
    world.act(10)

    names = world.shipping.ship()

    proof = prove_segments(world.store, "hub", public_key=world.audit.public_key)
    assert [name.split("/")[1][:25] for name in names] == [
        "000000000001-000000000004",
        "000000000005-000000000008",
        "000000000009-000000000011",
    ]
    assert (proof.first, proof.last, proof.faults) == (1, 11, [])


def test_shipping_again_ships_only_what_is_new(world: World) -> None:
    world.act(5)
    first = set(world.shipping.ship())

    world.act(1)
    second = set(world.shipping.ship())

    assert second
    assert not first & second
    assert world.faults() == []


def test_a_segment_is_shipped_when_it_is_full_or_a_day_old(world: World) -> None:
    world.shipping.ship_due()
    early = dict(world.store.files)
    world.act(3)
    world.shipping.ship_due()
    full = len(world.store.files)

    world.clock.advance(DAY_S)
    world.shipping.ship_due()

    assert early == {}
    assert full == 1
    assert len(world.store.files) == 2


@pytest.mark.parametrize("is_stored", [False, True], ids=["lost on the way", "answer lost"])
def test_a_failure_on_the_way_ships_the_same_bytes_again(world: World, is_stored: bool) -> None:  # noqa: FBT001 - a table
    world.act(5)
    world.store.failure, world.store.fails_after_storing = AWAY, is_stored
    with pytest.raises(SegmentStoreUnavailable):
        world.shipping.ship()
    before = dict(world.store.files)

    world.store.failure = None
    world.act(5)
    world.shipping_to(world.store).ship()

    assert before.items() <= world.store.files.items()
    assert world.faults() == []


def test_a_store_that_is_away_is_no_error_of_the_hub(world: World) -> None:
    world.act(5)
    world.store.failure = AWAY

    world.shipping.ship_due()

    assert world.store.files == {}


def test_links_are_removed_only_after_they_have_arrived(world: World) -> None:
    world.act(9)
    world.clock.advance(20 * DAY_S)
    world.act(1)

    kept = world.prune()
    world.shipping.ship()
    removed = world.prune()

    assert kept == 0
    assert removed == 10
    assert world.numbers()[0] == 11
    assert world.audit.verify() == []


def test_after_links_were_removed_shipping_goes_on_where_the_chain_begins(world: World) -> None:
    world.act(9)
    world.clock.advance(20 * DAY_S)
    world.act(1)
    world.audit.prune()

    world.shipping.ship()

    proof = prove_segments(world.store, "hub")
    assert (proof.first, proof.faults) == (11, [])


def test_links_that_were_removed_while_they_waited_hold_nothing_up(world: World) -> None:
    world.act(9)
    world.store.failure = AWAY
    with pytest.raises(SegmentStoreUnavailable):
        world.shipping.ship()
    world.clock.advance(20 * DAY_S)
    world.act(1)
    world.audit.prune()

    world.store.failure = None
    world.shipping.ship()

    assert prove_segments(world.store, "hub").faults == []


def test_the_lock_lasts_as_long_as_the_settings_say(world: World) -> None:
    world.act(1)
    now_s = world.clock.utc_ns() / 1e9

    (name,) = world.shipping.ship()

    assert world.store.kept_until_s[name] == pytest.approx(now_s + 184 * DAY_S)


def test_shipping_is_written_down(world: World) -> None:
    world.act(1)

    (name,) = world.shipping.ship()

    with world.control.read() as tx:
        (row,) = tx.audit(AuditQuery(action="audit.shipped"))
    assert row.subject == name


def test_without_a_target_nothing_is_shipped(world: World) -> None:
    shipping = world.shipping_to(None)

    shipping.ship_due()

    with pytest.raises(InvalidRequest, match="target"):
        shipping.ship()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda data: data.replace(b"gate-1", b"gate-7"), "edited"),
        (lambda data: b"\n".join(line for line in data.split(b"\n") if b"gate-1" not in line), "missing"),
        (lambda data: b"\n".join(data.split(b"\n")[:-2]) + b"\n", "truncated"),
        (lambda data: data + data.split(b"\n")[-2].replace(b'"number":4', b'"number":5') + b"\n", "forged"),
        (lambda data: data[:-1], "unreadable"),
        (lambda data: b"", "unreadable"),
        (lambda data: b"\xff\n", "unreadable"),
        (lambda data: data.replace(b'"signature":"', b'"signature":"00', 1), "forged"),
    ],
    ids=["edit", "remove", "cut", "add", "half", "empty", "noise", "signature"],
)
def test_what_is_done_to_a_segment_is_found(world: World, change: object, kind: str) -> None:
    assert callable(change)
    world.act(9)
    name = world.shipping.ship()[0]

    world.store.files[name] = change(world.store.files[name])

    assert kind in world.faults()


def test_a_segment_that_was_taken_away_is_found(world: World) -> None:
    world.act(12)
    names = world.shipping.ship()

    del world.store.files[names[1]]

    assert world.faults() == ["missing"]


def test_segments_of_another_hub_are_found_by_the_key_that_was_kept(world: World) -> None:
    world.act(3)
    world.shipping.ship()

    assert set(world.faults(public_key="ab" * 32)) == {"forged"}


def test_a_segment_under_another_name_is_found(world: World) -> None:
    world.act(3)
    (name,) = world.shipping.ship()
    world.store.files[name.replace("-000000000004-", "-000000000009-")] = world.store.files.pop(name)

    assert "forged" in world.faults()


@pytest.mark.parametrize(
    "settings",
    [
        AuditSettings(retention_days=30),
        AuditSettings(shipping=ShippingSettings(target="/mnt/audit", lock_days=30)),
    ],
    ids=["hub", "lock"],
)
def test_less_than_six_months_is_refused_unless_it_is_meant(settings: AuditSettings) -> None:
    with pytest.raises(InvalidSettings, match="short_on_purpose"):
        check_kept_long_enough(settings)

    check_kept_long_enough(AuditSettings(retention_days=30, short_on_purpose=True))
    check_kept_long_enough(AuditSettings())
