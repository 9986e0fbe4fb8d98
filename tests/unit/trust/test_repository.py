from collections.abc import Iterable

import pytest
from tuf.api.metadata import Metadata, Snapshot, Targets, Timestamp

from ganglion.core.errors import Conflict, DataCorrupt
from ganglion.core.ids import Digest
from ganglion.core.trust_errors import KeyMismatch
from ganglion.testing.memory_files import MemorySigningKeys
from ganglion.trust import edition, repository, target_path
from ganglion.trust.edition import Edition, MetadataFile
from ganglion.trust.lifetimes import RepositorySettings
from ganglion.trust.repository import Package
from ganglion.trust.signing import Signing

DAY_S = 86_400.0
NOW_S = 1_700_000_000.0


def signing(*, days: float = 0, seed: int = 0) -> Signing:
    keys = MemorySigningKeys(seed)
    return Signing(private_key=keys.private_bytes, now_s=NOW_S + days * DAY_S, settings=RepositorySettings())


def package(path: str = "models/digits/1/fp32.ganglion", *, byte: str = "ab", size_bytes: int = 10) -> Package:
    return Package(path=target_path.parse(path), sha256=Digest(byte * 32), size_bytes=size_bytes)


class Store(dict[str, bytes]):
    """Files by name, as the repository's shell keeps them."""

    def take(self, files: Iterable[MetadataFile]) -> list[str]:
        names = []
        for file in files:
            self[file.name] = file.data
            names.append(file.name)
        return names

    def edition(self) -> Edition:
        return edition.load(self.get)


@pytest.fixture
def store() -> Store:
    made = Store()
    made.take(repository.create(signing()))
    return made


def test_a_new_repository_has_version_1_of_each_role() -> None:
    names = Store().take(repository.create(signing()))

    assert names == ["1.root.json", "1.targets.json", "1.snapshot.json", "timestamp.json"]


def test_the_first_package_of_a_model_brings_its_own_role_and_key(store: Store) -> None:
    names = store.take(repository.publish(store.edition(), package(), signing()))

    assert names == ["1.model-digits.json", "2.targets.json", "2.snapshot.json", "timestamp.json"]
    delegations = store.edition().targets.signed.delegations
    assert delegations is not None
    assert delegations.roles is not None
    assert delegations.roles["model-digits"].paths == ["models/digits/*/*"]
    assert delegations.roles["model-digits"].keyids == [signing().public_key("model-digits").keyid]


def test_the_next_package_of_a_model_leaves_the_list_of_models_alone(store: Store) -> None:
    store.take(repository.publish(store.edition(), package(), signing()))

    names = store.take(repository.publish(store.edition(), package("models/digits/2/fp32.ganglion"), signing()))

    assert names == ["2.model-digits.json", "3.snapshot.json", "timestamp.json"]


def test_every_model_has_its_own_key(store: Store) -> None:
    for path in ("models/a/1/fp32.ganglion", "models/b/1/fp32.ganglion"):
        store.take(repository.publish(store.edition(), package(path), signing()))

    delegations = store.edition().targets.signed.delegations
    assert delegations is not None
    assert delegations.roles is not None
    keys = {role.keyids[0] for role in delegations.roles.values()}
    assert len(keys) == 2


def test_a_package_carries_its_names(store: Store) -> None:
    store.take(repository.publish(store.edition(), package("models/digits/2/int8.ganglion"), signing()))

    target = store.edition().model("model-digits").signed.targets["models/digits/2/int8.ganglion"]
    assert target.custom == {"model": "digits", "version": "2", "variant": "int8"}


def test_publishing_the_same_bytes_again_writes_nothing(store: Store) -> None:
    store.take(repository.publish(store.edition(), package(), signing()))

    assert repository.publish(store.edition(), package(), signing(days=1)) == []


@pytest.mark.parametrize("other", [package(byte="cd"), package(size_bytes=11)])
def test_other_bytes_under_the_same_path_are_a_conflict(store: Store, other: Package) -> None:
    store.take(repository.publish(store.edition(), package(), signing()))

    with pytest.raises(Conflict, match="other bytes"):
        repository.publish(store.edition(), other, signing())


