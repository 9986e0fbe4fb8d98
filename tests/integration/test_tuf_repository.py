"""The hub's repository, seen by python-tuf's own client: what it must accept, and what it must refuse."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tuf.api import exceptions
from tuf.api.metadata import TargetFile, Targets
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from ganglion.core.errors import Conflict, DiskUnusable, InvalidName, NotFound
from ganglion.core.ids import Digest
from ganglion.hub.services.releases.repository import Repository
from ganglion.ports.clock import utc_s
from ganglion.testing.clock import FakeClock
from ganglion.testing.memory_files import MemoryArtifactStore, MemoryMetadataFiles, MemorySigningKeys
from ganglion.trust import edition, repository, target_path
from ganglion.trust.lifetimes import RepositorySettings
from ganglion.trust.repository import Package
from ganglion.trust.signing import Signing

DAY_S = 86_400
FIRST, SECOND = "models/digits/1/fp32.ganglion", "models/digits/2/fp32.ganglion"
OTHER_MODEL = "models/gauges/1/int8.ganglion"


class Hub(FetcherInterface):
    """A repository with its packages, served without a network; `tampered` replaces what goes over the wire."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.files = FailingFiles()
        self.keys = MemorySigningKeys()
        self.artifacts = MemoryArtifactStore()
        self.repository = Repository(files=self.files, keys=self.keys, clock=clock)
        self.tampered: dict[str, bytes] = {}
        self.repository.initialise()

    def release(self, path: str, content: bytes) -> None:
        digest = self.artifacts.put(content)
        self.repository.publish(path, digest, len(content), target_path.parse(path).model)

    def signing(self) -> Signing:
        return Signing(private_key=self.keys.private_bytes, now_s=utc_s(self.clock), settings=RepositorySettings())

    def _fetch(self, url: str) -> Iterator[bytes]:
        kind, _, name = url.removeprefix("mem://hub/").partition("/")
        if name in self.tampered:
            return iter([self.tampered[name]])
        try:
            if kind == "metadata":
                return iter([self.repository.metadata(name)])
            return iter([self.artifacts.read(target_path.parse_hashed(name)[1])])
        except NotFound as error:
            raise exceptions.DownloadHTTPError(str(error), 404) from error


class FailingFiles(MemoryMetadataFiles):
    """Files whose disk fails after `writes_left` writes."""

    writes_left = 1_000_000

    def write(self, name: str, data: bytes) -> None:
        if self.writes_left == 0:
            raise DiskUnusable("the power went")
        self.writes_left -= 1
        super().write(name, data)


class Client:
    """One node's TUF client: what it trusted stays on its disk between looks."""

    def __init__(self, hub: Hub, directory: Path) -> None:
        self.hub = hub
        self.root = hub.repository.root()
        self.metadata, self.targets = directory / "metadata", directory / "targets"
        for folder in (self.metadata, self.targets):
            folder.mkdir(parents=True)

    def look(self) -> Updater:
        updater = Updater(
            str(self.metadata),
            "mem://hub/metadata/",
            str(self.targets),
            "mem://hub/targets/",
            fetcher=self.hub,
            bootstrap=self.root,
        )
        updater._trusted_set.reference_time = datetime.fromtimestamp(utc_s(self.hub.clock), tz=UTC)
        updater.refresh()
        return updater

    def find(self, path: str) -> TargetFile | None:
        return self.look().get_targetinfo(path)

    def fetch(self, path: str) -> bytes:
        updater = self.look()
        found = updater.get_targetinfo(path)
        assert found is not None, f"{path} is not published"
        return Path(updater.download_target(found)).read_bytes()


@pytest.fixture
def hub(clock: FakeClock) -> Hub:
    return Hub(clock)


@pytest.fixture
def client(hub: Hub, tmp_path: Path) -> Client:
    return Client(hub, tmp_path / "client")


def test_an_empty_repository_is_accepted(client: Client) -> None:
    assert client.find(FIRST) is None


def test_a_published_package_is_found_and_fetched(hub: Hub, client: Client) -> None:
    hub.release(FIRST, b"weights 1")

    assert client.fetch(FIRST) == b"weights 1"


