"""Keys leave the hub, are replaced and revoked, while nodes go on: seen by python-tuf's own client."""

import dataclasses
from pathlib import Path

import pytest
from tuf.api import exceptions
from tuf.api.metadata import Metadata, Targets, Timestamp

from ganglion.adapters.key_documents import key_from_raw
from ganglion.core.errors import DataCorrupt, DiskUnusable, NotFound
from ganglion.core.trust_errors import AssignmentOutdated, ProposalRefused, SignaturesMissing
from ganglion.hub.services.releases.repository import Repository
from ganglion.ports.clock import utc_s
from ganglion.testing.clock import FakeClock
from ganglion.trust import assignment, edition, repository
from ganglion.trust.assignment import AssignmentStatement, ExpectedAssignment
from ganglion.trust.ceremony import proposals as ceremony
from ganglion.trust.ceremony.proposal import Proposal
from ganglion.trust.ceremony.proposals import OnlineKey
from ganglion.trust.lifetimes import RepositorySettings
from ganglion.trust.signing import Terms
from integration.test_tuf_repository import DAY_S, FIRST, OTHER_MODEL, SECOND, Client, Hub
from unit.trust.ceremonies import HOLDERS, keyid, package, signed_by, signer


class Fleet:
    """A hub, a node's client that knew it before the ceremony, and the people who hold keys."""

    def __init__(self, clock: FakeClock, directory: Path) -> None:
        self.clock = clock
        self.hub = Hub(clock)
        self.client = Client(self.hub, directory)
        self.directory = directory

    def terms(self) -> Terms:
        return Terms(now_s=utc_s(self.clock), settings=RepositorySettings())

    def start(self) -> Proposal:
        return Proposal(self.hub.repository.present())

    def publish(self, proposed: Proposal, *names: str) -> None:
        signed = signed_by(proposed, *names)
        self.hub.repository.install({role: document.to_bytes() for role, document in signed.documents()})

    def begun(self) -> Proposal:
        keys = [signer(name).public_key for name in HOLDERS]
        return ceremony.begin(self.start(), keys, 2, signer("publisher").public_key, self.terms())

    def offered(self) -> dict[str, OnlineKey]:
        raw = {
            role: (name, self.hub.repository.public_key(name).hex())
            for role, name in self.hub.repository.online_key_names().items()
        }
        return {role: OnlineKey(role, name, key_from_raw(public), public) for role, (name, public) in raw.items()}

    def release_with(self, name: str, path: str, content: bytes) -> None:
        """Release as `ganglion model publish --key` does: the signature first, then the package."""
        digest = self.hub.artifacts.put(content)
        added = dataclasses.replace(package(path), sha256=digest, size_bytes=len(content))
        model = self.hub.repository.present().models[added.path.role].signed
        following = Metadata(repository.with_package(model, added, self.terms()))
        following.sign(signer(name))
        self.hub.repository.offer_model(added.path.role, following.to_bytes())
        self.hub.repository.publish(path, digest, len(content), added.path.model)

    def restart_hub(self) -> None:
        self.hub.repository = Repository(files=self.hub.files, keys=self.hub.keys, clock=self.clock)
        self.hub.repository.initialise()


@pytest.fixture
def fleet(clock: FakeClock, tmp_path: Path) -> Fleet:
    return Fleet(clock, tmp_path)


@pytest.fixture
def production(fleet: Fleet) -> Fleet:
    fleet.hub.release(FIRST, b"weights 1")
    assert fleet.client.fetch(FIRST) == b"weights 1"
    fleet.publish(fleet.begun(), "ada", "bo", "publisher")
    return fleet


def test_a_known_node_follows_from_development_mode_into_production(production: Fleet) -> None:
    assert production.client.fetch(FIRST) == b"weights 1"
    assert not production.hub.repository.is_development
    assert production.hub.repository.warning == ""


def test_a_node_that_slept_through_two_ceremonies_follows(production: Fleet) -> None:
    rotated = ceremony.rotate(production.start(), "root", keyid("cy"), signer("di").public_key, production.terms())
    production.publish(rotated, "ada", "bo")
    production.publish(
        ceremony.revoke(production.start(), keyid("ada"), None, {}, production.terms()), "bo", "cy", "di"
    )

    assert production.client.fetch(FIRST) == b"weights 1"


def test_the_hub_keeps_no_release_key(production: Fleet) -> None:
    assert production.hub.keys.names == {"snapshot", "timestamp", "assignment"}


def test_a_publisher_releases_and_nodes_take_it(production: Fleet) -> None:
    production.release_with("publisher", SECOND, b"weights 2")

    assert production.client.fetch(SECOND) == b"weights 2"


def test_without_the_publisher_nothing_is_released(production: Fleet) -> None:
    with pytest.raises(SignaturesMissing, match="--key"):
        production.hub.release(SECOND, b"weights 2")
    with pytest.raises(SignaturesMissing, match="delegate"):
        production.hub.release(OTHER_MODEL, b"other weights")

    assert production.client.find(SECOND) is None