def test_nothing_is_due_on_the_day_of_signing(store: Store) -> None:
    assert repository.renew(store.edition(), signing(days=1)) == []


def test_after_a_day_the_timestamp_alone_is_signed_again(store: Store) -> None:
    names = store.take(repository.renew(store.edition(), signing(days=1.01)))

    assert names == ["timestamp.json"]
    now = store.edition()
    assert (now.timestamp.signed.version, now.snapshot.signed.version) == (2, 1)


def test_what_has_a_third_of_its_life_left_is_signed_again(store: Store) -> None:
    store.take(repository.publish(store.edition(), package(), signing()))

    names = store.take(repository.renew(store.edition(), signing(days=61)))

    assert names == ["2.root.json", "2.model-digits.json", "3.targets.json", "3.snapshot.json", "timestamp.json"]


def test_a_hub_that_was_off_for_a_year_comes_back(store: Store) -> None:
    store.take(repository.publish(store.edition(), package(), signing()))

    store.take(repository.renew(store.edition(), signing(days=365)))

    now = store.edition()
    for metadata in (now.root, now.timestamp, now.snapshot, now.targets, now.model("model-digits")):
        assert (metadata.signed.expires.timestamp() - NOW_S) / DAY_S > 365


def test_a_renewed_model_keeps_its_packages(store: Store) -> None:
    store.take(repository.publish(store.edition(), package(), signing()))

    store.take(repository.renew(store.edition(), signing(days=80)))

    assert list(store.edition().model("model-digits").signed.targets) == [str(package().path)]


def test_versions_only_grow(store: Store) -> None:
    seen = [1]
    for day, path in enumerate(["models/a/1/x.ganglion", "models/a/2/x.ganglion", "models/b/1/x.ganglion"]):
        store.take(repository.publish(store.edition(), package(path), signing(days=day)))
        store.take(repository.renew(store.edition(), signing(days=day + 1.5)))
        seen.append(store.edition().timestamp.signed.version)

    assert seen == [1, 3, 5, 7]


def test_the_snapshot_pins_length_and_hash_of_every_role(store: Store) -> None:
    store.take(repository.publish(store.edition(), package(), signing()))

    meta = store.edition().snapshot.signed.meta
    for role in ("targets", "model-digits"):
        entry = meta[f"{role}.json"]
        entry.verify_length_and_hashes(store[f"{entry.version}.{role}.json"])
        assert entry.hashes


def test_the_same_keys_and_time_make_the_same_bytes() -> None:
    assert repository.create(signing()) == repository.create(signing())


def test_a_foreign_key_signs_nothing(store: Store) -> None:
    with pytest.raises(KeyMismatch, match="not the one that this repository trusts"):
        repository.renew(store.edition(), signing(days=2, seed=1))


def test_foreign_keys_are_noticed_before_anything_is_due(store: Store) -> None:
    repository.check_keys(store.edition(), signing())

    with pytest.raises(KeyMismatch):
        repository.check_keys(store.edition(), signing(seed=1))


@pytest.mark.parametrize("name", ["timestamp.json", "1.snapshot.json", "1.targets.json"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff", b'{"signed": {"_type": "root"}, "signatures": []}'])
def test_a_damaged_file_is_named(store: Store, name: str, damage: bytes) -> None:
    store[name] = damage

    with pytest.raises(DataCorrupt, match=name):
        store.edition()


def test_a_missing_file_is_named(store: Store) -> None:
    del store["1.targets.json"]

    with pytest.raises(DataCorrupt, match=r"1\.targets\.json is missing"):
        store.edition()


def test_a_file_of_another_role_is_refused(store: Store) -> None:
    store["1.snapshot.json"] = store["1.targets.json"]

    with pytest.raises(DataCorrupt, match="another one"):
        store.edition()


def test_lives_are_the_ones_in_the_settings(store: Store) -> None:
    now = store.edition()

    days = {type(md.signed): round((md.signed.expires.timestamp() - NOW_S) / DAY_S) for md in _all(now)}
    assert days == {Timestamp: 7, Snapshot: 30, Targets: 90}


def _all(now: Edition) -> tuple[Metadata[Timestamp] | Metadata[Snapshot] | Metadata[Targets], ...]:
    return now.timestamp, now.snapshot, now.targets