def test_a_second_model_gets_its_own_role(hub: Hub, client: Client) -> None:
    hub.release(FIRST, b"weights 1")
    assert client.fetch(FIRST) == b"weights 1"

    hub.release(OTHER_MODEL, b"other weights")

    assert client.fetch(OTHER_MODEL) == b"other weights"
    assert client.fetch(FIRST) == b"weights 1"


def test_a_known_client_takes_every_next_version(hub: Hub, client: Client) -> None:
    for version in range(1, 6):
        hub.release(f"models/digits/{version}/fp32.ganglion", b"weights %d" % version)

        assert client.fetch(f"models/digits/{version}/fp32.ganglion") == b"weights %d" % version


def test_a_timestamp_that_is_signed_daily_never_expires(hub: Hub, client: Client) -> None:
    hub.release(FIRST, b"weights 1")

    for _ in range(200):
        hub.clock.advance(DAY_S)
        hub.repository.refresh_timestamp()

    assert client.fetch(FIRST) == b"weights 1"
    assert hub.repository.root_version() > 1


def test_a_repository_that_nobody_signs_again_is_refused_after_its_life(hub: Hub, client: Client) -> None:
    hub.clock.advance(8 * DAY_S)
    with pytest.raises(exceptions.ExpiredMetadataError):
        client.look()

    hub.repository.refresh_timestamp()

    client.look()


def test_a_hub_that_was_off_for_a_year_is_accepted_after_its_start(hub: Hub, client: Client) -> None:
    hub.release(FIRST, b"weights 1")
    assert client.fetch(FIRST) == b"weights 1"
    hub.clock.advance(365 * DAY_S)

    Repository(files=hub.files, keys=hub.keys, clock=hub.clock).initialise()

    assert client.fetch(FIRST) == b"weights 1"


def test_an_older_timestamp_after_a_newer_one_is_refused(hub: Hub, client: Client) -> None:
    old = hub.repository.metadata("timestamp.json")
    hub.release(FIRST, b"weights 1")
    client.look()

    hub.tampered["timestamp.json"] = old

    with pytest.raises(exceptions.BadVersionNumberError):
        client.look()


def test_a_new_timestamp_with_an_older_snapshot_is_refused(hub: Hub, client: Client) -> None:
    hub.release(FIRST, b"weights 1")

    hub.tampered["2.snapshot.json"] = hub.repository.metadata("1.snapshot.json")

    with pytest.raises(exceptions.RepositoryError):
        client.look()


def test_a_new_snapshot_with_an_older_model_role_is_refused(hub: Hub, client: Client) -> None:
    hub.release(FIRST, b"weights 1")
    hub.release(SECOND, b"weights 2")

    hub.tampered["2.model-digits.json"] = hub.repository.metadata("1.model-digits.json")

    with pytest.raises(exceptions.RepositoryError):
        client.find(SECOND)


@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "2.targets.json", "1.model-digits.json"])
def test_one_flipped_byte_in_metadata_is_refused(hub: Hub, client: Client, name: str) -> None:
    hub.release(FIRST, b"weights 1")
    honest = hub.repository.metadata(name)
    position = honest.index(b'"version"') + len(b'"version":')

    hub.tampered[name] = honest[:position] + b"9" + honest[position + 1 :]

    with pytest.raises(exceptions.RepositoryError):
        client.find(FIRST)


def test_one_flipped_byte_in_a_package_is_refused(hub: Hub, client: Client) -> None:
    hub.release(FIRST, b"weights 1")
    found = client.find(FIRST)
    assert found is not None

    hub.tampered[target_path.parse(FIRST).hashed(Digest(found.hashes["sha256"]))] = b"weights 2"

    with pytest.raises(exceptions.RepositoryError):
        client.fetch(FIRST)


def test_a_repository_with_other_keys_is_refused(hub: Hub, client: Client) -> None:
    impostor = Repository(files=MemoryMetadataFiles(), keys=MemorySigningKeys(seed=1), clock=hub.clock)
    impostor.initialise()

    hub.tampered["timestamp.json"] = impostor.metadata("timestamp.json")

    with pytest.raises(exceptions.UnsignedMetadataError):
        client.look()


