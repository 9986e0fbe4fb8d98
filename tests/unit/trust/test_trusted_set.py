"""Which metadata a client takes, in which order; the public conformance suite asks many more questions."""

from datetime import UTC, datetime

import pytest
from tuf.api.exceptions import BadVersionNumberError, ExpiredMetadataError, RepositoryError, UnsignedMetadataError
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, Root, Targets

from ganglion.hub.services.releases.repository import Repository
from ganglion.ports.clock import utc_s
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_files import MemoryMetadataFiles, MemorySigningKeys
from ganglion.trust.lifetimes import RepositorySettings
from ganglion.trust.signing import Signing
from ganglion.trust.trusted_set import TargetSearch, TrustedSet

DAY_S = 86_400
PATH = "models/m1/1/fp32.ganglion"


class Signed:
    """A real repository with one package, and a client's view of it."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.keys = clock, MemorySigningKeys()
        self.repository = Repository(files=MemoryMetadataFiles(), keys=self.keys, clock=clock)
        self.repository.initialise()
        self.repository.publish(PATH, "ab" * 32, 1, "m1")

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(utc_s(self.clock), tz=UTC)

    def file(self, name: str) -> bytes:
        return self.repository.metadata(name)

    def trusted(self, *, up_to: int = 4) -> TrustedSet:
        """Return a set that took the first `up_to` files."""
        held = TrustedSet(self.repository.root(), self.now)
        steps = (
            lambda: held.take_timestamp(self.file("timestamp.json")),
            lambda: held.take_snapshot(self.file("2.snapshot.json")),
            lambda: held.take_targets(self.file("2.targets.json"), "targets", "root"),
            lambda: held.take_targets(self.file("1.model-m1.json"), "model-m1", "targets"),
        )
        for step in steps[:up_to]:
            step()
        return held

    def root_of_version(self, version: int) -> bytes:
        root = Metadata[Root].from_bytes(self.repository.root()).signed
        root.version = version
        signing = Signing(private_key=self.keys.private_bytes, now_s=utc_s(self.clock), settings=RepositorySettings())
        return signing.sign("root", root, root).to_bytes()


@pytest.fixture
def signed(clock: FakeClock) -> Signed:
    return Signed(clock)


def test_a_whole_chain_leads_to_the_target(signed: Signed) -> None:
    held = signed.trusted()

    targets = held.targets("model-m1", "targets")

    assert targets is not None
    assert TargetSearch(PATH).look("model-m1", targets) == targets.targets[PATH]


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_metadata_is_refused(signed: Signed, data: bytes) -> None:
    with pytest.raises(RepositoryError):
        signed.trusted(up_to=0).take_timestamp(data)


def test_one_kind_of_metadata_does_not_pass_for_another(signed: Signed) -> None:
    with pytest.raises(RepositoryError, match="timestamp was asked for, snapshot came"):
        signed.trusted(up_to=0).take_timestamp(signed.file("2.snapshot.json"))


def test_roots_come_one_after_the_other(signed: Signed) -> None:
    held = signed.trusted(up_to=0)

    with pytest.raises(BadVersionNumberError):
        held.take_root(signed.root_of_version(3))
    held.take_root(signed.root_of_version(2))

    assert held.root.version == 2


def test_a_stored_timestamp_is_the_oldest_that_is_taken(signed: Signed) -> None:
    old = signed.file("timestamp.json")
    signed.repository.publish("models/m1/2/fp32.ganglion", "cd" * 32, 1, "m1")
    held = signed.trusted(up_to=0)
    held.take_stored_timestamp(signed.file("timestamp.json"))

    with pytest.raises(BadVersionNumberError):
        held.take_timestamp(old)


def test_the_same_timestamp_again_is_no_news(signed: Signed) -> None:
    held = signed.trusted(up_to=0)
    held.take_stored_timestamp(signed.file("timestamp.json"))

    assert held.take_timestamp(signed.file("timestamp.json")) is False


def test_a_stored_timestamp_that_has_expired_still_forbids_older_ones_and_allows_nothing(
    signed: Signed, clock: FakeClock
) -> None:
    stored = signed.file("timestamp.json")
    clock.advance(30 * DAY_S)
    held = signed.trusted(up_to=0)
    held.take_stored_timestamp(stored)

    with pytest.raises(ExpiredMetadataError, match="timestamp"):
        held.take_timestamp(stored)


def test_a_role_is_verified_against_the_role_that_delegates_to_it_here(signed: Signed) -> None:
    held = signed.trusted()

    assert held.targets("model-m1", "targets") is not None
    assert held.targets("model-m1", "model-other") is None


def test_a_role_that_nobody_delegates_to_is_refused(signed: Signed) -> None:
    held = signed.trusted(up_to=3)

    with pytest.raises(UnsignedMetadataError):
        held.take_targets(signed.file("1.model-m1.json"), "model-m1", "root")


def test_metadata_that_is_held_grows_old(signed: Signed, clock: FakeClock) -> None:
    held = signed.trusted()
    clock.advance(8 * DAY_S)

    with pytest.raises(ExpiredMetadataError, match="timestamp"):
        held.check_life(signed.now)


def roles_seen(search: TargetSearch, tree: dict[str, list[tuple[str, bool]]]) -> list[str]:
    seen = []
    for role, _ in search:
        seen.append(role)
        roles = {name: DelegatedRole(name, [], 1, stops, paths=["*"]) for name, stops in tree.get(role, [])}
        search.look(role, Targets(targets={}, delegations=Delegations({}, roles)))
    return seen


def test_delegations_are_walked_in_order_and_depth_first() -> None:
    tree = {"targets": [("a", False), ("b", False)], "a": [("a1", False)]}

    assert roles_seen(TargetSearch("x"), tree) == ["targets", "a", "a1", "b"]


def test_a_terminating_delegation_ends_the_search_elsewhere() -> None:
    tree = {"targets": [("a", True), ("b", False)], "a": [("a1", False)]}

    assert roles_seen(TargetSearch("x"), tree) == ["targets", "a", "a1"]


def test_roles_that_delegate_to_each_other_are_asked_once() -> None:
    tree = {"targets": [("a", False)], "a": [("b", False)], "b": [("a", False)]}

    assert roles_seen(TargetSearch("x"), tree) == ["targets", "a", "b"]


def test_a_search_looks_into_so_many_roles_and_no_more() -> None:
    tree = {f"r{index}": [(f"r{index + 1}", False)] for index in range(1000)} | {"targets": [("r0", False)]}

    assert len(roles_seen(TargetSearch("x"), tree)) == 33