def test_a_signature_for_other_bytes_releases_nothing(production: Fleet) -> None:
    production.release_with("publisher", SECOND, b"weights 2")
    third = "models/digits/3/fp32.ganglion"
    model = production.hub.repository.present().models["model-digits"].signed
    following = Metadata(repository.with_package(model, package(third), production.terms()))
    following.sign(signer("publisher"))
    production.hub.repository.offer_model("model-digits", following.to_bytes())

    with pytest.raises(SignaturesMissing):
        production.hub.release(third, b"not what was signed")


def test_a_new_model_needs_the_key_holders_once_and_then_its_publisher_alone(production: Fleet) -> None:
    delegated = ceremony.delegate(production.start(), "gauges", signer("di").public_key, production.terms())
    production.publish(delegated, "bo", "cy", "di")

    production.release_with("di", OTHER_MODEL, b"other weights")

    assert production.client.fetch(OTHER_MODEL) == b"other weights"


def test_a_package_signed_only_by_a_revoked_key_is_refused_by_nodes(production: Fleet) -> None:
    production.release_with("publisher", SECOND, b"evil")
    now = edition.load(production.hub.files.read)
    stolen = now.model("model-digits")
    revoked = ceremony.revoke(production.start(), keyid("publisher"), signer("di").public_key, {}, production.terms())
    cleaned = ceremony.withdraw(revoked, SECOND, "model-digits", production.terms())
    production.publish(cleaned, "ada", "bo", "di")

    assert production.client.fetch(FIRST) == b"weights 1"
    assert production.client.find(SECOND) is None

    # Somebody with the stolen key and the hub's own keys puts the old list back, as a newer version.
    stolen.signed.version = 9
    stolen.sign(signer("publisher"))
    signing = production.hub.repository._signing()
    for file in repository.next_edition(edition.load(production.hub.files.read), {"model-digits": stolen}, signing):
        production.hub.files.write(file.name, file.data)
    with pytest.raises(exceptions.UnsignedMetadataError):
        production.client.find(SECOND)


def freeze_out(fleet: Fleet) -> None:
    """What somebody with the timestamp's key does: a version that no honest one will ever reach."""
    now, signing = edition.load(fleet.hub.files.read), fleet.hub.repository._signing()
    forged = Timestamp(
        version=2**31, expires=signing.expiry(Timestamp), snapshot_meta=now.timestamp.signed.snapshot_meta
    )
    fleet.hub.tampered["timestamp.json"] = signing.sign("timestamp", forged, now.root.signed).to_bytes()
    fleet.client.look()
    fleet.hub.tampered.clear()
    with pytest.raises(exceptions.BadVersionNumberError):
        fleet.client.look()


def test_in_development_mode_a_timestamp_of_version_2_31_is_recovered_by_the_hub(fleet: Fleet) -> None:
    fleet.hub.release(FIRST, b"weights 1")
    freeze_out(fleet)

    assert fleet.hub.repository.recover()

    assert fleet.client.fetch(FIRST) == b"weights 1"


def test_in_production_a_timestamp_of_version_2_31_is_recovered_by_a_ceremony(production: Fleet) -> None:
    freeze_out(production)

    assert not production.hub.repository.recover()
    proposed = production.start()
    for role in ("snapshot", "timestamp"):
        proposed = ceremony.rotate_online(proposed, production.offered()[role], production.terms())
    production.publish(proposed, "ada", "cy")

    assert production.client.fetch(FIRST) == b"weights 1"
    assert {"snapshot", "timestamp"}.isdisjoint(production.hub.keys.names)
    production.restart_hub()
    production.clock.advance(2 * DAY_S)
    production.hub.repository.refresh_timestamp()
    assert production.client.fetch(FIRST) == b"weights 1"


def test_a_restored_hub_in_production_is_accepted_after_a_ceremony(production: Fleet) -> None:
    backup = dict(production.hub.files.files)
    production.release_with("publisher", SECOND, b"weights 2")
    assert production.client.fetch(SECOND) == b"weights 2"
    production.hub.files.files = backup
    production.restart_hub()
    with pytest.raises(exceptions.RepositoryError):
        production.client.look()

    production.hub.repository.recover()
    proposed = production.start()
    for role in ("snapshot", "timestamp"):
        proposed = ceremony.rotate_online(proposed, production.offered()[role], production.terms())
    production.publish(proposed, "ada", "bo")
    production.release_with("publisher", SECOND, b"weights 2 again")

    assert production.client.fetch(SECOND) == b"weights 2 again"


def test_a_stolen_key_for_assignments_is_replaced_and_worth_nothing_then(production: Fleet) -> None:
    statement = AssignmentStatement(
        node_id="n1", incarnation="i", revision=1, target_path=FIRST, sha256="ab" * 32, size_bytes=9
    )
    expected = ExpectedAssignment(node_id="n1", target_path=FIRST, sha256="ab" * 32, size_bytes=9)
    before = production.hub.repository.sign_assignment(statement)
    production.hub.repository.make_online_keys()
    proposed = ceremony.rotate_online(production.start(), production.offered()["assignment"], production.terms())
    production.publish(proposed, "ada", "bo")

    after = production.hub.repository.sign_assignment(statement)

    root = production.hub.repository.present().root.signed
    assert before is not None
    assert after is not None
    assert assignment.verify(root, after, expected) == statement
    with pytest.raises(AssignmentOutdated):
        assignment.verify(root, before, expected)