def test_the_key_of_one_model_cannot_sign_a_path_of_another(hub: Hub, client: Client) -> None:
    hub.release(FIRST, b"weights 1")
    hub.release(OTHER_MODEL, b"other weights")
    now, signing = edition.load(hub.files.read), hub.signing()
    stolen = Package(path=target_path.parse(SECOND), sha256=hub.artifacts.put(b"evil"), size_bytes=4)
    forged = Targets(version=2, expires=signing.expiry(Targets), targets={SECOND: repository.target_file(stolen)})

    signed = signing.sign("model-gauges", forged, now.targets.signed)
    for file in repository.next_edition(now, {"model-gauges": signed}, signing):
        hub.files.write(file.name, file.data)

    assert client.find(SECOND) is None
    assert client.fetch(FIRST) == b"weights 1"


@pytest.mark.parametrize(
    "path", ["models/digits/1/..", "models/digits/../../x.ganglion", "models/digits/%2e/x.ganglion"]
)
def test_a_path_that_leaves_its_model_is_never_signed(hub: Hub, path: str) -> None:
    with pytest.raises(InvalidName):
        hub.repository.publish(path, "ab" * 32, 1, "digits")


@pytest.mark.parametrize("writes", range(5))
def test_a_kill_between_any_two_writes_leaves_a_valid_repository(
    hub: Hub, client: Client, tmp_path: Path, writes: int
) -> None:
    hub.release(FIRST, b"weights 1")
    assert client.fetch(FIRST) == b"weights 1"
    hub.files.writes_left = writes
    killed = writes < 4
    if killed:
        with pytest.raises(DiskUnusable):
            hub.release(OTHER_MODEL, b"other weights")
    else:
        hub.release(OTHER_MODEL, b"other weights")

    hub.files.writes_left = 1_000_000
    stranger = Client(hub, tmp_path / "stranger")
    assert [known.fetch(FIRST) for known in (client, stranger)] == [b"weights 1"] * 2
    assert (client.find(OTHER_MODEL) is None) == killed

    hub.clock.advance(5)
    hub.release(OTHER_MODEL, b"other weights")
    assert [known.fetch(OTHER_MODEL) for known in (client, stranger)] == [b"other weights"] * 2


@pytest.mark.parametrize("writes", range(4))
def test_a_kill_during_the_first_start_is_made_good_by_the_next(clock: FakeClock, tmp_path: Path, writes: int) -> None:
    files, keys = FailingFiles(), MemorySigningKeys()
    files.writes_left = writes
    with pytest.raises(DiskUnusable):
        Repository(files=files, keys=keys, clock=clock).initialise()
    files.writes_left = 1_000_000
    clock.advance(3600)

    hub = Hub(clock)
    hub.files, hub.repository = files, Repository(files=files, keys=keys, clock=clock)
    hub.repository.initialise()

    hub.release(FIRST, b"weights 1")
    assert Client(hub, tmp_path).fetch(FIRST) == b"weights 1"


@pytest.mark.parametrize("writes", range(5))
def test_a_kill_while_everything_is_signed_again_leaves_a_valid_repository(
    hub: Hub, client: Client, writes: int
) -> None:
    hub.release(FIRST, b"weights 1")
    hub.clock.advance(61 * DAY_S)
    hub.files.writes_left = writes
    with pytest.raises(DiskUnusable):
        hub.repository.refresh_timestamp()

    hub.files.writes_left = 1_000_000
    hub.repository.refresh_timestamp()

    assert client.fetch(FIRST) == b"weights 1"


def test_a_conflicting_release_changes_nothing_for_clients(hub: Hub, client: Client) -> None:
    hub.release(FIRST, b"weights 1")
    before = dict(hub.files.files)

    with pytest.raises(Conflict):
        hub.release(FIRST, b"other weights")

    assert hub.files.files == before
    assert client.fetch(FIRST) == b"weights 1"
