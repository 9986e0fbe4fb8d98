"""The repository service; that real clients accept what it writes is tested in integration/test_tuf_repository."""

import pytest

from ganglion.core.errors import Conflict, DataCorrupt, InvalidName, InvalidRequest, NotFound
from ganglion.core.trust_errors import KeyMismatch
from ganglion.hub.services.releases.repository import Repository
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_files import MemoryMetadataFiles, MemorySigningKeys

DAY_S = 86_400
PATH = "models/digits/1/fp32.ganglion"
SHA256 = "ab" * 32


@pytest.fixture
def files() -> MemoryMetadataFiles:
    return MemoryMetadataFiles()


@pytest.fixture
def repository(files: MemoryMetadataFiles, clock: FakeClock) -> Repository:
    made = Repository(files=files, keys=MemorySigningKeys(), clock=clock)
    made.initialise()
    return made


def test_starting_again_changes_nothing(repository: Repository, files: MemoryMetadataFiles) -> None:
    before = dict(files.files)

    repository.initialise()

    assert files.files == before


def test_starting_again_after_a_day_signs_the_timestamp(
    repository: Repository, files: MemoryMetadataFiles, clock: FakeClock
) -> None:
    before = dict(files.files)
    clock.advance(1.5 * DAY_S)

    repository.initialise()

    changed = {name for name in files.files if files.files[name] != before.get(name)}
    assert changed == {"timestamp.json"}


def test_nothing_is_served_before_the_first_start(files: MemoryMetadataFiles, clock: FakeClock) -> None:
    repository = Repository(files=files, keys=MemorySigningKeys(), clock=clock)

    assert repository.root_version() == 0
    with pytest.raises(NotFound):
        repository.root()


def test_the_newest_root_is_the_one_given_to_new_nodes(repository: Repository, clock: FakeClock) -> None:
    first = repository.root()
    clock.advance(61 * DAY_S)

    repository.refresh_timestamp()

    assert repository.root_version() == 2
    assert repository.root() == repository.metadata("2.root.json") != first


def test_metadata_is_served_by_the_name_that_clients_ask_for(repository: Repository) -> None:
    repository.publish(PATH, SHA256, 10, "digits")

    for name in ("timestamp.json", "1.root.json", "2.snapshot.json", "2.targets.json", "1.model-digits.json"):
        assert repository.metadata(name).startswith(b"{")


@pytest.mark.parametrize(
    "name",
    ["", "3.root.json", "root.json", "0.root.json", "../keys/root", "1.other.json", "1.model-/x.json", "x" * 500],
)
def test_what_is_no_metadata_file_is_not_found(repository: Repository, files: MemoryMetadataFiles, name: str) -> None:
    files.files[name if name != "3.root.json" else "other"] = b"secret"

    with pytest.raises(NotFound, match="there is no metadata file"):
        repository.metadata(name)


def test_a_package_is_signed_for_its_own_model_only(repository: Repository) -> None:
    with pytest.raises(InvalidRequest, match="does not belong to the model gauges"):
        repository.publish(PATH, SHA256, 10, "gauges")


def test_a_digest_that_is_none_is_refused(repository: Repository) -> None:
    with pytest.raises(InvalidName, match="SHA-256"):
        repository.publish(PATH, "AB" * 32, 10, "digits")


def test_publishing_twice_changes_nothing(repository: Repository, files: MemoryMetadataFiles) -> None:
    repository.publish(PATH, SHA256, 10, "digits")
    before = dict(files.files)

    repository.publish(PATH, SHA256, 10, "digits")

    assert files.files == before


def test_other_bytes_are_a_conflict(repository: Repository) -> None:
    repository.publish(PATH, SHA256, 10, "digits")

    with pytest.raises(Conflict, match="other bytes"):
        repository.publish(PATH, "cd" * 32, 10, "digits")


def test_keys_of_another_hub_stop_the_start(
    repository: Repository, files: MemoryMetadataFiles, clock: FakeClock
) -> None:
    with pytest.raises(KeyMismatch):
        Repository(files=files, keys=MemorySigningKeys(seed=1), clock=clock).initialise()


def test_a_lost_timestamp_does_not_restart_the_versions(repository: Repository, files: MemoryMetadataFiles) -> None:
    repository.publish(PATH, SHA256, 10, "digits")
    del files.files["timestamp.json"]

    with pytest.raises(DataCorrupt, match=r"timestamp\.json is missing"):
        repository.initialise()


def test_the_operator_is_told_where_the_keys_are(repository: Repository) -> None:
    assert "this hub holds all signing keys" in repository.warning