def test_the_hub_signs_its_own_roles_for_years_while_people_sign_theirs(production: Fleet) -> None:
    for _ in range(12):
        for _ in range(60):
            production.clock.advance(DAY_S)
            production.hub.repository.refresh_timestamp()
        roles = ["root", "targets", "model-digits"]
        renewed = ceremony.renew(production.start(), roles, production.terms())
        production.publish(renewed, "bo", "cy", "publisher")
        production.client.look()

    assert production.client.fetch(FIRST) == b"weights 1"


def test_when_nobody_renews_nodes_refuse_updates_and_the_hub_says_who_is_late(production: Fleet) -> None:
    for _ in range(91):
        production.clock.advance(DAY_S)
        production.hub.repository.refresh_timestamp()

    late = {role.name for role in production.hub.repository.roles() if role.is_expired}

    assert late == {"root", "targets", "model-digits"}
    with pytest.raises(exceptions.ExpiredMetadataError):
        production.client.look()
    renewed = ceremony.renew(production.start(), ["root", "targets", "model-digits"], production.terms())
    production.publish(renewed, "ada", "bo", "publisher")
    assert production.client.fetch(FIRST) == b"weights 1"


@pytest.mark.parametrize("writes", range(8))
def test_a_kill_at_any_write_of_a_ceremony_is_made_good_by_the_next_start(fleet: Fleet, writes: int) -> None:
    fleet.hub.release(FIRST, b"weights 1")
    assert fleet.client.fetch(FIRST) == b"weights 1"
    proposed = fleet.begun()
    fleet.hub.files.writes_left = writes
    killed = writes < 7
    if killed:
        with pytest.raises(DiskUnusable):
            fleet.publish(proposed, "ada", "bo", "publisher")
    else:
        fleet.publish(proposed, "ada", "bo", "publisher")
    fleet.hub.files.writes_left = 1_000_000

    fleet.restart_hub()

    assert fleet.client.fetch(FIRST) == b"weights 1"
    assert fleet.hub.repository.is_development == (writes == 0)
    if writes:
        assert fleet.hub.keys.names == {"snapshot", "timestamp", "assignment"}


@pytest.mark.parametrize("writes", range(1, 7))
def test_a_full_disk_in_the_middle_of_a_ceremony_is_made_good_by_the_running_hub(fleet: Fleet, writes: int) -> None:
    fleet.hub.release(FIRST, b"weights 1")
    proposed = fleet.begun()
    fleet.hub.files.writes_left = writes
    with pytest.raises(DiskUnusable):
        fleet.publish(proposed, "ada", "bo", "publisher")
    fleet.hub.files.writes_left = 1_000_000

    fleet.hub.repository.refresh_timestamp()

    assert fleet.client.fetch(FIRST) == b"weights 1"
    assert fleet.hub.keys.names == {"snapshot", "timestamp", "assignment"}


def test_a_refused_proposal_changes_nothing(production: Fleet) -> None:
    before = dict(production.hub.files.files)
    renewed = ceremony.renew(production.start(), ["root"], production.terms())

    with pytest.raises(SignaturesMissing):
        production.publish(renewed, "ada")
    with pytest.raises(ProposalRefused):
        production.hub.repository.install({"root": b"{}"})
    with pytest.raises(ProposalRefused):
        production.hub.repository.install({})

    assert production.hub.files.files == before


def test_what_is_kept_beside_the_metadata_is_not_served(production: Fleet) -> None:
    production.release_with("publisher", SECOND, b"weights 2")

    for name in ("pending-proposal.json", "offered-model-digits.json"):
        assert production.hub.files.read(name) is not None
        with pytest.raises(NotFound):
            production.hub.repository.metadata(name)


def test_a_hub_of_an_earlier_release_begins_to_name_its_key_for_assignments(fleet: Fleet) -> None:
    present = edition.load(fleet.hub.files.read)
    del present.root.signed.unrecognized_fields["ganglion_assignment_keys"]
    earlier = fleet.hub.signing().sign("root", present.root.signed, present.root.signed)
    fleet.hub.files.write("1.root.json", earlier.to_bytes())
    fleet.client.root = earlier.to_bytes()

    fleet.restart_hub()

    assert fleet.hub.repository.assignment_keys()
    assert fleet.client.find(FIRST) is None
    assert fleet.hub.repository.root_version() == 2


def test_a_damaged_pending_proposal_is_named(fleet: Fleet) -> None:
    fleet.hub.files.write("pending-proposal.json", b"{")

    with pytest.raises(DataCorrupt, match="pending-proposal"):
        fleet.restart_hub()


def test_targets_metadata_is_never_taken_for_a_model_of_that_name(production: Fleet) -> None:
    forged = Metadata(Targets(version=9))

    with pytest.raises(ProposalRefused):
        production.hub.repository.install({"model-digits": forged.to_bytes()})
